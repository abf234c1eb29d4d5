"""Who served when, and when nobody did: the reigns of reigns.py on the clock common to all, and the gaps between them.

A server that is away, or whose process is gone, does not serve, whatever its own log says of its reign.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from tanist.election.events import ServerLost
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.reigns import Reign, ReignBook
from tanist.peer.electionlog.timeline.model import GONE, STOPPED
from tanist.peer.electionlog.timeline.states import Away, State

TICKS = 1000
"""Ticks of a millisecond: moments are handed to the book of reigns as whole numbers, which it only compares."""
GAP_MS_MIN = 0.5
"""A shorter gap is none that anybody could see: a hand-over between two lines."""

Interval = tuple[float, float]
"""A begin and an end, in milliseconds since 1970."""


@dataclass(slots=True)
class Served:
    """A reign and when: `parts` are those in which its server was there; `lasts` when no line tells its end."""

    reign: Reign
    begin: float
    end: float
    lasts: bool
    row: int = 0
    open: float | None = None
    parts: list[Interval] = field(default_factory=list)


class Serving:
    """Takes lines with their moments, in order, and says then who served when."""

    def __init__(self) -> None:
        self._book = ReignBook()
        self._silent: dict[str, float] = {}
        """By term, when its server was heard last by the first that lost it in silence."""

    def take(self, at: float, line: LogLine) -> None:
        """Take in one line."""
        self._book.take(msgspec.structs.replace(line, wall_ms=round(at * TICKS)))
        match line.body:
            case ServerLost(term=term, evidence="silent", heard_ms_ago=ago) if ago >= 0:
                self._silent.setdefault(term, at - ago)

    def served(self, end: float, spans: Iterable[State], absences: Iterable[Away]) -> list[Served]:
        """All reigns that began, by their begin. What no line ends lasts until `end`."""
        missing: dict[str, list[Interval]] = {}
        for span in spans:
            if span.state in (STOPPED, GONE):
                missing.setdefault(span.peer, []).append((span.begin, span.end))
        for absence in absences:
            missing.setdefault(absence.peer, []).append((absence.begin, absence.end))
        found = []
        for reign in self._book.reigns():
            if (served := self._one(reign, end)) is not None:
                served.parts = _without((served.begin, served.end), missing.get(reign.server, []))
                found.append(served)
        found.sort(key=lambda served: served.begin)
        _stack(found)
        return found

    def _one(self, reign: Reign, end: float) -> Served | None:
        begin = _ms(reign.began_ms)
        if begin is None:
            return None
        ended = _ms(reign.ended_ms)
        if ended is not None and reign.why == "lost: silent":
            # It was there as long as it was heard.
            ended = self._silent.get(reign.term, ended)
        last = max(begin, end if ended is None else ended)
        return Served(reign, begin, last, ended is None, open=_ms(reign.opened_ms))


def gaps(served: Sequence[Served], end: float) -> list[Interval]:
    """When nobody served, between the first begin of a reign and `end`."""
    parts = sorted(part for one in served for part in one.parts)
    found: list[Interval] = []
    latest = parts[0][0] if parts else end
    for begin, until in [*parts, (end, end)]:
        if begin - latest >= GAP_MS_MIN:
            found.append((latest, begin))
        latest = max(latest, until)
    return found


def _ms(ticks: int | None) -> float | None:
    return None if ticks is None else ticks / TICKS


def _without(whole: Interval, holes: Iterable[Interval]) -> list[Interval]:
    """What is left of an interval outside the holes."""
    parts = []
    begin, end = whole
    for hole_begin, hole_end in sorted(holes):
        if hole_end <= begin or hole_begin >= end:
            continue
        if hole_begin > begin:
            parts.append((begin, hole_begin))
        begin = hole_end
    if begin < end:
        parts.append((begin, end))
    return parts


def _stack(found: Sequence[Served]) -> None:
    """Put each reign into the first row in which the one before it has ended."""
    ends: list[float] = []
    for served in found:
        row = next((row for row, end in enumerate(ends) if end <= served.begin), len(ends))
        ends[row : row + 1] = [served.end]
        served.row = row
