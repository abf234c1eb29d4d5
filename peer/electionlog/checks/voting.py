"""Rules of ballots: one vote a number, never back, and a majority where one is needed."""

from collections.abc import Mapping

from tanist.election.commit import has_majority
from tanist.election.events import BallotEnded, Event, ReignBegan, ServerFollowed, VoteCast
from tanist.peer.electionlog.causes import WON
from tanist.peer.electionlog.checks.book import Book, Handler, Rules, Start, term_of
from tanist.peer.electionlog.checks.rule import Place, Rule, place_of
from tanist.peer.electionlog.line import LogLine

ONE_VOTE = Rule(
    "one-vote",
    "A peer votes for one candidate a number, itself included, also across restarts.",
    "Its vote was not on disk before it was spoken: two candidates can win one number.",
)
NUMBERS_FORWARD = Rule(
    "numbers-forward",
    "While it runs, a peer never votes, serves or follows in a number below one that it did so in before.",
    "An old ballot can be won after a newer one, or an old server goes on and is acknowledged to.",
)
MAJORITY = Rule(
    "majority",
    "In quorum mode a ballot is won by more than half of all voters, absent ones included.",
    "Two sides of a split can each elect a server.",
    quorum=True,
)


class Voting(Rules):
    """Holds votes against those before, and wins against the votes."""

    RULES = (ONE_VOTE, NUMBERS_FORWARD, MAJORITY)

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._cast: dict[tuple[str, int], list[tuple[Start, str, Place]]] = {}
        """By voter and number: each candidate once a start, where that is told. Most lists have one item."""
        self._spoken: dict[tuple[str, int], tuple[str, Place]] = {}
        """By voter and number: who won with that vote. Such a vote was on disk for certain."""
        self._highest: dict[Start, tuple[int, Place]] = {}

    def handlers(self) -> Mapping[type[Event], Handler]:
        return {
            VoteCast: self._vote,
            BallotEnded: self._ballot,
            ReignBegan: self._is_in,
            ServerFollowed: self._is_in,
        }

    def _is_in(self, start: Start, line: LogLine, event: ReignBegan | ServerFollowed) -> None:
        what = "serves" if isinstance(event, ReignBegan) else "follows"
        self._reaches(start, line, term_of(event.term)[0], what)

    def _reaches(self, start: Start, line: LogLine, number: int, what: str) -> None:
        """This start is in a number now."""
        start.log.number(number)
        known = self._highest.get(start)
        if known is None or number > known[0]:
            self._highest[start] = number, place_of(line)
        elif number < known[0]:
            text = f"{line.name} {what} in number {number} after it was in {known[0]}"
            self.book.found(NUMBERS_FORWARD, line, text, known[1])

    def _vote(self, start: Start, line: LogLine, vote: VoteCast) -> None:
        if vote.granted:
            self._voted(start, line, vote.number, vote.candidate)

    def _voted(self, start: Start, line: LogLine, number: int, candidate: str) -> None:
        self._reaches(start, line, number, "votes")
        cast = self._cast.setdefault((line.peer, number), [])
        for known, other, place in cast:
            if known is start:
                if other != candidate:
                    self._twice(line, number, other, candidate, place)
                return
        cast.append((start, candidate, place_of(line)))

    def _twice(self, line: LogLine, number: int, one: str, other: str, place: Place) -> None:
        names = f"{self.book.name(one)} and {self.book.name(other)}"
        self.book.found(ONE_VOTE, line, f"{line.name} votes twice in number {number}: for {names}", place)

    def _ballot(self, start: Start, line: LogLine, ended: BallotEnded) -> None:
        if ended.outcome != WON:
            return
        self._voted(start, line, ended.number, line.peer)
        for voter in (line.peer, *ended.support):
            known = self._spoken.get((voter, ended.number))
            if known is None:
                self._spoken[voter, ended.number] = line.peer, place_of(line)
            elif known[0] != line.peer:
                text = (
                    f"{self.book.name(known[0])} and {line.name} both won number {ended.number} "
                    f"by the vote of {self.book.name(voter)}"
                )
                self.book.found(ONE_VOTE, line, text, known[1])
        if ended.voters and not has_majority([line.peer, *ended.support], ended.voters):
            votes = len({line.peer, *ended.support} & set(ended.voters))
            text = f"{line.name} wins number {ended.number} with {votes} of {len(ended.voters)} votes"
            self.book.found(MAJORITY, line, text)

    def finish(self) -> None:
        for (voter, number), cast in self._cast.items():
            spoken = self._spoken.get((voter, number))
            if spoken is None or len(cast) < 2:
                continue
            # A vote is told before it is on disk, where a crash may keep it from: only one that won was there for
            # certain, and binds those after it.
            told = [candidate for _, candidate, _ in cast]
            for _, candidate, place in cast[told.index(spoken[0]) + 1 :] if spoken[0] in told else ():
                if candidate != spoken[0]:
                    names = f"{self.book.name(spoken[0])} and {self.book.name(candidate)}"
                    text = f"{place.name} votes twice in number {number}, in two starts: for {names}"
                    self.book.found_at(ONE_VOTE, place, VoteCast.kind(), voter, text, spoken[1])
