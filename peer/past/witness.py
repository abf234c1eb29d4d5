"""A witness: makes one peer's accounts of changes of servers from the events of its own election log.

The running peer feeds it as it emits them, and the readers of log files feed it the same lines: both tell alike.
"""

from collections import deque
from dataclasses import dataclass, field

import msgspec

from tanist.election.events import (
    BallotEnded,
    CanvassAnswered,
    CanvassStarted,
    Event,
    FallbackChosen,
    FallbackStruck,
    ListPublished,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    RetriesExhausted,
    RetryEnded,
    RetryStarted,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    SuffixArchived,
    VoteCast,
    Waiting,
    Woke,
)
from tanist.election.roles import Role
from tanist.peer.electionlog.peer_events import ChangeSettled, PeerStarted
from tanist.peer.past.account import ITEMS_MAX, NO_TERM_TEXT, Account, Ballot, Retry, Step, Stood, short

STOOD_MAX = 8
"""Ballots of one search that are kept, the latest: a peer that finds no majority stands for hours."""
AWAY_COUNTS_MS = 60_000
"""A peer that lost its server so long after it woke did not lose it for having been away."""


@dataclass(slots=True)
class _Draft:
    """A change that goes on: the account so far."""

    lost: str
    at_ms: int
    cause: str = ""
    evidence: str = ""
    detail: str = ""
    heard_ms: float = -1.0
    fallbacks: tuple[str, ...] = ()
    retries: deque[Retry] = field(default_factory=lambda: deque(maxlen=ITEMS_MAX))
    retries_ms: float = -1.0
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=ITEMS_MAX))
    stood: deque[Stood] = field(default_factory=lambda: deque(maxlen=STOOD_MAX))
    away_ms: float = 0.0
    archived: int = 0
    term: str = ""
    role: str = ""
    without_ms: float = -1.0
    first: bool = False
    open_ms: float = -1.0


class Witness:
    """Listens to one peer. Its size is bounded; it neither waits nor looks at a clock."""

    def __init__(self, peer: str, name: str) -> None:
        self._peer = peer
        self._name = name
        self._term = NO_TERM_TEXT
        self._list: tuple[str, ...] = ()
        self._votes: deque[Ballot] = deque(maxlen=ITEMS_MAX)
        self._draft: _Draft | None = None
        self._away = (0.0, 0)

    def take(self, event: Event, wall_ms: int) -> Account | None:
        """Hear one event, in order; gives an account when a change is over, or another overtakes it."""
        given = None
        if isinstance(event, PeerStarted):
            given = self.present()
            self._term, self._draft = NO_TERM_TEXT, None
            self._votes.clear()
            return given
        if self._begins(event):
            given = self.present()
            self._begin(event, wall_ms)
        self._keep(event, wall_ms)
        if isinstance(event, ChangeSettled) and self._draft is not None and self._draft.term == event.term:
            given = self._account(self._draft, event)
            self._draft = None
            self._votes.clear()
        return given

    def present(self) -> Account | None:
        """The account of the change that is not over yet; None while no new server is known, or there is no change."""
        draft = self._draft
        return self._account(draft, None) if draft is not None and draft.term else None

    # When a change begins

    def _begins(self, event: Event) -> bool:
        """Whether this peer loses what it had: a change that had found a server is overtaken by another one."""
        unfinished = self._draft is not None and not self._draft.term
        match event:
            case ServerLost() | ReignEnded():
                return True
            case RoleChanged(was=Role.CLIENT | Role.SERVER, role=Role.SEEKING):
                return not unfinished
            case RetryStarted() | CanvassStarted() | Waiting() | ReignBegan():
                # The search after a start has no first word of its own.
                return self._draft is None
            case ServerFollowed(term=term):
                return self._draft is None and term != self._term
        return False

    def _begin(self, event: Event, wall_ms: int) -> None:
        draft = self._draft = _Draft(self._term, wall_ms)
        away_ms, woke_at_ms = self._away
        if wall_ms - woke_at_ms < AWAY_COUNTS_MS:
            draft.away_ms = away_ms
        match event:
            case ServerLost():
                draft.lost, draft.evidence, draft.detail = event.term, event.evidence, short(event.detail)
                draft.heard_ms = event.heard_ms_ago
                draft.fallbacks = tuple(map(short, event.fallbacks[:ITEMS_MAX]))
            case ReignEnded(term=term, reason=reason):
                draft.lost, draft.cause, draft.fallbacks = term, short(reason), self._list
            case RoleChanged(reason=reason):
                draft.cause = short(reason)

    # What happens in it

    def _keep(self, event: Event, wall_ms: int) -> None:
        match event:
            case ListPublished(fallbacks=fallbacks):
                self._list = tuple(map(short, fallbacks[:ITEMS_MAX]))
            case VoteCast():
                self._votes.append(Ballot(event.number, event.candidate, event.granted, event.reason))
            case Woke(away_ms=away_ms):
                self._away = (away_ms, wall_ms)
            case _ if self._draft is None:
                return
            case ReignBegan() | ReignOpen() | ServerFollowed():
                self._found(event, self._draft)
            case RoleChanged(was=Role.CLIENT | Role.SERVER, role=Role.SEEKING, reason=reason):
                self._draft.cause = self._draft.cause or short(reason)
            case SuffixArchived(first=first, last=last):
                self._draft.archived += last - first + 1
            case _:
                _search(event, self._draft)

    def _found(self, event: ReignBegan | ReignOpen | ServerFollowed, draft: _Draft) -> None:
        match event:
            case ReignOpen(term=term) if draft.term == term:
                draft.open_ms = event.after_ms
                return
            case ReignOpen():
                return
            case ReignBegan():
                draft.role, draft.first = str(Role.SERVER), event.first
            case ServerFollowed():
                draft.role = str(Role.CLIENT)
        draft.term, draft.without_ms = event.term, event.without_ms
        self._term = event.term
        if not _tells(draft):
            self._draft = None

    def _account(self, draft: _Draft, settled: ChangeSettled | None) -> Account:
        account = Account(
            peer=self._peer,
            name=self._name,
            term=draft.term,
            role=draft.role,
            lost=draft.lost,
            at_ms=draft.at_ms,
            cause=draft.cause,
            evidence=draft.evidence,
            detail=draft.detail,
            heard_ms=draft.heard_ms,
            retries=tuple(draft.retries),
            retries_ms=draft.retries_ms,
            fallbacks=draft.fallbacks,
            steps=tuple(draft.steps),
            stood=tuple(stood for stood in draft.stood),
            votes=tuple(self._votes),
            without_ms=draft.without_ms,
            first=draft.first,
            open_ms=draft.open_ms,
            away_ms=draft.away_ms,
            archived=draft.archived,
        )
        if settled is None:
            return account
        return msgspec.structs.replace(
            account,
            write_ms=settled.write_ms,
            outage_ms=settled.outage_ms,
            calls=settled.calls,
            retried=settled.retried,
            deduplicated=settled.deduplicated,
        )


