"""A log that many programs write to."""

from bisect import insort
from datetime import UTC, datetime
from os import SEEK_END
from typing import Literal

import msgspec

from tanist.peer.application import (
    Application,
    Choice,
    Context,
    Event,
    Here,
    Published,
    Refused,
    Superseded,
    command,
    query,
)
from tanist.peer.apps.checks import checked_text

Level = Literal["INFO", "WARN", "ERROR"]

TEXT_LENGTH_MAX = 1000
"""Characters of a line's text."""
LINES_MAX = 10_000
"""Lines kept."""
TAIL_MAX = 1000
"""Lines in one answer, which must fit into a reply: 1 MB of the longest texts would not, in any script."""


FILE = "lines.log"
"""Each peer's own file of the lines, in the application's folder of its data."""
FILE_BYTES_MAX = 10 << 20
"""Bytes of the file; a full one is kept beside it until the next is full."""


class Line(msgspec.Struct, frozen=True):
    """One line of the log: its log time, level and text."""

    time_ns: int
    level: Level
    text: str

    def __str__(self) -> str:
        return f"{_moment(self.time_ns)} {self.level} {self.text}"


class Logged(Event):
    """A line was logged."""

    template = "{moment} {level} {text}"
    moment: str
    level: Level
    text: str


class Logs(Application):
    """A log that many programs write to: lines with the log's own time, so that no two clocks have to agree.

    Each peer also writes them to a file of its own, `apps/logs/lines.log` in its data, which other tools can read.
    After a crash of the peer the last lines may stand there twice; what it learned from a snapshot is not there.
    """

    lines: list[Line]

    @command
    def log(self, ctx: Context, level: Level, text: str) -> str:
        """Log a line."""
        self._keep(ctx, Line(ctx.time_ns, level, checked_text(text, TEXT_LENGTH_MAX)))
        return "OK"

    @query
    def tail(self, ctx: Context, n: int = 10, level: Level | None = None) -> list[Line]:
        """The last lines, the newest last; only those of a level if one is given."""
        if not 1 <= n <= TAIL_MAX:
            raise Refused(f"Ask for 1 to {TAIL_MAX} lines", "bad_number")
        found = [line for line in self.lines if level in (None, line.level)]
        return found[-n:]

    def effect(self, here: Here, happened: Published) -> None:
        """Write a line to this peer's file: one write, on a line of its own also after one that a crash cut short."""
        path = here.folder / FILE
        if path.exists() and path.stat().st_size >= FILE_BYTES_MAX:
            path.replace(path.with_suffix(".1.log"))
        with path.open("a+b") as file:
            file.seek(max(0, file.seek(0, SEEK_END) - 1))
            torn = file.read() not in (b"", b"\n")
            file.write(b"\n" * torn + happened.line.encode() + b"\n")

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """Lines of the other side come in at their own time: a log tells when something was."""
        try:
            text = checked_text(str(lost.arguments["text"]), TEXT_LENGTH_MAX)
        except Refused:
            return "archive"
        if not lost.acknowledged:
            return "archive"
        self._keep(ctx, Line(lost.time_ns, lost.arguments["level"], text))
        return "done"

    def _keep(self, ctx: Context, line: Line) -> None:
        insort(self.lines, line, key=lambda kept: kept.time_ns)
        del self.lines[:-LINES_MAX]
        ctx.publish(Logged(_moment(line.time_ns), line.level, line.text), but=ctx.session)


def _moment(time_ns: int) -> str:
    """A moment of log time as people and programs read it, with milliseconds."""
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{time_ns // 10**6 % 1000:03}Z"
