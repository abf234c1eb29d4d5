"""The lantern in a terminal."""

from rich.align import Align
from rich.console import Group, RenderableType
from rich.text import Text

from tanist.peer.lantern.commands import Lantern

GLASS = ("       ▄▄▄       ", "       ███       ", "    ▄███████▄    ")
FOOT = ("    ▀███████▀    ", "      █████      ")
WIDTH = 9
"""Cells of the glass."""
HEIGHT = 6
DARK = "#3a3a3a"


def drawn(lantern: Lantern, said: str) -> RenderableType:
    """The lantern as it is, and a line about the stand below it."""
    color = f"#{lantern.color}" if lantern.on else DARK
    frame = [Text(line) for line in GLASS]
    pane = [Text("    █") + Text("█" * (WIDTH - 2), style=color) + Text("█    ") for _ in range(HEIGHT)]
    state = Text(str(lantern), style="bold")
    return Group(*(Align.center(line) for line in [*frame, *pane, *map(Text, FOOT), state, Text(said, style="dim")]))
