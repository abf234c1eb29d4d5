"""The messages that mattered, as far as lines tell of them: who asked whom, who answered what, who lost whom.

Peers log what a message meant, mostly at one end. An arrow ends where a line says so; where no line tells a moment,
it is put half-way between what came before and after, and marked as a guess.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from math import isfinite

from tanist.election.events import (
    BallotEnded,
    CanvassAnswered,
    CanvassStarted,
    ClaimMade,
    EntriesLent,
    FallbackChosen,
    HandoverBegan,
    HandoverEnded,
    HealStarted,
    PeerLost,
    ReignBegan,
    RetryEnded,
    RetryStarted,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    SideChanged,
    VoteCast,
)
from tanist.election.roles import Cause
from tanist.peer.electionlog.causes import WON
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.timeline.states import KEPT_MAX

SUPPORT, ANSWERED, DONE = "support", "answered", "done"
"""How a canvass, a retry and a hand-over end well."""
NEW_REIGN_MS = 250.0
"""How long after its begin a reign's news may arrive, and still be drawn as sent at that begin."""
OPEN_MAX = 1024
"""Votes and hand-overs that wait for their other end; more were never counted, and stay as they are."""


@dataclass(slots=True)
class Message:
    """One arrow: where it was when, as (peer, milliseconds since 1970). `line` is the number of the line that tells."""

    kind: str
    path: tuple[tuple[str, float], ...]
    text: str
    line: int
    ok: bool = True
    guess: bool = False


@dataclass(slots=True)
class _Canvass:
    """A canvass on its way."""

    number: int
    begin: float
    line: int
    silent: set[str]
    latest: float


@dataclass(slots=True)
class _Open:
    """What still waits for its other end."""

    canvasses: dict[str, _Canvass] = field(default_factory=dict)
    votes: dict[tuple[str, int, str], Message] = field(default_factory=dict)
    retries: dict[str, float] = field(default_factory=dict)
    handovers: dict[str, Message] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    """By peer, the server that it lost last."""
    reigns: dict[str, float] = field(default_factory=dict)
    """By server, when it began to serve last."""


