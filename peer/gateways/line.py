"""The line protocol, for `nc`, telnet and programs: UTF-8 lines, `COMMAND arguments` in, one answer each.

An answer is `OK` with what there is to say, or `ERROR` with the reason. An answer of several lines is `OK`, the lines,
and a line with a dot alone; a line of it that begins with a dot gets another before it. Events are lines of their own.

A command that takes bytes ends with their number, and they follow the line: `UPLOAD name size`. An answer that is bytes
is `OK size`, and they follow.
"""

from typing import Any

import msgspec

from tanist.peer.application.blob import BLOB_BYTES_MAX, Blob
from tanist.peer.application.events import Published
from tanist.peer.application.specification import Operation, Specified
from tanist.peer.errors import BadRequest, CallError
from tanist.peer.gateways import words
from tanist.peer.gateways.tcp import Connection, CutOff, Incoming, Serving, TcpGateway, TooLong

BLANK = str.maketrans(dict.fromkeys(map(chr, [*range(32), 127, *range(128, 160), 8232, 8233]), " "))
"""Control characters become spaces: no text steers a terminal, or forges a line."""


class LineGateway(TcpGateway):
    """The line protocol of one application."""

    protocol = "line"

    def __init__(self, peer: Serving, app: str, address: str, application: Specified) -> None:
        super().__init__(peer, app, address)
        self._application = application

    async def serve(self, connection: Connection) -> None:
        """Answer line by line, until the client has had enough."""
        try:
            async for raw in connection.lines(whole=True):
                # Also of a line that is no UTF-8: its bytes come all the same, and are no commands.
                line = raw.decode(errors="replace")
                word = line.strip().lower()
                if word == "quit":
                    connection.send(b"OK\n")
                    return
                if word:
                    size = words.bytes_after(self._application, line)
                    if size is not None and size > BLOB_BYTES_MAX:
                        # What comes now is these bytes, or the next command: nobody can tell.
                        connection.send(error(f"at most {BLOB_BYTES_MAX} bytes are kept; the connection ends"))
                        await connection.linger()
                        return
                    told = b""
                    try:
                        told = await self._answer(connection, raw, size)
                    finally:
                        connection.release(told)
                if connection.ended:
                    return
        except (TooLong, CutOff) as wrong:
            connection.send(error(str(wrong)))
            await connection.linger()

    async def _answer(self, connection: Connection, raw: bytes, size: int | None) -> bytes:
        """The answer to a line that so many bytes follow; b"" when it is sent already."""
        incoming = connection.incoming(size or 0)
        try:
            return await self._done(connection, raw, incoming)
        except CallError as why:
            told = undone(why)
        # The next line begins behind the bytes, whatever became of them.
        async for _ in incoming:
            pass
        return told

    async def _done(self, connection: Connection, raw: bytes, incoming: Incoming) -> bytes:
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            raise BadRequest("lines are UTF-8") from None
        if (about := words.asks_for_help(line)) is not None:
            return help_answer(self._application, about)
        operation, given = words.read(self._application, line)
        if operation.blob is not None:
            given[-1] = await connection.upload(incoming)
        if operation.is_command:
            # The answer comes first, and then what the command made happen: who asks reads one line.
            connection.hold()
            result = await connection.call(operation.name, *given)
        else:
            result = connection.query(operation.name, *given)
        if operation.gives_blob and result is not None:
            blob = msgspec.convert(result, type=Blob)
            await connection.send_whole([b"OK %d\n" % blob.size, *connection.parts_of(blob)])
            return b""
        return done(operation, result)

    def told(self, connection: Connection, happened: Published) -> bytes:
        """An event's line."""
        return happened.line.translate(BLANK).encode(errors="replace") + b"\n"

    def refused(self, why: str) -> bytes:
        """Why a client is not taken."""
        return error(why)


def help_answer(app: Specified, about: str) -> bytes:
    """The answer to HELP: all commands, or the one that it is about; raises `NotFound`."""
    return answer(words.help_lines(app, about), several=True)


def done(operation: Operation, result: Any) -> bytes:
    """The answer for what a command or query gave."""
    if result is None and not operation.is_command:
        return error("not found")
    shown = words.lines_of(operation, result)
    several = words.is_list(operation)
    if shown is None or (operation.is_command and not several and shown == ["OK"]):
        return b"OK\n"
    return answer(shown, several=several or len(shown) != 1)


def undone(why: CallError) -> bytes:
    """The answer for what was refused or failed."""
    if isinstance(why, BadRequest):
        return error(why.message.partition(": ")[2] or why.message)
    return error(why.message)


def answer(lines: list[str], *, several: bool) -> bytes:
    """`OK` with one line, or with several and a dot at their end."""
    clean = [line.translate(BLANK).encode(errors="replace") for line in lines]
    if not several:
        return b"OK " + clean[0] + b"\n"
    return b"".join([b"OK\n", *(b"." * line.startswith(b".") + line + b"\n" for line in clean), b".\n"])


def error(why: str) -> bytes:
    """`ERROR` with a reason, on one line."""
    return b"ERROR " + " ".join(why.translate(BLANK).split()).encode(errors="replace") + b"\n"
