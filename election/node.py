"""What a peer is whatever its role: its log, number and vote, its links, and the `Ready` being filled."""

from collections import deque
from collections.abc import Iterable, Mapping
from random import Random

import msgspec

from tanist.election.commit import Durability
from tanist.election.condition import Condition, Load, Power
from tanist.election.entries import Entry
from tanist.election.events import Event, LogCompacted, MemberChanged, SnapshotInstalled, SuffixArchived
from tanist.election.fallbacks import FallbackList
from tanist.election.history import EMPTY, NO_TERM, Term
from tanist.election.log import Log
from tanist.election.messages import Message, SnapshotMeta
from tanist.election.ready import Apply, Archive, Dial, Halt, Ready, Remote
from tanist.election.records import (
    BallotRecord,
    CommitRecord,
    EntriesRecord,
    ListRecord,
    Record,
    SnapshotRecord,
    Stored,
    SwitchRecord,
    TruncateRecord,
)
from tanist.election.roster import MEMBERS_MAX, NOBODY, Member
from tanist.election.settings import KEPT_BYTES_MAX, MS, ElectionSettings, Pace, Safety, Serve
from tanist.election.stability import Stability

UP_AFTER_NS = 60_000 * MS
"""How long a peer has run before it is ranked with those that have run for long."""
NO_SNAPSHOT = SnapshotMeta(0, NO_TERM, 0, EMPTY, NOBODY, 0, "")
"""Stands in a record for "no snapshot": the log begins at 1."""


class Self(msgspec.Struct, frozen=True):
    """Who this peer is. `given` are the addresses it was told of (`--peer`)."""

    id: str
    name: str
    address: str
    given: tuple[str, ...] = ()
    incarnation: tuple[int, int] = (0, 0)
    """The count of this peer's starts, and the random part of this one."""


class Times:
    """A pace in nanoseconds, which is what the core counts in."""

    def __init__(self, pace: Pace) -> None:
        self.attempts = pace.retry_attempts
        self.retry = int(pace.retry_interval_ms * MS)
        self.heartbeat = int(pace.heartbeat_every_ms * MS)
        self.timeout = int(pace.heartbeat_timeout_ms * MS)
        self.ballot = int(pace.ballot_ms * MS)
        self.sync = int(pace.sync_timeout_ms * MS)
        self.start_wait = int(pace.start_wait_ms * MS)
        self.heal = int(pace.heal_timeout_ms * MS)
        self.disk = int(pace.disk_timeout_ms * MS)
        self.round = self.retry * (self.attempts + 1)
        """One retry round: the retries, and the deadline of the last."""
        self.hold = max(self.round, 3 * self.ballot)
        """How long one that stands is given: a retry round, or its ballot where that takes longer."""
        self.window = self.timeout + self.round
        """One detection window: from the last heartbeat of a server that is gone until everyone knows."""


