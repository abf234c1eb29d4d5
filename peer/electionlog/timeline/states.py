"""What each peer was when: its roles as it told them itself, and when its process began, ended, or was away.

A process that is killed writes no last line. When it ended is then taken from those who lost it, and a span without
anybody's word says that it is not known.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from math import isfinite

from tanist.election.events import (
    DiskAnswered,
    DiskStalled,
    Event,
    PeerLost,
    ReignBegan,
    RetryEnded,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    Woke,
)
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.peer_events import LoopStalled, PeerStarted, PeerStopped
from tanist.peer.electionlog.timeline.model import CLIENT, GONE, SEEKING, SERVER, STOPPED, UNKNOWN

KEPT_MAX = 50_000
"""Spans and arrows kept, the latest: as many as lines are shown (see building.py)."""
LOSSES_MAX = 64
"""Losses of one peer that are remembered until it speaks again: as many as a roster has members."""
SLACK_MS = 100.0
"""How far a peer's last line may lie behind the moment at which others lost it: what clocks leave open."""
AWAY, STALLED, DISK = "away", "stalled", "disk"
"""The kinds of absence: the clock jumped; the event loop stood still; a write hangs."""
CERTAIN = frozenset({"closed", "refused"})
"""Evidence by which a peer that says nothing more is taken for gone; a silent one may well be there."""


@dataclass(frozen=True, slots=True)
class State:
    """A peer's state from one moment to another, in milliseconds since 1970."""

    peer: str
    state: str
    begin: float
    end: float
    term: str
    text: str


@dataclass(frozen=True, slots=True)
class Away:
    """A time in which a peer did nothing though its process lived."""

    peer: str
    kind: str
    begin: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Loss:
    """That somebody lost a peer: on what evidence, and what its latest retry met."""

    at: float
    by: str
    evidence: str
    latest: str


@dataclass(slots=True)
class _Peer:
    """What a peer is at the moment, and what was said of it since it last spoke."""

    state: str
    since: float
    incarnation: str
    last: float
    term: str = ""
    text: str = ""
    lost: str = ""
    """The server that it lost last."""
    losses: list[Loss] = field(default_factory=list)
    disk_since: float | None = None


