"""Bytes that a line takes or gives: no line can have them, so they go over HTTP, beside the client's connection.

On a terminal a line names a file of this machine for what it takes, and text that it gives is shown. In a pipe both
are as in the line protocol: their number on the line, and they follow it.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from tanist.peer.application.blob import BLOB_BYTES_MAX
from tanist.peer.console.answers import NOTHING, Answer, failed
from tanist.peer.console.signatures import Operation, Signatures
from tanist.peer.console.typed import read, texts_of

if TYPE_CHECKING:
    from tanist.peer.console.remote import Remote

SHOWN_BYTES_MAX = 256 << 10
"""Bytes of a text that a terminal shows: some thousand lines, as many as wait for it at once."""
SIZE_DIGITS_MAX = 18
"""Digits of a number of bytes: more is not meant."""


class _Done(msgspec.Struct):
    """What a peer answers to a command over HTTP."""

    result: Any
    lines: list[str] | None = None


async def done_on_terminal(remote: "Remote", line: str) -> Answer:
    """Have a line done for somebody at a terminal."""
    operation = read(remote.place.signatures, line).operation
    if operation is not None and operation.takes_bytes:
        texts = texts_of(operation, line)
        if missing := [a.typed for a in operation.arguments if a.required and a.name not in texts]:
            return failed("bad_request", f"{missing[0]} is missing; write {operation.usage}")
        try:
            body = await asyncio.to_thread(_read_file, texts.pop(operation.arguments[-1].name))
        except (OSError, RuntimeError, ValueError) as error:
            return failed("bad_request", str(error))
        return await send(remote, operation, texts, body)
    answer = await remote.ask(line)
    if operation is None or not operation.gives_bytes or answer.code:
        return answer
    texts = texts_of(operation, line)
    if isinstance(answer.result, dict) and answer.result.get("size", 0) > SHOWN_BYTES_MAX:
        return Answer([f"{answer.lines[0]}, too many to show; {_where(remote, operation, texts)}"])
    given = await fetch(remote, operation, texts)
    if isinstance(given, Answer):
        return given
    return _shown(given) or Answer([f"{answer.lines[0]} that are no text; {_where(remote, operation, texts)}"])


def _read_file(name: str) -> bytes:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.stat().st_size > BLOB_BYTES_MAX:
        raise ValueError(f"{path} has more than {BLOB_BYTES_MAX} bytes, which is the most that is kept")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _shown(data: bytes) -> Answer | None:
    """Text as lines; None if it is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    lines = text.expandtabs().splitlines()
    if not all(line.isprintable() for line in lines):
        return None
    return (
        Answer(["OK", *("." * line.startswith(".") + line for line in lines), "."]) if lines else Answer(["OK 0 bytes"])
    )


def _where(remote: "Remote", operation: Operation, texts: dict[str, str]) -> str:
    path = remote.path_of(operation.name)
    return f"http://{remote.place.address}{path}?{urlencode(texts)} has them"


def bytes_after(signatures: Signatures, line: str) -> int:
    """How many bytes follow a line in a pipe: those that a command takes."""
    operation = read(signatures, line).operation
    size = line.split()[-1] if operation is not None and operation.takes_bytes else ""
    return int(size) if size.isascii() and size.isdecimal() and len(size) <= SIZE_DIGITS_MAX else 0


async def done_in_pipe(remote: "Remote", line: str, body: bytes) -> tuple[Answer, bytes]:
    """Have a line done for a program; gives the answer, and the bytes that follow it."""
    operation = read(remote.place.signatures, line).operation
    if operation is not None and operation.takes_bytes and bytes_after(remote.place.signatures, line) == len(body):
        before = line.rstrip().removesuffix(line.split()[-1])
        texts = texts_of(msgspec.structs.replace(operation, arguments=operation.arguments[:-1]), before)
        if len(texts) == len(operation.arguments) - 1 and line.split()[-1].isdecimal():
            return await send(remote, operation, texts, body), b""
    answer = await remote.ask(line)
    if operation is None or not operation.gives_bytes or answer.code:
        return answer, b""
    given = await fetch(remote, operation, texts_of(operation, line))
    return (given, b"") if isinstance(given, Answer) else (Answer([f"OK {len(given)}"]), given)


async def send(remote: "Remote", operation: Operation, texts: dict[str, str], body: bytes) -> Answer:
    """Have a command done that takes bytes; it is done once, also when its peer is lost meanwhile."""
    said = await remote.over_http("PUT", operation.name, texts, body)
    if isinstance(said, Answer):
        return said
    try:
        answer = msgspec.json.decode(said, type=_Done)
    except msgspec.MsgspecError:
        return failed("failed", "what answered is no tanist peer")
    if answer.lines is not None:
        return Answer(["OK", *answer.lines, "."])
    return Answer(["OK" if answer.result == "OK" else f"OK {answer.result}"])


async def fetch(remote: "Remote", operation: Operation, texts: dict[str, str]) -> bytes | Answer:
    """The bytes that a query gives, or why there are none."""
    said = await remote.over_http("GET", operation.name, texts)
    if isinstance(said, Answer) and said.code == "not_found":
        return failed(NOTHING, "not found")
    return said
