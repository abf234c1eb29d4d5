"""What came of a drill: each check by its name, what clients saw, and where it can be read in full."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from tanist.peer.drills.history import History

TIMELINE, PAGE, HISTORY, REPORT = "timeline.jsonl", "timeline.html", "history.jsonl", "report.json"
"""The files of a run: what `tanist log show`, `check` and `why` read; a browser; `check-history`; and programs."""

Tell = Callable[[float, str, str, str], None]
"""Hears the story: the moment in seconds, the kind of line (`step`, `log`, `clients`), who speaks, and what."""


class Check(msgspec.Struct, frozen=True):
    """One thing that must be so: its name, whether it is, and a sentence about it."""

    name: str
    passed: bool
    text: str


class Outage(msgspec.Struct, frozen=True):
    """A time in which no write of any client was answered: its begin, in milliseconds since 1970, and its length."""

    began_ms: float
    ms: float


def outages_of(history: History) -> tuple[Outage, ...]:
    """The outages of a history that ended just now."""
    # A history is by the steady clock, whose zero means nothing to anybody else.
    ahead_s = time.time() - time.monotonic()
    return tuple(
        Outage(round((silence.began_s + ahead_s) * 1000, 1), round(silence.seconds * 1000, 1))
        for silence in history.silences()
    )


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What clients saw, in numbers."""

    acknowledged: int = 0
    unknown: int = 0
    """Writes of which no client knows whether they are done."""
    reads: int = 0
    longest_outage_ms: float = 0.0
    """The longest time in which none was answered."""
    outages: tuple[Outage, ...] = ()
    """All such times that are longer than a busy machine explains."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one drill."""

    drill: str
    title: str
    peers: int
    safety: str
    pace: str
    seconds: float
    checks: tuple[Check, ...]
    clients: Seen = Seen()
    reigns: tuple[str, ...] = ()
    """The terms that began, each as "number@name"."""
    files: str = ""
    """The directory with the timeline, the history and what peers left; "" when nothing was kept."""

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return all(check.passed for check in self.checks)


class CannotRun(Exception):
    """A drill cannot be run here at all; the message says why and what to do."""


__all__ = [
    "HISTORY",
    "PAGE",
    "REPORT",
    "TIMELINE",
    "CannotRun",
    "Check",
    "Outage",
    "Report",
    "Seen",
    "Tell",
    "outages_of",
]
