"""The paces, and what makes one impossible."""

from __future__ import annotations

import msgspec
import pytest

from tanist.election.history import Term
from tanist.election.settings import NUMBER_LEAP_MAX, PACES, Pace, pace_problems, plausible


@pytest.mark.parametrize("name", sorted(PACES))
def test_the_named_paces_can_be_used(name: str) -> None:
    assert pace_problems(PACES[name]) == []


def test_the_default_is_classic() -> None:
    assert Pace() == PACES["classic"]


@pytest.mark.parametrize("field", [f.name for f in msgspec.structs.fields(Pace)])
@pytest.mark.parametrize("value", [0, -1])
def test_no_time_may_be_zero_or_less(field: str, value: int) -> None:
    problems = pace_problems(msgspec.structs.replace(Pace(), **{field: value}))
    assert any(p.startswith(f"{field} must be greater than 0") for p in problems)


def test_one_late_heartbeat_is_no_loss() -> None:
    (problem,) = pace_problems(Pace(heartbeat_every_ms=2001))
    assert "at least twice" in problem


def test_a_heir_must_still_count_when_it_stands() -> None:
    classic = Pace()
    longest = classic.heartbeat_timeout_ms + 4 * classic.retry_interval_ms + classic.ballot_ms
    assert pace_problems(Pace(sync_timeout_ms=longest + 1)) == []
    (problem,) = pace_problems(Pace(sync_timeout_ms=longest))
    assert f"over {longest:g}" in problem


def test_whoever_waits_for_a_candidate_waits_for_its_whole_ballot() -> None:
    assert pace_problems(Pace(ballot_ms=2000, sync_timeout_ms=20_000)) == []
    (problem,) = pace_problems(Pace(ballot_ms=2001, sync_timeout_ms=20_000))
    assert "at most 2000" in problem


def test_a_number_that_leaps_too_far_is_not_believed() -> None:
    assert plausible(Term(NUMBER_LEAP_MAX + 5, "a"), 5)
    assert not plausible(Term(NUMBER_LEAP_MAX + 6, "a"), 5)
    assert not plausible(Term(-1, "a"), 5)