def _tells(draft: _Draft) -> bool:
    """Whether there is a change to tell of: not a server found again, nor a start that only joined."""
    if draft.term == draft.lost:
        return False
    if draft.role == Role.SERVER:
        return True
    return draft.lost != NO_TERM_TEXT and bool(draft.evidence or draft.cause or draft.without_ms > 0)


def _search(event: Event, draft: _Draft) -> None:
    """What a peer without a server does to find the next one."""
    match event:
        case RetryStarted():
            draft.retries.append(Retry(event.attempt, event.attempts, event.after_ms))
        case RetryEnded(attempt=attempt, outcome=outcome, detail=detail):
            if draft.retries and draft.retries[-1].attempt == attempt:
                draft.retries[-1] = msgspec.structs.replace(draft.retries[-1], outcome=outcome, detail=short(detail))
        case RetriesExhausted(after_ms=after_ms):
            draft.retries_ms = after_ms
        case FallbackStruck(peer=peer, reason=reason):
            draft.steps.append(Step("struck", (peer,), short(reason)))
        case FallbackChosen(peer=peer, reason=reason):
            draft.steps.append(Step("chosen", (peer,), short(reason)))
        case Waiting(peers=peers, reason=reason):
            draft.steps.append(Step("waited", tuple(peers[:ITEMS_MAX]), short(reason)))
        case CanvassStarted(number=number):
            _ballot(draft, number)
        case CanvassAnswered(number=number, peer=peer, answer=answer):
            stood = _ballot(draft, number)
            if len(stood.answers) < ITEMS_MAX:
                draft.stood[-1] = msgspec.structs.replace(stood, answers=(*stood.answers, (peer, answer)))
        case BallotEnded(number=number):
            draft.stood[-1] = msgspec.structs.replace(
                _ballot(draft, number),
                outcome=event.outcome,
                support=tuple(event.support[:ITEMS_MAX]),
                left_out=tuple(event.left_out.items())[:ITEMS_MAX],
                took_ms=event.took_ms,
            )


def _ballot(draft: _Draft, number: int) -> Stood:
    """The ballot for a number; a candidate that was told to stand canvasses nobody first."""
    if not draft.stood or draft.stood[-1].number != number or draft.stood[-1].outcome:
        draft.stood.append(Stood(number))
    return draft.stood[-1]
