"""Replication to one client each: what it holds for certain, what is on its way, and what goes next."""

from collections.abc import Sequence
from dataclasses import dataclass

from tanist.election.entries import Entry
from tanist.election.history import History, fork
from tanist.election.messages import Append, Conflict, SnapshotOffer
from tanist.election.node import Node
from tanist.election.roster import Member
from tanist.election.settings import APPEND_BYTES_MAX, APPEND_ENTRIES_MAX, IN_FLIGHT_ENTRIES_MAX
from tanist.election.window import ENTRY_OVERHEAD_BYTES, WINDOW_BYTES_MIN, Window


@dataclass(slots=True)
class Progress:
    """One client, as its server sees it. Times are those of the core's `now`."""

    member: Member
    window: Window
    match: int = 0
    """The highest index it is known to hold on disk."""
    copied: int = 0
    """How far it has copied the log beside its own, which counts for nothing yet (survivor mode)."""
    next: int = 1
    """The next index to send."""
    probing: bool = True
    """Whether the place where the logs meet is still looked for: then one message is on its way at a time."""
    waiting: bool = False
    """Whether that one message is on its way."""
    snapshot: int = 0
    """Index of the snapshot it was offered, 0 for none."""
    heard_at: int = 0
    """When its newest confirmation arrived."""
    sequence: int = 0
    """The newest confirmation that arrived, repeated back by heartbeats."""
    round: int = 0
    """The newest heartbeat round it confirmed."""
    version: int = 0
    """The newest list version it has on disk."""
    commit_sent: int = 0
    was_at: int = 0
    """What it held at the heartbeat before: no more since then means that it is slow, or that something got lost."""
    priority: int = 0
    able: bool = True
    """Whether its disk can be counted on, as it says itself."""

    @property
    def reached(self) -> int:
        """How far what was sent is known to have arrived."""
        return max(self.match, self.copied)

    def stored(self, index: int) -> bool:
        """It holds everything up to `index` on disk. Returns whether that is news."""
        news = index > self.match
        self.match = max(self.match, index)
        self.waiting = False
        if index >= self.snapshot:
            self.snapshot = 0
        self.probing = False
        self.next = max(self.next, self.match + 1)
        return news

    def copied_to(self, index: int) -> None:
        """It has a copy of everything up to `index` beside its own log."""
        self.copied = max(self.copied, index)
        self.waiting = self.probing = False
        if index >= self.snapshot:
            self.snapshot = 0
        self.next = max(self.next, index + 1)


