"""Filters: by time, event, peer and term."""

from datetime import UTC, datetime

import pytest

from tanist.election.events import Event, FallbackChosen, ReignBegan, ServerFollowed, ServerLost, VoteCast
from tanist.peer.electionlog.filters import Filter, known_events, since_ms
from tanist.peer.electionlog.line import LogLine, make_line
from tanist.peer.electionlog.peer_events import ClientsWaited, LoopStalled, PeerStarted

NOW_MS = int(datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp() * 1000)


def line_of(event: Event, peer: str = "7f3a9c10", name: str = "anna", wall_ms: int = NOW_MS) -> LogLine:
    return make_line(
        event, cluster="home", peer=peer, name=name, incarnation="1-1", seq=1, wall_ms=wall_ms, mono_ms=0.0
    )


@pytest.mark.parametrize(
    ("text", "ago_s"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("2026-11-21T11:00:00Z", 3600),
        ("2026-11-21T12:59:00+01:00", 60),
        ("11:00Z", 3600),
        ("13:00Z", 23 * 3600),
    ],
)
def test_times_people_write(text: str, ago_s: float) -> None:
    assert NOW_MS - since_ms(text, NOW_MS) == ago_s * 1000


@pytest.mark.parametrize("text", ["", "yesterday", "10", "10x", "25:00", "2026-13-01", "9" * 30 + "d"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read the time"):
        since_ms(text, NOW_MS)


def test_event_names_are_checked_with_a_hint() -> None:
    assert known_events(["Reign-Began", "vote_cast"]) == {"reign_began", "vote_cast"}
    with pytest.raises(ValueError, match="did you mean reign_began"):
        known_events(["reign_begun"])
    with pytest.raises(ValueError, match=r"events\.md"):
        known_events(["zzz"])


def test_without_a_question_all_lines_pass() -> None:
    assert Filter().accepts(line_of(LoopStalled(1.0)))


def test_since_and_event() -> None:
    asked = Filter(since=NOW_MS, event=frozenset({"loop_stalled"}))
    assert asked.accepts(line_of(LoopStalled(1.0)))
    assert not asked.accepts(line_of(LoopStalled(1.0), wall_ms=NOW_MS - 1))
    assert not asked.accepts(line_of(ReignBegan("1@a", 0, 0.0, True)))


@pytest.mark.parametrize(
    ("peer", "passes"), [("anna", True), ("7f3a9c10", True), ("7f3a", True), ("7f3", False), ("ann", False)]
)
def test_a_peer_is_its_name_or_the_begin_of_its_id(peer: str, passes: bool) -> None:
    assert Filter(peer=peer).accepts(line_of(LoopStalled(1.0))) is passes


def test_a_term_is_the_lines_that_name_it_and_those_within_it() -> None:
    asked = Filter(term=2)
    lines = [
        (PeerStarted("0", "survivor", "lan", "h:1", "", ""), False),
        (ServerFollowed("a", "h:1", "1@a", 0.0), False),
        (LoopStalled(1.0), False),
        (ServerLost("a", "1@a", "closed", "", 1.0), False),
        (VoteCast(2, "b", True, ""), True),
        (FallbackChosen("b", "heir"), False),
        (ReignBegan("2@b", 5, 10.0, False), True),
        (LoopStalled(2.0), True),
        (ClientsWaited(3, 9.0, "1@a", "2@b"), True),
        (ClientsWaited(3, 9.0, "2@b", "3@c"), True),
        (PeerStarted("0", "survivor", "lan", "h:1", "", ""), False),
        (LoopStalled(3.0), False),
    ]
    assert [asked.accepts(line_of(event)) for event, _ in lines] == [expected for _, expected in lines]


def test_the_term_of_one_peer_is_not_anothers() -> None:
    asked = Filter(term=2)
    assert asked.accepts(line_of(ReignBegan("2@b", 5, 10.0, False)))
    assert not asked.accepts(line_of(LoopStalled(1.0), peer="c0ffee12"))
