"""The checks of the demo must find what they are there for."""

from tanist.election.settings import PACES
from tanist.peer.cli.demo_checks import (
    ALLOWANCE_S,
    Change,
    no_errors,
    nothing_lost,
    one_server_per_term,
    outage,
    promised_after_kill_s,
    promised_in_handover_s,
    same_everywhere,
    seconds,
)
from tanist.peer.cli.demo_writers import Ack, longest_pause_s
from tanist.peer.electionlog.reigns import Reign

NAMES = {"a1": "anna", "b2": "ben"}


def test_all_numbers_once_at_every_peer_is_good() -> None:
    check = nothing_lost([1, 2], {"anna": [2, 1, 3], "ben": [2, 1, 3]})
    assert check.passed
    assert "2 acknowledged numbers" in check.text


def test_a_lost_number_is_named_with_its_peer() -> None:
    check = nothing_lost([1, 2, 3], {"anna": [1, 2, 3], "ben": [1]})
    assert not check.passed
    assert check.text.startswith("ben lacks 2 numbers (2, 3)")


def test_a_number_written_twice_is_named() -> None:
    check = nothing_lost([1], {"anna": [1, 1]})
    assert not check.passed
    assert "anna holds 1 number (1) more than once" in check.text


def test_nothing_acknowledged_shows_nothing() -> None:
    assert not nothing_lost([], {"anna": []}).passed
    assert not nothing_lost([1], {}).passed


def test_another_order_is_another_state() -> None:
    assert same_everywhere({"anna": [1, 2], "ben": [1, 2]}).passed
    assert not same_everywhere({"anna": [1, 2], "ben": [2, 1]}).passed


def test_two_servers_in_one_term_are_found() -> None:
    assert one_server_per_term([Reign("1@a1", 1, "a1"), Reign("2@b2", 2, "b2")], NAMES).text.endswith("1 anna, 2 ben")
    check = one_server_per_term([Reign("2@a1", 2, "a1"), Reign("2@b2", 2, "b2")], NAMES)
    assert not check.passed
    assert check.text == "term 2 had more than one server: anna, ben"
    assert not one_server_per_term([], NAMES).passed


def reign_with_outage(outage_ms: float) -> Reign:
    return Reign("1@a1", 1, "a1", successor="2@b2", without_ms={"b2": outage_ms})


def test_an_outage_longer_than_promised_fails_by_log_and_by_clients() -> None:
    change = Change("death of anna", 0.0, 1, 1.0)
    assert outage(change, [reign_with_outage(900)], 0.95).passed
    assert not outage(change, [reign_with_outage(1100 + ALLOWANCE_S * 1000)], 0.95).passed
    assert not outage(change, [reign_with_outage(900)], 1.1 + ALLOWANCE_S).passed
    assert not outage(change, [reign_with_outage(900)], None).passed
    assert not outage(change, [], 0.95).passed


def test_a_client_that_gave_up_fails() -> None:
    assert no_errors([], 3).passed
    assert not no_errors(["number 7 was refused"], 3).passed


def test_promises_follow_the_pace() -> None:
    assert promised_after_kill_s(PACES["classic"]) == 5.0
    assert promised_after_kill_s(PACES["lan"]) == 1.0
    assert promised_in_handover_s(PACES["lan"]) == 0.3


def test_the_pause_counts_answers_that_came_late_with_the_old_term() -> None:
    acks = [Ack(1, 9.9, 1), Ack(2, 10.9, 1), Ack(3, 10.95, 2), Ack(4, 15.0, 2)]
    assert longest_pause_s(acks, 10.0, 1) == 10.9 - 9.9
    assert longest_pause_s(acks[:2], 10.0, 1) is None


def test_durations_are_as_people_read_them() -> None:
    assert seconds(0.0456) == "46 ms"
    assert seconds(1.234) == "1.23 s"