class Replication:
    """All clients of one reign."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.term = node.serving_term()
        self.clients: dict[str, Progress] = {}
        self._held: dict[str, int] = {}
        """How far the clients that are gone were known to hold the log."""
        self._acknowledged: dict[str, int] = {}
        """How far those that are gone had said in this reign that they hold the log on disk."""

    def welcome(self, member: Member, history: History, priority: int) -> Progress:
        """A client follows: begin where its log and mine part, with the next `push`."""
        node = self.node
        at = fork(node.log.history(), history).at
        progress = Progress(member, Window(node.times.timeout), next=at + 1, heard_at=node.now, priority=priority)
        progress.was_at = at
        self.clients[member.id] = progress
        return progress

    def forget(self, peer: str) -> Progress | None:
        """A client is gone."""
        progress = self.clients.pop(peer, None)
        if progress is not None:
            self._held[peer] = progress.match
            self._acknowledged[peer] = max(progress.match, self._acknowledged.get(peer, 0))
        return progress

    def held(self, peer: str) -> int:
        """How far a peer is known to hold this log on disk, a client or not."""
        progress = self.clients.get(peer)
        return progress.match if progress is not None else self._held.get(peer, 0)

    def confirmed(self) -> int:
        """How far every member of the roster is known to hold this log."""
        return min((self.held(member.id) for member in self.node.others()), default=self.node.commit)

    def holding(self, index: int) -> int:
        """How many other peers are known to hold the log up to an index."""
        return sum(1 for peer in {*self.clients, *self._held} if self.held(peer) >= index)

    def lacks_what_it_held(self, peer: str, history: History) -> bool:
        """Whether a peer that follows anew has lost what it had acknowledged in this reign."""
        return self._acknowledged.get(peer, 0) > fork(self.node.log.history(), history).at

    def push_all(self) -> None:
        """Send everyone what is new: entries, or how far the log is committed."""
        for peer, progress in self.clients.items():
            if progress.next <= self.node.log.last or progress.commit_sent < self.node.commit:
                self.push(peer, progress)

    def push(self, peer: str, progress: Progress, *, always: bool = False) -> None:
        """Send one client what is next for it, as far as the window goes."""
        node, log = self.node, self.node.log
        if progress.snapshot or (progress.waiting and not always):
            return
        if progress.next < log.first:
            self._offer_snapshot(peer, progress)
            return
        while True:
            room = IN_FLIGHT_ENTRIES_MAX - (progress.next - 1 - progress.reached)
            previous = progress.next - 1
            entries = self._batch(progress, room) if room > 0 else []
            if not entries and not always and progress.commit_sent >= node.commit:
                return
            self._append(peer, progress, previous, tuple(entries))
            always = False
            if entries:
                size = sum(len(e.body) + ENTRY_OVERHEAD_BYTES for e in entries)
                progress.window.sent(previous + len(entries), size, node.now)
            if progress.probing:
                progress.waiting = True
                return
            progress.next += len(entries)
            if not entries:
                return

    def _batch(self, progress: Progress, room: int) -> Sequence[Entry]:
        """The next entries for a client, as many as may go now."""
        window = progress.window
        if window.in_flight and window.room() <= 0:
            window.limited = progress.next <= self.node.log.last
            return ()
        bytes_max = min(APPEND_BYTES_MAX, window.room())
        return self.node.log.batch(progress.next, min(APPEND_ENTRIES_MAX, room), bytes_max)

    def arrived(self, peer: str) -> None:
        """A client has said how far it has come: more may go to it."""
        progress = self.clients.get(peer)
        if progress is None:
            # What it has was the last that its leaving waited for.
            return
        progress.window.arrived(progress.reached, self.node.now)
        if progress.next == progress.reached + 1:
            # Whatever was sent beyond went lost with another link.
            progress.window.reset()
        self.push(peer, progress)

    def chunk_bytes(self, peer: str) -> int:
        """How large a chunk of a snapshot may be, for whoever asks for the next one."""
        progress = self.clients.get(peer)
        return WINDOW_BYTES_MIN if progress is None else progress.window.chunk(self.node.now)

    def _append(self, peer: str, progress: Progress, previous: int, entries: tuple[object, ...]) -> None:
        node = self.node
        previous_term = node.log.term_at(previous)
        assert previous_term is not None, f"no term known at {previous}"
        message = Append(self.term, previous, previous_term, entries, node.commit, node.durability, node.reach)  # type: ignore[arg-type]
        progress.commit_sent = node.commit
        node.send(peer, message)

    def _offer_snapshot(self, peer: str, progress: Progress) -> None:
        meta = self.node.snapshot
        assert meta is not None, "the log begins after 1 without a snapshot"
        progress.snapshot = meta.index
        self.node.send(peer, SnapshotOffer(self.term, meta))

    def nudge(self, peer: str, progress: Progress) -> None:
        """Nothing came of what was sent for a whole heartbeat: it may have gone lost with one of several links.

        A snapshot is offered again; else a message without entries at the place reached makes the client say
        what it lacks, and costs nothing when it is only slow.
        """
        if progress.snapshot:
            self._offer_snapshot(peer, progress)
        else:
            self._append(peer, progress, progress.next - 1, ())

    def conflict(self, peer: str, message: Conflict) -> None:
        """A client's log does not meet mine where I thought: its history says where it does."""
        progress = self.clients.get(peer)
        if progress is None or message.term != self.term:
            return
        at = fork(self.node.log.history(), message.history).at
        # Always below what did not fit, so that two peers cannot send each other the same for ever.
        progress.next = max(1, min(at + 1, message.previous))
        # A client that gave up its log holds nothing of it any more.
        progress.match, progress.copied = min(progress.match, at), min(progress.copied, at)
        self._acknowledged.pop(peer, None)
        progress.probing, progress.waiting, progress.snapshot = True, False, 0
        progress.window.reset()
        self.push(peer, progress)

    def matches(self) -> dict[str, int]:
        """What every peer is known to hold on disk, the server too."""
        found = {peer: progress.match for peer, progress in self.clients.items()}
        found[self.node.me.id] = self.node.durable
        return found
