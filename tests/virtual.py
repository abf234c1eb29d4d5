"""A small virtual cluster around the pure core: virtual time, links with latency, disks that take a while.

No socket, no clock, no sleep. Peers crash and lose what was not on disk, freeze and wake, and are cut off.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tanist.election.core import Core
from tanist.election.entries import Entry, Kind, Proposal
from tanist.election.events import Event
from tanist.election.evidence import Evidence
from tanist.election.messages import Message, SnapshotChunk, SnapshotMeta
from tanist.election.node import Self
from tanist.election.ready import (
    DialFailed,
    HandOverAsked,
    Input,
    LinkDown,
    LinkUp,
    Persisted,
    Ready,
    Received,
    Remote,
    SnapshotReceived,
    SnapshotTaken,
    Submit,
    Tick,
)
from tanist.election.records import Record, Stored
from tanist.election.roles import Role
from tanist.election.settings import MS, PACES, ElectionSettings, Safety

AT_ONCE_MAX = 10_000
"""Things that may happen at one instant: more means that peers answer each other, or a deadline stays in the past."""


@dataclass
class VirtualPeer:
    """One peer of the world: its core while it runs, and its disk always."""

    world: World
    name: str
    id: str
    settings: ElectionSettings
    given: tuple[str, ...] = ()
    disk: list[Record] = field(default_factory=list)
    core: Core | None = None
    incarnation: int = 0
    frozen: bool = False
    inbox: list[Input] = field(default_factory=list)
    applied: list[tuple[int, Entry]] = field(default_factory=list)
    events: list[tuple[int, Event]] = field(default_factory=list)
    archives: list[Any] = field(default_factory=list)
    deadline: int | None = None
    halted: str = ""
    snapshots: dict[str, tuple[SnapshotMeta, list[tuple[int, Entry]]]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.name}:7400"

    @property
    def role(self) -> Role | None:
        return self.core.role if self.core else None

    def commands(self) -> list[bytes]:
        """The bodies of the applied commands, in order."""
        return [e.body for _, e in self.applied if e.kind == Kind.COMMAND]

    def names_of(self, kind: type[Event]) -> list[Any]:
        return [e for _, e in self.events if isinstance(e, kind)]


class World:
    """Virtual time in nanoseconds; one heap of what happens next."""

    def __init__(self, seed: int = 1, *, latency_ms: float = 0.2, disk_ms: float = 0.5) -> None:
        self.rng = Random(seed)
        self.now = 1_000 * MS
        self.latency = int(latency_ms * MS)
        self.disk = int(disk_ms * MS)
        self.peers: dict[str, VirtualPeer] = {}
        self.links: set[frozenset[str]] = set()
        self.cuts: set[tuple[str, str]] = set()
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._at_once = 0

    # Building

    def add(self, name: str, *, peers: str = "", start: bool = True, **settings: Any) -> VirtualPeer:
        settings.setdefault("pace", PACES["classic"])
        settings.setdefault("safety", Safety.SURVIVOR)
        peer = VirtualPeer(self, name, f"id-{name}", ElectionSettings(**settings))
        peer.given = tuple(f"{n}:7400" for n in peers.split())
        self.peers[name] = peer
        if start:
            self.start(name)
        return peer

    def cluster(self, names: str, **settings: Any) -> list[VirtualPeer]:
        """Peers that join one after another, with one server at the end."""
        first = names.split()[0]
        out = []
        for name in names.split():
            out.append(self.add(name, peers="" if name == first else first, **settings))
            self.run(100)
        self.run_until(lambda: self.settled(), 30_000)
        self.run(2 * out[0].settings.pace.heartbeat_every_ms)
        return out

    def start(self, name: str) -> None:
        peer = self.peers[name]
        assert peer.core is None
        peer.incarnation += 1
        peer.frozen = False
        peer.applied = []
        peer.inbox = []
        stored = Stored.replay(peer.disk)
        me = Self(peer.id, peer.name, peer.address, peer.given)
        peer.core = Core(me, peer.settings, stored, Random(f"{name} {peer.incarnation} {self.rng.random()}"))
        if stored.snapshot is not None:
            peer.applied = list(peer.snapshots[stored.snapshot.digest][1])
        self._carry_out(peer, peer.core.start(self.now, self.now))

    # Faults

    def kill(self, name: str) -> None:
        """kill -9: what was not on disk is gone, links end at once."""
        peer = self.peers[name]
        peer.core = None
        peer.deadline = None
        for link in [x for x in self.links if name in x]:
            self.links.discard(link)
            (other,) = link - {name}
            self._later(self.latency, lambda o=other: self._link_down(o, name, Evidence.CLOSED))  # type: ignore[misc]

    def freeze(self, name: str) -> None:
        self.peers[name].frozen = True

    def thaw(self, name: str) -> None:
        peer = self.peers[name]
        peer.frozen = False
        inbox, peer.inbox = peer.inbox, []
        if peer.core is not None:
            self._feed(peer, Tick())
            for item in inbox:
                self._feed(peer, item)

    def cut(self, a: str, b: str) -> None:
        """No message passes any more, and no dial gets through; nobody is told."""
        self.cuts |= {(a, b), (b, a)}

    def mend(self) -> None:
        self.cuts.clear()

    def _link_down(self, at: str, gone: str, evidence: Evidence) -> None:
        peer = self.peers[at]
        if peer.core is not None:
            self._feed(peer, LinkDown(self.peers[gone].id, evidence, ""))

    # Driving

    def submit(self, name: str, *bodies: bytes) -> None:
        peer = self.peers[name]
        assert peer.core is not None
        self._feed(peer, Submit(tuple(Proposal(Kind.COMMAND, b) for b in bodies)))

    def hand_over(self, name: str, to: str | None = None) -> None:
        self._feed(self.peers[name], HandOverAsked(to))

    def snapshot(self, name: str) -> None:
        """The peer takes a snapshot of what it has applied."""
        peer = self.peers[name]
        core = peer.core
        assert core is not None
        index = core.node.applied
        term = core.node.log.term_at(index)
        assert term is not None
        digest = f"snap-{name}-{index}"
        meta = SnapshotMeta(
            index, term, 0, core.node.log.history_at(index), core.node.log.roster_at(index), 10, digest
        )
        peer.snapshots[digest] = (meta, list(peer.applied))
        self._feed(peer, SnapshotTaken(meta))

    def run(self, ms: float) -> None:
        """Let so much time pass."""
        end = self.now + int(ms * MS)
        while self._heap and self._heap[0][0] <= end:
            self._next()
        self.now = end

    def run_until(self, condition: Callable[[], bool], limit_ms: float) -> float:
        """Run until something holds; returns after how many milliseconds. Fails when it never does."""
        begin, end = self.now, self.now + int(limit_ms * MS)
        while not condition():
            assert self._heap and self._heap[0][0] <= end, f"not within {limit_ms} ms: {self.describe()}"
            self._next()
        return (self.now - begin) / MS

    def servers(self) -> list[VirtualPeer]:
        return [p for p in self.running() if p.role is Role.SERVER and not p.frozen]

    def running(self) -> list[VirtualPeer]:
        return [p for p in self.peers.values() if p.core is not None]

    def settled(self) -> bool:
        """One open server, whom all running peers follow, with equal logs committed and applied."""
        servers = self.servers()
        running = [p for p in self.running() if not p.frozen]
        if len(servers) != 1:
            return False
        server = servers[0].core
        assert server is not None
        ids = {p.id for p in running}
        known = {m.id for m in server.node.log.roster.members}
        return ids <= known and all(
            p.core is not None
            and p.core.server == servers[0].id
            and p.core.node.commit == server.node.log.last
            and p.core.node.log.last == server.node.log.last
            for p in running
        )

    def describe(self) -> str:
        return "; ".join(
            f"{p.name}:{p.role} n={p.core.node.number} last={p.core.node.log.last} commit={p.core.node.commit}"
            f" server={p.core.server}"
            for p in self.running()
            if p.core
        )

    def _later(self, delay: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + delay, next(self._order), what))

    def _next(self) -> None:
        at, _, what = heapq.heappop(self._heap)
        self._at_once = self._at_once + 1 if at == self.now else 0
        assert self._at_once < AT_ONCE_MAX, f"time stands still: {self.describe()}"
        self.now = at
        what()

    def _feed(self, peer: VirtualPeer, item: Input) -> None:
        if peer.frozen:
            if not isinstance(item, Tick):
                peer.inbox.append(item)
            return
        assert peer.core is not None
        self._carry_out(peer, peer.core.step(self.now, item, self.now))

    def _feed_if(self, name: str, incarnation: int, item: Input) -> None:
        peer = self.peers[name]
        if peer.core is not None and peer.incarnation == incarnation:
            self._feed(peer, item)

    def _carry_out(self, peer: VirtualPeer, ready: Ready) -> None:
        assert peer.core is not None
        peer.events.extend((self.now, e) for e in ready.events)
        peer.archives.extend(ready.archive)
        if ready.persist:
            self._later(self.disk, self._writer(peer, ready))
        for to, message in ready.send:
            self._send(peer, to, message)
        for dial in ready.dial:
            self._dial(peer, dial.address, dial.timeout_ns)
        for to, _ in ready.close:
            self._close(peer, to)
        if ready.rebuild:
            peer.applied = list(peer.snapshots[ready.install.digest][1]) if ready.install else []
        if ready.apply is not None:
            first = ready.apply.first
            assert first == (peer.applied[-1][0] if peer.applied else 0) + 1, "applied in order"
            peer.applied.extend((first + i, e) for i, e in enumerate(ready.apply.entries))
        for read in ready.snapshot_read:
            chunk = SnapshotChunk(read.index, read.digest, read.offset, b"x" * 10)
            self._send(peer, read.peer, chunk)
        for write in ready.snapshot_write:
            if write.data:
                holder = next(p for p in self.peers.values() if write.meta.digest in p.snapshots)
                peer.snapshots[write.meta.digest] = holder.snapshots[write.meta.digest]
                received = SnapshotReceived(write.meta, "")
                self._later(self.disk, lambda: self._feed_if(peer.name, peer.incarnation, received))
        if ready.halt is not None:
            peer.halted = ready.halt.text
        if ready.deadline is not None and ready.deadline != peer.deadline:
            at = peer.deadline = max(ready.deadline, self.now)
            self._later(at - self.now, lambda i=peer.incarnation: self._tick(peer.name, i, at))  # type: ignore[misc]

    def _tick(self, name: str, incarnation: int, at: int) -> None:
        peer = self.peers[name]
        if peer.core is not None and peer.incarnation == incarnation and peer.deadline == at:
            peer.deadline = None
            self._feed(peer, Tick())

    def _writer(self, peer: VirtualPeer, ready: Ready) -> Callable[[], None]:
        incarnation, records, persist_id = peer.incarnation, list(ready.persist), ready.persist_id

        def written() -> None:
            if peer.core is not None and peer.incarnation == incarnation:
                peer.disk.extend(records)
                self._feed(peer, Persisted(persist_id))

        return written

    def _by_id(self, peer_id: str) -> VirtualPeer:
        return next(p for p in self.peers.values() if p.id == peer_id)

    def _send(self, peer: VirtualPeer, to: str, message: Message) -> None:
        other = self._by_id(to)
        if frozenset({peer.name, other.name}) not in self.links or (peer.name, other.name) in self.cuts:
            return
        item = Received(peer.id, message)
        incarnation = other.incarnation
        self._later(self.latency, lambda: self._feed_if(other.name, incarnation, item))

    def _close(self, peer: VirtualPeer, to: str) -> None:
        other = self._by_id(to)
        link = frozenset({peer.name, other.name})
        if link in self.links:
            self.links.discard(link)
            self._later(self.latency, lambda: self._link_down(other.name, peer.name, Evidence.CLOSED))

    def _dial(self, peer: VirtualPeer, address: str, timeout: int) -> None:
        name = address.split(":")[0]
        other = self.peers.get(name)
        incarnation = peer.incarnation

        def fail(after: int, evidence: Evidence) -> None:
            self._later(after, lambda: self._feed_if(peer.name, incarnation, DialFailed(address, evidence, "")))

        if other is None or (other.core is None and (peer.name, name) not in self.cuts):
            fail(self.latency, Evidence.REFUSED)
        elif (peer.name, name) in self.cuts:
            fail(timeout, Evidence.UNREACHABLE)
        elif other.frozen:
            fail(timeout, Evidence.SILENT)
        else:
            self._later(2 * self.latency, lambda: self._connect(peer, other, address, incarnation))

    def _connect(self, peer: VirtualPeer, other: VirtualPeer, address: str, incarnation: int) -> None:
        if peer.core is None or peer.incarnation != incarnation:
            return
        if other.core is None:
            self._feed_if(peer.name, incarnation, DialFailed(address, Evidence.REFUSED, ""))
            return
        self.links.add(frozenset({peer.name, other.name}))
        self._feed(other, LinkUp(_remote(peer), None))
        self._feed(peer, LinkUp(_remote(other), address))


def _remote(peer: VirtualPeer) -> Remote:
    serve = peer.settings.serve.value != "never"
    return Remote(peer.id, peer.name, peer.address, (peer.incarnation, 0), serve, peer.settings.priority)
