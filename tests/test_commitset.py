"""Whose disks an acknowledgement waits for, and how one leaves without losing a promise."""

from __future__ import annotations

from tanist.election.commitset import DRIFT_MARGIN, CommitSet
from tanist.election.replication import Progress
from tanist.election.roster import Member
from tanist.election.window import Window

SYNC_NS = 1000


def progress(version: int) -> Progress:
    return Progress(Member("x", "x", "x:1"), Window(1), version=version)


def ready(peers: str, heard_at: int) -> dict[str, int]:
    """Peers that may count, and were all heard at one time."""
    return dict.fromkeys(peers, heard_at)


def test_the_first_that_is_ready_counts() -> None:
    chosen = CommitSet(1, SYNC_NS)
    assert chosen.choose(["a", "b"], ready("b", 0), 1)
    assert chosen.waited_for() == ["b"]
    assert not chosen.choose(["a", "b"], ready("b", 1), 2)


def test_a_change_of_rank_waits_until_the_former_one_knows() -> None:
    chosen = CommitSet(1, SYNC_NS)
    chosen.choose(["a", "b"], ready("ab", 0), 1)
    assert chosen.choose(["b", "a"], ready("ab", 10), 2)
    assert sorted(chosen.waited_for()) == ["a", "b"]
    assert not chosen.settle({"a": progress(1)}, 20)
    assert chosen.settle({"a": progress(2)}, 30)
    assert chosen.waited_for() == ["b"]


def test_one_that_is_silent_leaves_when_it_cannot_count_itself_any_more() -> None:
    chosen = CommitSet(1, SYNC_NS)
    chosen.choose(["a"], ready("a", 0), 1)
    chosen.heard("a", 50)
    chosen.choose([], ready("", 60), 2)
    end = 50 + int(SYNC_NS * (1 + DRIFT_MARGIN))
    assert chosen.deadline() == end
    assert not chosen.settle({}, end - 1)
    assert chosen.settle({}, end)
    assert chosen.waited_for() == []
    assert chosen.deadline() is None


def test_what_is_heard_while_leaving_puts_the_end_off() -> None:
    chosen = CommitSet(1, SYNC_NS)
    chosen.choose(["a"], ready("a", 0), 1)
    chosen.choose([], ready("", 10), 2)
    chosen.heard("a", 500)
    assert not chosen.settle({}, 1100)


def test_who_refuses_is_gone_at_once() -> None:
    chosen = CommitSet(2, SYNC_NS)
    chosen.choose(["a", "b"], ready("ab", 0), 1)
    assert chosen.gone("a")
    assert not chosen.gone("a")
    assert chosen.waited_for() == ["b"]


def test_one_that_comes_back_while_leaving_counts_again() -> None:
    chosen = CommitSet(1, SYNC_NS)
    chosen.choose(["a"], ready("a", 0), 1)
    chosen.choose([], ready("", 10), 2)
    assert chosen.choose(["a"], ready("a", 20), 3)
    assert chosen.waited_for() == ["a"]
    assert chosen.leaving == {}


def test_never_more_count_than_asked_for() -> None:
    chosen = CommitSet(2, SYNC_NS)
    chosen.choose(list("abcd"), ready("abcd", 0), 1)
    assert sorted(chosen.counting) == ["a", "b"]
