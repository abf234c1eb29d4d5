"""Reigns: who served when, why it ended, on what evidence, and what it cost."""

from tanist.election.events import (
    BallotEnded,
    Event,
    ListPublished,
    PeerLost,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    RetriesExhausted,
    RetryEnded,
    ServerFollowed,
    ServerLost,
)
from tanist.peer.electionlog.line import LogLine, make_line
from tanist.peer.electionlog.peer_events import ClientsWaited, PeerStarted, PeerStopped
from tanist.peer.electionlog.reigns import Retry, reigns

A1, B2, B3 = "1@a", "2@b", "3@b"
STARTED = PeerStarted("0", "survivor", "lan", "h:1", "", "")


def at(wall_ms: int, peer: str, event: Event) -> LogLine:
    return make_line(
        event, cluster="home", peer=peer, name=peer, incarnation="1-1", seq=1, wall_ms=wall_ms, mono_ms=0.0
    )


def first_reign() -> list[LogLine]:
    return [
        at(0, "a", ReignBegan(A1, 0, 0.0, True)),
        at(5, "a", ReignOpen(A1, 1, "alone", 5.0)),
        at(100, "b", ServerFollowed("a", "h:1", A1, 3.0)),
        at(110, "c", ServerFollowed("a", "h:1", A1, 3.0)),
        at(120, "a", ListPublished(A1, 1, ["b counts"])),
    ]


def test_a_killed_server_is_told_by_those_who_lost_it() -> None:
    first, second = reigns(
        [
            *first_reign(),
            at(1000, "b", ServerLost("a", A1, "closed", "reset", 20.0)),
            at(1002, "c", ServerLost("a", A1, "closed", "", 20.0)),
            at(1300, "b", RetryEnded(1, 2, "h:1", "refused", "")),
            at(1600, "b", RetryEnded(2, 2, "h:1", "silent", "no hello")),
            at(1601, "b", RetriesExhausted(2, 601.0, ["b", "c"])),
            at(1650, "b", BallotEnded(2, "won", ["c"], {"a": "refused"}, 9.0)),
            at(1700, "b", ReignBegan(B2, 9, 700.0, False)),
            at(1720, "c", ServerFollowed("b", "h:2", B2, 718.0)),
            at(1730, "b", ClientsWaited(2, 650.0, A1, B2)),
            at(1731, "c", ClientsWaited(3, 800.0, A1, B2)),
        ]
    )
    assert (first.server, first.began_ms, first.opened_ms, first.ended_ms, first.why) == (
        "a", 0, 5, 1000, "lost: closed",
    )  # fmt: skip
    assert first.first and first.fallbacks == ["b counts"]
    assert set(first.suspicions) == {"b", "c"}
    assert first.suspicions["b"].retries == [Retry(1, 2, "refused", ""), Retry(2, 2, "silent", "no hello")]
    assert first.suspicions["b"].list_said == ["b", "c"]
    assert (first.successor, first.outage_ms, first.without_ms) == (B2, 700.0, {"b": 700.0, "c": 718.0})
    assert (first.calls_waited, first.longest_wait_ms) == (5, 800.0)
    assert (second.server, second.support, second.left_out) == ("b", ["c"], {"a": "refused"})
    assert second.ended_ms is None and not second.why


def test_a_server_that_says_why_is_believed() -> None:
    first, _ = reigns(
        [
            *first_reign(),
            at(900, "a", ReignEnded(A1, "handed over to b")),
            at(905, "a", PeerStopped("SIGTERM", 0)),
            at(910, "b", ServerLost("a", A1, "goodbye", "", 1.0)),
            at(950, "b", ReignBegan(B2, 9, 40.0, False)),
        ]
    )
    assert (first.ended_ms, first.why) == (900, "handed over to b")


def test_a_server_found_again_is_a_false_alarm() -> None:
    (only,) = reigns(
        [
            *first_reign(),
            at(1000, "b", ServerLost("a", A1, "silent", "", 900.0)),
            at(1300, "b", RetryEnded(1, 3, "h:1", "answered", "")),
            at(1301, "b", ServerFollowed("a", "h:1", A1, 301.0)),
        ]
    )
    assert only.false_alarms == 1 and not only.suspicions
    assert only.ended_ms is None and not only.successor and only.outage_ms is None


def test_a_server_that_speaks_on_in_a_split_has_not_ended() -> None:
    first, second = reigns(
        [
            *first_reign(),
            at(1000, "b", ServerLost("a", A1, "unreachable", "", 900.0)),
            at(1700, "b", ReignBegan(B2, 9, 700.0, False)),
            at(2500, "a", PeerLost("b", "unreachable", "")),
        ]
    )
    assert first.ended_ms is None and not first.why and first.successor == B2
    assert second.began_ms == 1700


def test_a_process_that_stops_or_starts_ends_its_reign() -> None:
    (stopped,) = reigns([*first_reign(), at(900, "a", PeerStopped("disk full", 1))])
    assert (stopped.ended_ms, stopped.why) == (900, "its peer stopped: disk full")
    (killed,) = reigns([*first_reign(), at(900, "a", STARTED)])
    assert (killed.ended_ms, killed.why) == (900, "its process ended without a word")
    lost = at(800, "b", ServerLost("a", A1, "closed", "", 1.0))
    (suspected,) = reigns([*first_reign(), lost, at(900, "a", STARTED)])
    assert (suspected.ended_ms, suspected.why) == (800, "lost: closed")


def test_a_client_that_stops_ends_nothing() -> None:
    (only,) = reigns([*first_reign(), at(900, "b", PeerStopped("SIGTERM", 0)), at(950, "b", STARTED)])
    assert only.ended_ms is None


def test_time_away_is_no_outage() -> None:
    reigned = reigns(
        [
            *first_reign(),
            at(1700, "b", ReignBegan(B2, 9, 700.0, False)),
            at(9000, "c", STARTED),
            at(9100, "c", ServerFollowed("b", "h:2", B2, 99.0)),
        ]
    )
    assert reigned[0].without_ms == {"b": 700.0}


def test_a_server_that_goes_on_in_a_new_number_gave_way_to_it() -> None:
    lines = [at(0, "b", ReignBegan(B2, 1, 0.0, False)), at(50, "b", ReignBegan(B3, 2, 4.0, False))]
    first, second = reigns(lines)
    assert (first.ended_ms, first.why, first.outage_ms) == (50, "gave way to 3@b", 4.0)
    assert second.began_ms == 50


def test_a_reign_is_known_without_its_servers_log() -> None:
    (only,) = reigns([at(100, "c", ServerFollowed("a", "h:1", A1, 3.0))])
    assert (only.server, only.number, only.began_ms) == ("a", 1, None)


def test_no_term_is_no_reign() -> None:
    assert (
        reigns([at(0, "b", ServerLost("", "none", "silent", "", 0.0)), at(1, "b", RetriesExhausted(3, 1.0, []))]) == []
    )


def test_a_ballot_of_another_number_elected_nobody() -> None:
    (only,) = reigns([at(0, "b", BallotEnded(1, "lost", ["c"], {}, 1.0)), at(9, "b", ReignBegan(B2, 1, 0.0, False))])
    assert only.support == []