class Messages:
    """Takes lines with their moments and their numbers, in order."""

    def __init__(self) -> None:
        self._arrows: deque[Message] = deque(maxlen=KEPT_MAX)
        self._open = _Open()

    def take(self, at: float, number: int, line: LogLine) -> None:
        """Take in one line."""
        me = line.peer
        match line.body:
            case CanvassStarted() | CanvassAnswered() | BallotEnded():
                self._canvass(at, number, me, line.body)
            case VoteCast() as vote if vote.candidate != me:
                self._vote(at, number, me, vote)
            case ServerLost() | RetryStarted() | RetryEnded():
                self._losing(at, number, me, line.body)
            case PeerLost(peer=other, evidence=evidence, detail=detail):
                self._add("lost", at, number, (other, me), f"{me} lost {other}: {evidence} {detail}", ok=False)
            case ReignBegan():
                self._open.reigns[me] = at
            case HandoverBegan() | HandoverEnded() | RoleChanged():
                self._handover(at, number, me, line.body)
            case ServerFollowed() as followed:
                self._follow(at, number, me, followed)
            case FallbackChosen(peer=other, reason=reason) if other != me:
                self._add("fallback", at, number, (me, other), f"{me} goes to {other} ({reason})")
            case SideChanged(candidate=other):
                self._add("fallback", at, number, (me, other), f"{me} changes sides, to {other}")
            case EntriesLent(peer=other, first=first, last=last):
                self._add("heal", at, number, (other, me), f"{other} lends {me} the entries {first} to {last}")
            case ClaimMade(peer=other, term=term):
                self._add("heal", at, number, (me, other), f"{me} claims to {other} that {term} goes on")
            case HealStarted(peer=other):
                self._add("heal", at, number, (other, me), f"{me} archives what {other} brings")

    def finish(self) -> list[Message]:
        """All arrows, in the order in which they were told."""
        for peer in list(self._open.canvasses):
            self._unanswered(peer)
        waiting = chain(self._open.votes.values(), self._open.handovers.values())
        return sorted([*self._arrows, *waiting], key=lambda message: message.line)

    def _add(self, kind: str, at: float, number: int, ends: tuple[str, str], text: str, *, ok: bool = True) -> None:
        """An arrow of which one moment is known."""
        self._arrows.append(Message(kind, ((ends[0], at), (ends[1], at)), text, number, ok))

    # Ballots

    def _canvass(self, at: float, number: int, me: str, body: CanvassStarted | CanvassAnswered | BallotEnded) -> None:
        canvass = self._open.canvasses.get(me)
        match body:
            case CanvassStarted(number=ballot, asked=asked):
                self._unanswered(me)
                self._open.canvasses[me] = _Canvass(ballot, at, number, set(asked) - {me}, at)
            case CanvassAnswered(number=ballot, peer=other, answer=answer):
                if canvass is None or canvass.number != ballot or other not in canvass.silent:
                    return
                canvass.silent.discard(other)
                canvass.latest = at
                text = f"{me} asks whether it may stand for number {ballot}; {other} answers: {answer}"
                path = ((me, canvass.begin), (other, (canvass.begin + at) / 2), (me, at))
                self._arrows.append(Message("canvass", path, text, number, answer == SUPPORT, guess=True))
            case BallotEnded(number=ballot, outcome=outcome, support=support):
                self._unanswered(me)
                for voter in support:
                    vote = self._open.votes.pop((me, ballot, voter), None)
                    if vote is not None:
                        vote.path = (*vote.path, (me, at)) if outcome == WON else vote.path
                        self._arrows.append(vote)

    def _unanswered(self, me: str) -> None:
        """A canvass ends: who was asked and said nothing."""
        canvass = self._open.canvasses.pop(me, None)
        if canvass is None:
            return
        for other in sorted(canvass.silent):
            text = f"{me} asks whether it may stand for number {canvass.number}; {other} does not answer"
            path = ((me, canvass.begin), (other, canvass.begin))
            self._arrows.append(Message("canvass", path, text, canvass.line, ok=False))

    def _vote(self, at: float, number: int, me: str, vote: VoteCast) -> None:
        canvass = self._open.canvasses.get(vote.candidate)
        asked = at if canvass is None or canvass.number != vote.number else min(canvass.latest, at)
        how = "votes for" if vote.granted else "refuses its vote to"
        text = f"{me} {how} {vote.candidate} as number {vote.number} {vote.reason}".rstrip()
        message = Message("vote", ((vote.candidate, asked), (me, at)), text, number, vote.granted)
        if vote.granted and len(self._open.votes) < OPEN_MAX:
            self._open.votes[vote.candidate, vote.number, me] = message
        else:
            self._arrows.append(message)

    # Losing a server, and finding one

    def _losing(self, at: float, number: int, me: str, body: ServerLost | RetryStarted | RetryEnded) -> None:
        match body:
            case ServerLost(server=server, evidence=evidence, detail=detail, heard_ms_ago=ago):
                self._open.servers[me] = server
                text = f"{me} lost the server {server}: {evidence} {detail}; last heard {ago:.0f} ms before"
                heard = at - ago if isfinite(ago) else at
                self._arrows.append(Message("lost", ((server, heard), (me, at)), text, number, ok=False))
            case RetryStarted():
                self._open.retries[me] = at
            case RetryEnded(attempt=attempt, attempts=attempts, outcome=outcome, detail=detail):
                server = self._open.servers.get(me, "")
                begin = self._open.retries.pop(me, at)
                text = f"retry {attempt}/{attempts} of {me} to reach {server}: {outcome} {detail}".rstrip()
                if outcome == ANSWERED:
                    path = ((me, begin), (server, (begin + at) / 2), (me, at))
                    self._arrows.append(Message("retry", path, text, number, guess=True))
                else:
                    self._arrows.append(Message("retry", ((me, begin), (server, at)), text, number, ok=False))

    def _follow(self, at: float, number: int, me: str, followed: ServerFollowed) -> None:
        # Who waited when the reign began heard of its begin; who came later, or was cut off, came by itself.
        ago = at - self._open.reigns.get(followed.server, float("-inf"))
        begin = at - ago if ago <= min(followed.without_ms, NEW_REIGN_MS) else at
        text = f"{me} follows {followed.server} ({followed.term})"
        self._arrows.append(Message("follow", ((followed.server, begin), (me, at)), text, number))

    def _handover(self, at: float, number: int, me: str, body: HandoverBegan | HandoverEnded | RoleChanged) -> None:
        match body:
            case HandoverBegan(heir=heir, reason=reason) if len(self._open.handovers) < OPEN_MAX:
                text = f"{me} hands over to {heir} ({reason})"
                self._open.handovers[heir] = Message("handover", ((me, at), (heir, at)), text, number)
            case RoleChanged(reason=Cause.TOLD_TO_STAND):
                if handover := self._open.handovers.pop(me, None):
                    handover.path = (handover.path[0], (me, at))
                    self._arrows.append(handover)
            case HandoverEnded(outcome=outcome) if outcome != DONE:
                for heir, handover in list(self._open.handovers.items()):
                    if handover.path[0][0] == me:
                        handover.ok = False
                        handover.text += f": {outcome}"
                        self._arrows.append(self._open.handovers.pop(heir))
