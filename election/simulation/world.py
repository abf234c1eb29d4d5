"""A virtual cluster around the pure core: virtual time, links like TCP connections, disks that take a while.

No socket, no clock, no sleep. What it is careful about, because faults hide there:

- A link is a connection: first in, first out each way, and several may exist between two peers at once (both
  dialed). A cut holds what is on its way, as TCP does, and lets it through when it is mended while the link
  still stands; a reset loses it. A cut may be one-way.
- Disks take records in order. At a crash an unfinished write may have reached the disk or not, a prefix of it at
  a time, and nobody was told.
- A frozen peer's connections stay open, new ones get no hello, and on waking it finds everything at once.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random
from typing import Any

from tanist.election.core import Core
from tanist.election.entries import Kind, Proposal
from tanist.election.evidence import Evidence
from tanist.election.messages import Message, SnapshotChunk, SnapshotMeta
from tanist.election.node import Self
from tanist.election.ready import (
    DialFailed,
    DiskFailed,
    HandOverAsked,
    Input,
    LeaveAsked,
    LinkDown,
    LinkUp,
    Persisted,
    ReadAsked,
    Ready,
    Received,
    Remote,
    SnapshotReceived,
    SnapshotTaken,
    SnapshotWrite,
    Submit,
    Tick,
)
from tanist.election.records import Record, Stored
from tanist.election.roles import Role
from tanist.election.settings import MS, PACES, ElectionSettings, Safety
from tanist.election.simulation.peers import Link, VirtualPeer

AT_ONCE_MAX = 10_000
"""Things that may happen at one instant: more means that peers answer each other, or a deadline stays in the past."""


class World:
    """Virtual time in nanoseconds; one heap of what happens next. `watchers` see every step of every peer."""

    def __init__(self, seed: int = 1, *, latency_ms: float = 0.2, disk_ms: float = 0.5, jitter: float = 0.0) -> None:
        self.rng = Random(seed)
        self.now = 1_000 * MS
        self.latency = int(latency_ms * MS)
        self.disk = int(disk_ms * MS)
        self.jitter = jitter
        self.peers: dict[str, VirtualPeer] = {}
        self.by_id: dict[str, VirtualPeer] = {}
        self.cuts: set[tuple[str, str]] = set()
        self.watchers: list[Callable[[VirtualPeer, Ready], None]] = []
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
        self.by_id[peer.id] = peer
        if start:
            self.start(name)
        return peer

    def cluster(self, names: str, **settings: Any) -> list[VirtualPeer]:
        """Peers that form a cluster with one server: joining one after another, or founding it together."""
        all_names = names.split()
        if settings.get("safety") is Safety.QUORUM:
            settings.setdefault("expect", len(all_names))
        out = []
        for name in all_names:
            if settings.get("safety") is Safety.QUORUM:
                told = " ".join(n for n in all_names if n != name)
            else:
                told = "" if name == all_names[0] else all_names[0]
            out.append(self.add(name, peers=told, **settings))
            self.run(100)
        self.run_until(self.settled, 30_000)
        self.run(2 * out[0].settings.pace.heartbeat_every_ms)
        return out

    def start(self, name: str) -> None:
        peer = self.peers[name]
        assert peer.core is None
        peer.incarnation += 1
        peer.frozen = peer.unreachable = peer.broken = False
        peer.applied, peer.inbox = [], []
        peer.writes.clear()
        peer.written_at = self.now
        stored = Stored.replay(peer.disk)
        peer.stored = Stored.replay(peer.disk)
        me = Self(peer.id, peer.name, peer.address, peer.given)
        peer.core = Core(me, peer.settings, stored, Random(f"{name} {peer.incarnation} {self.rng.random()}"))
        if stored.snapshot is not None:
            peer.applied = list(peer.snapshots[stored.snapshot.digest][1])
        self._carry_out(peer, peer.core.start(self.now, self.now))

    # Faults

    def kill(self, name: str, *, silent: bool = False) -> None:
        """kill -9: of what was not on disk, a part of its begin may be; links end at once, or (host gone) never."""
        peer = self.peers[name]
        peer.core = None
        peer.deadline = None
        peer.unreachable = silent
        pending = [record for records, _ in peer.writes for record in records]
        # The disk takes records in order: a crash leaves some first part of them.
        self._on_disk(peer, pending[: self.rng.randint(0, len(pending))] if self.jitter else [])
        peer.writes.clear()
        for other, links in list(peer.links.items()):
            for link in links:
                link.open[name] = False
                link.held[name].clear()
                if not silent:
                    self._pass(link, other, lambda link=link, other=other: self._end(link, other))  # type: ignore[misc]
        peer.links.clear()

    def freeze(self, name: str) -> None:
        self.peers[name].frozen = True

    def thaw(self, name: str) -> None:
        peer = self.peers[name]
        peer.frozen = False
        inbox, peer.inbox = peer.inbox, []
        if peer.core is not None:
            self._feed(peer, Tick())
            for make in inbox:
                item = make()
                if item is not None:
                    self._feed(peer, item)

    def cut(self, a: str, b: str, *, one_way: bool = False) -> None:
        """No message passes any more (from a to b, or both ways), and no dial gets through; nobody is told."""
        self.cuts.add((a, b))
        if not one_way:
            self.cuts.add((b, a))

    def mend(self) -> None:
        """Let everything through again, also what was held meanwhile on links that still stand."""
        self.cuts.clear()
        for link in dict.fromkeys(x for p in self.peers.values() for group in p.links.values() for x in group):
            for name, held in link.held.items():
                while held:
                    self._pass(link, name, held.popleft())

    def reset(self, a: str, b: str) -> None:
        """The newest connection between two peers breaks, and with it what was on its way."""
        links = self.peers[a].links.get(b, [])
        if links:
            link = links[-1]
            for name in link.ends:
                link.held[name].clear()
                self._later(0, lambda name=name: self._end(link, name))  # type: ignore[misc]

    def fail_disk(self, name: str) -> None:
        self.peers[name].broken = True
        self.peers[name].writes.clear()
        self._feed(self.peers[name], DiskFailed("no space left on device"))

    # Driving

    def submit(self, name: str, *bodies: bytes) -> None:
        peer = self.peers[name]
        assert peer.core is not None
        self._feed(peer, Submit(tuple(Proposal(Kind.COMMAND, b) for b in bodies)))

    def hand_over(self, name: str, to: str | None = None) -> None:
        self._feed(self.peers[name], HandOverAsked(to))

    def leave(self, name: str, peer_id: str) -> None:
        self._feed(self.peers[name], LeaveAsked(peer_id))

    def read(self, name: str, request: int, *, prove: bool) -> None:
        self._feed(self.peers[name], ReadAsked(request, prove))

    def snapshot(self, name: str) -> None:
        """The peer takes a snapshot of what it has applied."""
        peer = self.peers[name]
        core = peer.core
        assert core is not None
        index = core.node.applied
        term = core.node.log.term_at(index)
        assert term is not None
        digest = f"snap-{name}-{peer.incarnation}-{index}-{term}"
        history, roster = core.node.log.history_at(index), core.node.log.roster_at(index)
        meta = SnapshotMeta(index, term, 0, history, roster, 30, digest)
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
        running = [p for p in self.running() if not p.frozen]
        servers = [p for p in running if p.role is Role.SERVER]
        if len(servers) != 1:
            return False
        server = servers[0].core
        assert server is not None
        log = server.node.log
        if not {p.id for p in running} <= log.roster.ids():
            return False
        return all(
            p.core is not None
            and p.core.server == servers[0].id
            and p.core.node.commit == log.last
            and p.core.node.log.last == log.last
            for p in running
        )

    def describe(self) -> str:
        return "; ".join(
            f"{p.name}:{p.role} n={p.core.node.number} last={p.core.node.log.last} commit={p.core.node.commit}"
            f" server={p.core.server}{' frozen' if p.frozen else ''}"
            for p in self.running()
            if p.core
        )

    def story(self, since_ms: float = 0.0) -> str:
        """All events so far, for a failure to be read."""
        lines = sorted(((at, p.name, e) for p in self.peers.values() for at, e in p.events), key=lambda x: x[0])
        told = [
            f"{at / MS:12.3f} {name:4} {type(e).__name__}: "
            + e.line.format(**{f: getattr(e, f) for f in e.__struct_fields__})
            for at, name, e in lines
            if at >= since_ms * MS
        ]
        return "\n".join(told)

    # The heap

    def _later(self, delay: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (self.now + delay, next(self._order), what))

    def _next(self) -> None:
        at, _, what = heapq.heappop(self._heap)
        self._at_once = self._at_once + 1 if at == self.now else 0
        assert self._at_once < AT_ONCE_MAX, f"time stands still: {self.describe()}"
        self.now = at
        what()

    def _take(self, nominal: int) -> int:
        """How long something takes: now and then much longer, if this world has jitter."""
        if not self.jitter:
            return nominal
        factor = 1 + self.jitter * self.rng.random()
        return int(nominal * (factor * 20 if self.rng.random() < 0.02 else factor))

    # Steps

    def _feed(self, peer: VirtualPeer, item: Input) -> None:
        self._feed_made(peer, lambda: item)

    def _feed_made(self, peer: VirtualPeer, make: Callable[[], Input | None]) -> None:
        """Feed what is made at that moment: a frozen peer sees it when it wakes, as far as it is still so."""
        if peer.core is None:
            return
        if peer.frozen:
            peer.inbox.append(make)
            return
        item = make()
        if item is not None:
            self._carry_out(peer, peer.core.step(self.now, item, self.now))

    def _feed_if(self, name: str, incarnation: int, item: Input) -> None:
        peer = self.peers[name]
        if peer.core is not None and peer.incarnation == incarnation:
            self._feed(peer, item)

    def _carry_out(self, peer: VirtualPeer, ready: Ready) -> None:
        core = peer.core
        assert core is not None
        peer.events.extend((self.now, e) for e in ready.events)
        peer.archives.extend(ready.archive)
        for watch in self.watchers:
            watch(peer, ready)
        if ready.persist:
            self._write(peer, ready)
        for to, message in ready.send:
            self._send(peer, to, message)
        for dial in ready.dial:
            self._dial(peer, dial.address, dial.timeout_ns)
        for to, _ in ready.close:
            self._close(peer, self.by_id[to].name)
        if ready.rebuild:
            peer.applied = list(peer.snapshots[ready.install.digest][1]) if ready.install else []
        if ready.apply is not None:
            first = ready.apply.first
            assert first == (peer.applied[-1][0] if peer.applied else 0) + 1, "applied in order"
            peer.applied.extend((first + i, e) for i, e in enumerate(ready.apply.entries))
        for read in ready.snapshot_read:
            data = b"x" * 10 if read.digest in peer.snapshots else b""
            self._send(peer, read.peer, SnapshotChunk(read.index, read.digest, read.offset, data))
        for write in ready.snapshot_write:
            self._write_snapshot(peer, write)
        peer.reads.extend(ready.reads)
        peer.declined += ready.declined is not None
        if ready.halt is not None:
            peer.halted = ready.halt.text
        if ready.deadline is not None and ready.deadline != peer.deadline:
            at = peer.deadline = max(ready.deadline, self.now)
            self._later(at - self.now, lambda i=peer.incarnation: self._tick(peer.name, i, at))  # type: ignore[misc]

    def _tick(self, name: str, incarnation: int, at: int) -> None:
        peer = self.peers[name]
        if peer.core is not None and peer.incarnation == incarnation and peer.deadline == at and not peer.frozen:
            peer.deadline = None
            self._feed(peer, Tick())

    # Disks

    def _write(self, peer: VirtualPeer, ready: Ready) -> None:
        if peer.broken:
            return
        peer.writes.append((list(ready.persist), ready.persist_id))
        peer.written_at = max(peer.written_at, self.now + self._take(self.disk))
        incarnation = peer.incarnation

        def written() -> None:
            if peer.core is not None and peer.incarnation == incarnation and not peer.broken:
                records, persist_id = peer.writes.popleft()
                self._on_disk(peer, records)
                self._feed(peer, Persisted(persist_id))

        self._later(peer.written_at - self.now, written)

    def _on_disk(self, peer: VirtualPeer, records: list[Record]) -> None:
        for record in records:
            peer.disk.append(record)
            peer.stored.take(record)

    def _write_snapshot(self, peer: VirtualPeer, write: SnapshotWrite) -> None:
        if not write.data or write.offset + len(write.data) < write.meta.bytes:
            return
        holder = next(p for p in self.peers.values() if write.meta.digest in p.snapshots)
        incarnation, received = peer.incarnation, SnapshotReceived(write.meta, "")

        def finished() -> None:
            if peer.core is not None and peer.incarnation == incarnation:
                peer.snapshots[write.meta.digest] = holder.snapshots[write.meta.digest]
                self._feed(peer, received)

        self._later(self._take(self.disk), finished)

    # Links

    def _pass(self, link: Link, to: str, what: Callable[[], None]) -> None:
        """Something goes over a link to one of its ends: in order, and held while that way is cut."""
        if (link.other(to), to) in self.cuts:
            link.held[to].append(what)
            return
        at = link.arrived[to] = max(link.arrived[to], self.now + self._take(self.latency))
        self._later(at - self.now, what)

    def _send(self, peer: VirtualPeer, to: str, message: Message) -> None:
        other = self.by_id[to]
        links = peer.links.get(other.name)
        if not links:
            return
        link = links[-1]

        def arrive() -> None:
            if link.open[other.name]:
                item = Received(peer.id, message)
                self._feed_made(other, lambda: item if link.open[other.name] else None)

        self._pass(link, other.name, arrive)

    def _close(self, peer: VirtualPeer, to: str) -> None:
        """End all links to a peer from this side; its own core is not told of what it asked for."""
        for link in peer.links.pop(to, []):
            link.open[peer.name] = False
            self._pass(link, to, lambda link=link: self._end(link, to))  # type: ignore[misc]

    def _end(self, link: Link, at: str) -> None:
        """A link ends at one side; the core hears of it when it was the last."""
        peer, other = self.peers[at], link.other(at)

        def lost() -> Input | None:
            if not link.open[at]:
                return None
            link.open[at] = False
            links = peer.links[other]
            links.remove(link)
            if links:
                return None
            del peer.links[other]
            return LinkDown(self.peers[other].id, Evidence.CLOSED, "")

        self._feed_made(peer, lost)

    def _dial(self, peer: VirtualPeer, address: str, timeout: int) -> None:
        other = next((p for p in self.peers.values() if p.address == address), None)
        name = other.name if other is not None else ""
        incarnation = peer.incarnation

        def fail(after: int, evidence: Evidence) -> None:
            self._later(after, lambda: self._feed_if(peer.name, incarnation, DialFailed(address, evidence, "")))

        if other is not None and (other.unreachable or self.cuts & {(peer.name, name), (name, peer.name)}):
            fail(timeout, Evidence.UNREACHABLE)
        elif other is None or other.core is None:
            fail(self.latency, Evidence.REFUSED)
        elif other.frozen or peer is other:
            fail(timeout, Evidence.SILENT)
        else:
            self._later(2 * self._take(self.latency), lambda: self._connect(peer, other, address, incarnation))

    def _connect(self, peer: VirtualPeer, other: VirtualPeer, address: str, incarnation: int) -> None:
        if peer.core is None or peer.incarnation != incarnation:
            return
        if other.core is None or peer.frozen or other.frozen:
            self._feed_if(peer.name, incarnation, DialFailed(address, Evidence.REFUSED, ""))
            return
        link = Link(peer.name, other.name)
        self._take_link(other, peer, link, None)
        self._take_link(peer, other, link, address)

    def _take_link(self, at: VirtualPeer, to: VirtualPeer, link: Link, dialed: str | None) -> None:
        known = at.links.get(to.name, [])
        if any(not x.open[to.name] for x in known):
            # The other has started anew, or closed: what is left of its old connections is dead.
            for old in known:
                old.open[at.name] = False
                old.open[to.name] = False
            del at.links[to.name]
            self._feed(at, LinkDown(to.id, Evidence.CLOSED, "it started again"))
        at.links.setdefault(to.name, []).append(link)
        self._feed(at, LinkUp(_remote(to), dialed))


def _remote(peer: VirtualPeer) -> Remote:
    serve = peer.settings.serve.value != "never"
    return Remote(peer.id, peer.name, peer.address, (peer.incarnation, 0), serve, peer.settings.priority)


__all__ = ["VirtualPeer", "World"]
