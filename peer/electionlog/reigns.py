"""Who served when, and why that changed: the reigns that election logs tell of.

All is taken from what peers wrote themselves. Durations are measured by one peer's steady clock; moments are each
peer's own wall clock, and compare between peers only as well as their clocks agree.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tanist.election.events import (
    BallotEnded,
    ListPublished,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    RetriesExhausted,
    RetryEnded,
    ServerFollowed,
    ServerLost,
)
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.peer_events import ClientsWaited, PeerStarted, PeerStopped

RETRIES_KEPT_MAX = 16
"""Retries kept of one suspicion; more than any pace makes."""


_TOLD_BY = frozenset(
    (
        *(ReignBegan, ReignOpen, ReignEnded, ListPublished, BallotEnded, ServerFollowed, ServerLost),
        *(RetryEnded, RetriesExhausted, ClientsWaited, PeerStarted, PeerStopped),
    )
)
"""The events that reigns are told by; a log has many others."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How one retry to reach the lost server ended: "answered", or its evidence."""

    attempt: int
    attempts: int
    outcome: str
    detail: str


@dataclass(slots=True)
class Suspicion:
    """That one peer suspected the server: on what evidence, what its retries met, what its list said then."""

    peer: str
    wall_ms: int
    evidence: str
    detail: str
    retries: list[Retry] = field(default_factory=list)
    list_said: list[str] | None = None


@dataclass(slots=True)
class Reign:
    """One server's time. Moments in milliseconds since 1970, None where no line tells; peers are ids.

    `why` is why it ended, in words, and empty while it lasts as far as the lines tell. `last_word_ms` is the server's
    own last line in it. `without_ms` is, by peer, how long that one was without a server afterwards. `false_alarms`
    are suspicions after which the peer found this very server again.
    """

    term: str
    number: int
    server: str
    began_ms: int | None = None
    opened_ms: int | None = None
    ended_ms: int | None = None
    why: str = ""
    last_word_ms: int | None = None
    first: bool = False
    support: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    suspicions: dict[str, Suspicion] = field(default_factory=dict)
    false_alarms: int = 0
    fallbacks: list[str] = field(default_factory=list)
    successor: str = ""
    without_ms: dict[str, float] = field(default_factory=dict)
    calls_waited: int = 0
    longest_wait_ms: float = 0.0

    @property
    def outage_ms(self) -> float | None:
        """How long nobody served after this reign, as its successor measured it; else the longest any peer did."""
        holder = self.successor.partition("@")[2]
        if holder in self.without_ms:
            return self.without_ms[holder]
        return max(self.without_ms.values(), default=None)


