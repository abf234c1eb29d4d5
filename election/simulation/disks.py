"""Disks of virtual peers: what was asked to be kept gets there in order, after a while, or not.

At a crash an unfinished write may have reached the disk or not, a first part of it at a time (a torn record fails its
checksum and counts as not there), and nobody was told.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING

from tanist.election.messages import SnapshotMeta
from tanist.election.ready import DiskFailed, Persisted, Ready, SnapshotReceived, SnapshotTaken, SnapshotWrite
from tanist.election.records import Record, SnapshotRecord, Stored
from tanist.election.simulation.network import SPIKE_CHANCE, SPIKE_FACTOR
from tanist.election.simulation.peers import KeptSnapshot, VirtualPeer

if TYPE_CHECKING:
    from tanist.election.simulation.world import World

SNAPSHOTS_KEPT = 32
"""Snapshot files of one peer, the newest, besides those that its archives or its log need."""
SNAPSHOT_BYTES = 30
"""What a snapshot's size is said to be, and `CHUNK_BYTES` how much of it goes at once: three chunks, to be resumed."""
CHUNK_BYTES = 10


class Disks:
    """All disks of a world. `rng` is their own stream of chance."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self._copies: dict[str, tuple[str, list[Record], dict[str, KeptSnapshot], int]] = {}

    def _take(self, peer: VirtualPeer) -> int:
        world = self.world
        nominal = world.disk * peer.slow
        if not world.jitter:
            return int(nominal)
        drawn = self.rng.random()
        return int(nominal * (1 + world.jitter * drawn) * (SPIKE_FACTOR if drawn < SPIKE_CHANCE else 1))

    # The journal

    def write(self, peer: VirtualPeer, ready: Ready) -> None:
        """Keep records, after all that was asked before."""
        if peer.broken:
            return
        world = self.world
        peer.writes.append((ready.persist, ready.persist_id))
        peer.written_at = max(peer.written_at, world.now + self._take(peer))
        world.later(peer.written_at - world.now, self._written, peer, peer.incarnation, ready.persist_id)

    def _written(self, peer: VirtualPeer, incarnation: int, persist_id: int) -> None:
        """A write is done, unless the process or its disk is gone, or hangs, or it was done before."""
        if peer.core is None or peer.incarnation != incarnation or peer.broken or peer.hung:
            return
        if peer.writes and peer.writes[0][1] == persist_id:
            records, _ = peer.writes.popleft()
            self.keep(peer, records)
            self.world.feed(peer, Persisted(persist_id))

    def hang(self, name: str) -> None:
        """Nothing is finished until `recover`; nobody is told."""
        self.world.peers[name].hung = True

    def recover(self, name: str) -> None:
        """The disk works again, at its usual speed: what hung, or would have taken long yet, is done at once, in order.

        A process that starts later waits for nothing that an earlier one had asked of the slow disk, either.
        """
        peer = self.world.peers[name]
        if not peer.hung and peer.slow == 1.0:
            return
        peer.slow, peer.hung = 1.0, False
        peer.written_at = self.world.now
        for _, persist_id in peer.writes:
            self.world.later(0, self._written, peer, peer.incarnation, persist_id)

    def fail(self, name: str, why: str) -> None:
        """What was not written yet never will be, and the peer is told so."""
        peer = self.world.peers[name]
        peer.broken = True
        peer.writes.clear()
        self.world.feed(peer, DiskFailed(why))

    def crash(self, peer: VirtualPeer, kept: int | None = None) -> None:
        """The process is gone: of what was pending the first `kept` records are on disk.

        Unless that is said, it is any number of them; in a world without jitter none.
        """
        pending = [record for records, _ in peer.writes for record in records]
        if kept is None:
            kept = self.rng.randint(0, len(pending)) if self.world.jitter else 0
        self.keep(peer, pending[:kept])
        peer.writes.clear()

    def keep(self, peer: VirtualPeer, records: Iterable[Record]) -> None:
        """Records are on the disk."""
        for record in records:
            peer.disk.append(record)
            peer.stored.take(record)

    def back_up(self, peer: VirtualPeer) -> None:
        """Put a copy of its data directory aside."""
        self._copies[peer.name] = peer.id, list(peer.disk), dict(peer.snapshots), peer.starts

    def restore(self, peer: VirtualPeer) -> None:
        """Replace a dead peer's data directory by the copy that was put aside."""
        peer_id, disk, snapshots, peer.starts = self._copies[peer.name]
        self.world.by_id.pop(peer.id, None)
        self.world.by_id[peer_id] = peer
        peer.id, peer.disk, peer.snapshots = peer_id, list(disk), dict(snapshots)
        peer.stored, peer.damaged = Stored.replay(disk), False

    # Snapshots

    def take_snapshot(self, peer: VirtualPeer, *, at_once: bool = False) -> None:
        """The peer writes a snapshot of what it has applied, and says so to its core when it is on disk."""
        core = peer.core
        assert core is not None
        index = core.node.applied
        term = core.node.log.term_at(index)
        assert term is not None
        digest = f"snap-{peer.name}-{peer.incarnation}-{index}-{term}"
        history, roster = core.node.log.history_at(index), core.node.log.roster_at(index)
        time_ns = peer.applied[-1][1].time_ns if peer.applied else 0
        archived = core.node.log.archives_at(index)
        meta = SnapshotMeta(index, term, time_ns, history, roster, SNAPSHOT_BYTES, digest, archived)
        state = peer.machine.snapshot() if peer.machine is not None else b""
        kept = KeptSnapshot(meta, state, peer.applied, len(peer.applied))
        if at_once:
            self._finish_snapshot(peer, peer.incarnation, kept)
        else:
            peer.snapshot_due = True
            self.world.later(self._take(peer), self._finish_snapshot, peer, peer.incarnation, kept)

    def _finish_snapshot(self, peer: VirtualPeer, incarnation: int, kept: KeptSnapshot) -> None:
        if peer.core is None or peer.incarnation != incarnation:
            return
        peer.snapshot_due = False
        if not peer.broken:
            peer.snapshots[kept.meta.digest] = kept
            self._drop_old_snapshots(peer)
            self.world.feed(peer, SnapshotTaken(kept.meta))

    def _drop_old_snapshots(self, peer: VirtualPeer) -> None:
        if len(peer.snapshots) <= 2 * SNAPSHOTS_KEPT:
            return
        needed = {a.snapshot.digest for a in peer.archives if a.snapshot is not None}
        copied = peer.stored.beside.snapshot if peer.stored.beside is not None else None
        for meta in (peer.stored.snapshot, copied, peer.core.node.snapshot if peer.core is not None else None):
            if meta is not None:
                needed.add(meta.digest)
        # What is on its way to the disk, for as long as that hangs.
        for records, _ in peer.writes:
            needed.update(r.meta.digest for r in records if isinstance(r, SnapshotRecord))
        newest = set(list(peer.snapshots)[-SNAPSHOTS_KEPT:])
        peer.snapshots = {d: s for d, s in peer.snapshots.items() if d in newest or d in needed}

    def take_chunk(self, peer: VirtualPeer, write: SnapshotWrite) -> None:
        """Part of another's snapshot arrived; the last makes it whole."""
        if not write.data or write.offset + len(write.data) < write.meta.bytes:
            return
        self.world.later(self._take(peer), self._received_whole, peer, peer.incarnation, write.meta)

    def _received_whole(self, peer: VirtualPeer, incarnation: int, meta: SnapshotMeta) -> None:
        if peer.core is None or peer.incarnation != incarnation:
            return
        digest = meta.digest
        found = next((p.snapshots[digest] for p in self.world.peers.values() if digest in p.snapshots), None)
        if found is None:
            self.world.feed(peer, SnapshotReceived(meta, "its bytes do not add up"))
        else:
            peer.snapshots[digest] = found
            self.world.feed(peer, SnapshotReceived(meta, ""))


__all__ = ["CHUNK_BYTES", "Disks"]
