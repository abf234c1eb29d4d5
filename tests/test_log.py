"""The log in memory, against a plain list of entries."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tanist.election.entries import Entry, Kind
from tanist.election.history import NO_TERM, Term
from tanist.election.log import Log, roster_entry_body
from tanist.election.messages import SnapshotMeta
from tanist.election.records import EntriesRecord, Record, SnapshotRecord, Stored, TruncateRecord
from tanist.election.roster import NOBODY, Member, Roster

KINDS = [Kind.COMMAND, Kind.REIGN, Kind.ROSTER]


def entry(number: int, kind: Kind = Kind.COMMAND, body: bytes = b"", seed: int = 0) -> Entry:
    return Entry(number, "a", kind, number, seed, body)


def roster(*ids: str) -> Roster:
    return Roster(tuple(Member(i, i, f"{i}:1") for i in ids))


class LogMachine(RuleBasedStateMachine):
    """Random appends, cuts, compactions and resets; the log, and what is on disk, stay what the list says."""

    @initialize()
    def begin(self) -> None:
        self.log = Log()
        self.all: list[Entry] = []
        self.first = 1
        self.snapshot = 0
        self.number = 1
        self.records: list[Record] = []

    @rule(count=st.integers(1, 5), step=st.integers(0, 2), kind=st.sampled_from(KINDS))
    def append(self, count: int, step: int, kind: Kind) -> None:
        self.number += step
        body = roster_entry_body(roster(f"p{len(self.all)}")) if kind == Kind.ROSTER else b""
        new = tuple(entry(self.number, kind, body, len(self.all) + i) for i in range(count))
        self.records.append(EntriesRecord(self.log.last + 1, new))
        self.log.append(new)
        self.all.extend(new)

    @rule(back=st.integers(1, 6))
    def cut(self, back: int) -> None:
        last = max(len(self.all) - back, self.snapshot)
        dropped = self.log.truncate(last)
        assert list(dropped) == self.all[last:]
        del self.all[last:]
        self.records.append(TruncateRecord(last))
        self.number += 1

    @rule(back=st.integers(0, 6), keep=st.integers(0, 3))
    def compact(self, back: int, keep: int) -> None:
        index = len(self.all) - back
        if index <= self.snapshot:
            return
        self.records.append(SnapshotRecord(self.meta(index), True))
        self.log.compact(index - keep)
        self.first = max(self.first, index - keep + 1)
        self.snapshot = index

    @rule(length=st.integers(1, 8))
    def replaced_by_a_snapshot(self, length: int) -> None:
        self.number += 1
        other = Log()
        self.all = [entry(self.number, seed=-i) for i in range(1, len(self.all) + length + 1)]
        other.append(self.all)
        last = len(self.all)
        meta = SnapshotMeta(last, Term(self.number, "a"), 0, other.history_at(last), NOBODY, 1, "x")
        self.log.reset(meta)
        self.records.append(SnapshotRecord(meta, False))
        self.first, self.snapshot = last + 1, last

    def meta(self, index: int) -> SnapshotMeta:
        term = self.log.term_at(index)
        assert term is not None
        return SnapshotMeta(index, term, 0, self.log.history_at(index), self.log.roster_at(index), 1, "x")

    @invariant()
    def the_log_is_the_list(self) -> None:
        log = self.log
        assert log.last == len(self.all)
        assert log.first == self.first
        assert list(log.between(self.first, log.last)) == self.all[self.first - 1 :]
        assert log.commands == sum(1 for e in self.all if e.kind == Kind.COMMAND)
        terms = [NO_TERM, *(e.term for e in self.all)]
        assert [log.term_at(i) for i in range(len(terms))] == terms
        assert log.term_at(len(terms)) is None
        assert log.last_term == terms[-1]
        rosters = [(i, e) for i, e in enumerate(self.all, 1) if e.kind == Kind.ROSTER and i >= self.first]
        if rosters:
            assert log.roster_index == rosters[-1][0]
            assert roster_entry_body(log.roster) == rosters[-1][1].body
        assert log.voters == log.roster.voters()

    @invariant()
    def the_disk_adds_up_to_the_log(self) -> None:
        stored = Stored.replay(self.records)
        assert stored.last == self.log.last
        assert stored.entries == self.all[stored.first - 1 :]
        if stored.snapshot is not None:
            assert stored.snapshot.index == self.snapshot
            again = Log()
            again.reset(stored.snapshot)
            again.append(stored.entries)
            assert again.history() == self.log.history()
            assert again.roster == self.log.roster


TestLog = LogMachine.TestCase
TestLog.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(st.lists(st.integers(1, 3)).map(sorted), st.integers(0, 8), st.integers(0, 8))
def test_a_batch_is_bounded_but_never_empty(numbers: list[int], count: int, size: int) -> None:
    log = Log()
    log.append(entry(n, body=b"x" * 36) for n in numbers)
    found = log.batch(1, count + 1, size * 100)
    assert list(found) == log.entries[: max(min(count + 1, size), 1)]


def test_where_given_entries_part_from_the_log() -> None:
    log = Log()
    log.append([entry(1), entry(1), entry(2)])
    assert log.parts_from(1, [entry(1), entry(1)]) is None
    assert log.parts_from(4, ()) is None
    assert log.parts_from(4, [entry(2)]) == (4, [entry(2)])
    assert log.parts_from(2, [entry(1), entry(3), entry(3)]) == (3, [entry(3), entry(3)])
    assert log.parts_from(3, [entry(2), entry(2)]) == (4, [entry(2)])


def test_entries_with_large_bodies_are_too_many_earlier() -> None:
    log = Log()
    log.append([entry(1, body=b"x" * size) for size in (10, 10, 100, 10, 10, 1000)])
    assert log.heavy_before(5, 1000) == 0
    assert log.heavy_before(5, 120) == 2
    assert log.heavy_before(5, 119) == 3
    assert log.heavy_before(6, 10) == 6, "one alone may be too much"
    log.compact(3)
    assert log.heavy_before(5, 15) == 4
    assert log.heavy_before(5, 100) == 0, "what is compacted is not looked at"
