"""What the records of a journal add up to, piece by piece; the log as a whole is in test_log."""

from __future__ import annotations

import msgspec
import pytest

from tanist.election.entries import Entry, Kind
from tanist.election.fallbacks import FallbackList
from tanist.election.history import EMPTY, Term
from tanist.election.log import Log
from tanist.election.messages import SnapshotMeta
from tanist.election.records import (
    BallotRecord,
    BesideRecord,
    CommitRecord,
    CopiedRecord,
    EntriesRecord,
    FoundingRecord,
    ListRecord,
    RecordsError,
    SnapshotRecord,
    Stored,
    SwitchRecord,
    TruncateRecord,
)
from tanist.election.roster import NOBODY, Member, Roster
from tanist.peer.storage.checkpoint import checkpoint


def entries(*numbers: int) -> tuple[Entry, ...]:
    return tuple(Entry(n, "a", Kind.COMMAND, 0, i, b"") for i, n in enumerate(numbers))


def snapshot(index: int) -> SnapshotMeta:
    return SnapshotMeta(index, Term(1, "a"), 0, EMPTY, NOBODY, 1, "x")


def members(*ids: str) -> Roster:
    return Roster(tuple(Member(i, i, f"{i}:1") for i in ids))


def test_nothing_adds_up_to_nothing() -> None:
    assert Stored.replay([]) == Stored()
    assert Stored().last == 0


def test_the_newest_ballot_and_list_count() -> None:
    newest = ListRecord(FallbackList(Term(2, "b"), 4), "b", "b:1")
    stored = Stored.replay([BallotRecord(1, "a"), BallotRecord(2, "b"), ListRecord(FallbackList(), "a", "a:1"), newest])
    assert (stored.number, stored.voted_for) == (2, "b")
    assert (stored.fallbacks, stored.last_server, stored.last_address) == (newest.fallbacks, "b", "b:1")


def test_entries_replace_what_was_there_and_after() -> None:
    stored = Stored.replay([EntriesRecord(1, entries(1, 1, 1)), EntriesRecord(2, entries(2))])
    assert [e.number for e in stored.entries] == [1, 2]


def test_what_was_committed_is_never_more_than_what_is_still_the_same() -> None:
    written = [EntriesRecord(1, entries(1, 1, 1, 1)), CommitRecord(3)]
    for then, left in (
        ([], 3),
        ([EntriesRecord(5, entries(1))], 3),
        ([EntriesRecord(2, entries(2))], 1),
        ([TruncateRecord(3)], 3),
        ([TruncateRecord(2)], 2),
        ([SnapshotRecord(snapshot(2), True)], 3),
        ([SnapshotRecord(snapshot(9), False)], 9),
        ([BesideRecord(2, None), CopiedRecord(3, entries(2)), SwitchRecord()], 2),
        ([BesideRecord(0, None), CopiedRecord(1, entries(2)), SwitchRecord()], 0),
    ):
        assert Stored.replay([*written, *then]).committed == left, then


def test_a_cut_leaves_nothing_after_it() -> None:
    stored = Stored.replay([EntriesRecord(1, entries(1, 1, 1)), TruncateRecord(1)])
    assert stored.last == 1


def test_entries_with_a_hole_before_them_are_an_error_that_says_where() -> None:
    with pytest.raises(RecordsError, match="from 3 on follow a log that ends at 1"):
        Stored.replay([EntriesRecord(1, entries(1)), EntriesRecord(3, entries(1))])


def test_a_snapshot_that_fits_keeps_what_follows_it() -> None:
    stored = Stored.replay([EntriesRecord(1, entries(1, 1, 2)), SnapshotRecord(snapshot(2), True)])
    assert (stored.first, [e.number for e in stored.entries]) == (3, [2])


def test_a_snapshot_that_replaces_the_log_keeps_nothing() -> None:
    stored = Stored.replay([EntriesRecord(1, entries(1, 1, 2)), SnapshotRecord(snapshot(2), False)])
    assert (stored.first, stored.last, stored.entries) == (3, 2, [])


def test_a_snapshot_at_zero_begins_with_nothing() -> None:
    stored = Stored.replay([EntriesRecord(1, entries(1, 1)), SnapshotRecord(snapshot(0), False)])
    assert (stored.snapshot, stored.first, stored.last) == (None, 1, 0)


def test_entries_that_begin_inside_a_snapshot_are_taken_from_its_end_on() -> None:
    stored = Stored.replay([SnapshotRecord(snapshot(2), False), EntriesRecord(2, entries(1, 2))])
    assert (stored.first, [e.number for e in stored.entries]) == (3, [2])


