"""What one peer gives another to copy: entries to a candidate that lacks them, and snapshots, chunk by chunk."""

from tanist.election.history import NO_TERM
from tanist.election.messages import Fetch, Lend, SnapshotChunk, SnapshotFetch, SnapshotMeta, SnapshotOffer
from tanist.election.node import Node
from tanist.election.ready import SnapshotRead, SnapshotReceived, SnapshotWrite
from tanist.election.settings import APPEND_BYTES_MAX, APPEND_ENTRIES_MAX
from tanist.election.window import WINDOW_BYTES_MIN


def lend(node: Node, peer: str, message: Fetch) -> None:
    """A candidate lacks entries that I have; those that are compacted here it gets as a snapshot, of nobody's reign."""
    log, snapshot = node.log, node.snapshot
    if message.after + 1 < log.first and snapshot is not None and snapshot.index > message.after:
        node.send(peer, SnapshotOffer(NO_TERM, snapshot))
        return
    if log.term_at(message.after) != message.after_term or message.after + 1 < log.first:
        node.send(peer, Lend(message.after, message.after_term, (), False))
        return
    entries = tuple(log.batch(message.after + 1, APPEND_ENTRIES_MAX, APPEND_BYTES_MAX))
    more = message.after + len(entries) < log.last
    node.send(peer, Lend(message.after, message.after_term, entries, more))


def read_snapshot(node: Node, peer: str, message: SnapshotFetch) -> None:
    """A peer wants bytes of a snapshot."""
    read = SnapshotRead(peer, message.index, message.digest, message.offset, WINDOW_BYTES_MIN)
    node.out.snapshot_read.append(read)


class Incoming:
    """A snapshot on its way to this peer, one at a time: the next chunk is asked for when the last has arrived."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.meta: SnapshotMeta | None = None
        self.offset = 0

    def offered(self, peer: str, meta: SnapshotMeta) -> None:
        """Ask for it, from where it broke off if it was begun."""
        if self.meta is None or self.meta.digest != meta.digest:
            self.meta, self.offset = meta, 0
            self.node.out.snapshot_write.append(SnapshotWrite(meta, 0, b""))
        self.node.send(peer, SnapshotFetch(meta.index, meta.digest, self.offset))

    def chunk(self, peer: str, message: SnapshotChunk) -> None:
        """Write a chunk, and ask for the next one."""
        meta, offset = self.meta, self.offset
        if meta is None or message.digest != meta.digest or message.offset != offset:
            return
        if not message.data or offset + len(message.data) > meta.bytes:
            # The other has a newer one by now, and will offer it.
            self.meta = None
            return
        self.node.out.snapshot_write.append(SnapshotWrite(meta, offset, message.data))
        self.offset += len(message.data)
        if self.offset < meta.bytes:
            self.node.send(peer, SnapshotFetch(meta.index, meta.digest, self.offset))

    def ended(self, message: SnapshotReceived) -> bool:
        """It is whole and was checked, or is no good. Returns whether it is the one that was asked for."""
        if self.meta is None or self.meta.digest != message.meta.digest:
            return False
        self.meta = None
        return True
