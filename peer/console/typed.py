"""A line as somebody types it: which argument each word is for, and which are secrets.

Words are told apart as peers tell them apart (`tanist.peer.gateways.words`): in double quotes they may have spaces, and
the last argument takes the rest of the line.
"""

import re
from dataclasses import dataclass

from tanist.peer.console.signatures import Argument, Operation, Signatures

LINE_BYTES_MAX = 1 << 16
"""Bytes of a line, as in the line protocol."""
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"(?=\s|$)|\S+)')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Typed:
    """What a line says so far: its first word, what that means, and where the words of each argument are."""

    word: str
    operation: Operation | None
    spans: tuple[tuple[Argument, int, int], ...] = ()


def read(signatures: Signatures, line: str) -> Typed:
    """Take a line apart."""
    first = _WORD.match(line)
    if first is None:
        return Typed("", None)
    word = first[1].strip('"')
    operation = signatures.find(word)
    return Typed(word, operation, () if operation is None else _spans(operation, line))


def _spans(operation: Operation, line: str) -> tuple[tuple[Argument, int, int], ...]:
    """Where the words of each argument are."""
    first = _WORD.match(line)
    at = len(line) if first is None else first.end()
    spans = []
    for argument in operation.arguments:
        match = _WORD.match(line, at)
        if match is None:
            break
        last = argument is operation.arguments[-1]
        at = len(line.rstrip()) if last else match.end()
        spans.append((argument, match.start(1), at))
    return tuple(spans)


def texts_of(operation: Operation, line: str) -> dict[str, str]:
    """The words behind the first by the names of their arguments, as a peer takes them: without quotes."""
    return {argument.name: _unquoted(line[start:end]) for argument, start, end in _spans(operation, line)}


def _unquoted(text: str) -> str:
    match = _QUOTED.fullmatch(text)
    return _ESCAPED.sub(r"\1", match[1]) if match is not None else text


def to_ask(typed: Typed) -> list[Argument]:
    """The secrets that a line leaves out, if they alone are missing: they are asked for without showing them."""
    if typed.operation is None:
        return []
    missing = [a for a in typed.operation.arguments[len(typed.spans) :] if a.required]
    return missing if all(a.secret for a in missing) else []


def with_word(line: str, word: str) -> str:
    """A line with one word more, whatever is in it."""
    quoted = word.replace("\\", r"\\").replace('"', r"\"")
    return f'{line.rstrip()} "{quoted}"'


def without_secrets(signatures: Signatures, line: str) -> str:
    """A line as it may be remembered: it ends before its first secret."""
    at = min((start for argument, start, _ in read(signatures, line).spans if argument.secret), default=len(line))
    return line[:at].rstrip()