def test_a_refusal_frees_from_its_own_attempt_only() -> None:
    mine = FoundingRecord(1, members("a", "b", "c"), True)
    other = FoundingRecord(2, members("a", "b", "d"), False)
    assert Stored.replay([mine, other]).founding == mine
    stored = Stored.replay([mine, FoundingRecord(1, members("a", "b", "c"), False)])
    assert stored.founding is None
    assert len(stored.refused) == 1


OLD = [EntriesRecord(1, entries(1, 1, 2, 2))]


def test_a_copy_beside_changes_nothing_until_it_takes_the_logs_place() -> None:
    copying = [*OLD, BesideRecord(2, None), CopiedRecord(3, entries(3)), CopiedRecord(4, entries(3, 4))]
    for many in range(1, len(copying)):
        assert [e.number for e in Stored.replay(copying[:many]).entries] == [1, 1, 2, 2]
    stored = Stored.replay([*copying, SwitchRecord()])
    assert [e.number for e in stored.entries] == [1, 1, 3, 3, 4]
    assert stored.beside is None
    assert Stored.replay([*copying, SwitchRecord(), EntriesRecord(6, entries(5))]).last == 6


def test_a_copy_that_begins_anew_forgets_the_one_before() -> None:
    again = [BesideRecord(2, None), CopiedRecord(3, entries(3, 3)), BesideRecord(1, None), CopiedRecord(2, entries(4))]
    assert [e.number for e in Stored.replay([*OLD, *again, SwitchRecord()]).entries] == [1, 4]
    rewritten = [BesideRecord(2, None), CopiedRecord(3, entries(3, 3)), CopiedRecord(4, entries(4, 4))]
    assert [e.number for e in Stored.replay([*OLD, *rewritten, SwitchRecord()]).entries] == [1, 1, 3, 4, 4]


def test_a_copy_with_a_snapshot_or_from_nothing_replaces_all() -> None:
    on_snapshot = [BesideRecord(7, snapshot(7)), CopiedRecord(8, entries(5)), SwitchRecord()]
    stored = Stored.replay([*OLD, *on_snapshot])
    assert (stored.first, stored.last, stored.snapshot) == (8, 8, snapshot(7))
    from_nothing = [
        SnapshotRecord(snapshot(3), True),
        BesideRecord(0, None),
        CopiedRecord(1, entries(6)),
        SwitchRecord(),
    ]
    stored = Stored.replay([*OLD, *from_nothing])
    assert (stored.first, stored.last, stored.snapshot) == (1, 1, None)


def test_a_copy_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RecordsError, match="there is none"):
        Stored.replay([*OLD, SwitchRecord()])
    with pytest.raises(RecordsError, match="does not reach"):
        Stored.replay([*OLD, BesideRecord(2, None), CopiedRecord(4, entries(3))])
    with pytest.raises(RecordsError, match="not in the log"):
        Stored.replay([*OLD, BesideRecord(9, None), SwitchRecord()])


@pytest.mark.parametrize(("first", "kept"), [(0, [2]), (3, [2]), (2, [1, 2]), (1, [1, 1, 2])])
def test_a_snapshot_may_keep_entries_that_a_heal_may_need(first: int, kept: list[int]) -> None:
    stored = Stored.replay([EntriesRecord(1, entries(1, 1, 2)), SnapshotRecord(snapshot(2), True, first)])
    assert [e.number for e in stored.entries] == kept
    assert (stored.first, stored.last) == (4 - len(kept), 3)
    later = Stored.replay([SnapshotRecord(snapshot(2), True, 3), SnapshotRecord(snapshot(2), True, 1)])
    assert later.first == 3, "what was dropped does not come back"


def test_a_log_that_begins_before_its_snapshot_is_known_again_after_a_start() -> None:
    log = Log()
    log.append(entries(1, 1, 2, 2))
    meta = msgspec.structs.replace(snapshot(2), history=log.history_at(2))
    stored = Stored.replay([EntriesRecord(1, tuple(log.entries)), SnapshotRecord(meta, True, 2)])
    again = Log()
    again.resume(stored.snapshot, stored.first, stored.entries)
    assert (again.first, again.last, again.commands) == (2, 4, 4)
    assert again.history() == log.history()
    assert again.keys_after(1) == {k: i for k, i in log.keys_after(0).items() if i > 1}


def test_a_checkpoint_adds_up_to_the_same_with_kept_entries_and_a_copy() -> None:
    stored = Stored.replay(
        [
            EntriesRecord(1, entries(1, 1, 2)),
            SnapshotRecord(snapshot(2), True, 2),
            BesideRecord(7, snapshot(7)),
            CopiedRecord(8, entries(3, 3)),
        ]
    )
    assert stored.beside is not None
    assert Stored.replay(checkpoint(stored)) == stored
