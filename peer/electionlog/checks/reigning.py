"""Rules of reigns: who may begin one, in which number, and what a server tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tanist.election.events import (
    BallotEnded,
    ClaimMade,
    Event,
    ListPublished,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    ReignProved,
    ServerFollowed,
)
from tanist.election.roles import Cause
from tanist.peer.electionlog.causes import WON
from tanist.peer.electionlog.checks.book import Book, Handler, Rules, Start, term_of
from tanist.peer.electionlog.checks.rule import Place, Rule, place_of
from tanist.peer.electionlog.line import LogLine

ONE_SERVER = Rule(
    "one-server",
    "In quorum mode one peer serves in a number, and no other, ever.",
    "Two servers of one number can both acknowledge, each something else.",
    quorum=True,
)
OWN_REIGN = Rule(
    "own-reign",
    "A peer begins reigns of its own only: the holder of the term is who writes the line.",
    "A peer serves in the name of another, whose reign it cannot know.",
)
NEW_NUMBER = Rule(
    "new-number",
    "A peer's reigns have ever higher numbers, also across restarts.",
    "Its number was not on disk when it served: entries of two reigns can have the same term.",
)
WON_BALLOT = Rule(
    "won-ballot",
    "A reign begins with a ballot that this peer has just won in that number, or goes on from its own reign before.",
    "A peer serves whom nobody elected.",
)
REIGN_OVER = Rule(
    "reign-over",
    "A server opens, proves, lists and claims only the reign it is in, and ends it once.",
    "A server goes on after its reign has ended, or in one that never began.",
)
FOLLOWED_REIGN = Rule(
    "followed-reign",
    "Whoever is followed in a term is its holder, and has begun that reign.",
    "A client follows a reign that nobody serves.",
)


@dataclass(slots=True)
class _Serving:
    """What one start serves in: a term, "" for none, or None where that is not told."""

    term: str | None
    won: int = 0
    renewed: bool = False


class Reigning(Rules):
    """Holds each begin, end and deed of a server against what it was elected for."""

    RULES = (ONE_SERVER, OWN_REIGN, NEW_NUMBER, WON_BALLOT, REIGN_OVER, FOLLOWED_REIGN)

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._serving: dict[Start, _Serving] = {}
        self._began: dict[str, Place] = {}
        """Terms to where their begin is told."""
        self._highest: dict[str, tuple[int, Place]] = {}
        self._holders: dict[int, tuple[str, Place]] = {}
        self._followed: dict[str, tuple[str, Place]] = {}
        """Terms to the first who followed in them, and where."""

    @property
    def count(self) -> int:
        """How many reigns are told of, by their servers or by their clients."""
        return len(self._began.keys() | self._followed.keys())

    def handlers(self) -> Mapping[type[Event], Handler]:
        return {
            BallotEnded: self._ballot,
            ReignBegan: self._begins,
            ReignEnded: self._ends,
            ReignOpen: self._acts,
            ReignProved: self._acts,
            ListPublished: self._acts,
            ClaimMade: self._acts,
            ServerFollowed: self._follows,
        }

    def _of(self, start: Start) -> _Serving:
        serving = self._serving.get(start)
        if serving is None:
            serving = self._serving[start] = _Serving("" if start.whole else None)
        return serving

    def _ballot(self, start: Start, line: LogLine, ended: BallotEnded) -> None:
        if ended.outcome == WON:
            self._of(start).won = ended.number

    def _begins(self, start: Start, line: LogLine, began: ReignBegan) -> None:
        serving, place = self._of(start), place_of(line)
        number, holder = term_of(began.term)
        if holder != line.peer:
            self.book.found(OWN_REIGN, line, f"{line.name} begins a reign in the term {began.term}, which is another's")
        if start.whole and serving.won != number and not serving.renewed:
            won = f"; the last it won is {serving.won}" if serving.won else ""
            self.book.found(WON_BALLOT, line, f"{line.name} serves in number {number} without having won it{won}")
        before = self._highest.get(line.peer)
        if before is not None and number <= before[0]:
            text = f"{line.name} serves in number {number} after it served in {before[0]}"
            self.book.found(NEW_NUMBER, line, text, before[1])
        else:
            self._highest[line.peer] = number, place
        serving.term, serving.renewed = began.term, False
        self._began.setdefault(began.term, place)
        self._one_holder(number, holder, line)

    def _one_holder(self, number: int, holder: str, line: LogLine) -> None:
        known = self._holders.get(number)
        if known is None:
            self._holders[number] = holder, place_of(line)
        elif known[0] != holder:
            text = f"two servers of number {number}: {self.book.name(known[0])} and {self.book.name(holder)}"
            self.book.found(ONE_SERVER, line, text, known[1])

    def _ends(self, start: Start, line: LogLine, ended: ReignEnded) -> None:
        self._acts(start, line, ended)
        serving = self._of(start)
        serving.term, serving.renewed = "", ended.reason == Cause.RENEWED

    def _acts(
        self, start: Start, line: LogLine, event: ReignOpen | ReignProved | ListPublished | ClaimMade | ReignEnded
    ) -> None:
        serving = self._of(start)
        if serving.term is None:
            serving.term = event.term
        elif serving.term != event.term:
            now = f"it serves in {serving.term}" if serving.term else "it does not serve"
            self.book.found(REIGN_OVER, line, f"{line.name} tells of its reign {event.term}, and {now}")

    def _follows(self, start: Start, line: LogLine, followed: ServerFollowed) -> None:
        number, holder = term_of(followed.term)
        if followed.term not in self._followed:
            self._followed[followed.term] = line.peer, place_of(line)
            self._one_holder(number, holder, line)
        if holder != followed.server:
            server = self.book.name(followed.server)
            self.book.found(FOLLOWED_REIGN, line, f"{line.name} follows {server} in {followed.term}, another's term")

    def finish(self) -> None:
        for term, (peer, place) in self._followed.items():
            number, holder = term_of(term)
            log = self.book.logs.get(holder)
            if term not in self._began and log is not None and log.covers(number):
                server = self.book.name(holder)
                text = f"{place.name} follows {server} in {term}, and the log of {server} has no such reign"
                self.book.found_at(FOLLOWED_REIGN, place, ServerFollowed.kind(), peer, text)
