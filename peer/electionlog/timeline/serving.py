"""Who served when, and when nobody did: the reigns of reigns.py on the clock common to all, and the gaps between them.

A server that is away, or whose process is gone, does not serve, whatever its own log says of its reign.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from tanist.election.events import ListPublished, ReignEnded, ReignOpen, ServerFollowed, ServerLost
from tanist.election.evidence import Evidence
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.reigns import Reign, ReignBook
from tanist.peer.electionlog.timeline.model import SERVER, UNKNOWN
from tanist.peer.electionlog.timeline.states import STALLED, Away, State

TICKS = 1000
"""Ticks of a millisecond: moments are handed to the book of reigns as whole numbers, which it only compares."""
ROWS_MAX = 5
"""Rows of reigns that lie beside one another: more sides than a cluster splits into. Further ones share the last."""
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
        self._known: dict[str, float] = {}
        """By term, from when on it is known to have served: its begin may be in lines that were not read."""
        self._first: float | None = None

    def take(self, at: float, line: LogLine) -> None:
        """Take in one line."""
        self._book.take(msgspec.structs.replace(line, wall_ms=round(at * TICKS)))
        self._first = at if self._first is None else self._first
        match line.body:
            case ServerFollowed(term=term) | ReignOpen(term=term) | ListPublished(term=term):
                self._known.setdefault(term, at)
            case ReignEnded(term=term):
                self._known.setdefault(term, self._first)
            case ServerLost(term=term, evidence=evidence, heard_ms_ago=ago):
                self._known.setdefault(term, self._first)
                if evidence == Evidence.SILENT and ago >= 0:
                    self._silent.setdefault(term, at - ago)

    def served(self, end: float, spans: Iterable[State], absences: Iterable[Away]) -> list[Served]:
        """All reigns that lines tell of, by their begin. What no line ends lasts until `end`."""
        own: dict[str, list[Interval]] = {}
        for span in spans:
            kept = own.setdefault(span.peer, [])
            if span.state in (SERVER, UNKNOWN):
                kept.append((span.begin, span.end))
        missing: dict[str, list[Interval]] = {}
        for absence in absences:
            if absence.kind == STALLED:
                # A delay, as long as nobody took the server for lost; and a clock that jumped says more.
                continue
            missing.setdefault(absence.peer, []).append((absence.begin, absence.end))
        found = [served for reign in self._book.reigns() if (served := self._one(reign, end)) is not None]
        found.sort(key=lambda served: served.begin)
        for one in found:
            server = one.reign.server
            # Its own roles say more than the book: they also end with its process.
            one.parts = _within((one.begin, one.end), own.get(server, [(one.begin, one.end)]))
            if one.parts:
                one.end = one.parts[-1][1]
                one.lasts = one.lasts and one.end == end
            one.parts = _without(one.parts, missing.get(server, []))
        _stack(found)
        return found

    def _one(self, reign: Reign, end: float) -> Served | None:
        begin = self._known.get(reign.term) if reign.began_ms is None else reign.began_ms / TICKS
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


def _within(whole: Interval, others: Iterable[Interval]) -> list[Interval]:
    """The parts of an interval that lie in others, which are in order and apart; those that touch become one."""
    parts: list[Interval] = []
    for begin, end in others:
        begin, end = max(begin, whole[0]), min(end, whole[1])
        if begin < end:
            if parts and parts[-1][1] == begin:
                begin = parts.pop()[0]
            parts.append((begin, end))
    return parts


def _without(parts: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """What is left of parts outside the holes."""
    left = list(parts)
    for hole_begin, hole_end in holes:
        cut = []
        for begin, end in left:
            if hole_end <= begin or hole_begin >= end:
                cut.append((begin, end))
                continue
            cut += [part for part in ((begin, hole_begin), (hole_end, end)) if part[0] < part[1]]
        left = cut
    return left


def _stack(found: Sequence[Served]) -> None:
    """Put each reign into the first row in which the one before it has ended."""
    ends = [float("-inf")] * ROWS_MAX
    for served in found:
        row = next((row for row, end in enumerate(ends) if end <= served.begin), ROWS_MAX - 1)
        ends[row] = max(ends[row], served.end)
        served.row = row
