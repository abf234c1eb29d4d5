"""What verbs print: data on stdout, sentences on stderr, colour only on a terminal and not under NO_COLOR."""

import os
import sys
from collections.abc import Sequence
from typing import TextIO

import msgspec

COLOURS = {"good": "32", "warn": "33", "bad": "31", "soft": "2", "strong": "1"}
"""What is coloured by meaning; the terminal chooses the shade."""


def is_coloured(stream: TextIO) -> bool:
    """Whether colour fits a stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Text in a colour of `COLOURS`, if the stream (stdout) takes it."""
    if not is_coloured(stream or sys.stdout):
        return text
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"


def safe(text: str, lines: bool = False) -> str:
    """Text from elsewhere, its control characters escaped, so that it cannot steer a terminal. `lines`: keep those."""
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(c if c.isprintable() or c in kept else ascii(c)[1:-1] for c in text)


def say(text: str = "") -> None:
    """A line of data, on stdout."""
    sys.stdout.write(text + "\n")


def complain(message: str) -> None:
    """What went wrong, on stderr."""
    sys.stdout.flush()
    name = paint("tanist:", "bad", sys.stderr)
    sys.stderr.write(f"{name} {safe(message, lines=True)}\n")


def say_json(value: object) -> None:
    """A value as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Aligned columns; nothing is ever cut off, so that a pipe gets all."""
    cells = [list(head), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    lines[0] = paint(lines[0], "soft")
    return lines


def value_lines(value: object) -> str:
    """A result as people read it: text as it is, a list as lines, nothing for null, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(value_lines(item) for item in value)
    if isinstance(value, str):
        return safe(value, lines=True) if sys.stdout.isatty() else value
    return msgspec.json.encode(value).decode()
