"""How long a peer's callers waited between two answers, and what was sent again."""

from tanist.peer.waits import TRIES_AGAIN_WITHIN_S, Waits


def test_the_longest_gap_is_between_two_answers_while_calls_wait() -> None:
    waits = Waits()
    waits.asked(10.0)
    waits.answered(10.1, more=True)
    waits.answered(11.0, more=False)
    # Nobody waits: this hour is no outage.
    waits.asked(3600.0)
    waits.answered(3600.5, more=False)
    assert round(waits.longest_s, 3) == 0.9


def test_each_change_has_its_own_figures() -> None:
    waits = Waits()
    waits.asked(0.0)
    waits.answered(5.0, more=True)
    waits.begin()
    waits.found(5.5, 7)
    assert (waits.longest_s, waits.calls, waits.owed) == (0, 7, True)
    # What counts is the gap, also where it began before the change was noticed.
    waits.answered(6.0, more=False)
    assert (waits.longest_s, waits.owed) == (1.0, False)


def test_nobody_is_owed_where_nobody_waits() -> None:
    waits = Waits()
    waits.found(1.0, 0)
    assert not waits.owed


def test_a_caller_that_gives_up_and_comes_back_waited_all_the_time() -> None:
    waits = Waits()
    waits.asked(0.0)
    waits.gave_up(1.0)
    waits.asked(1.5)
    waits.answered(3.0, more=False)
    assert waits.longest_s == 3.0
    other = Waits()
    other.asked(0.0)
    other.gave_up(1.0)
    other.asked(1.1 + TRIES_AGAIN_WITHIN_S)
    other.answered(3.2, more=False)
    assert round(other.longest_s, 3) == 0.1


def test_whoever_gave_up_could_have_been_answered_once_there_was_a_server() -> None:
    waits = Waits()
    waits.asked(0.0)
    waits.gave_up(1.0)
    waits.found(1.6, 0)
    assert (waits.longest_s, waits.owed) == (1.6, False)
    waits.asked(2.5)
    waits.answered(2.6, more=False)
    assert waits.longest_s == 1.6


def test_commands_sent_again_and_those_that_were_done_already() -> None:
    waits = Waits()
    for sequence in (1, 2, 2, 3):
        waits.sent_again(sequence)
    waits.answered_before(2)
    waits.answered_before(2)
    # Nobody had an answer to 3 yet, and 9 was sent once only.
    waits.unknown(3)
    waits.answered_before(3)
    waits.answered_before(9)
    assert (waits.retried, waits.deduplicated) == (3, 1)
