"""The console without a terminal: lines from stdin, and answers as the line protocol has them on stdout."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from tanist.peer.application.blob import BLOB_BYTES_MAX
from tanist.peer.cli.exits import Exit
from tanist.peer.cli.output import complain
from tanist.peer.console.carrying import bytes_after, done_in_pipe
from tanist.peer.console.typed import LINE_BYTES_MAX
from tanist.peer.gateways.line import BLANK

if TYPE_CHECKING:
    from tanist.peer.console.remote import Remote

READ_AHEAD = 1
"""Lines read before the one before them is answered: up to 32 MiB may follow each."""


class Printer:
    """The `Teller` of a piped console."""

    def event(self, line: str) -> None:
        """An event is a line of its own."""
        print_lines([line.translate(BLANK)])

    def news(self, text: str) -> None:
        """News is not data."""
        complain(text)


class Given(NamedTuple):
    """A line, and the bytes that follow it."""

    line: bytes
    body: bytes = b""


async def run(remote: "Remote", stream: BinaryIO) -> int:
    """Have the lines of a stream done until they end, or QUIT; gives the exit status of the last that went wrong."""
    status = Exit.OK

    def follow(line: bytes) -> int:
        return bytes_after(remote.place.signatures, line.decode(errors="replace"))

    async for raw, body in lines_of(stream, follow):
        try:
            line = raw.decode().strip()
        except UnicodeDecodeError:
            print_lines(["ERROR lines are UTF-8"])
            status = Exit.USAGE
            continue
        if not line:
            continue
        if line.upper() == "QUIT":
            print_lines(["OK"])
            break
        if len(raw) > LINE_BYTES_MAX:
            print_lines([f"ERROR a line has at most {LINE_BYTES_MAX} bytes"])
            status = Exit.USAGE
            continue
        size = follow(raw)
        if size > BLOB_BYTES_MAX:
            # What comes now is these bytes, or the next line: nobody can tell.
            print_lines([f"ERROR at most {BLOB_BYTES_MAX} bytes are kept; this is the end"])
            return Exit.USAGE
        if len(body) < size:
            print_lines([f"ERROR of {size} bytes {len(body)} came"])
            return Exit.USAGE
        answer, follows = await done_in_pipe(remote, line, body)
        print_lines(answer.lines)
        if follows:
            sys.stdout.buffer.write(follows)
            sys.stdout.flush()
        status = answer.status or status
    return status


def print_lines(lines: list[str]) -> None:
    """Write lines at once: whoever reads them may wait for each."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


async def lines_of(stream: BinaryIO, follow: Callable[[bytes], int]) -> AsyncIterator[Given]:
    """The lines of a stream that blocks, a file or a pipe: a thread reads, which keeps no process from ending.

    Of a line that is too long, the begin comes, which is too long too. `follow` says how many bytes follow a line.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[Given | None] = asyncio.Queue()
    room = threading.Semaphore(READ_AHEAD)

    def read() -> None:
        # Once the loop is closed nobody listens.
        with contextlib.suppress(RuntimeError):
            while raw := stream.readline(LINE_BYTES_MAX + 1):
                room.acquire()
                rest = raw
                while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
                    rest = stream.readline(LINE_BYTES_MAX + 1)
                body = stream.read(size) if (size := follow(raw)) <= BLOB_BYTES_MAX else b""
                loop.call_soon_threadsafe(waiting.put_nowait, Given(raw, body))
            loop.call_soon_threadsafe(waiting.put_nowait, None)

    threading.Thread(target=read, name="tanist-stdin", daemon=True).start()
    while (given := await waiting.get()) is not None:
        room.release()
        yield given