class ReignBook:
    """Takes lines in order and keeps what they tell of reigns; its size grows with reigns and peers, not lines."""

    def __init__(self) -> None:
        self._reigns: dict[str, Reign] = {}
        self._current: dict[str, str] = {}
        self._ballots: dict[str, BallotEnded] = {}

    def take(self, line: LogLine) -> None:
        """Take in one line; those that tell nothing of reigns change nothing."""
        if (reign := self._reigns.get(self._current.get(line.peer, ""))) and reign.server == line.peer:
            reign.last_word_ms = line.wall_ms
        if type(line.body) not in _TOLD_BY:
            return
        match line.body:
            case ReignBegan() as began:
                self._began(line, began)
            case ReignOpen(term=term):
                if reign := self._reign(term):
                    reign.opened_ms = line.wall_ms
            case ReignEnded(term=term, reason=reason):
                self._end(term, line.wall_ms, reason)
            case ListPublished(term=term, fallbacks=fallbacks):
                if reign := self._reign(term):
                    reign.fallbacks = fallbacks
            case BallotEnded() as ballot:
                self._ballots[line.peer] = ballot
            case ServerFollowed(term=term, without_ms=without_ms):
                self._go_to(line, term, without_ms)
            case ServerLost() | RetryEnded() | RetriesExhausted():
                self._losing(line)
            case ClientsWaited(from_term=from_term, calls=calls, longest_ms=longest_ms):
                if reign := self._reign(from_term):
                    reign.calls_waited += calls
                    reign.longest_wait_ms = max(reign.longest_wait_ms, longest_ms)
            case PeerStarted() | PeerStopped():
                self._process(line)

    def reigns(self) -> list[Reign]:
        """All reigns so far by number, each with why it ended where the server itself could not say."""
        for reign in self._reigns.values():
            self._conclude(reign)
        return sorted(self._reigns.values(), key=lambda reign: (reign.number, reign.began_ms or 0))

    def _reign(self, term: str) -> Reign | None:
        """The reign of a term, made at its first mention; None for "none"."""
        if known := self._reigns.get(term):
            return known
        number, at, server = term.partition("@")
        if not (at and number.isascii() and number.isdecimal()):
            return None
        reign = self._reigns[term] = Reign(term, int(number), server)
        return reign

    def _began(self, line: LogLine, began: ReignBegan) -> None:
        self._go_to(line, began.term, began.without_ms)
        if (reign := self._reign(began.term)) is None:
            return
        reign.began_ms = line.wall_ms
        reign.first = began.first
        ballot = self._ballots.pop(line.peer, None)
        if ballot is not None and ballot.number == reign.number:
            reign.support = ballot.support
            reign.left_out = ballot.left_out

    def _go_to(self, line: LogLine, term: str, without_ms: float) -> None:
        """A peer has a server again: the one it had before, or the next."""
        last = self._reign(self._current.get(line.peer, ""))
        if self._reign(term) is None:
            return
        self._current[line.peer] = term
        if last is None:
            return
        if last.term == term:
            last.false_alarms += last.suspicions.pop(line.peer, None) is not None
        else:
            last.without_ms[line.peer] = without_ms
            last.successor = last.successor or term

    def _losing(self, line: LogLine) -> None:
        match line.body:
            case ServerLost(term=term, evidence=evidence, detail=detail):
                if reign := self._reign(term):
                    self._current[line.peer] = term
                    reign.suspicions[line.peer] = Suspicion(line.peer, line.wall_ms, evidence, detail)
            case RetryEnded(attempt=attempt, attempts=attempts, outcome=outcome, detail=detail):
                suspicion = self._suspicion(line.peer)
                if suspicion is not None and len(suspicion.retries) < RETRIES_KEPT_MAX:
                    suspicion.retries.append(Retry(attempt, attempts, outcome, detail))
            case RetriesExhausted(fallbacks=fallbacks):
                if suspicion := self._suspicion(line.peer):
                    suspicion.list_said = fallbacks

    def _suspicion(self, peer: str) -> Suspicion | None:
        reign = self._reign(self._current.get(peer, ""))
        return reign.suspicions.get(peer) if reign else None

    def _process(self, line: LogLine) -> None:
        """A peer's process stopped or started: if it served, that reign is over, said or not."""
        reign = self._reign(self._current.get(line.peer, ""))
        if reign and reign.server == line.peer:
            match line.body:
                case PeerStopped(reason=reason):
                    self._end(reign.term, line.wall_ms, f"its peer stopped: {reason}")
                case PeerStarted() if reign.suspicions:
                    self._end_as_suspected(reign)
                case PeerStarted():
                    self._end(reign.term, line.wall_ms, "its process ended without a word")
        if isinstance(line.body, PeerStarted):
            self._current.pop(line.peer, None)

    def _end(self, term: str, wall_ms: int, why: str) -> None:
        """The first to say why is right: the server itself, before its process ends."""
        if (reign := self._reign(term)) and reign.ended_ms is None:
            reign.ended_ms = wall_ms
            reign.why = why

    def _end_as_suspected(self, reign: Reign) -> None:
        first = min(reign.suspicions.values(), key=lambda suspicion: suspicion.wall_ms)
        self._end(reign.term, first.wall_ms, f"lost: {first.evidence}")

    def _conclude(self, reign: Reign) -> None:
        """A server that died says nothing: the first to suspect it, or its successor, tells the end."""
        if reign.ended_ms is not None or not reign.successor:
            return
        if not reign.suspicions:
            reign.ended_ms = self._reigns[reign.successor].began_ms
            reign.why = f"gave way to {reign.successor}"
        elif not _spoke_on(reign):
            self._end_as_suspected(reign)


def _spoke_on(reign: Reign) -> bool:
    """Whether the server wrote lines in its reign after it was suspected: then it serves beside its successor."""
    first_ms = min(suspicion.wall_ms for suspicion in reign.suspicions.values())
    return reign.last_word_ms is not None and reign.last_word_ms > first_ms


def reigns(lines: Iterable[LogLine]) -> list[Reign]:
    """The reigns that these lines tell of, by number."""
    book = ReignBook()
    for line in lines:
        book.take(line)
    return book.reigns()
