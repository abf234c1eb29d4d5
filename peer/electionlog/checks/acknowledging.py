"""Rules of acknowledgements: what a server said to be safe is in every later one's log, and none is given too late.

How far a log is acknowledged is told when a reign opens and ends, and by clients when they lose their server. Two logs
that have an entry of one term at one index are the same up to there, so that the begin of each reign, which names the
term of the entry before it, says which reigns are in its log, and how far.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from tanist.election.events import (
    Event,
    ListPublished,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    ReignProved,
    ServerFollowed,
    ServerLost,
    Woke,
)
from tanist.peer.electionlog.checks.book import Book, Handler, Rules, Start, term_of
from tanist.peer.electionlog.checks.rule import Place, Rule, place_of
from tanist.peer.electionlog.line import LogLine

LOST_ACKNOWLEDGEMENT = Rule(
    "lost-acknowledgement",
    "In quorum mode what a reign acknowledged is in the log of every later reign.",
    "A write that a client was told is safe is gone.",
    quorum=True,
)
LATE_ACKNOWLEDGEMENT = Rule(
    "late-acknowledgement",
    "A server acknowledges nothing once its reign has ended: no client of it knows more to be committed than it told "
    "at its end.",
    "It acknowledged what its successor need not have.",
    quorum=True,
)
COMMIT_FORWARD = Rule(
    "commit-forward",
    "In quorum mode what a peer knows to be committed never shrinks while it runs.",
    "An entry that was committed, and perhaps applied, is committed no more.",
    quorum=True,
)
UNPROVED = Rule(
    "unproved",
    "A server that was away opens nothing, lists nobody and acknowledges nothing before it has proved its reign.",
    "It answers for a reign that may be over.",
)


@dataclass(slots=True)
class _Reign:
    """One reign: where it begins in the log, after which term, and what it is known to have acknowledged."""

    number: int
    first: int
    after: str
    place: Place
    peer: str
    committed: int = 0
    told: Place | None = None
    """Where `committed` is told."""
    ended: tuple[int, Place] | None = None
    """How far it was committed when it ended, as its server says."""


class Acknowledging(Rules):
    """Follows how far logs are acknowledged, and which reigns are in them."""

    RULES = (LOST_ACKNOWLEDGEMENT, LATE_ACKNOWLEDGEMENT, COMMIT_FORWARD, UNPROVED)

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._reigns: dict[str, _Reign] = {}
        self._claims: dict[str, tuple[int, str, Place]] = {}
        """By term: the most that a client knew to be committed when it lost that server, which client, and where."""
        self._following: dict[Start, str] = {}
        """The reign that each start has heard as its client."""
        self._opened: dict[str, tuple[int, Place]] = {}
        self._ended: dict[str, tuple[int, Place]] = {}
        self._committed: dict[Start, tuple[int, Place]] = {}
        self._unproved: dict[Start, tuple[int, Place]] = {}
        """Servers that were away: what they had committed before, and where they say so."""

    def handlers(self) -> Mapping[type[Event], Handler]:
        return {
            ReignBegan: self._begins,
            ReignOpen: self._opens,
            ListPublished: self._lists,
            ReignProved: self._proved,
            ReignEnded: self._ends,
            ServerFollowed: self._follows,
            ServerLost: self._loses,
            Woke: self._wakes,
        }

    def _begins(self, start: Start, line: LogLine, began: ReignBegan) -> None:
        self._unproved.pop(start, None)
        number = term_of(began.term)[0]
        made = _Reign(number, began.last_index, began.after_term, place_of(line), line.peer)
        self._reigns.setdefault(began.term, made)

    def _opens(self, start: Start, line: LogLine, opened: ReignOpen) -> None:
        if woke := self._unproved.get(start):
            text = f"{line.name} opens its reign {opened.term}, and has not proved it since it was away"
            self.book.found(UNPROVED, line, text, woke[1])
        self._knows(start, line, opened.index)
        self._opened.setdefault(opened.term, (opened.index, place_of(line)))

    def _lists(self, start: Start, line: LogLine, published: ListPublished) -> None:
        if published.peers and (woke := self._unproved.get(start)):
            text = f"{line.name} publishes a list in {published.term}, and has not proved that reign since it was away"
            self.book.found(UNPROVED, line, text, woke[1])

    def _proved(self, start: Start, line: LogLine, proved: ReignProved) -> None:
        self._unproved.pop(start, None)

    def _ends(self, start: Start, line: LogLine, ended: ReignEnded) -> None:
        woke = self._unproved.pop(start, None)
        if woke is not None and ended.committed > woke[0]:
            text = f"{line.name} committed {ended.committed} before it proved its reign: it was away at {woke[0]}"
            self.book.found(UNPROVED, line, text, woke[1])
        self._knows(start, line, ended.committed)
        self._ended.setdefault(ended.term, (ended.committed, place_of(line)))

    def _follows(self, start: Start, line: LogLine, followed: ServerFollowed) -> None:
        self._following[start] = followed.term

    def _loses(self, start: Start, line: LogLine, lost: ServerLost) -> None:
        self._knows(start, line, lost.committed)
        if self._following.pop(start, "") != lost.term:
            # It never heard the server as its client: what it knows is from before.
            return
        known = self._claims.get(lost.term)
        if known is None or lost.committed > known[0]:
            self._claims[lost.term] = lost.committed, line.peer, place_of(line)

    def _wakes(self, start: Start, line: LogLine, woke: Woke) -> None:
        self._knows(start, line, woke.committed)
        if woke.must_prove:
            self._unproved.setdefault(start, (woke.committed, place_of(line)))

    def _knows(self, start: Start, line: LogLine, committed: int) -> None:
        """How far this peer knows the log to be committed now; 0 where a line does not say so."""
        known = self._committed.get(start)
        if known is None or committed > known[0]:
            self._committed[start] = committed, place_of(line)
        elif 0 < committed < known[0]:
            text = f"{line.name} knows {committed} to be committed, and knew {known[0]} before"
            self.book.found(COMMIT_FORWARD, line, text, known[1])

    def finish(self) -> None:
        for term, reign in self._reigns.items():
            self._gather(term, reign)
        self._late()
        opened = sorted((r for r in self._reigns.values() if r.told is not None), key=lambda r: r.number)
        numbers = [reign.number for reign in opened]
        for later in self._reigns.values():
            # One before is enough: what that one's log lacks of an earlier reign is found at that one.
            if before := bisect_left(numbers, later.number):
                self._compare(opened[before - 1], later)

    def _gather(self, term: str, reign: _Reign) -> None:
        """All that is known to be acknowledged of one reign's own entries."""
        for told in (self._opened.get(term), self._ended.get(term), self._claim(term)):
            if told is not None and told[0] >= reign.first and told[0] > reign.committed:
                reign.committed, reign.told = told

    def _claim(self, term: str) -> tuple[int, Place] | None:
        claim = self._claims.get(term)
        return None if claim is None else (claim[0], claim[2])

    def _late(self) -> None:
        for term, (committed, peer, place) in self._claims.items():
            reign, ended = self._reigns.get(term), self._ended.get(term)
            if reign is None or ended is None or committed < reign.first:
                continue
            if ended[0] < committed:
                text = f"{place.name} knows {committed} to be committed in {term}, which had {ended[0]} when it ended"
                self.book.found_at(LATE_ACKNOWLEDGEMENT, place, ServerLost.kind(), peer, text, ended[1])

    def _compare(self, acknowledged: _Reign, later: _Reign) -> None:
        """A later reign's log, walked back reign by reign to the one that acknowledged: has it all of that?"""
        reign = later
        while reign.number > acknowledged.number:
            last, after = reign.first - 1, reign.after
            if not after:
                return
            before = self._reigns.get(after)
            if before is None:
                # Of a reign between the two whose begin is not told, or the founding: only the number is known.
                if 0 < term_of(after)[0] > acknowledged.number:
                    return
                break
            if before.number >= reign.number:
                return
            if before is acknowledged:
                if last < acknowledged.committed:
                    self._lost(acknowledged, later, last)
                return
            reign = before
        self._lost(acknowledged, later, 0)

    def _lost(self, acknowledged: _Reign, later: _Reign, last: int) -> None:
        assert acknowledged.told is not None
        had = f"only what is up to index {last}" if last >= acknowledged.first else "nothing"
        text = (
            f"{later.place.name} serves in number {later.number} and has {had} of number {acknowledged.number}, "
            f"which acknowledged up to index {acknowledged.committed}"
        )
        self.book.found_at(LOST_ACKNOWLEDGEMENT, later.place, ReignBegan.kind(), later.peer, text, acknowledged.told)