class States:
    """Takes lines with their moments, in order; `finish` closes what is open then."""

    def __init__(self) -> None:
        self.spans: deque[State] = deque(maxlen=KEPT_MAX)
        self.absences: deque[Away] = deque(maxlen=KEPT_MAX)
        self._peers: dict[str, _Peer] = {}

    def take(self, at: float, line: LogLine) -> None:
        """Take in one line."""
        peer = self._peers.get(line.peer)
        if peer is None:
            peer = self._peers[line.peer] = _Peer(UNKNOWN, at, line.incarnation, at)
        if isinstance(line.body, PeerStarted) or line.incarnation != peer.incarnation:
            self._started(at, line, peer)
        match line.body:
            case None:
                pass
            case PeerStopped(reason=reason):
                self._enter(line.peer, at, STOPPED, reason)
            case RoleChanged() as changed:
                self._role(line.peer, at, changed)
            case ServerFollowed(server=server, term=term):
                self._unlose(server, line.peer)
                self._in_term(line.peer, at, CLIENT, term)
            case ReignBegan(term=term):
                self._in_term(line.peer, at, SERVER, term)
            case ServerLost(server=server, evidence=evidence):
                peer.lost = server
                self._lost(server, Loss(at, line.peer, evidence, evidence))
            case RetryEnded(outcome=outcome):
                self._tried(peer.lost, line.peer, outcome)
            case PeerLost(peer=other, evidence=evidence) if self._follows(other, line.peer):
                self._lost(other, Loss(at, line.peer, evidence, evidence))
            case body:
                self._absent(at, line.peer, peer, body)
        peer.last = at
        peer.losses = [loss for loss in peer.losses if loss.at > at - SLACK_MS]

    def finish(self, end: float) -> None:
        """End all that lasts at `end`. A peer that was lost and says nothing more is gone from then on."""
        for name, peer in self._peers.items():
            loss = next((loss for loss in peer.losses if loss.latest in CERTAIN), None)
            if loss is not None and peer.state != STOPPED:
                self._enter(name, max(loss.at, peer.last), GONE, f"no line of it after this; {_told(loss)}")
            if peer.disk_since is not None:
                self.absences.append(Away(name, DISK, peer.disk_since, end, "the disk hangs"))
            self._close(name, peer, end)

    # What lines change

    def _started(self, at: float, line: LogLine, peer: _Peer) -> None:
        """A new start of a process; the one before may have ended without a word."""
        if peer.state != STOPPED and (peer.state != UNKNOWN or peer.incarnation != line.incarnation):
            loss = peer.losses[0] if peer.losses else None
            died = max(loss.at, peer.last) if loss else peer.last
            how = _told(loss) if loss else "when is not known: this was its last line"
            self._enter(line.peer, died, GONE, f"its process ended without a word; {how}")
        peer.incarnation = line.incarnation
        peer.losses.clear()
        peer.disk_since = None
        self._enter(line.peer, at, SEEKING, "started")

    def _role(self, name: str, at: float, changed: RoleChanged) -> None:
        peer = self._peers[name]
        if peer.state == UNKNOWN:
            # Lines before this one told no role: it was this.
            peer.state = changed.was
        if changed.role != peer.state or changed.role == SERVER:
            self._enter(name, at, changed.role, changed.reason)

    def _in_term(self, name: str, at: float, state: str, term: str) -> None:
        """The term of the present state: told just after the role, or a new one in the same role."""
        peer = self._peers[name]
        if peer.state == UNKNOWN:
            peer.state = state
        if peer.state != state or (peer.term and peer.term != term):
            self._enter(name, at, state, peer.text)
        peer.term = term

    def _absent(self, at: float, name: str, peer: _Peer, body: Event) -> None:
        match body:
            case Woke(away_ms=ms) | LoopStalled(stalled_ms=ms) | DiskStalled(waited_ms=ms) if not isfinite(ms):
                return
            case Woke(away_ms=ms):
                text = f"its clock jumped by {ms:.0f} ms: it was away"
                before = self.absences[-1] if self.absences else None
                if before is not None and before.peer == name and before.end >= at - ms:
                    # Its event loop stood still, and said so first, for the same reason.
                    self.absences[-1] = Away(name, AWAY, before.begin, at, text)
                else:
                    self._away(name, AWAY, max(peer.last, at - ms), at, text)
            case LoopStalled(stalled_ms=ms):
                text = f"its event loop stood still for {ms:.0f} ms"
                self._away(name, STALLED, max(peer.last, at - ms), at, text)
            case DiskStalled(waited_ms=ms):
                peer.disk_since = at - ms if peer.disk_since is None else peer.disk_since
            case DiskAnswered(after_ms=ms) if peer.disk_since is not None:
                self._away(name, DISK, peer.disk_since, at, f"its disk hung for {ms:.0f} ms")
                peer.disk_since = None

    def _away(self, name: str, kind: str, begin: float, end: float, text: str) -> None:
        self.absences.append(Away(name, kind, begin, end, text))

    # What others say

    def _lost(self, name: str, loss: Loss) -> None:
        peer = self._peers.get(name)
        if peer is not None and len(peer.losses) < LOSSES_MAX:
            peer.losses.append(loss)

    def _tried(self, name: str, by: str, outcome: str) -> None:
        """A retry says more than what the loss rested on: a link that was cut is no end of a process."""
        if peer := self._peers.get(name):
            peer.losses = [replace(loss, latest=outcome) if loss.by == by else loss for loss in peer.losses]

    def _follows(self, name: str, server: str) -> bool:
        """Whether a peer is known to follow a server: only then does that one's loss of it mean much."""
        peer = self._peers.get(name)
        return peer is not None and peer.state == CLIENT and peer.term.partition("@")[2] == server

    def _unlose(self, name: str, by: str) -> None:
        """Whoever follows a peer has found it again."""
        if peer := self._peers.get(name):
            peer.losses = [loss for loss in peer.losses if loss.by != by]

    # Spans

    def _enter(self, name: str, at: float, state: str, text: str) -> None:
        peer = self._peers[name]
        self._close(name, peer, at)
        peer.state, peer.since, peer.term, peer.text = state, at, "", text

    def _close(self, name: str, peer: _Peer, at: float) -> None:
        if at > peer.since:
            self.spans.append(State(name, peer.state, peer.since, at, peer.term, peer.text))


def _told(loss: Loss) -> str:
    more = "" if loss.latest == loss.evidence else f", then {loss.latest}"
    return f"{loss.by} lost it: {loss.evidence}{more}"
