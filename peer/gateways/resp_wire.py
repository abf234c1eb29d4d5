"""The bytes of RESP, the protocol of redis clients: commands in, as arrays or inline; answers out, version 2 or 3."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

ARGUMENTS_MAX = 10_000
"""Arguments of one command."""
BULK_BYTES_MAX = 1 << 20
"""Bytes of one argument: more would not fit a command of the cluster."""
COMMAND_BYTES_MAX = 4 << 20
"""Bytes of one command that are held while it comes."""
INLINE_BYTES_MAX = 64 * 1024
"""Bytes of an inline command, or of a line that announces a length."""

_QUOTES = rb"""\"(?P<double>(?:[^"\\]|\\.)*)"(?=\s|$)|'(?P<single>(?:[^'\\]|\\'|\\(?!'))*)'(?=\s|$)"""
_QUOTED = re.compile(_QUOTES, re.DOTALL)
_WORD = re.compile(rb"""((?:[^\s"']|%b)+)\s*""" % _QUOTES, re.DOTALL)
_ESCAPED = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_MEANT = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


class ProtocolError(Exception):
    """Bytes that are no command: the connection ends, as others of this protocol do."""


class Error(Exception):
    """An answer that is an error: its first word is its code."""


class Simple(str):
    """A short answer without control characters, such as OK."""


class Push(tuple[Any, ...]):
    """Something that was not asked for: an event."""


class Commands:
    """Cuts a stream of bytes into commands, each a list of arguments."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> Iterator[list[bytes]]:
        """The commands that are complete with these bytes. Raises ProtocolError."""
        self._data += data
        while (command := self._next()) is not None:
            if command:
                yield command
        del self._data[: self._at]
        self._at = 0
        if len(self._data) > COMMAND_BYTES_MAX:
            raise ProtocolError("too big a command")

    def _next(self) -> list[bytes] | None:
        """One command, [] for an empty line, None where it is not complete."""
        data, at = self._data, self._at
        end = data.find(b"\n", at)
        if end < 0:
            if len(data) - at > INLINE_BYTES_MAX and data[at : at + 1] != b"*":
                raise ProtocolError("too big inline request")
            return None
        if data[at : at + 1] != b"*":
            self._at = end + 1
            return _inline(bytes(data[at:end]))
        count = _number(data[at + 1 : end], ARGUMENTS_MAX, "multibulk")
        at = end + 1
        command = []
        for _ in range(count):
            end = data.find(b"\n", at)
            if end < 0:
                return None
            if data[at : at + 1] != b"$":
                raise ProtocolError(f"expected '$', got {chr(data[at])!r}")
            length = _number(data[at + 1 : end], BULK_BYTES_MAX, "bulk")
            at = end + 1
            if len(data) < at + length + 2:
                return None
            if data[at + length : at + length + 2] != b"\r\n":
                raise ProtocolError("a bulk string must end with CRLF")
            command.append(bytes(data[at : at + length]))
            at += length + 2
        self._at = at
        return command


def _number(digits: bytearray, most: int, what: str) -> int:
    text = bytes(digits).strip()
    if not text.isdigit() or len(text) > 10 or int(text) > most:
        # -1 is what clients send for nothing; an empty command does nothing.
        if what == "multibulk" and text == b"-1":
            return 0
        raise ProtocolError(f"invalid {what} length")
    return int(text)


def _inline(line: bytes) -> list[bytes]:
    if len(line) > INLINE_BYTES_MAX:
        raise ProtocolError("too big inline request")
    words, at, line = [], 0, line.strip()
    while at < len(line):
        word = _WORD.match(line, at)
        if word is None:
            raise ProtocolError("unbalanced quotes in request")
        words.append(_QUOTED.sub(_unquoted, word[1]))
        at = word.end()
    return words


def _unquoted(part: re.Match[bytes]) -> bytes:
    if part["single"] is not None:
        return part["single"].replace(b"\\'", b"'")
    return _ESCAPED.sub(
        lambda one: bytes.fromhex(one[1].decode()) if one[1] else _MEANT.get(one[2], one[2]), part["double"]
    )


def encode(answer: Any, version: int) -> bytes:
    """An answer in version 2 or 3: None, bool, int, float, text, bytes, lists, maps, `Simple`, `Error`, `Push`."""
    out: list[bytes] = []
    _encode(answer, version, out)
    return b"".join(out)


def _encode(answer: Any, version: int, out: list[bytes]) -> None:
    match answer:
        case None:
            out.append(b"_\r\n" if version == 3 else b"$-1\r\n")
        case bool():
            out.append((b"#t\r\n" if answer else b"#f\r\n") if version == 3 else b":%d\r\n" % answer)
        case int():
            out.append(b":%d\r\n" % answer)
        case Error():
            out.append(b"-" + " ".join(str(answer).split()).encode(errors="replace") + b"\r\n")
        case Simple():
            out.append(b"+" + answer.encode() + b"\r\n")
        case float() | str():
            data = str(answer).encode(errors="replace")
            out.append(b"$%d\r\n%b\r\n" % (len(data), data))
        case bytes():
            out.append(b"$%d\r\n%b\r\n" % (len(answer), answer))
        case Mapping():
            out.append(b"%%%d\r\n" % len(answer) if version == 3 else b"*%d\r\n" % (2 * len(answer)))
            for key, value in answer.items():
                _encode(key, version, out)
                _encode(value, version, out)
        case list() | tuple():
            sign = b">" if isinstance(answer, Push) and version == 3 else b"*"
            out.append(b"%b%d\r\n" % (sign, len(answer)))
            for item in answer:
                _encode(item, version, out)
        case _:
            raise TypeError(f"no answer of RESP: {type(answer).__name__}")
