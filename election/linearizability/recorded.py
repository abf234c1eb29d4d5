"""tanist's own form of a history: JSON lines, a header and then one operation a line (docs/reference/histories.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tanist.election.linearizability.operations import HistoryError, Operation, Outcome, Truth, operation

FORMAT = "tanist-history"
VERSION = 1


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. `model` is the name of the model that the objects should keep to, or ""."""

    format: str
    version: int
    model: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation. `key` is what it works on; times are nanoseconds of one clock; no `ended_ns`: no answer."""

    client: str
    call: str
    began_ns: int
    key: str | int | None = None
    arguments: list[Any] = []
    outcome: Outcome | None = None
    result: Any = None
    ended_ns: int | None = None


_header = msgspec.json.Decoder(Header)
_line = msgspec.json.Decoder(Line)


def is_recorded(first_line: str) -> bool:
    """Whether a file that begins with this line is in this form."""
    try:
        return _header.decode(first_line).format == FORMAT
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return False


def read_recorded(lines: Iterable[str]) -> tuple[Header, list[Operation]]:
    """A history from its lines. Raises HistoryError that names the line."""
    numbered = ((n, line) for n, line in enumerate(lines, 1) if line.strip())
    header = _read_header(numbered)
    return header, [_read_line(n, line) for n, line in numbered]


def _read_header(numbered: Iterator[tuple[int, str]]) -> Header:
    number, first = next(numbered, (1, ""))
    try:
        header = _header.decode(first)
    except msgspec.MsgspecError as error:
        raise HistoryError(
            f'line {number}: not the header of a history: {error}; it is {{"format": "{FORMAT}", "version": {VERSION}}}'
        ) from None
    if header.format != FORMAT or header.version > VERSION:
        raise HistoryError(
            f"line {number}: {header.format} of version {header.version}; this program reads {FORMAT} up to {VERSION}"
        )
    return header


def _read_line(number: int, text: str) -> Operation:
    try:
        line = _line.decode(text)
    except msgspec.MsgspecError as error:
        raise HistoryError(f"line {number}: {error}") from None
    return operation(
        line.client,
        line.call,
        *line.arguments,
        key=line.key,
        result=line.result,
        began=line.began_ns,
        ended=line.ended_ns,
        outcome=line.outcome,
        place=number,
    )


def write_header(model: str = "") -> str:
    """The first line of a history, without its end."""
    return msgspec.json.encode(Header(format=FORMAT, version=VERSION, model=model)).decode()


def write_operation(done: Operation) -> str:
    """The line of an operation, without its end. Keys are text, numbers or None; values what JSON can say."""
    answered = done.outcome is not Outcome.UNKNOWN
    line = Line(
        client=str(done.client),
        call=done.call,
        began_ns=done.began,
        key=thaw(done.key),
        arguments=[thaw(a) for a in done.arguments],
        outcome=done.outcome,
        result=thaw(done.result),
        ended_ns=done.ended if answered else None,
    )
    return msgspec.json.encode(line).decode()


def thaw(value: Any) -> Any:
    """A frozen value as JSON has it; the opposite of `freeze`."""
    match value:
        case Truth():
            return value.value
        case ("{}", frozenset() as items):
            return {thaw(k): thaw(v) for k, v in items}
        case tuple():
            return [thaw(item) for item in value]
        case frozenset():
            return [thaw(item) for item in sorted(value, key=repr)]
        case _:
            return value
