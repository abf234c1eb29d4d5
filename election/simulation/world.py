"""A virtual cluster around the pure core: virtual time, links like TCP connections, disks that take a while.

No socket, no clock, no sleep: one heap of what happens next, keyed by virtual time and order of asking, and one stream
of chance a concern. What it is careful about, because faults hide there, is said in `network` and `disks`; besides:

- A frozen peer's connections stay open, new ones get no hello, and on waking it finds everything at once.
- Every peer has its own clock, which may run a little faster or slower, or leap forward; and a wall clock that may do
  what it likes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from tanist.election.core import Core
from tanist.election.entries import Kind, Proposal
from tanist.election.messages import SnapshotChunk
from tanist.election.node import NO_SNAPSHOT, Self
from tanist.election.ready import (
    Apply,
    GoodbyeAsked,
    HandOverAsked,
    Input,
    LeaveAsked,
    ReadAnswer,
    ReadAsked,
    Ready,
    Submit,
    Tick,
)
from tanist.election.records import DamageRecord, SeenRecord, SnapshotRecord, Stored
from tanist.election.roles import Role
from tanist.election.settings import MS, PACES, ElectionSettings, Safety
from tanist.election.simulation.disks import CHUNK_BYTES, Disks
from tanist.election.simulation.machine import Answer, Codec, Machine
from tanist.election.simulation.network import Network
from tanist.election.simulation.peers import VirtualPeer
from tanist.election.simulation.streams import Streams

AT_ONCE_MAX = 10_000
"""Things that may happen at one instant: more means that peers answer each other, or a deadline stays in the past."""

Watcher = Callable[[VirtualPeer, Ready], None]


class World:
    """Virtual time in nanoseconds; one heap of what happens next. `watchers` see every step of every peer.

    `jitter` makes what takes time take up to so many times longer, and now and then far longer; without it a world
    has no chance at all. `machine` makes the state machine of one peer, by its name; `codec` takes every message to
    bytes and back.
    """

    def __init__(
        self,
        seed: int | str = 1,
        *,
        latency_ms: float = 0.2,
        disk_ms: float = 0.5,
        jitter: float = 0.0,
        machine: Callable[[str], Machine] | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.streams = Streams(seed)
        self.now = 1_000 * MS
        self.latency = int(latency_ms * MS)
        self.disk = int(disk_ms * MS)
        self.jitter = jitter
        self.lag = 0
        """Nanoseconds by which a timer may be late, because its process is busy."""
        self.make_machine = machine
        self.codec = codec
        self.auto_snapshot = False
        """Whether peers take snapshots by themselves, as `snapshot_every` says."""
        self.ends_when_halted = False
        """Whether a peer that may not go on ends, as a real one does; else it only says so."""
        self.peers: dict[str, VirtualPeer] = {}
        self.by_id: dict[str, VirtualPeer] = {}
        self.network = Network(self, self.streams.network)
        self.disks = Disks(self, self.streams.disk)
        self.watchers: list[Watcher] = []
        self.on_answer: Callable[[VirtualPeer, Answer], None] | None = None
        self.on_applied: Callable[[VirtualPeer, Apply], None] | None = None
        self.on_read: Callable[[VirtualPeer, ReadAnswer], None] | None = None
        self.processes = 0
        """Processes started so far: each has its own number."""
        self.gone: set[bytes] = set()
        """Bodies of entries that were on no other disk than one that was wiped or damaged."""
        self.events = 0
        """What happened so far: things taken from the heap."""
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._at_once = 0

    # Building

    def add(self, name: str, *, peers: str = "", start: bool = True, **settings: Any) -> VirtualPeer:
        settings.setdefault("pace", PACES["classic"])
        settings.setdefault("safety", Safety.SURVIVOR)
        return self.add_with(name, ElectionSettings(**settings), peers=peers, start=start)

    def add_with(self, name: str, settings: ElectionSettings, *, peers: str = "", start: bool = True) -> VirtualPeer:
        """Add a peer that is told of these others' addresses."""
        peer = VirtualPeer(self, name, f"id-{name}", settings)
        peer.given = tuple(f"{n}:7400" for n in peers.split())
        peer.order = len(self.peers)
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
        """Start a peer's process from what is on its disk; of a damaged one, from what is sound."""
        peer = self.peers[name]
        assert peer.core is None
        peer.unreachable = False
        peer.incarnation += 1
        self.processes += 1
        peer.starts = max(peer.starts, peer.stored.seen.get(peer.id, (0, 0))[0]) + 1
        if peer.damaged:
            peer.damaged = False
            if peer.stored.snapshot is not None and peer.stored.snapshot.digest not in peer.snapshots:
                # Its file made room for a newer one, of which nothing is known any more.
                self.disks.keep(peer, [SnapshotRecord(NO_SNAPSHOT, False)])
            self.disks.keep(peer, [DamageRecord(peer.starts, "records fail their checks")])
        self.disks.keep(peer, [SeenRecord(peer.id, peer.starts, self.processes)])
        peer.frozen = peer.broken = peer.hung = peer.snapshot_due = False
        peer.halted = ""
        peer.deadline = peer.wake_at = None
        peer.inbox = []
        peer.writes.clear()
        peer.written_at = self.now
        stored = _copy(peer.stored)
        me = Self(peer.id, peer.name, peer.address, peer.given, (peer.starts, self.processes))
        peer.core = Core(me, peer.settings, stored, self.streams.core(name, peer.incarnation))
        self._rebuild(peer, stored.snapshot.digest if stored.snapshot is not None else None)
        clock = peer.clock()
        self._carry_out(peer, peer.core.start(clock, clock + peer.wall_ahead))

    # Faults

    def kill(self, name: str, *, silent: bool = False, kept: int | None = None) -> None:
        """kill -9: links end at once, or (host gone) never; of what was not on disk, see `Disks.crash`."""
        peer = self.peers[name]
        peer.core = None
        peer.deadline = peer.wake_at = None
        peer.unreachable = silent
        self.disks.crash(peer, kept)
        self.network.process_gone(peer, silent=silent)

    def freeze(self, name: str) -> None:
        """SIGSTOP: nothing is done any more; the kernel goes on taking what arrives."""
        self.peers[name].frozen = True

    def thaw(self, name: str) -> None:
        """SIGCONT: the process finds its timers due, and all that arrived meanwhile."""
        peer = self.peers[name]
        peer.frozen = False
        inbox, peer.inbox = peer.inbox, []
        if peer.core is not None:
            self.feed(peer, Tick())
            for make in inbox:
                item = make()
                if item is not None:
                    self.feed(peer, item)

    def cut(self, a: str, b: str, *, one_way: bool = False) -> None:
        """No message passes any more (from a to b, or both ways), and no dial gets through; nobody is told."""
        self.network.cut(a, b, one_way=one_way)

    @property
    def disks_were_lost(self) -> bool:
        """Whether anything that was on any disk is no more."""
        return any(p.lost for p in self.peers.values())

    @property
    def cuts(self) -> set[tuple[str, str]]:
        """The ways that are cut, from whom to whom."""
        return self.network.cuts

    def mend(self, *ways: tuple[str, str]) -> None:
        """Let everything through again, also what was held meanwhile on links that still stand."""
        self.network.mend(*ways)

    def reset(self, a: str, b: str) -> None:
        """The newest connection between two peers breaks, and with it what was on its way."""
        self.network.reset(a, b)

    def fail_disk(self, name: str, why: str = "no space left on device") -> None:
        """The disk takes nothing any more, until the peer is started again."""
        self.disks.fail(name, why)

    def skew(self, name: str, rate: float) -> None:
        """From now on a peer's clock runs at `rate` seconds a second."""
        peer = self.peers[name]
        peer.ahead, peer.skewed_at, peer.rate = peer.clock() - self.now, self.now, rate
        self._arm(peer)

    def leap(self, name: str, ns: int, *, wall: bool = False) -> None:
        """A peer's clock leaps forward, or its wall clock leaps at all."""
        peer = self.peers[name]
        if wall:
            peer.wall_ahead += ns
        else:
            assert ns >= 0, "the clock that deadlines run on never goes back"
            peer.ahead += ns
            peer.wake_at = None
            self._arm(peer)

    def damage(self, name: str, sound: int) -> None:
        """Of a dead peer's disk only so many records pass their checks when it starts."""
        peer = self.peers[name]
        assert peer.core is None, "damage is found at a start"
        before = peer.bodies()
        peer.damaged = True
        peer.disk = peer.disk[:sound]
        peer.stored = Stored.replay(peer.disk)
        kept = peer.stored.snapshot
        if kept is not None and kept.digest not in peer.snapshots:
            # The file that these records speak of was replaced long ago: nothing of them can be used.
            peer.disk, peer.stored = [], Stored()
        self._note_lost(peer, before - peer.bodies())

    def clone(self, name: str, copy_name: str) -> VirtualPeer:
        """Copy a peer's data directory to another machine: what is started there has the same id."""
        peer = self.peers[name]
        double = VirtualPeer(self, copy_name, peer.id, peer.settings, given=peer.given)
        double.disk, double.stored, double.snapshots = list(peer.disk), _copy(peer.stored), dict(peer.snapshots)
        double.starts = peer.starts
        self.peers[copy_name] = double
        return double

    def wipe(self, name: str) -> None:
        """A dead peer loses its disk: what is started next has a new id, and knows nothing but addresses."""
        peer = self.peers[name]
        assert peer.core is None, "only a dead peer's disk is wiped"
        self._note_lost(peer, peer.bodies())
        peer.wiped += 1
        self.by_id.pop(peer.id, None)
        peer.id = f"id-{name}-{peer.wiped}"
        self.by_id[peer.id] = peer
        peer.disk, peer.stored, peer.damaged = [], Stored(), False
        peer.snapshots, peer.archives = {}, []

    def gives_up(self, name: str) -> None:
        """Nobody will start this peer again: what is on its disk alone is no more."""
        self._note_lost(self.peers[name], self.peers[name].bodies())

    def _note_lost(self, peer: VirtualPeer, bodies: set[bytes]) -> None:
        peer.lost += 1
        self.gone |= bodies.difference(*(p.bodies() for p in self.peers.values() if p is not peer))

    # Driving

    def submit(self, name: str, *bodies: bytes) -> None:
        self.propose(name, *(Proposal(Kind.COMMAND, b) for b in bodies))

    def propose(self, name: str, *proposals: Proposal) -> None:
        """A peer's own clients ask for entries."""
        self.feed(self.peers[name], Submit(proposals))

    def hand_over(self, name: str, to: str | None = None) -> None:
        self.feed(self.peers[name], HandOverAsked(to))

    def leave(self, name: str, peer_id: str) -> None:
        self.feed(self.peers[name], LeaveAsked(peer_id))

    def goodbye(self, name: str) -> None:
        """A peer ends cleanly: it says so to everyone, and is gone."""
        self.feed(self.peers[name], GoodbyeAsked("it was asked to stop"))
        self.kill(name)

    def read(self, name: str, request: int, *, prove: bool) -> None:
        self.feed(self.peers[name], ReadAsked(request, prove))

    def snapshot(self, name: str) -> None:
        """The peer takes a snapshot of what it has applied."""
        self.disks.take_snapshot(self.peers[name], at_once=True)

    def run(self, ms: float) -> None:
        """Let so much time pass."""
        self.run_ns(int(ms * MS))

    def run_ns(self, ns: int) -> None:
        """Let so many nanoseconds pass."""
        end = self.now + ns
        heap, following = self._heap, self._next
        while heap and heap[0][0] <= end:
            following()
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
        return self.settled_among([p for p in self.running() if not p.frozen])

    def settled_among(self, running: list[VirtualPeer]) -> bool:
        """The same, asked of these peers alone."""
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

    def later(self, delay: int, what: Callable[..., None], *args: Any) -> None:
        """Something happens after so many nanoseconds."""
        self._order += 1
        heappush(self._heap, (self.now + delay, self._order, what, args))

    def _next(self) -> None:
        at, _, what, args = heappop(self._heap)
        if at == self.now:
            self._at_once += 1
            assert self._at_once < AT_ONCE_MAX, f"time stands still: {self.describe()}"
        else:
            self._at_once = 0
            self.now = at
        self.events += 1
        what(*args)

    # Steps

    def feed(self, peer: VirtualPeer, item: Input) -> None:
        """One input, now; a frozen peer sees it when it wakes, a dead one never."""
        core = peer.core
        if core is None:
            return
        if peer.frozen:
            peer.inbox.append(lambda: item)
            return
        clock = peer.clock()
        self._carry_out(peer, core.step(clock, item, clock + peer.wall_ahead))

    def feed_made(self, peer: VirtualPeer, make: Callable[[], Input | None]) -> None:
        """Feed what is made at that moment: a frozen peer sees it when it wakes, as far as it is still so."""
        if peer.core is None:
            return
        if peer.frozen:
            peer.inbox.append(make)
            return
        item = make()
        if item is not None:
            self.feed(peer, item)

    def feed_if(self, name: str, incarnation: int, item: Input) -> None:
        """Feed a certain process, if it still runs."""
        peer = self.peers[name]
        if peer.incarnation == incarnation:
            self.feed(peer, item)

    def _carry_out(self, peer: VirtualPeer, ready: Ready) -> None:
        core = peer.core
        assert core is not None
        if ready.events:
            now = self.now
            peer.events.extend((now, e) for e in ready.events)
        if ready.archive:
            peer.archives.extend(ready.archive)
        for watch in self.watchers:
            watch(peer, ready)
        if ready.persist:
            self.disks.write(peer, ready)
        for to, message in ready.send:
            self.network.send(peer, to, message)
        for dial in ready.dial:
            self.network.dial(peer, dial.address, dial.timeout_ns)
        for to, _ in ready.close:
            if (other := self.by_id.get(to)) is not None:
                self.network.close(peer, other.name)
        if ready.rebuild:
            self._rebuild(peer, ready.install.digest if ready.install is not None else None)
        if ready.apply is not None:
            self._apply(peer, ready.apply)
        for read in ready.snapshot_read:
            data = b"x" * CHUNK_BYTES if read.digest in peer.snapshots else b""
            self.network.send(peer, read.peer, SnapshotChunk(read.index, read.digest, read.offset, data))
        for write in ready.snapshot_write:
            self.disks.take_chunk(peer, write)
        for answer in ready.reads:
            peer.reads.append(answer)
            if self.on_read is not None:
                self.on_read(peer, answer)
        if ready.declined is not None:
            peer.declined += 1
        if ready.deadline != peer.deadline:
            peer.deadline = ready.deadline
            self._arm(peer)
        if ready.halt is not None:
            peer.halted = ready.halt.text
            if self.ends_when_halted:
                self.later(0, self._end_halted, peer, peer.incarnation)

    def _end_halted(self, peer: VirtualPeer, incarnation: int) -> None:
        if peer.core is not None and peer.incarnation == incarnation:
            self.kill(peer.name)

    def _arm(self, peer: VirtualPeer) -> None:
        """See to it that the core is called at its deadline; a call that is asked for earlier already will do."""
        if peer.deadline is None or peer.core is None:
            return
        at = max(peer.world_time(peer.deadline), self.now)
        if peer.wake_at is not None and peer.wake_at <= at:
            return
        if self.lag:
            at += int(self.lag * self.streams.timers.random())
        peer.wake_at = at
        self.later(at - self.now, self._wake, peer, peer.incarnation, at)

    def _wake(self, peer: VirtualPeer, incarnation: int, at: int) -> None:
        if peer.core is None or peer.incarnation != incarnation or peer.wake_at != at:
            return
        peer.wake_at = None
        if peer.deadline is None or peer.frozen:
            return
        if peer.world_time(peer.deadline) > self.now:
            self._arm(peer)
            return
        peer.deadline = None
        self.feed(peer, Tick())

    # State machines

    def _rebuild(self, peer: VirtualPeer, digest: str | None) -> None:
        """The application begins anew: from a snapshot, or from nothing."""
        kept = peer.snapshots[digest] if digest is not None else None
        peer.applied = kept.applied if kept is not None else []
        if self.make_machine is not None:
            peer.machine = self.make_machine(peer.name)
            if kept is not None:
                peer.machine.restore(kept.state)

    def _apply(self, peer: VirtualPeer, apply: Apply) -> None:
        first, entries = apply.first, apply.entries
        assert first == (peer.applied[-1][0] if peer.applied else 0) + 1, "applied in order"
        peer.applied.extend(enumerate(entries, first))
        if peer.machine is not None:
            for answer in peer.machine.apply(first, entries):
                if self.on_answer is not None:
                    self.on_answer(peer, answer)
            if self.on_applied is not None:
                self.on_applied(peer, apply)
        core = peer.core
        if self.auto_snapshot and core is not None and not peer.snapshot_due and not peer.broken:
            taken = core.node.snapshot.index if core.node.snapshot is not None else 0
            if core.node.applied - taken >= peer.settings.snapshot_every:
                self.disks.take_snapshot(peer)


def _copy(stored: Stored) -> Stored:
    """What a process reads at its start: its own, while the disk goes on."""
    own = copy.copy(stored)
    for name, value in vars(own).items():
        if isinstance(value, list | dict | set):
            setattr(own, name, copy.copy(value))
    return own


__all__ = ["VirtualPeer", "World"]
