"""What the core asks to be kept on disk, and how a peer's state follows from it after a restart.

The journal stores records in order and gives them back in order; `Stored.replay` is the only place that
knows what they add up to, so that the simulator and real peers recover alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from tanist.election.entries import Entry
from tanist.election.fallbacks import NO_LIST, FallbackList
from tanist.election.messages import SnapshotMeta
from tanist.election.roster import Roster


class Record(msgspec.Struct, frozen=True, array_like=True):
    """Base of all records."""


class EntriesRecord(Record, frozen=True):
    """Entries from index `first` on. Whatever was at `first` and after is no more."""

    first: int
    entries: tuple[Entry, ...]


class TruncateRecord(Record, frozen=True):
    """Nothing after index `last` is in the log any more."""

    last: int


class BallotRecord(Record, frozen=True):
    """The highest number seen, and whom this peer voted for in it ("" for nobody)."""

    number: int
    voted_for: str


class ListRecord(Record, frozen=True):
    """The newest fallback list, as sent or as heard."""

    fallbacks: FallbackList
    server: str
    address: str


class FoundingRecord(Record, frozen=True):
    """Quorum mode: the attempt this peer stands by, or has refused for good.

    A refusal without members is of all attempts up to its number, but for one that this peer stands by already.
    """

    number: int
    members: Roster
    accepted: bool

    def name(self) -> str:
        """What this attempt is told from all others by, the same at each of its members."""
        ids = sorted(self.members.ids())
        digest = blake2b("\n".join(ids).encode(), digest_size=4).hexdigest()
        return f"{self.number}@{ids[0]}#{digest}"

    def names(self, number: int, members: Roster) -> bool:
        """Whether this is of the attempt with that number and exactly those members."""
        return self.number == number and self.members.ids() == members.ids()

    def refuses(self, number: int, members: Roster) -> bool:
        """Whether this refusal is of that attempt, or names nobody and so is of all attempts up to its number."""
        return self.names(number, members) or (not self.members.members and number <= self.number)


class SnapshotRecord(Record, frozen=True):
    """The log now begins after this snapshot, which was on disk before; later entries stay if they fit."""

    meta: SnapshotMeta
    keep_log: bool
    first: int = 0
    """Where the log begins now; 0 is right behind the snapshot. Before that it keeps what a heal may yet need."""


class BesideRecord(Record, frozen=True):
    """A copy of another log begins beside this one: with this log up to `at` (0: with nothing), or with a snapshot.

    With a snapshot, which was on disk before, `at` is its index.
    """

    at: int
    snapshot: SnapshotMeta | None


class CopiedRecord(Record, frozen=True):
    """Entries of the copy from index `first` on. Whatever was there at `first` and after is no more."""

    first: int
    entries: tuple[Entry, ...]


class SwitchRecord(Record, frozen=True):
    """The copy is the log from here on: the one before has been archived in it."""


class DamageRecord(Record, frozen=True):
    """What was promised from this disk is not all on it: found at start number `start`, or 0 once it is repaired."""

    start: int
    detail: str


class SeenRecord(Record, frozen=True):
    """The newest start of another peer that this one has met: an older one later is a copy of old data."""

    peer: str
    start: int
    nonce: int


class CommitRecord(Record, frozen=True):
    """Survivor mode: how far entries were committed, as this peer knew when it next wrote something.

    A start goes by what its server says; this tells, in a heal, what somebody was told that it counts.
    """

    index: int


RECORDS: dict[int, type[Record]] = {
    1: EntriesRecord,
    2: TruncateRecord,
    3: BallotRecord,
    4: ListRecord,
    5: FoundingRecord,
    6: SnapshotRecord,
    7: BesideRecord,
    8: CopiedRecord,
    9: SwitchRecord,
    10: DamageRecord,
    11: SeenRecord,
    12: CommitRecord,
}
"""Record type to record, for the journal."""


class RecordsError(ValueError):
    """The records do not add up: entries with a hole before them, for one."""


@dataclass
class Copy:
    """A copy of another log on disk, as far as it got. It is used by a `SwitchRecord` only: a start begins it anew."""

    at: int
    snapshot: SnapshotMeta | None
    entries: list[Entry] = field(default_factory=list)


@dataclass
class Stored:
    """What a peer has on disk. `first` is the index of `entries[0]`; what lies before is in the snapshot."""

    number: int = 0
    voted_for: str = ""
    fallbacks: FallbackList = NO_LIST
    last_server: str = ""
    last_address: str = ""
    founding: FoundingRecord | None = None
    refused: list[FoundingRecord] = field(default_factory=list)
    snapshot: SnapshotMeta | None = None
    first: int = 1
    entries: list[Entry] = field(default_factory=list)
    beside: Copy | None = None
    damage: DamageRecord | None = None
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    committed: int = 0

    @property
    def last(self) -> int:
        """The last index in the log, or of the snapshot when the log is empty."""
        return self.first + len(self.entries) - 1

    @classmethod
    def replay(cls, records: Iterable[Record]) -> "Stored":
        """Add up records in the order in which they were written.

        Raises `RecordsError` when entries follow a hole: a journal that passed its checks cannot hold such.
        """
        stored = cls()
        for record in records:
            stored.take(record)
        return stored

    def take(self, record: Record) -> None:
        """Add one record."""
        match record:
            case EntriesRecord(first, entries):
                if first > self.last + 1:
                    raise RecordsError(f"entries from {first} on follow a log that ends at {self.last}")
                self.committed = min(self.committed, first - 1)
                skip = max(0, self.first - first)
                del self.entries[max(0, first - self.first) :]
                self.entries.extend(entries[skip:])
            case TruncateRecord(last):
                self.committed = min(self.committed, last)
                del self.entries[max(0, last + 1 - self.first) :]
            case BallotRecord(number, voted_for):
                self.number, self.voted_for = number, voted_for
            case ListRecord(fallbacks, server, address):
                self.fallbacks, self.last_server, self.last_address = fallbacks, server, address
            case FoundingRecord(accepted=True):
                self.founding = record
            case FoundingRecord():
                if not record.members.members:
                    self.refused = [r for r in self.refused if r.number > record.number]
                self.refused.append(record)
                if self.founding is not None and self.founding.names(record.number, record.members):
                    self.founding = None
            case SnapshotRecord(meta, keep_log, first):
                self._begin_after(meta, keep_log, first or meta.index + 1)
            case BesideRecord(at, snapshot):
                self.beside = Copy(at, snapshot)
            case CopiedRecord(first, entries):
                self._copied(first, entries)
            case SwitchRecord():
                self._switch()
            case DamageRecord(start):
                self.damage = record if start else None
            case SeenRecord(peer, start, nonce):
                self.seen[peer] = (start, nonce)
            case CommitRecord(index):
                self.committed = index

    def _begin_after(self, meta: SnapshotMeta, keep_log: bool, first: int) -> None:
        self.snapshot = meta if meta.index else None
        if keep_log and self.first <= meta.index + 1 <= self.last + 1:
            first = max(first, self.first)
            del self.entries[: first - self.first]
        else:
            self.entries.clear()
            self.committed = meta.index
        self.first = first

    def _copied(self, first: int, entries: tuple[Entry, ...]) -> None:
        copy = self.beside
        if copy is None or first > copy.at + len(copy.entries) + 1 or first <= copy.at:
            raise RecordsError(f"entries from {first} on are for a copy that does not reach there")
        del copy.entries[first - copy.at - 1 :]
        copy.entries.extend(entries)

    def _switch(self) -> None:
        copy, self.beside = self.beside, None
        if copy is None:
            raise RecordsError("a copy takes the log's place, and there is none")
        self.committed = min(self.committed, copy.at)
        if copy.snapshot is not None or copy.at == 0:
            self.snapshot, self.first, self.entries = copy.snapshot, copy.at + 1, copy.entries
        elif not self.first - 1 <= copy.at <= self.last:
            raise RecordsError(f"a copy goes on after {copy.at}, which is not in the log from {self.first} on")
        else:
            self.entries[copy.at + 1 - self.first :] = copy.entries
