"""How the demo is shown: the story line by line, and on a terminal a live picture of the peers below it."""

import time
from collections.abc import Callable, Sequence
from typing import Self

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tanist.peer.cli.demo_checks import Check

FRAMES_PER_S = 8
"""Pictures a second: an outage of a tenth of a second can just be seen."""
TIME_COLUMNS = 8
"""Columns of the time before each sentence."""
BAR_COLUMNS = 30
ROLE_STYLES = {"server": "bold green", "client": "cyan", "candidate": "yellow", "seeking": "yellow", "dead": "red"}


class Row(msgspec.Struct, frozen=True):
    """One peer in the picture: `role` is a role, or dead, or starting."""

    name: str
    role: str
    term: int
    count: int
    where: str


class Picture(msgspec.Struct, frozen=True):
    """All that moves: the peers, how far the story is, and how many numbers are acknowledged."""

    rows: Sequence[Row]
    done: int
    steps: int
    acknowledged: int
    changed_s: float | None
    """Seconds for which nothing is acknowledged although clients write; None while they do not."""


class Display:
    """Tells the story on a console; `async with` shows the picture too, if the console is a terminal."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._began_s = clock()
        self._live: Live | None = None
        self._fancy = console.is_terminal and not console.is_dumb_terminal

    def begin(self, picture: Callable[[], Picture]) -> None:
        """A story begins: time counts from here, and on a terminal its picture is shown until `end`."""
        self._began_s = self._clock()
        if self._fancy:
            self._live = Live(
                get_renderable=lambda: _drawn(picture(), self._console),
                console=self._console,
                refresh_per_second=FRAMES_PER_S,
                transient=True,
            )
            self._live.start()

    def end(self) -> None:
        """Take the picture away; what was told stays."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def say(self, sentence: str, style: str = "") -> None:
        """A sentence of the story, with its time."""
        since = f"{self._clock() - self._began_s:5.1f} s"
        self._print(since, "dim", sentence, style)

    def check(self, check: Check) -> None:
        """How a check ended."""
        self._print("ok" if check.passed else "FAILED", "green" if check.passed else "bold red", check.text, "")

    def note(self, text: str, style: str = "") -> None:
        """A line that belongs to no moment of the story."""
        self._print("", "", text, style)

    def _print(self, head: str, head_style: str, text: str, style: str) -> None:
        if not self._fancy:
            # One line stays one line: whoever reads a pipe has other ways to wrap it.
            self._console.print(Text(f"{head:>{TIME_COLUMNS}}  {text}".rstrip()), soft_wrap=True)
            return
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(width=TIME_COLUMNS, justify="right")
        line.add_column(ratio=1)
        line.add_row(Text(head, head_style), Text(text, style))
        self._console.print(line)


def _drawn(picture: Picture, console: Console) -> Group:
    """The picture as rich draws it."""
    utf8 = console.encoding.lower().startswith("utf")
    peers = Table.grid(padding=(0, 2, 0, 0))
    peers.add_column(width=TIME_COLUMNS, justify="right")
    for _ in range(3):
        peers.add_column()
    peers.add_column(justify="right")
    peers.add_column(style="dim")
    for row in picture.rows:
        style = ROLE_STYLES.get(row.role, "dim")
        mark = ("●" if utf8 else "*") if row.role != "dead" else ("✗" if utf8 else "x")
        term = f"term {row.term}" if row.term else ""
        count = f"{row.count:,} numbers" if row.role != "dead" else ""
        peers.add_row(Text(mark, style), row.name, Text(row.role, style), term, count, row.where)
    bar = Table.grid(padding=(0, 2, 0, 0))
    bar.add_column(width=TIME_COLUMNS, justify="right", style="dim")
    bar.add_row(
        f"{picture.done}/{picture.steps}",
        ProgressBar(picture.steps, picture.done, width=BAR_COLUMNS),
        f"{picture.acknowledged:,} acknowledged",
        Text(_waiting(picture), "yellow"),
    )
    return Group(Text(), peers, bar)


def _waiting(picture: Picture) -> str:
    # A healthy cluster answers within some milliseconds; only what a person would notice is said.
    waited = picture.changed_s is not None and picture.changed_s > 0.15
    return f"clients wait, {picture.changed_s:.1f} s" if waited else ""
