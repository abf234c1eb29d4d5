"""The poll: one vote a client, and after a split the votes of both sides on the same question."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of
from heal_fake import Side

from tanist.peer.apps import poll as module
from tanist.peer.apps.poll import Poll
from tanist.peer.errors import BadRequest


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Poll) as room:
        yield room


def test_the_question_and_its_options_are_told_in_lines(room: Room) -> None:
    assert room.said("a", "poll") == [
        "Which way do you go to work?",
        "1. On foot",
        "2. By bicycle",
        "3. By bus or train",
        "4. By car",
    ]


def test_one_vote_a_client(room: Room) -> None:
    assert room.call("a", "vote", "2") == "OK"
    assert room.call("b", "vote", "2") == "OK"
    assert room.refused("a", "vote", "1") == "already_voted"
    room.close("a")
    room.restart()
    assert room.said("c", "results")[1:] == [
        "1. On foot: 0",
        "2. By bicycle: 2",
        "3. By bus or train: 0",
        "4. By car: 0",
    ]
    assert room.heard["c"] == ["1 voted", "2 voted"]


@pytest.mark.parametrize("n", ["0", "5", "-1", "9" * 18])
def test_options_that_are_not_there_are_refused(room: Room, n: str) -> None:
    assert room.refused("a", "vote", n) == "bad_option"
    assert room.ask("a", "results")["votes"] == [0, 0, 0, 0]


@pytest.mark.parametrize("n", ["two", "", "1.5"])
def test_what_is_no_number_is_refused(room: Room, n: str) -> None:
    with pytest.raises(BadRequest):
        room.call("a", "vote", n)


def test_a_new_question_ends_the_old_one(room: Room) -> None:
    room.call("a", "vote", "1")
    assert room.call("b", "ask", "Tea or coffee?", "tea, coffee") == "OK"
    assert room.drain("a") == ["New poll: Tea or coffee?"]
    assert room.call("a", "vote", "2") == "OK"
    assert room.said("c", "results") == ["Tea or coffee?", "1. tea: 0", "2. coffee: 1"]
    assert room.refused("c", "ask", "Yes or no?", "yes,no") == "not_yours"
    room.close("b")
    assert room.call("c", "ask", "Yes or no?", "yes,no") == "OK"


@pytest.mark.parametrize(
    ("question", "options", "code"),
    [
        ("", "a,b", "bad_question"),
        ("q", "a", "bad_options"),
        ("q", "a,a", "bad_options"),
        ("q", "a,", "bad_option"),
        ("q", ",".join(str(n) for n in range(21)), "bad_options"),
        ("q" * 201, "a,b", "bad_question"),
    ],
)
def test_bad_questions_are_refused(room: Room, question: str, options: str, code: str) -> None:
    assert room.refused("a", "ask", question, options) == code


def test_votes_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VOTERS_MAX", 1)
    room.call("a", "vote", "1")
    assert room.refused("b", "vote", "1") == "full"


# Splits


def sides() -> tuple[Side, Side]:
    one = Side(1, Poll, "poll")
    one.open("s", "t", "u")
    one.send("u", 1, "vote", 1)
    return one, one.fork(2)


def tally(side: Side) -> list[int]:
    votes: list[int] = side.machine.query("poll", "results")["votes"]
    return votes


def test_votes_of_both_sides_count_once_each() -> None:
    one, two = sides()
    one.send("s", 1, "vote", 1)
    two.send("s", 1, "vote", 3)
    two.send("t", 1, "vote", 2)
    one.heal(two)
    assert tally(one) == [2, 1, 0, 0]


def test_votes_on_another_question_do_not_count() -> None:
    one, two = sides()
    one.send("s", 1, "ask", "Tea or coffee?", "tea,coffee")
    two.send("t", 1, "vote", 2)
    one.heal(two)
    assert tally(one) == [0, 0]


def test_the_other_sides_question_is_not_asked_and_its_votes_do_not_count() -> None:
    one, two = sides()
    two.send("s", 1, "vote", 4)
    two.send("t", 1, "ask", "Tea or coffee?", "tea,coffee")
    two.send("u", 2, "vote", 1)
    one.heal(two)
    assert one.machine.query("poll", "poll")["question"] == "Which way do you go to work?"
    assert tally(one) == [1, 0, 0, 1]
