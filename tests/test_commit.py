"""Majorities and what is committed, against counting by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.commit import Durability, durability, has_majority, majority, majority_match

PEERS = "abcdefg"
MATCHES = st.dictionaries(st.sampled_from(PEERS), st.integers(0, 9))
VOTERS = st.sets(st.sampled_from(PEERS))


@pytest.mark.parametrize(("voters", "enough"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_more_than_half(voters: int, enough: int) -> None:
    assert majority(voters) == enough


@given(MATCHES, VOTERS)
def test_the_majority_match_is_the_highest_that_more_than_half_hold(matches: dict[str, int], voters: set[str]) -> None:
    found = majority_match(matches, voters)
    held = [i for i in range(10) if sum(matches.get(v, 0) >= i for v in voters) * 2 > len(voters)]
    best = max(held, default=0)
    assert found == best


@given(VOTERS, VOTERS)
def test_who_is_no_voter_does_not_count(yes: set[str], voters: set[str]) -> None:
    assert has_majority(yes, voters) == (2 * len(yes & voters) > len(voters))


@given(MATCHES, VOTERS, st.sets(st.sampled_from(PEERS), max_size=2), st.integers(1, 9))
def test_no_receipt_promises_more_than_is_true(
    matches: dict[str, int], voters: set[str], heirs: set[str], index: int
) -> None:
    holders = {p for p, m in matches.items() if m >= index}
    match durability(index, matches, voters, heirs):
        case Durability.ALL:
            assert voters <= holders
        case Durability.MAJORITY:
            assert 2 * len(voters & holders) > len(voters)
        case Durability.HEIR:
            assert heirs and heirs <= holders
        case Durability.ALONE:
            assert not heirs or not heirs <= holders


def test_a_lone_voter_is_alone_however_one_counts() -> None:
    assert durability(3, {"a": 3}, {"a"}, ()) is Durability.ALONE
