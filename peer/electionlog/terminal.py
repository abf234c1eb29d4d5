"""What a terminal may be sent: text without control characters, colour where it is wanted, and widths."""

import os
import re
import textwrap
import unicodedata
from typing import TextIO

HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Characters that move a cursor, start an escape sequence, break a line, turn the direction of text, or hide:
C0 and C1 controls, separators, bidirectional marks and overrides, zero-width spaces, lone surrogates."""

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
    r"""The text with every hidden or controlling character written out, such as \x1b or \u202e."""
    return HIDDEN.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


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
    """How many columns a text takes: wide characters two, combining ones none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


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
