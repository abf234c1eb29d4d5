"""A peer that would lose entries by following its server: it copies the log that goes on beside its own.

Whatever path found the conflict (a split that ends, a restart with entries nobody else has, a cluster born apart), the
same rule keeps what is lost: the copy takes the log's place only when every entry that leaves with the old one is in
the copy, live or archived. Until then this peer sends its server what it does not find there (`Salvage`), holds its old
log, and acknowledges nothing. The change itself is one record, so that a crash at any step leaves one of the two.
"""

from collections.abc import Sequence

from tanist.election.archived import (
    ArchivedEntry,
    HealBegun,
    Key,
    Reported,
    archived_entry,
    heal_begun,
    heal_ended,
    is_command,
)
from tanist.election.entries import Entry, Kind
from tanist.election.history import Term
from tanist.election.log import Log
from tanist.election.messages import Salvage, SnapshotMeta
from tanist.election.node import Node
from tanist.election.records import BesideRecord, CopiedRecord
from tanist.election.settings import APPEND_BYTES_MAX, APPEND_ENTRIES_MAX


class Beside:
    """The copy of a server's log, which parts from this peer's own after `fork`.

    `base` is how much of this peer's own log it begins with: up to the fork, or nothing where the fork lies within what
    this peer's snapshot holds, since no state of before could be built again.
    """

    def __init__(self, node: Node, fork: int) -> None:
        self.node = node
        self.fork = fork
        kept = node.snapshot.index if node.snapshot is not None else 0
        self.base = fork if fork >= kept else 0
        self.log = node.log.copy_to(fork) if self.base else Log()
        self.snapshot: SnapshotMeta | None = node.snapshot if self.base else None
        """The snapshot that the copy begins after."""
        self.replaced = self.base == 0
        """Whether the copy has nothing of this peer's log and state any more."""
        self.lost: dict[Key, int] = {key: i for key, i in node.log.keys_after(fork).items() if not self.log.holds(key)}
        """What would be lost by changing over now, by key, with its index in this peer's own log: oldest first."""
        self.covered_at = 0
        """The index of the copy at which the last of it was found there."""
        self.unreported = node.log.first - 1 > fork
        """Whether entries would be lost that only this peer's snapshot holds, and no heal in the copy says so yet."""
        self._begun: tuple[str, Term] | None = None
        """The heal that will say so, and the reign that began it."""
        self._reported_at = 0
        self._sent_to = 0
        self._again_at = 0
        node.persist(BesideRecord(self.base, None))

    # What comes

    def take(self, first: int, entries: Sequence[Entry]) -> None:
        """Entries of the server's log from index `first` on, where it parts from the copy."""
        if first <= self.log.last:
            self.log.truncate(first - 1)
            self._look_again()
            if self._reported_at >= first:
                self.unreported, self._reported_at = True, 0
        self.log.append(entries)
        self.node.persist(CopiedRecord(first, tuple(entries)))
        before = len(self.lost) + len(self.reports())
        for index, entry in enumerate(entries, first):
            self.lost.pop((index, entry.term), None)
            if entry.kind == Kind.ARCHIVED:
                self.lost.pop(archived_entry(entry).key, None)
            elif entry.kind == Kind.HEAL and self._is_mine(heal_begun(entry)):
                self._begun = heal_begun(entry).heal, entry.term
            elif entry.kind == Kind.HEALED and (heal_ended(entry).heal, entry.term) == self._begun:
                # Its end says how many; one that a later reign wrote would say none.
                self.unreported, self._reported_at = False, index
        if len(self.lost) + len(self.reports()) < before or self._reported_at >= first:
            self.covered_at = self.log.last

    def _is_mine(self, begun: HealBegun) -> bool:
        """Whether a heal is of what this peer has."""
        return begun.theirs == self.node.log.last_term and self.node.me.id in begun.members

    def install(self, meta: SnapshotMeta) -> None:
        """The server's snapshot, which is on disk: the copy begins after it."""
        self.log = Log()
        self.log.reset(meta)
        self.snapshot, self.replaced = meta, True
        self.node.copied = meta
        self.node.persist(BesideRecord(meta.index, meta))
        self._look_again()
        self.covered_at = meta.index

    def _look_again(self) -> None:
        """The copy is another: see what it lacks."""
        own = self.node.log.keys_after(self.fork)
        self.lost = {key: i for key, i in own.items() if not self.log.holds(key)}

    def reports(self) -> tuple[Reported, ...]:
        """What heals of this peer's own log reported that are not known in the copy: it ends with them."""
        known = self.log.archived.reported
        return tuple(Reported(heal, n) for heal, n in self.node.log.archived.reported.items() if heal not in known)

    # What goes

    def whole(self, committed: int) -> bool:
        """Whether this peer may change over: nothing would be lost, and all that is committed is here."""
        told = not self.unreported and not self.reports()
        return not self.lost and told and self.covered_at <= committed <= self.log.last

    def salvage(self, term: Term, committed: int) -> Salvage | None:
        """What to send the server next, if anything: what the copy lacks, once it has all that is committed.

        A batch goes once; it goes again when nothing came of it for a retry's interval.
        """
        node = self.node
        reports = self.reports()
        if not (self.lost or self.unreported or reports) or self.log.last < committed:
            return None
        if next(iter(self.lost.values()), 0) <= self._sent_to and node.now < self._again_at:
            return None
        entries: list[ArchivedEntry] = []
        size = 0
        for index in self.lost.values():
            kept = self._kept(index)
            size += len(kept.entry.body) + 64
            if entries and (size > APPEND_BYTES_MAX or len(entries) >= APPEND_ENTRIES_MAX):
                break
            entries.append(kept)
            self._sent_to = index
        last = len(entries) == len(self.lost)
        self._again_at = node.now + node.times.retry
        log = node.log
        after = log.between(max(self.fork + 1, log.first), log.last)
        commands = sum(1 for entry in after if is_command(entry)) if last else 0
        return Salvage(
            term, self.fork, log.last_term, tuple(entries), log.first, commands, last, reports if last else ()
        )

    def _kept(self, index: int) -> ArchivedEntry:
        """One of this peer's own entries as it is to be archived."""
        entry = self.node.log.between(index, index)[0]
        if entry.kind == Kind.ARCHIVED:
            return archived_entry(entry)
        return ArchivedEntry("", index, entry, index <= self.node.acknowledged)
