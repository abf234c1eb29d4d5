"""What a terminal may be sent: text without control characters, colour where it is wanted, and widths."""

import os
import re
import textwrap
import unicodedata
from typing import TextIO

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Characters that move a cursor, start an escape sequence, break a line, turn the direction of text, or hide:
C0 and C1 controls, separators, bidirectional marks and overrides, soft hyphens, blank letters, tags, zero-width spaces,
lone surrogates. The joiners that scripts and emoji are written with stay."""
MARKS_MAX = 4
"""Combining marks that one letter keeps: more than any script sets; hundreds of them reach over the lines around."""

RESET = "\x1b[0m"
BOLD = "\x1b[1m"
DIM = "\x1b[2m"
RED = "\x1b[31m"
YELLOW = "\x1b[33m"
PEER_COLOURS = ("\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[34m", "\x1b[96m", "\x1b[92m", "\x1b[95m", "\x1b[94m")
"""One a peer, in order of appearance; red and yellow are left to errors and warnings."""

LEVEL_COLOURS = {"debug": DIM, "info": "", "warning": YELLOW, "error": RED}
"""How each level is painted."""


def printable(text: str) -> str:
    r"""The text with every hidden or controlling character written out, such as \x1b or \u202e.

    Of more than `MARKS_MAX` combining marks at one letter an ellipsis tells.
    """
    if text.isascii() and text.isprintable():
        return text
    return HIDDEN.sub(_written_out, text if text.isascii() else _without_piles(text))


def _written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_piles(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter) in ("Mn", "Me") else 0
        if marks <= MARKS_MAX:
            kept.append(letter)
        elif marks == MARKS_MAX + 1:
            kept.append("…")
    return "".join(kept)


def colour_wanted(stream: TextIO) -> bool:
    """Whether to paint on this stream: a terminal that is not dumb, and NO_COLOR is not set (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at this stream; a closed one is no terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def painted(text: str, colour: str) -> str:
    """The text in a colour; an empty colour leaves it as it is."""
    return f"{colour}{text}{RESET}" if colour else text


def cells(text: str) -> int:
    """How many columns a text takes: wide characters two, combining ones and joiners none."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def padded(text: str, columns: int) -> str:
    """The text filled with spaces to so many columns, or cut to them with an ellipsis."""
    if cells(text) > columns:
        while text and cells(text) > columns - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (columns - cells(text))


def folded(text: str, columns: int, indent: int) -> str:
    """The text broken at spaces into lines of at most `columns - indent`, all but the first indented."""
    width = max(columns - indent, 20)
    lines = textwrap.wrap(text, width, break_on_hyphens=False) or [""]
    return ("\n" + " " * indent).join(lines)
