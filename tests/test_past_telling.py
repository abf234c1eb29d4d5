"""The record of a reign: what it says of accounts, and that logs and the replicated log say the same."""

import msgspec
import pytest
from past_lines import A1, B2, LIST, at, beas_part, beginning, cyds_part, settled

from tanist.election.entries import Entry, Kind
from tanist.election.events import HealFinished, ListPublished, ReignBegan, ReignEnded, RoleChanged, ServerFollowed
from tanist.peer.application.machine import Machine
from tanist.peer.electionlog.peer_events import ChangeSettled, PeerStopped
from tanist.peer.errors import BadRequest, NotFound
from tanist.peer.past import fromlogs
from tanist.peer.past.account import Account, encode
from tanist.peer.past.asking import past_of
from tanist.peer.past.fromlogs import past_of_logs
from tanist.peer.past.telling import Past, find, history, tell
from tanist.peer.past.views import OpposedView, PlaceView
from tanist.peer.status import TermView

FAILOVER = [*beginning(), *beas_part(), *cyds_part(), *settled()]


def test_a_failover_is_told_whole() -> None:
    past = past_of_logs(FAILOVER)
    why = tell(past, (2, "b"))
    assert (why.name, why.because, why.before, why.before_name) == (
        "bea",
        "ann was lost: closed",
        TermView(1, "a"),
        "ann",
    )
    assert (why.complete, why.first_index, why.began) == (True, 9, "1970-01-01T00:00:01.620Z")
    assert [(w.name, w.role, w.evidence) for w in why.witnesses] == [
        ("bea", "server", "closed"), ("cyd", "client", "closed"),
    ]  # fmt: skip
    assert why.fallbacks == [PlaceView("bea", True, "better link"), PlaceView("cyd", False, "lower link")]
    (ballot,) = why.stood
    assert (ballot.name, ballot.outcome, ballot.support, ballot.left_out) == ("bea", "won", ["cyd"], {"ann": "refused"})
    times = why.times
    assert (times.detection_ms, times.retries_ms, times.ballot_ms, times.without_ms) == (16.0, 601.0, 9.0, 620.0)
    assert (times.open_ms, times.write_ms) == (5.0, 8.0)
    assert (why.outage_ms, why.calls, why.retried, why.deduplicated, why.archived) == (700.0, 7, 6, 1, 0)
    assert why.ended is None
    first = tell(past, (1, "a"))
    assert first.because == "the first server of this cluster"
    assert first.ended is not None and first.ended.term == TermView(2, "b")
    assert first.outage_ms is None and first.before is None


def test_the_replicated_log_says_what_the_logs_say() -> None:
    from_logs = past_of_logs(FAILOVER)
    machine = Machine({})
    accounts = [account for known in from_logs.accounts.values() for account in known]
    reigns = [Entry(1, "a", Kind.REIGN, 3_000_000, 0, b""), Entry(2, "b", Kind.REIGN, 1_620_000_000, 0, b"")]
    entries = [Entry(2, "b", Kind.ACCOUNT, 2_000_000_000, 0, encode(account)) for account in accounts]
    machine.apply(1, [*reigns, *entries])
    from_machine = past_of(machine, {"a": "ann", "b": "bea", "c": "cyd"}, [])
    said, told = tell(from_logs, (2, "b")), tell(from_machine, (2, "b"))
    # Of the two only the places of entries differ: these lines name other ones.
    assert msgspec.structs.replace(said, first_index=2) == told
    assert [r.because for r in history(from_machine)] == [r.because for r in history(from_logs)]


def test_who_refused_is_told_also_where_the_candidate_never_spoke() -> None:
    past = past_of_logs([*beginning(), *cyds_part(), *settled()])
    why = tell(past, (2, "b"))
    assert not why.complete and why.times.without_ms is None
    (ballot,) = why.stood
    assert (ballot.name, ballot.outcome, ballot.opposed) == ("bea", "", [OpposedView("cyd", "better_rank")])