class Node:
    """The state that outlives a role. Roles read and change it; only this class fills the `Ready`."""

    def __init__(self, me: Self, settings: ElectionSettings, stored: Stored, rng: Random) -> None:
        self.me = me
        self.settings = settings
        self.times = Times(settings.pace)
        self.rng = rng
        self.now = 0
        self.out = Ready()
        self.log = Log()
        self.log.resume(stored.snapshot, stored.first, stored.entries)
        self.snapshot = stored.snapshot
        self.number = stored.number
        self.voted_for = stored.voted_for
        self.fallbacks = stored.fallbacks
        self.list_stored = stored.fallbacks.age()
        """Which list is on disk: its term and version."""
        self.last_server = stored.last_server
        self.last_address = stored.last_address
        self.founding = stored.founding
        self.refused_foundings = stored.refused
        self.commit = stored.snapshot.index if stored.snapshot else 0
        self.applied = self.commit
        self.was_committed = min(stored.committed, self.log.last)
        """How far it is on disk that this log was committed: before this start, or since."""
        self.copied: SnapshotMeta | None = None
        """The newest snapshot that a copy beside the log begins after: its file is needed, changed over or not."""
        self.confirmed = 0
        """How far every member is known to hold the log, as far as the server knows."""
        self.durability = Durability.ALONE
        self.reach = 1
        self.persist_id = 0
        self.durable = self.log.last
        self.damage = stored.damage
        """What is wrong with what was on disk, until a server has repaired it."""
        self.starts = dict(stored.seen)
        """The newest start of every peer that was met: its count and its random part."""
        self.incarnation = me.incarnation
        self.next_read = me.incarnation[0] << 32
        """The number of the last read that was asked of a server. Each start has its own: an answer to the process
        before may still be on its way, and would be taken for one to a later question."""
        self.outdated: set[str] = set()
        """Linked peers that were told that their data are older, and have not said yet that they know."""
        self.founding_said = self.log.roster.founding
        """The founding that this peer's hellos name."""
        self.rejections: dict[str, str] = {}
        """Why the peers at these addresses refuse to talk."""
        self.belonged = False
        """Whether this peer has followed or served since its start."""
        self.disk_failed = ""
        self.disk_stalled = ""
        """How long a write takes by now, in a sentence, while the disk hangs."""
        self.disk_stalled_at = 0
        """Since when it hangs, or hung last."""
        self.awake_since = 0
        """When this peer was last away: what its disk did meanwhile, it has not heard yet."""
        self.links: dict[str, Remote] = {}
        self.dialing: dict[str, int] = {}
        self.addresses: dict[str, str] = {}
        self.heir_named: tuple[str, int] | None = None
        """The peer that this peer's own live server told to stand, and until when that holds."""
        self.without_since: int | None = None
        """Since when this peer has had no server."""
        self.seen: dict[str, int] = {}
        """When members that are away were last linked to this peer."""
        self.forgotten: dict[str, str] = {}
        """Members that were dropped for being away, and where they listened: they are still looked for."""
        self.leaving = False
        """Whether this peer was asked to leave the cluster, and did not yet."""
        self.sided_at: int | None = None
        """When this peer last left a live server for a candidate with more support."""
        self.started = 0
        """When this peer's first step was."""
        self.power = Power.MAINS
        self.load = Load.FREE
        self.stability = Stability()
        self._marks: deque[tuple[int, int, int]] = deque()
        """Records on their way to the disk: persist id, the log's end then, and since when."""
        self._lists: deque[tuple[int, tuple[Term, int]]] = deque()
        """Lists on their way to the disk: under which id, and the age of each."""
        self._after_disk: deque[tuple[int, str, Message]] = deque()

    # What this peer is

    @property
    def quorum(self) -> bool:
        """Whether nothing is acknowledged without a majority."""
        return self.settings.safety is Safety.QUORUM

    @property
    def fresh(self) -> bool:
        """Whether this peer has no history and never knew a heartbeat."""
        return not (self.log.last or self.fallbacks.version or self.last_server or self.damage)

    def moved(self, address: str) -> None:
        """Others reach this peer at another address from now on."""
        self.me = msgspec.structs.replace(self.me, address=address)

    @property
    def member(self) -> Member:
        """This peer as a member of the roster."""
        known = self.log.roster.get(self.me.id)
        joined = known.joined_ns if known else 0
        voter = known.voter if known else not self.quorum
        serve = self.may_serve and not self.disk_failed
        damaged = self.damage.start if self.damage is not None else 0
        return Member(self.me.id, self.me.name, self.me.address, voter, serve, joined, damaged)

    @property
    def may_serve(self) -> bool:
        """Whether this peer was not told never to serve."""
        return self.settings.serve is not Serve.NEVER

    @property
    def able(self) -> bool:
        """Whether this peer may stand: its disk works, and it votes (survivor: or nobody knows of it yet)."""
        known = self.log.roster.get(self.me.id)
        votes = known.voter if known is not None else not self.quorum
        return self.may_serve and not self.unfit and votes

    @property
    def unfit(self) -> str:
        """Why this peer's disk cannot be counted on, in a sentence; empty when it can."""
        return self.disk_failed or self.disk_stalled or (self.damage.detail if self.damage is not None else "")

    @property
    def condition(self) -> Condition:
        """The condition of this peer's machine, as far as it was told."""
        return Condition(self.power, self.load, int(self.now >= self.started + UP_AFTER_NS))

    def others(self) -> list[Member]:
        """The other members of the roster."""
        return [m for m in self.log.roster.members if m.id != self.me.id]

    def address_of(self, peer: str) -> str | None:
        """Where a peer was last known to listen."""
        if (remote := self.links.get(peer)) is not None:
            return remote.address
        if (address := self.addresses.get(peer)) is not None:
            return address
        member = self.log.roster.get(peer)
        return member.address if member else None

    # Filling the Ready

    def emit(self, event: Event) -> None:
        """Add a line to the election log."""
        self.out.events.append(event)

    def send(self, peer: str, message: Message) -> None:
        """Send now, if the peer is linked."""
        if peer in self.links:
            self.out.send.append((peer, message))

    def send_after_disk(self, peer: str, message: Message) -> None:
        """Send once everything persisted so far is on disk."""
        if self.is_durable():
            self.send(peer, message)
        else:
            self._after_disk.append((self.persist_id, peer, message))

    def persist(self, record: Record) -> None:
        """Ask for a record to be kept. All records of one step share one id."""
        if not self.out.persist:
            self.persist_id += 1
            self.out.persist_id = self.persist_id
            self._marks.append((self.persist_id, self.log.last, self.now))
        self.out.persist.append(record)

    def is_durable(self) -> bool:
        """Whether everything persisted so far is on disk; under load that may be never (see `on_disk`)."""
        return not self._marks

    def on_disk(self, persist_id: int) -> bool:
        """Whether what was persisted under an id is on disk, whatever followed since."""
        return not self._marks or self._marks[0][0] > persist_id

    def disk_waits_since(self) -> int | None:
        """Since when the oldest write is on its way, as far as this peer was awake; None when none is."""
        return max(self._marks[0][2], self.awake_since) if self._marks else None

    def persisted(self, persist_id: int) -> None:
        """Take in that records are on disk, and release what waited for them."""
        while self._marks and self._marks[0][0] <= persist_id:
            self.durable = self._marks.popleft()[1]
        while self._lists and self._lists[0][0] <= persist_id:
            self.list_stored = self._lists.popleft()[1]
        while self._after_disk and self._after_disk[0][0] <= persist_id:
            _, peer, message = self._after_disk.popleft()
            self.send(peer, message)

    def seal(self) -> None:
        """Close the step: what is committed now, up to what index the disk will be when it is done."""
        if self.out.persist:
            if self.commit > self.was_committed and not self.quorum:
                # It goes along with what is written anyway: the last that were committed it does not tell.
                self.was_committed = self.commit
                self.persist(CommitRecord(self.commit))
            self._marks[-1] = (self.persist_id, self.log.last, self.now)
        if self.commit > self.applied:
            first = self.applied + 1
            entries = self.log.between(first, self.commit)
            self.out.apply = Apply(first, entries, self.durability, self.reach, len(self.log.roster.members) or 1)
            self.applied = self.commit

    def dial(self, address: str, timeout_ns: int) -> None:
        """Ask for a link, unless one is being made."""
        until = self.dialing.get(address)
        if until is not None and until > self.now:
            return
        self.dialing[address] = self.now + timeout_ns
        self.out.dial.append(Dial(address, timeout_ns))

    def linked_addresses(self) -> dict[str, str]:
        """Where the peers that are linked listen, for others that look for them."""
        return {peer: remote.address for peer, remote in sorted(self.links.items())[:MEMBERS_MAX]}

    def unfound(self, reached: Mapping[str, str]) -> list[str]:
        """The given addresses that are no member's, as far as known, by whom each of them led to once (`reached`).

        One that was reached and is in no roster was met too shortly to join: it may be another piece of the cluster.
        """
        known = {*self.log.roster.ids(), *self.links}
        away = [address for address in self.me.given if reached.get(address) not in known]
        return [address for address in away if address not in {self.me.address, *self.linked_addresses().values()}]

    def reach_for(self, peer: str, timeout_ns: int) -> bool:
        """Dial a peer that is not linked. Returns whether it is linked already."""
        if peer in self.links:
            return True
        address = self.address_of(peer)
        if address is not None:
            self.dial(address, timeout_ns)
        return False

    def halt(self, code: str, text: str) -> None:
        """Ask the peer to end."""
        self.out.halt = Halt(code, text)

    # Numbers and votes

    def adopt_number(self, number: int, voted_for: str = "") -> None:
        """Take a higher number, or vote in the present one; on disk before anything that follows from it."""
        if number == self.number and voted_for == self.voted_for:
            return
        self.number, self.voted_for = number, voted_for
        self.persist(BallotRecord(number, voted_for))

    # The list

    def keep_list(self, fallbacks: FallbackList, server: str, address: str) -> None:
        """Keep the newest list and who sent it."""
        self.fallbacks = fallbacks
        self.last_server, self.last_address = server, address
        self.persist(ListRecord(fallbacks, server, address))
        self._lists.append((self.persist_id, fallbacks.age()))

    def learn_list(self, fallbacks: FallbackList) -> bool:
        """Take a list from a peer that seeks too, if it is newer than mine."""
        if fallbacks.age() <= self.fallbacks.age():
            return False
        for entry in fallbacks.entries:
            self.addresses.setdefault(entry.id, entry.address)
        self.keep_list(fallbacks, fallbacks.term.holder, self.address_of(fallbacks.term.holder) or "")
        return True

    # The log

    def append(self, entries: Iterable[Entry]) -> None:
        """Write entries at the end of the log, and ask for them to be kept."""
        first = self.log.last + 1
        before = self.log.roster_index
        batch = tuple(entries)
        self.log.append(batch)
        self.persist(EntriesRecord(first, batch))
        if self.log.roster_index != before:
            self._roster_changed(before)

    def cut(self, last: int, reason: str) -> None:
        """Drop what the log has after `last`; in survivor mode it is kept in a readable file first.

        `last` is not before this peer's snapshot: what is in there cannot be cut, only forgotten whole.
        """
        if last >= self.log.last:
            return
        self._archive(last + 1, reason)
        self.log.truncate(last)
        self.persist(TruncateRecord(last))
        self._not_durable_after(last)
        self.commit = min(self.commit, last)
        self.was_committed = min(self.was_committed, last)
        if self.applied > last:
            # Entries that were applied are gone: the application begins anew from the snapshot, or from nothing.
            self.out.rebuild, self.out.install = True, self.snapshot
            self.applied = self.snapshot.index if self.snapshot is not None else 0

    def forget_log(self, fork: int, reason: str) -> None:
        """Begin with an empty log: what this peer has forks from the server's after index `fork`, in its snapshot."""
        self._archive(fork + 1, reason)
        self.log = Log()
        self.snapshot = None
        self.persist(SnapshotRecord(NO_SNAPSHOT, False))
        self.commit = self.applied = self.was_committed = 0
        self._not_durable_after(0)
        self.out.rebuild, self.out.install = True, None

    def take_snapshot_over(self, meta: SnapshotMeta, fork: int) -> None:
        """Replace the log, which forks from the server's after index `fork`, by a snapshot that arrived."""
        self._archive(fork + 1, "replaced by the server's snapshot")
        self.log.reset(meta)
        self.snapshot = meta
        self.persist(SnapshotRecord(meta, False))
        self.commit = self.applied = self.was_committed = meta.index
        self._not_durable_after(0)
        self.out.rebuild, self.out.install = True, meta
        self.emit(SnapshotInstalled(meta.index, meta.bytes))

    def change_over(self, log: Log, fork: int, base: int, snapshot: SnapshotMeta | None) -> None:
        """Survivor mode: a copy, all of whose entries were persisted, takes the log's place (see `beside`).

        It parts from the log after `fork` and has the first `base` of its entries; 0 when it begins after `snapshot`,
        or with nothing.
        """
        self._archive(fork + 1, "archived in the log that goes on")
        self.log, self.snapshot = log, snapshot
        self.persist(SwitchRecord())
        self._not_durable_after(base)
        held = snapshot.index if snapshot is not None else 0
        self.commit = min(self.commit, base) if base else held
        self.was_committed = min(self.was_committed, base) if base else held
        if self.applied > base or held > self.applied:
            self.out.rebuild, self.out.install, self.out.common = True, snapshot, min(fork, self.applied)
            self.applied = held
        if not base and snapshot is not None:
            self.emit(SnapshotInstalled(snapshot.index, snapshot.bytes))

    def _not_durable_after(self, last: int) -> None:
        """What is on disk after `last` is the old log yet; the new one is there when its record is, and no sooner."""
        self.durable = min(self.durable, last)
        self._marks = deque((i, min(at, last), since) for i, at, since in self._marks)

    def _archive(self, first: int, reason: str) -> None:
        """Survivor mode: keep what leaves the log from index `first` on; what is compacted, in its snapshot."""
        log, snapshot = self.log, self.snapshot
        if self.quorum or (first >= log.first and not log.keys_after(first - 1)):
            return
        entries = tuple(log.between(max(first, log.first), log.last))
        kept = snapshot if snapshot is not None and first < log.first else None
        first = max(first, log.first)
        self.out.archive.append(Archive(first, entries, self.acknowledged, reason, kept))
        self.emit(SuffixArchived(first, log.last, reason))

    def compact(self, meta: SnapshotMeta) -> None:
        """A snapshot of this peer's own is on disk: the log may begin behind it, as far as nobody needs its entries."""
        index = meta.index
        if self.snapshot is not None and self.snapshot.index >= index:
            return
        if self.log.term_at(index) != meta.term or index > self.commit:
            return
        self.snapshot = meta
        # What somebody has not confirmed may be needed entry by entry, when it comes back with another history.
        needed = index if self.quorum else max(min(self.confirmed, index), index - self.settings.heal_keep)
        heavy = self.log.heavy_before(index, KEPT_BYTES_MAX)
        needed = max(needed, heavy)
        self.persist(SnapshotRecord(meta, True, first=max(1, min(needed, index) + 1)))
        self.log.compact(max(heavy, min(needed, index - self.settings.snapshot_keep)))
        self.emit(LogCompacted(index, self.log.first))

    @property
    def acknowledged(self) -> int:
        """How far this peer knows that the log was acknowledged, also from before its start."""
        return max(self.commit, self.was_committed)

    def commit_to(self, index: int, durability: Durability, reach: int) -> None:
        """Raise the commit index; it never goes back within one history."""
        self.durability, self.reach = durability, reach
        if index > self.commit:
            self.commit = index

    def _roster_changed(self, before: int) -> None:
        was, now = self.log.roster_at(before), self.log.roster
        for member in now.members:
            old = was.get(member.id)
            if old is None:
                change = "joined" if member.voter else "joined as learner"
            elif member.voter and not old.voter:
                change = "votes now"
            elif (member.address, member.name) != (old.address, old.name):
                change = "moved"
            else:
                continue
            self.emit(MemberChanged(member.id, member.name, member.address, change))
        for member in was.members:
            if now.get(member.id) is None:
                self.emit(MemberChanged(member.id, member.name, member.address, "left"))

    def lost_link(self, peer: str) -> None:
        """Forget a link that ended."""
        self.links.pop(peer, None)
        if self.log.roster.get(peer) is not None:
            self.seen[peer] = self.now
        self.outdated.discard(peer)

    def close(self, peer: str, reason: str) -> None:
        """End the links to a peer; no `LinkDown` will say so."""
        self.lost_link(peer)
        self.out.close.append((peer, reason))

    def serving_term(self) -> Term:
        """The term this peer would serve in now."""
        return Term(self.number, self.me.id)

    def dial_outcome(self, address: str) -> None:
        """A dial ended."""
        self.dialing.pop(address, None)
