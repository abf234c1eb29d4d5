"""Answers as a terminal shows them."""

import textwrap
from collections.abc import Callable
from typing import Any

from tanist.peer.console.answers import Answer
from tanist.peer.console.signatures import Operation
from tanist.peer.electionlog.terminal import printable

Paint = Callable[[str, str], str]
"""Text, and a colour of `tanist.peer.cli.output.COLOURS`, to text with it."""

GLASS_ROWS = 3
DARK = "3a3a3a"
"""What a lantern that is off looks like."""


def drawn(operation: Operation | None, answer: Answer, paint: Paint, coloured: bool, columns: int) -> list[str]:
    """The lines of an answer, those that say what is wrong as wide as the terminal."""
    if answer.code:
        lines = [line for text in answer.text for line in textwrap.wrap(printable(text), columns) or [""]]
        return [paint(line, "bad") for line in lines]
    if coloured and (lantern := _lantern(operation, answer.result)) is not None:
        return lantern
    if answer.text == ["OK"]:
        return [paint("OK", "good")]
    # An empty list answers too: it must not look as if nothing came.
    return [printable(line) for line in answer.text] or [paint("(none)", "soft")]


def _lantern(operation: Operation | None, result: Any) -> list[str] | None:
    match result:
        case {"on": bool(on), "color": str(color)} if operation is not None and len(color) == 6:
            shade = color if on else DARK
            try:
                red, green, blue = bytes.fromhex(shade)
            except ValueError:
                return None
            pane = f"   █\x1b[38;2;{red};{green};{blue}m█████\x1b[0m█"
            state = f"on, #{color}" if on else "off"
            return ["     ▄█▄", "   ▄█████▄", *[pane] * GLASS_ROWS, "   ▀█████▀", f"  {state}"]
    return None
