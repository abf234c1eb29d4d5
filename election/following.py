"""CLIENT: follow a server, hold its log, confirm its heartbeats, and notice when it is gone."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.behaviour import DECLINED_RETRY_MS, Behaviour
from tanist.election.beside import Beside
from tanist.election.commit import Durability
from tanist.election.entries import Entry, Proposal
from tanist.election.evidence import Evidence
from tanist.election.history import EMPTY, Term, fork
from tanist.election.joining import LEFT
from tanist.election.lending import Incoming
from tanist.election.log import Log
from tanist.election.messages import (
    Append,
    Claim,
    Confirm,
    Conflict,
    Copied,
    Declined,
    Follow,
    Following,
    Goodbye,
    HandOver,
    Heartbeat,
    Leave,
    Message,
    Propose,
    ReadAt,
    ReadIndex,
    Refuse,
    Seek,
    Serving,
    SnapshotChunk,
    SnapshotMeta,
    SnapshotOffer,
    Stored,
)
from tanist.election.ready import SnapshotReceived
from tanist.election.roles import Role
from tanist.election.settings import MS, plausible

if TYPE_CHECKING:
    from tanist.election.core import Core

CONFIRMATIONS_REMEMBERED = 1024
"""Confirmations whose time of sending is kept until a heartbeat repeats them."""
READS_FORWARDED_MAX = 4096
"""Reads on their way to the server; beyond it they are answered with "not now"."""


class FollowingServer(Behaviour):
    """One server followed in one term."""

    role = Role.CLIENT

    def __init__(self, core: "Core", server: str, term: Term) -> None:
        super().__init__(core)
        self.server = server
        self.term = term
        self.address = core.node.address_of(server) or ""
        self.heard_at = core.node.now
        self.welcome = False
        """Whether the server has spoken to this peer as its client."""
        self.verified = core.node.commit if core.node.quorum and not self.behind else 0
        """How far this log is known to be the server's: in quorum mode all that is committed is (Raft 5.4.3), unless
        its number has been overtaken."""
        self.acknowledged = -1
        self.version_due: int | None = None
        """While the newest list is on its way to the disk: under which id."""
        self.known_commit = 0
        """How far the server said that its log is committed."""
        self.probe_at = core.node.now + core.node.times.timeout
        self.round = 0
        self.sequence = 0
        self.sent_at: OrderedDict[int, int] = OrderedDict()
        self.counted_from: int | None = None
        self.incoming = Incoming(core.node)
        self.reads: dict[int, tuple[str | None, int]] = {}
        self.beside: Beside | None = None
        """Survivor mode: the copy of the server's log, while this peer's own has entries that must not be lost."""

    def enter(self) -> None:
        node = self.node
        if self.term.number > node.number:
            node.adopt_number(self.term.number)
        node.last_server, node.last_address = self.server, self.address
        node.send(self.server, Follow(self.term, node.number, node.log.history(), node.member, node.able))

    @property
    def log(self) -> Log:
        """The log that follows the server's: this peer's own, or the copy beside it."""
        return self.node.log if self.beside is None else self.beside.log

    @property
    def holds_to(self) -> int:
        """How far this peer's own log is known to be the server's: a copy beside it counts for nothing."""
        return self.verified if self.beside is None else min(self.verified, self.beside.base)

    @property
    def behind(self) -> bool:
        """Whether this peer has voted in a higher number than its server's."""
        return self.term.number < self.node.number

    def alive_server(self) -> tuple[str, int] | None:
        if not self.welcome or self.node.now >= self.heard_at + self.node.times.timeout:
            return None
        return self.server, self.node.reach - 1

    def counts_now(self) -> bool:
        """Whether acknowledgements still wait for this peer's disk, by its own clock."""
        node = self.node
        if self.counted_from is None or node.unfit or not node.fallbacks.counts(node.me.id):
            return False
        if node.log.roster.get(node.me.id) is None:
            # Taken out: once that is on this disk, nobody waits for it, whatever the list of before says.
            return False
        return node.now < self.counted_from + node.times.sync

    # What comes

    def received(self, peer: str, message: Message) -> None:
        if peer != self.server:
            self._from_another(peer, message)
            return
        match message:
            case Append() | Heartbeat() | SnapshotOffer() if self.behind:
                # Nobody acknowledges to a number below its own: this server must take a higher one first.
                pass
            case Append() if message.term == self.term:
                self._append(message)
            case Heartbeat() if message.term == self.term:
                self._heartbeat(message)
            case Serving(term, _, _) if term.number > self.term.number and plausible(term, self.node.number):
                # Its reign goes on in a higher number: follow it anew.
                self.core.follow(peer, term)
            case SnapshotOffer() if message.term == self.term:
                self._offered(message.meta)
            case SnapshotChunk():
                self._chunk(message)
            case ReadAt(request, index):
                self._read_at(request, index)
            case Declined(_, retry_ms):
                self.node.out.declined = min(max(retry_ms, 1.0), 10_000.0)
            case HandOver():
                self._handed_over(message)
            case Goodbye(reason):
                self.core.lose_server(Evidence.GOODBYE, reason)
            case Refuse(code, text):
                self._refused(code, text)
            case Claim():
                # A claim of mine that was on its way from my disk when I gave way: it is void.
                self.node.send(peer, Following(self.term, self.server, self.address))
            case Seek() | Following():
                self.core.lose_server(Evidence.REJECTED, "it does not serve any more")
            case _:
                pass

    def _from_another(self, peer: str, message: Message) -> None:
        node = self.node
        match message:
            case Seek():
                node.send(peer, Following(self.term, self.server, self.address))
            case Serving(term=term) | Claim(term=term):
                if not node.quorum or term.number <= self.term.number or not plausible(term, node.number):
                    # Two reigns have found each other: the two servers settle it.
                    node.send(peer, Following(self.term, self.server, self.address))
                else:
                    self.core.follow(peer, term)
            case HandOver():
                # Another server gives way to this fragment: its clients will come by themselves.
                pass
            case _:
                pass

    def _heard(self) -> None:
        self.heard_at = self.node.now
        if self.welcome:
            return
        self.welcome = True
        node = self.node
        node.belonged = True
        without = 0 if node.without_since is None else node.now - node.without_since
        node.without_since = None
        node.heir_named = None
        node.emit(events.ServerFollowed(self.server, self.address, str(self.term), without / MS))
        if node.leaving:
            self.leave(node.me.id)

    # The log

    def _append(self, message: Append) -> None:
        self._heard()
        node, log = self.node, self.log
        end = message.previous + len(message.entries)
        if message.previous > self.verified and log.term_at(message.previous) != message.previous_term:
            self._conflict(message.previous)
            return
        if end > self.verified:
            # What was verified before is the server's log for certain: a late message never cuts it.
            known = max(0, self.verified - message.previous)
            parting = log.parts_from(message.previous + known + 1, message.entries[known:])
            if parting is not None and not self._take(*parting):
                return
            self.verified = end
        durability = Durability(message.durability) if message.durability in _DURABILITIES else Durability.ALONE
        node.commit_to(min(message.commit, self.holds_to), durability, message.reach)
        if self.beside is not None:
            self.known_commit = max(self.known_commit, message.commit)
            self._go_on_beside()
        self.persisted()

    def _take(self, start: int, entries: Sequence[Entry]) -> bool:
        """Write entries from index `start` on, where the logs part. Returns whether they fit."""
        node = self.node
        if self.beside is not None:
            self.beside.take(start, entries)
            return True
        if start <= node.log.last:
            # Only on a real conflict, and what a snapshot holds cannot be cut.
            compacted = node.snapshot is not None and start <= node.snapshot.index
            if not node.quorum and (compacted or node.log.keys_after(start - 1)):
                return self._begin_beside(start, entries)
            if compacted:
                self._begin_anew(start - 1)
                return False
            node.cut(start - 1, f"the server {self.server} holds others")
        node.append(entries)
        return True

    # Survivor mode: beside a log whose entries must not be lost

    def _begin_beside(self, start: int, entries: Sequence[Entry]) -> bool:
        """My log has entries from index `start` on that the server lacks. Returns whether its entries fit the copy."""
        beside = self.beside = Beside(self.node, start - 1)
        self.node.emit(events.CopyBegan(self.server, start - 1, len(beside.lost)))
        if beside.base:
            beside.take(start, entries)
            return True
        self.verified, self.acknowledged = 0, -1
        self.node.send(self.server, Conflict(self.term, start - 1, EMPTY))
        return False

    def _go_on_beside(self) -> None:
        """The copy has grown, or time has passed: change over, or send what the server must archive first."""
        node, beside = self.node, self.beside
        assert beside is not None
        salvage = beside.salvage(self.term, self.known_commit)
        if salvage is not None:
            node.send(self.server, salvage)
        if not beside.whole(self.known_commit):
            node.send(self.server, Copied(self.term, self.verified))
            return
        base = 0 if beside.replaced else beside.base
        node.change_over(beside.log, beside.fork, base, beside.snapshot)
        node.emit(events.CopyTookPlace(self.server, beside.fork, node.log.last))
        self.beside, self.acknowledged = None, -1
        node.commit_to(min(self.known_commit, self.verified), Durability.ALONE, node.reach)

    def _conflict(self, previous: int) -> None:
        """The logs do not meet at `previous`: my history says where they do."""
        node = self.node
        # Whatever comes next is news to the server, also when it is no more than it knew before.
        self.acknowledged = -1
        node.send(self.server, Conflict(self.term, previous, self.log.history()))

    def _begin_anew(self, at: int) -> None:
        """What this peer has forks from the server's log before its own snapshot: nothing of it can stay."""
        node = self.node
        node.forget_log(at, "forks from the server's log before this peer's snapshot")
        self.verified, self.acknowledged = 0, -1
        node.send_after_disk(self.server, Conflict(self.term, at, EMPTY))

    def persisted(self) -> None:
        node = self.node
        match_ = min(node.durable, self.holds_to)
        if self.welcome and match_ != self.acknowledged:
            self.acknowledged = match_
            node.send(self.server, Stored(self.term, match_))
        if self.version_due is not None and node.on_disk(self.version_due):
            self.version_due = None
            self._confirm()

    # Heartbeats

    def _heartbeat(self, message: Heartbeat) -> None:
        self._heard()
        node = self.node
        self.round = max(self.round, message.round)
        at = self.sent_at.get(message.echo)
        if at is not None:
            self.counted_from = at
            while self.sent_at and next(iter(self.sent_at)) < message.echo:
                self.sent_at.popitem(last=False)
        node.reach, node.confirmed = message.reach, message.confirmed
        self._probe()
        if message.commit > node.commit and self.holds_to > node.commit:
            # The message that said how safely went lost with another link: promise no more than is certain.
            node.commit_to(min(message.commit, self.holds_to), Durability.ALONE, message.reach)
        if self.beside is not None:
            self.known_commit = max(self.known_commit, message.commit)
            self._go_on_beside()
        if message.fallbacks.age() > node.fallbacks.age() and message.fallbacks.term == self.term:
            node.keep_list(message.fallbacks, self.server, self.address)
            self.version_due = node.persist_id
        elif message.fallbacks.age() == node.fallbacks.age():
            node.fallbacks = message.fallbacks
        if self.version_due is None or node.unfit:
            self._confirm()

    def _probe(self) -> None:
        """Addresses this peer was given, and that never led to anybody: another piece of the cluster may be there."""
        node = self.node
        if node.now < self.probe_at:
            return
        self.probe_at = node.now + node.times.timeout
        for address in node.unfound(self.core.reached):
            node.dial(address, node.times.retry)

    def _confirm(self) -> None:
        node = self.node
        self.sequence += 1
        able = not node.unfit
        if able:
            self.sent_at[self.sequence] = node.now
            if len(self.sent_at) > CONFIRMATIONS_REMEMBERED:
                self.sent_at.popitem(last=False)
        listed, version = node.list_stored
        if listed != self.term:
            # What it says of versions would be read as of this reign's.
            version = 0
        stored = min(node.durable, self.holds_to)
        said = Confirm(self.term, self.round, self.sequence, version, stored, node.condition, able)
        node.send(self.server, said)

    # Snapshots

    def _offered(self, meta: SnapshotMeta) -> None:
        self._heard()
        if self._holds(meta):
            return
        self.incoming.offered(self.server, meta)

    def _chunk(self, message: SnapshotChunk) -> None:
        self.heard_at = self.node.now
        self.incoming.chunk(self.server, message)

    def snapshot_received(self, message: SnapshotReceived) -> None:
        """It is whole and was checked, or is no good."""
        if not self.incoming.ended(message):
            return
        if message.error:
            self.node.emit(events.Implausible(self.server, f"a snapshot that is no good ({message.error})"))
            return
        if not self._holds(message.meta):
            self._install(message.meta)

    def _install(self, meta: SnapshotMeta) -> None:
        """Take the server's snapshot: for this peer's log, or beside it while that has what must not be lost."""
        node = self.node
        at = fork(node.log.history(), meta.history).at
        self.verified = meta.index
        if self.beside is None and (node.quorum or (at >= node.log.first - 1 and not node.log.keys_after(at))):
            node.take_snapshot_over(meta, at)
            return
        if self.beside is None:
            self.beside = Beside(node, at)
            node.emit(events.CopyBegan(self.server, at, len(self.beside.lost)))
        self.beside.install(meta)
        self._go_on_beside()

    def _holds(self, meta: SnapshotMeta) -> bool:
        """Whether this log has all of a snapshot already: then the server is told so, and nothing is taken."""
        node = self.node
        if meta.index > self.verified:
            if self.log.term_at(meta.index) != meta.term:
                return False
            self.verified = meta.index
            node.commit_to(min(meta.index, self.holds_to), Durability.ALONE, node.reach)
        if self.beside is not None:
            node.send(self.server, Copied(self.term, self.verified))
        self.acknowledged = -1
        self.persisted()
        return True

    # Proposals and reads

    def submit(self, proposals: tuple[Proposal, ...]) -> None:
        if self.welcome:
            self.node.send(self.server, Propose(proposals))

    def read_asked(self, peer: str | None, request: int, prove: bool) -> None:
        if not self.welcome or len(self.reads) >= READS_FORWARDED_MAX:
            self.answer_read(peer, request, -1)
            return
        number = self.node.next_read = self.node.next_read + 1
        self.reads[number] = (peer, request)
        self.node.send(self.server, ReadIndex(number, prove))

    def _read_at(self, request: int, index: int) -> None:
        asked = self.reads.pop(request, None)
        if asked is not None:
            self.answer_read(asked[0], asked[1], index)

    def fail_reads(self) -> None:
        """The server is gone: those who asked must ask the next one."""
        for peer, request in self.reads.values():
            self.answer_read(peer, request, -1)
        self.reads.clear()

    def leave(self, peer: str) -> None:
        """Ask the server to take a member out."""
        self.node.send(self.server, Leave(peer))

    # Losing it

    def _handed_over(self, message: HandOver) -> None:
        node = self.node
        node.heir_named = (message.heir, node.now + node.times.hold)
        if message.heir == node.me.id:
            if node.able:
                self.core.told_to_stand()
            else:
                self.core.lose_server(Evidence.GOODBYE, "it hands over to this peer, which cannot serve")
            return
        if message.address:
            node.addresses[message.heir] = message.address
        self.core.handed_over(message.heir)

    def _refused(self, code: str, text: str) -> None:
        if code == LEFT:
            self.node.halt(LEFT, text)
            return
        self.node.emit(events.PeerRefused(self.server, code, text))
        self.node.halt("refused", f"the server refused this peer ({code}): {text}")

    def disk_stalled(self) -> None:
        """The server must not wait for this peer, and this peer counts on no confirmation of before any more."""
        self.counted_from = None
        self.sent_at.clear()
        self.disk_answered()

    def disk_answered(self) -> None:
        """Say at once whether this peer's disk can be counted on."""
        if self.welcome:
            self._confirm()

    def damaged(self) -> None:
        """Follow anew, as one that is to be repaired."""
        self.core.follow(self.server, self.term)

    def disk_failed(self) -> None:
        """Nothing is acknowledged from here on: the server must not wait for this peer."""
        self.node.send(self.server, Goodbye("its disk failed"))

    def link_down(self, peer: str, evidence: Evidence, detail: str) -> None:
        if peer == self.server:
            self.core.lose_server(evidence, detail)

    def tick(self) -> None:
        node = self.node
        limit = node.times.timeout if self.welcome else node.times.retry
        if node.now >= self.heard_at + limit:
            what = "no heartbeat" if self.welcome else "no welcome"
            # A frozen server's old connection proves nothing: the retries need a new one.
            node.close(self.server, "silent")
            self.core.lose_server(Evidence.SILENT, f"{what} for {(node.now - self.heard_at) / MS:.0f} ms")

    def deadline(self) -> int | None:
        return self.heard_at + (self.node.times.timeout if self.welcome else self.node.times.retry)

    def woke(self, away_ns: int) -> None:
        """I was away: the heartbeats may lie in the socket yet. The count begins again."""
        self.heard_at = self.node.now


_DURABILITIES = frozenset(Durability)
__all__ = ["DECLINED_RETRY_MS", "FollowingServer"]