def test_a_peer_that_was_away_itself_does_not_make_the_outage_longer() -> None:
    frozen = Account("a", "ann", B2, "client", A1, 9000, cause="woke", away_ms=5000.0, outage_ms=4700.0)
    past = past_of_logs(FAILOVER)
    past.accounts[2, "b"].append(frozen)
    why = tell(past, (2, "b"))
    assert why.outage_ms == 700.0
    assert [w.outage_ms for w in why.witnesses] == [650.0, 700.0, 4700.0]
    # Where nobody else had callers, that is what is known.
    assert tell(Past(accounts={(2, "b"): [frozen]}), (2, "b")).outage_ms == 4700.0


def test_a_hand_over_says_so() -> None:
    lines = [
        *beginning(),
        at(900, "a", ReignEnded(A1, "the server hands over")),
        at(901, "c", RoleChanged("client", "seeking", "none", "the server hands over")),
        at(910, "a", ServerFollowed("b", "h", B2, 8.0)),
        at(911, "c", ServerFollowed("b", "h", B2, 9.0)),
    ]
    why = tell(past_of_logs(lines), (2, "b"))
    assert why.because == "ann handed over"
    assert [(w.name, w.cause) for w in why.witnesses] == [
        ("ann", "the server hands over"),
        ("cyd", "the server hands over"),
    ]


def test_a_server_that_hands_over_and_ends_has_told_its_list_in_its_log() -> None:
    """It gives no account any more, and its clients lose nothing: the list is in the lines that published it."""
    past = past_of_logs(
        [
            *beginning(),
            at(600, "a", ListPublished(A1, 2, ["cyd counts (the only one)"])),
            at(700, "a", ListPublished(A1, 3, LIST)),
            at(1000, "a", ReignEnded(A1, "the server hands over", 9)),
            at(1001, "a", PeerStopped("it was told to end", 0)),
            at(1002, "b", RoleChanged("client", "seeking", "none", "the server hands over")),
            at(1003, "b", ReignBegan(B2, 10, 1.0, False)),
            at(1004, "b", ListPublished(B2, 1, [])),
            at(1504, "b", ChangeSettled(B2, 0.0, 0, 0, 0, -1.0)),
        ]
    )
    why = tell(past, (2, "b"))
    assert [place.name for place in why.fallbacks] == ["bea", "cyd"]
    assert why.fallbacks_of == "ann"


def test_what_a_heal_archived_counts_for_the_reign_in_which_it_ended() -> None:
    lines = [*FAILOVER, at(3000, "b", HealFinished("h1", 12, 0))]
    assert tell(past_of_logs(lines), (2, "b")).archived == 12


def test_logs_of_made_up_peers_end_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fromlogs, "PEERS_MAX", 2)
    past = past_of_logs([*FAILOVER, at(5000, "b", ReignBegan("nonsense", 1, 0.0, False))])
    # Two are followed, who come first; of the third nothing is known, nor of a term that is none.
    assert set(past.names) == {"a", "b"} and past.terms() == [(1, "a"), (2, "b")]
    assert [w.name for w in tell(past, (2, "b")).witnesses] == ["bea"]


def test_what_is_not_in_the_log_yet_is_told_and_marked() -> None:
    mine = Account("c", "cyd", B2, "client", A1, 1000, evidence="silent", without_ms=5.0)
    past = Past(unrecorded=[mine])
    why = tell(past, (2, "b"))
    assert [(w.evidence, w.recorded) for w in why.witnesses] == [("silent", False)]
    # Once it is there, it is told once.
    past.accounts[2, "b"] = [mine]
    assert len(tell(past, (2, "b")).witnesses) == 1


def test_reigns_are_found_by_number_by_holder_and_the_last() -> None:
    past = past_of_logs(FAILOVER)
    past.accounts[2, "c"] = [Account("c", "cyd", "2@c", "server", A1, 1000)]
    assert find(past, "last") == [(2, "c")]
    assert find(past, "2") == [(2, "b"), (2, "c")]
    assert find(past, "2@b") == find(past, "2@bea") == [(2, "b")]
    for bad in ("", "two", "2@", "@b", "-1", "²"):
        with pytest.raises(BadRequest, match="no term"):
            find(past, bad)
    with pytest.raises(NotFound, match="known are 1 to 2"):
        find(past, "7")
    with pytest.raises(NotFound, match="nobody has served"):
        find(Past(), "last")
