"""Histories: the fork of two logs, against a comparison of the logs entry by entry."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tanist.election.entries import Entry, Kind
from tanist.election.history import EMPTY, Fork, History, Term, fork, raft_order, survivor_order
from tanist.election.log import Log
from tanist.election.precedence import Side, compare


def entry(number: int, holder: str, kind: Kind, seed: int) -> Entry:
    return Entry(number, holder, kind, 0, seed, b"")


@st.composite
def two_logs(draw: st.DrawFn) -> tuple[list[Entry], list[Entry]]:
    """Two logs as a cluster may write them: a term's entries come from one server, at one place, once."""
    numbers = iter(range(1, 100))
    seeds = iter(range(1000))

    def reign(holder: str) -> list[Entry]:
        number = next(numbers)
        kinds = draw(st.lists(st.sampled_from([Kind.COMMAND, Kind.ROSTER, Kind.COMMAND]), max_size=4))
        opening = [entry(number, holder, Kind.REIGN, next(seeds))]
        return [*opening, *(entry(number, holder, kind, next(seeds)) for kind in kinds)]

    shared = [e for _ in range(draw(st.integers(0, 4))) for e in reign("s")]
    # One may have seen less of the last shared reign than the other.
    mine = shared[: draw(st.integers(0, len(shared)))] if draw(st.booleans()) else list(shared)
    theirs = list(shared)
    for _ in range(draw(st.integers(0, 3))):
        mine += reign("m")
    for _ in range(draw(st.integers(0, 3))):
        theirs += reign("t")
    return (theirs, mine) if draw(st.booleans()) else (mine, theirs)


def history_of(entries: list[Entry]) -> History:
    log = Log()
    log._rosters = [(0, log.roster)]
    for each in entries:
        # Only kinds matter here: a roster's body would have to be one.
        log.append([Entry(each.number, each.holder, 1 if each.kind == Kind.ROSTER else each.kind, 0, each.seed, b"")])
    return log.history()


def commands(entries: list[Entry]) -> int:
    return sum(1 for e in entries if e.kind == Kind.COMMAND)


@given(two_logs())
def test_the_fork_is_where_the_entries_differ(logs: tuple[list[Entry], list[Entry]]) -> None:
    mine, theirs = logs
    at = 0
    while at < min(len(mine), len(theirs)) and mine[at] == theirs[at]:
        at += 1
    expected = Fork(at, len(mine) - at, len(theirs) - at, commands(mine[at:]), commands(theirs[at:]))
    assert fork(history_of(mine), history_of(theirs)) == expected


@given(two_logs(), st.integers(1, 5), st.integers(1, 5))
def test_exactly_one_of_two_histories_goes_on(logs: tuple[list[Entry], list[Entry]], a: int, b: int) -> None:
    mine, theirs = Side(history_of(logs[0]), a), Side(history_of(logs[1]), b)
    here, there = compare(mine, theirs), compare(theirs, mine)
    if logs[0] == logs[1]:
        assert here.mine and there.mine
    else:
        assert here.mine is not there.mine
        assert (here.at.at, here.at.mine_after) == (there.at.at, there.at.theirs_after)


@given(two_logs())
def test_a_longer_log_with_the_same_begin_goes_on(logs: tuple[list[Entry], list[Entry]]) -> None:
    longer = logs[0]
    shorter = longer[: len(longer) // 2]
    assert compare(Side(history_of(longer), 1), Side(history_of(shorter), 9)).mine
    assert compare(Side(history_of(shorter), 9), Side(history_of(longer), 1)).mine is (len(longer) == len(shorter))


def forked(mine: str, theirs: str) -> tuple[History, History]:
    """Two histories that share one entry: "c" is a command, "." is none; the first of each opens a reign."""

    def one(number: int, what: str) -> History:
        kinds = [Kind.REIGN, *(Kind.COMMAND if c == "c" else Kind.REIGN for c in what)]
        own = [entry(number, "x", kind, number * 100 + i) for i, kind in enumerate(kinds)]
        return history_of([entry(1, "s", Kind.REIGN, 0), *own])

    return one(2, mine), one(3, theirs)


def verdict(mine: str, theirs: str, holders: tuple[int, int] = (1, 1)) -> tuple[bool, str]:
    a, b = forked(mine, theirs)
    found = compare(Side(a, holders[0]), Side(b, holders[1]))
    return found.mine, found.why


def test_commands_since_the_fork_beat_everything() -> None:
    assert verdict("c", "......", (1, 5)) == (True, "commands since the fork")


def test_then_more_holders() -> None:
    assert verdict("c", "ccc", (3, 2)) == (True, "more holders")
    assert verdict("", "", (2, 3)) == (False, "more holders")


def test_then_more_commands() -> None:
    assert verdict("ccc", "c.....", (2, 2)) == (True, "more commands since the fork")


def test_then_the_higher_term() -> None:
    assert verdict("cc", "cc", (2, 2)) == (False, "higher term")


def test_terms_are_ordered_by_number_first() -> None:
    assert Term(2, "a") > Term(1, "z")
    assert str(Term(3, "x")) == "3@x"
    assert str(EMPTY.last_term) == "none"


def test_freshness_in_quorum_mode_is_that_of_raft() -> None:
    longer = history_of([entry(1, "a", Kind.REIGN, 0)] * 3)
    later = history_of([entry(1, "a", Kind.REIGN, 0), entry(2, "b", Kind.REIGN, 1)])
    assert raft_order(later) > raft_order(longer) > raft_order(EMPTY)


def test_freshness_in_survivor_mode_counts_commands_first() -> None:
    busy = history_of([entry(1, "a", Kind.COMMAND, 0)])
    later = history_of([entry(2, "b", Kind.REIGN, 1)] * 5)
    assert survivor_order(busy) > survivor_order(later) > survivor_order(EMPTY)
