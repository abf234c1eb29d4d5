"""The count of the three retries."""

from __future__ import annotations

from tanist.election.retries import Retries


def test_retry_k_starts_k_intervals_after_the_loss() -> None:
    retries = Retries(1000, 100, 3)
    for k in (1, 2, 3):
        assert retries.deadline() == 1000 + k * 100
        assert not retries.due(1000 + k * 100 - 1)
        assert retries.due(1000 + k * 100)
        assert retries.start(1000 + k * 100) == k
        assert retries.ended() is (k == 3)
    assert retries.deadline() is None
    assert retries.remaining(1300) == 0


def test_a_retry_that_nobody_answers_has_one_interval() -> None:
    retries = Retries(0, 100, 3)
    retries.start(100)
    assert not retries.overdue(199, dialing=False)
    assert retries.overdue(200, dialing=False)


def test_all_silent_takes_one_interval_more_than_all_refused() -> None:
    retries = Retries(0, 100, 3)
    assert retries.remaining(0) == 400
    for k in (1, 2, 3):
        retries.start(k * 100)
        assert retries.overdue((k + 1) * 100, dialing=False)
        retries.ended()
    assert retries.done


def test_a_retry_after_being_away_still_has_its_whole_interval() -> None:
    retries = Retries(0, 100, 3)
    retries.start(470)
    assert not retries.overdue(569, dialing=False)
    assert retries.overdue(570, dialing=False)


def test_being_a_little_late_moves_nothing() -> None:
    retries = Retries(0, 100, 3)
    retries.start(103)
    assert retries.deadline() == 200


def test_a_dial_that_lasts_as_long_as_the_retry_may_still_say_why() -> None:
    retries = Retries(0, 100, 3)
    retries.start(100)
    assert not retries.overdue(200, dialing=True)
    # What it says a moment later is the answer to this retry: the next one has not started.
    assert not retries.due(200) and retries.deadline() == 225
    assert not retries.overdue(201, dialing=False)
    retries.ended()
    assert retries.due(201) and retries.start(201) == 2
    assert retries.deadline() == 300


def test_a_dial_that_never_ends_holds_a_retry_up_for_a_moment_only() -> None:
    retries = Retries(0, 100, 3)
    retries.start(100)
    assert not retries.overdue(200, dialing=True)
    assert not retries.overdue(224, dialing=True)
    assert retries.overdue(225, dialing=True)
    retries.ended()
    assert retries.start(225) == 2
    assert retries.deadline() == 300
