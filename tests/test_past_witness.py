"""A witness: from one peer's events to its accounts of changes."""

from past_lines import A1, B2, LIST, STARTED, at, beas_part, beginning, cyds_part, settled

from tanist.election.events import (
    BallotEnded,
    CanvassStarted,
    Event,
    ListPublished,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    SuffixArchived,
    Woke,
)
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.peer_events import ChangeSettled
from tanist.peer.past.account import Account, Ballot, Retry
from tanist.peer.past.witness import STOOD_MAX, Witness


def heard(peer: str, lines: list[LogLine]) -> tuple[Witness, list[Account]]:
    """A peer's witness, and what it gave over these lines."""
    witness = Witness(peer, peer)
    accounts = [witness.take(line.body, line.wall_ms) for line in lines if line.peer == peer and line.body is not None]
    return witness, [account for account in accounts if account is not None]


def of_c(*events: Event) -> list[Account]:
    """What c tells, that follows a, of these events."""
    lines = [*beginning(), *(at(1000 + n, "c", event) for n, event in enumerate(events))]
    return heard("c", lines)[1]


def test_the_new_server_tells_the_whole_way() -> None:
    _, (account,) = heard("b", [*beginning(), *beas_part(), *settled()])
    assert (account.term, account.lost, account.role, account.at_ms) == (B2, A1, "server", 1000)
    assert (account.evidence, account.detail, account.heard_ms, account.cause) == (
        "closed", "reset", 16.0, "lost the server",
    )  # fmt: skip
    assert account.retries == (Retry(1, 2, 300.0, "refused", "errno 111"), Retry(2, 2, 600.0, "refused", ""))
    assert (account.retries_ms, account.without_ms, account.open_ms, account.write_ms) == (601.0, 620.0, 5.0, 8.0)
    assert account.fallbacks == tuple(LIST)
    (stood,) = account.stood
    assert stood.answers == (("c", "better_rank"), ("c", "support"))
    assert (stood.outcome, stood.support, stood.left_out) == ("won", ("c",), (("a", "refused"),))
    assert (account.outage_ms, account.calls, account.retried, account.deduplicated) == (650.0, 3, 2, 1)


def test_a_follower_tells_its_part_and_what_it_refused() -> None:
    _, (account,) = heard("c", [*beginning(), *cyds_part(), *settled()])
    assert (account.term, account.role, account.without_ms) == (B2, "client", 628.0)
    assert account.votes == (Ballot(2, "b", False, "better_rank"),)
    assert account.outage_ms == 700.0


def test_the_first_server_tells_that_it_was_the_first() -> None:
    _, (account,) = heard("a", beginning())
    assert (account.term, account.lost, account.first, account.evidence) == (A1, "none", True, "")


def test_who_only_joined_has_nothing_to_tell() -> None:
    assert heard("b", beginning())[1] == []
    assert of_c(STARTED, ServerFollowed("b", "h", B2, 99.0), ChangeSettled(B2, 0.0, 0, 0, 0, -1.0)) == []


def test_a_server_found_again_is_no_change() -> None:
    lost = ServerLost("a", A1, "silent", "", 900.0, 7, LIST)
    assert of_c(lost, ServerFollowed("a", "h", A1, 300.0), ChangeSettled(A1, 0.0, 0, 0, 0, -1.0)) == []
    # And it leaves nothing behind in the account of a real one.
    followed = ServerFollowed("b", "h", B2, 5.0)
    (account,) = of_c(
        lost, ServerFollowed("a", "h", A1, 300.0), ServerLost("a", A1, "closed", "", 1.0), followed,
        ChangeSettled(B2, 0.0, 0, 0, 0, -1.0),
    )  # fmt: skip
    assert (account.evidence, account.without_ms, account.at_ms) == ("closed", 5.0, 1002)


def test_a_change_that_another_overtakes_is_told_at_once() -> None:
    lost, again = ServerLost("a", A1, "closed", "", 1.0), ServerLost("b", B2, "closed", "", 2.0)
    (account,) = of_c(lost, ServerFollowed("b", "h", B2, 5.0), again)
    assert (account.term, account.lost, account.calls) == (B2, A1, 0)
    # What is settled later is the second change, not the first.
    told = of_c(
        lost, ServerFollowed("b", "h", B2, 5.0), again, ChangeSettled(B2, 9.0, 1, 0, 0, -1.0),
        ServerFollowed("a", "h", "3@a", 7.0), ChangeSettled("3@a", 8.0, 1, 0, 0, -1.0),
    )  # fmt: skip
    assert [(a.term, a.outage_ms) for a in told] == [(B2, 0.0), ("3@a", 8.0)]


def test_a_restart_tells_what_was_known_and_begins_anew() -> None:
    (account,) = of_c(ServerLost("a", A1, "closed", "", 1.0), ServerFollowed("b", "h", B2, 5.0), STARTED)
    assert account.term == B2
    assert of_c(ServerLost("a", A1, "closed", "", 1.0), STARTED, ServerFollowed("b", "h", B2, 5.0)) == []


def test_a_server_that_was_away_tells_why_it_left() -> None:
    lines = [
        *beginning(),
        at(600, "a", ListPublished(A1, 1, LIST)),
        at(9000, "a", Woke(7000.0, "server")),
        at(9100, "a", ReignEnded(A1, "gave way to the history that goes on")),
        at(9100, "a", RoleChanged("server", "seeking", "none", "gave way to the history that goes on")),
        at(9101, "a", SuffixArchived(5, 8, "fork")),
        at(9102, "a", ServerFollowed("b", "h", B2, 2.0)),
    ]
    witness, _ = heard("a", lines)
    account = witness.present()
    assert account is not None
    assert (account.lost, account.away_ms, account.archived, account.evidence) == (A1, 7000.0, 4, "")
    assert account.cause == "gave way to the history that goes on" and account.fallbacks == tuple(LIST)


def test_a_reign_renewed_follows_from_itself() -> None:
    lines = [
        *beginning(),
        at(900, "a", ReignEnded(A1, "goes on in a higher number")),
        at(901, "a", ReignBegan("3@a", 7, 0.0, False)),
        at(902, "a", ReignOpen("3@a", 7, "heir", 1.0)),
    ]
    account = heard("a", lines)[0].present()
    assert account is not None and (account.term, account.lost) == ("3@a", A1)
    # Its clients stay with it: they have nothing to tell.
    assert of_c(ServerFollowed("a", "h", "3@a", 0.0), ChangeSettled("3@a", 0.0, 0, 0, 0, -1.0)) == []


def test_a_search_without_end_keeps_the_latest_ballots() -> None:
    stands = [
        event
        for number in range(2, 50)
        for event in (
            CanvassStarted(number, ["a"], False),
            BallotEnded(number, "no majority", [], {"a": "silent"}, 1.0),
        )
    ]
    lost, began = ServerLost("a", A1, "closed", "", 1.0), ReignBegan("50@c", 3, 9.0, False)
    (account,) = of_c(lost, *stands, began, ReignOpen("50@c", 3, "heir", 1.0), ChangeSettled("50@c", 0, 0, 0, 0, -1))
    assert [stood.number for stood in account.stood] == list(range(50 - STOOD_MAX, 50))


def test_nothing_is_present_while_no_server_is_known() -> None:
    witness, _ = heard("c", [*beginning(), at(1000, "c", ServerLost("a", A1, "closed", "", 1.0))])
    assert witness.present() is None
