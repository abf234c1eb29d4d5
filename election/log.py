"""The replicated log in memory: entries from `first` on, the reigns of all of it, and its rosters."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from tanist.election.archived import HEAL_KINDS, Key, is_command, key_of
from tanist.election.archivedkeys import ArchivedKeys, Archives
from tanist.election.entries import Entry, Kind
from tanist.election.history import NO_TERM, REIGNS_SENT_MAX, History, Reign, Term
from tanist.election.messages import SnapshotMeta
from tanist.election.roster import NOBODY, Roster

_roster_decoder = msgspec.msgpack.Decoder(Roster)
_encoder = msgspec.msgpack.Encoder()


def roster_entry_body(roster: Roster) -> bytes:
    """The body of a `Kind.ROSTER` entry."""
    return _encoder.encode(roster)


class Log:
    """Entries by index, from 1; those before `first` are compacted into a snapshot.

    The reigns are kept from the begin, so that the term at any index is known, compacted or not.
    """

    def __init__(self) -> None:
        self.first = 1
        self.entries: list[Entry] = []
        self._time_before = 0
        """Log time of the entry before `first`."""
        self.commands = 0
        self.archived = ArchivedKeys()
        """The old entries that are archived in this log."""
        self._reigns: list[Reign] = []
        self._firsts: list[int] = []
        self._rosters: list[tuple[int, Roster]] = [(0, NOBODY)]
        self._last_number = 0
        self._last_holder = ""
        self._voters_of = NOBODY
        self._voters: frozenset[str] = frozenset()

    @property
    def last(self) -> int:
        """The index of the last entry, or of the snapshot's last when there is none after it."""
        return self.first + len(self.entries) - 1

    @property
    def last_term(self) -> Term:
        """The term of the last entry."""
        return self._reigns[-1].term if self._reigns else NO_TERM

    @property
    def last_time_ns(self) -> int:
        """Log time of the last entry, also when it is in a snapshot and no more in memory; 0 for an empty log."""
        return self.entries[-1].time_ns if self.entries else self._time_before

    @property
    def roster(self) -> Roster:
        """The roster in force: the newest written, committed or not."""
        return self._rosters[-1][1]

    @property
    def voters(self) -> frozenset[str]:
        """The ids of those that may vote, asked for at every commit and so kept."""
        roster = self._rosters[-1][1]
        if roster is not self._voters_of:
            self._voters_of, self._voters = roster, roster.voters()
        return self._voters

    @property
    def roster_index(self) -> int:
        """The index at which the roster in force was written."""
        return self._rosters[-1][0]

    def term_at(self, index: int) -> Term | None:
        """The term of the entry at `index`; `NO_TERM` at 0, None beyond the end."""
        if index == 0:
            return NO_TERM
        if index > self.last or not self._firsts or index < self._firsts[0]:
            return None
        return self._reigns[bisect_right(self._firsts, index) - 1].term

    def history(self) -> History:
        """This log in short, for a message."""
        return History(tuple(self._reigns[-REIGNS_SENT_MAX:]), self.last, self.commands)

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries at the end."""
        mine = self.entries
        for entry in entries:
            if entry.number != self._last_number or entry.holder != self._last_holder:
                self._begin_reign(entry.term, self.last + 1)
            mine.append(entry)
            kind = entry.kind
            if kind == 3:  # Kind.COMMAND, as a plain number: this loop runs for every command
                self.commands += 1
            elif kind == Kind.ROSTER:
                self._rosters.append((self.last, _roster_decoder.decode(entry.body)))
            elif kind in HEAL_KINDS:
                self.archived.take(entry)
                self.commands += is_command(entry)

    def truncate(self, last: int) -> Sequence[Entry]:
        """Drop everything after `last` (not before the snapshot), and return what was dropped."""
        keep = max(0, last + 1 - self.first)
        dropped = self.entries[keep:]
        del self.entries[keep:]
        for entry in reversed(dropped):
            self.commands -= is_command(entry)
            if entry.kind in HEAL_KINDS:
                self.archived.undo(entry)
        while self._reigns and self._reigns[-1].first > self.last:
            self._reigns.pop()
            self._firsts.pop()
        while self._rosters[-1][0] > self.last:
            self._rosters.pop()
        self._remember_last()
        return dropped

    def between(self, first: int, last: int) -> Sequence[Entry]:
        """Entries from `first` to `last`, both included; all must be in memory."""
        at = first - self.first
        return self.entries[at : at + last - first + 1]

    def batch(self, first: int, entries_max: int, bytes_max: int) -> Sequence[Entry]:
        """Entries from `first` on, at most so many and so large, but at least one if there is one."""
        at = first - self.first
        found = self.entries[at : at + entries_max]
        size = 0
        for i, entry in enumerate(found):
            size += len(entry.body) + 64
            if size > bytes_max and i:
                return found[:i]
        return found

    def parts_from(self, first: int, entries: Sequence[Entry]) -> tuple[int, Sequence[Entry]] | None:
        """Where entries given from index `first` on part from this log, and those from there; None if it has all."""
        if first == self.last + 1:
            return (first, entries) if entries else None
        for i, entry in enumerate(entries):
            if self.term_at(first + i) != entry.term:
                return first + i, entries[i:]
        return None

    def heavy_before(self, index: int, bytes_max: int) -> int:
        """The last entry up to `index` that does not fit into so many bytes together with those after it; else 0."""
        size = 0
        for at in range(index, self.first - 1, -1):
            size += len(self.entries[at - self.first].body)
            if size > bytes_max:
                return at
        return 0

    def compact(self, index: int) -> None:
        """Forget entries up to `index`, which a snapshot holds."""
        drop = index + 1 - self.first
        if drop <= 0:
            return
        self._time_before = self.entries[drop - 1].time_ns
        del self.entries[:drop]
        self.first = index + 1
        while len(self._rosters) > 1 and self._rosters[1][0] <= index:
            self._rosters.pop(0)

    def reset(self, meta: SnapshotMeta) -> None:
        """Begin after a snapshot, with nothing after it."""
        self.entries.clear()
        self.first = meta.index + 1
        self._time_before = meta.time_ns
        self._reigns = list(meta.history.reigns)
        self._firsts = [r.first for r in self._reigns]
        self.commands = meta.history.commands
        self._rosters = [(meta.index, meta.roster)]
        self.archived = ArchivedKeys(meta.archived)
        self._remember_last()

    def resume(self, meta: SnapshotMeta | None, first: int, entries: Sequence[Entry]) -> None:
        """Begin with what is on disk: entries from `first` on, which may begin before the snapshot's end."""
        if meta is None:
            self.append(entries)
            return
        self.reset(meta)
        before = max(0, meta.index + 1 - first)
        self.first = first
        self.entries.extend(entries[:before])
        self.append(entries[before:])

    def copy_to(self, last: int) -> "Log":
        """Another log that holds what this one has up to `last`, which is not before the log in memory begins."""
        copy = Log()
        copy.first, copy._time_before = self.first, self._time_before
        copy.entries = list(self.entries)
        copy.commands = self.commands
        copy.archived = self.archived.copy()
        copy._reigns, copy._firsts, copy._rosters = list(self._reigns), list(self._firsts), list(self._rosters)
        copy.truncate(last)
        return copy

    # What would be lost with a part of it

    def holds(self, key: Key) -> bool:
        """Whether an entry, by its index and term, is in this log, live or archived."""
        index, term = key
        return (index > 0 and self.term_at(index) == term) or key in self.archived

    def keys_after(self, last: int) -> dict[Key, int]:
        """What this log has in memory after `last` that is no bookkeeping: each key, and where it stands."""
        first = max(last + 1, self.first)
        found: dict[Key, int] = {}
        for index, entry in enumerate(self.between(first, self.last), first):
            key = key_of(index, entry)
            if key is not None:
                found[key] = index
        return found

    def archives_at(self, index: int) -> Archives:
        """What was archived up to `index`, which must be in memory or its end."""
        after = reversed(self.between(index + 1, self.last))
        return self.archived.copy(e for e in after if e.kind in HEAL_KINDS).archives()

    def history_at(self, index: int) -> History:
        """The history of the log up to `index`, which must be in memory or its end."""
        reigns = tuple(r for r in self._reigns if r.first <= index)
        after = sum(1 for e in self.between(index + 1, self.last) if is_command(e))
        return History(reigns[-REIGNS_SENT_MAX:], index, self.commands - after)

    def roster_at(self, index: int) -> Roster:
        """The roster in force at `index`, as far back as the log in memory goes."""
        found = self._rosters[0][1]
        for at, roster in self._rosters:
            if at <= index:
                found = roster
        return found

    def _begin_reign(self, term: Term, first: int) -> None:
        self._reigns.append(Reign(term, first, self.commands))
        self._firsts.append(first)
        self._last_number, self._last_holder = term.number, term.holder

    def _remember_last(self) -> None:
        term = self.last_term
        self._last_number, self._last_holder = term.number, term.holder
