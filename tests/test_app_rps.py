"""Rock, paper, scissors: hidden until both moved, and leaving is told."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps.rps import Rps
from tanist.peer.errors import BadRequest

HIDDEN = "Your opponent has moved"


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Rps, "abcd") as room:
        yield room


@pytest.mark.parametrize(
    ("one", "two", "first", "second"),
    [
        ("rock", "scissors", "win", "lose"),
        ("scissors", "paper", "win", "lose"),
        ("paper", "rock", "win", "lose"),
        ("rock", "paper", "lose", "win"),
        ("paper", "paper", "draw", "draw"),
    ],
)
def test_both_are_told_how_it_ended(room: Room, one: str, two: str, first: str, second: str) -> None:
    assert room.call("a", "move", one) == "OK"
    assert room.heard["b"] == []
    assert room.call("b", "move", two) == "OK"
    assert room.heard == {"a": [first], "b": [second], "c": [], "d": []}


def test_nobody_sees_a_hand_before_both_moved(room: Room) -> None:
    room.call("a", "move", "rock")
    room.call("b", "move", "rock")
    room.events.clear()
    room.call("b", "move", "paper")
    assert [(event.to, event.line, event.fields) for event in room.events] == [(("a",), HIDDEN, {})]


def test_a_hand_stands_until_the_round_is_over(room: Room) -> None:
    room.call("a", "move", "rock")
    assert room.refused("a", "move", "paper") == "already_moved"
    room.restart()
    room.call("b", "move", "scissors")
    assert room.drain("a") == ["win"]
    room.call("a", "move", "paper")
    room.call("b", "move", "rock")
    assert room.drain("a") == ["win"]


def test_pairs_do_not_meet_each_other(room: Room) -> None:
    for session, hand in [("a", "rock"), ("b", "paper"), ("c", "paper"), ("d", "rock")]:
        room.call(session, "move", hand)
    assert {s: room.drain(s) for s in "abcd"} == {"a": ["lose"], "b": ["win"], "c": ["win"], "d": ["lose"]}
    room.call("c", "move", "rock")
    room.call("a", "move", "scissors")
    assert room.heard == {"a": [], "b": [HIDDEN], "c": [], "d": [HIDDEN]}


def test_who_is_left_behind_is_told_and_meets_another(room: Room) -> None:
    room.call("a", "move", "rock")
    room.call("b", "move", "paper")
    room.call("a", "move", "rock")
    room.drain("a")
    room.close("b")
    assert room.drain("a") == ["Your opponent left: move again to meet another"]
    room.call("c", "move", "rock")
    room.call("a", "move", "paper")
    assert room.drain("a") == ["win"]


def test_who_left_while_waiting_is_met_by_nobody(room: Room) -> None:
    room.call("a", "move", "rock")
    room.close("a")
    room.call("b", "move", "paper")
    assert room.heard["b"] == []
    room.call("c", "move", "paper")
    assert room.heard["b"] == ["draw"]


def test_other_hands_are_refused(room: Room) -> None:
    with pytest.raises(BadRequest, match="expected rock, paper or scissors"):
        room.call("a", "move", "stone")
    assert room.call("a", "move", "ROCK") == "OK"
