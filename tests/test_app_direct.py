"""Messages from one to one: only the addressee hears."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps.direct import TEXT_LENGTH_MAX, Direct


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Direct) as room:
        room.call("a", "register", "ada")
        room.call("b", "register", "bob")
        yield room


def test_only_the_addressee_hears(room: Room) -> None:
    assert room.call("a", "send", "bob", "здравей 👋") == "OK"
    assert room.heard == {"a": [], "b": ["[ada]: здравей 👋"], "c": []}


def test_unknown_ones_are_refused(room: Room) -> None:
    assert room.refused("a", "send", "eve", "hello") == "unknown_nickname"
    room.close("b")
    assert room.refused("a", "send", "bob", "hello") == "unknown_nickname"
    assert room.ask("c", "who") == ["ada"]


def test_only_those_with_a_nickname_write(room: Room) -> None:
    assert room.refused("c", "send", "bob", "hello") == "not_registered"
    assert room.refused("c", "register", "bob") == "nickname_taken"
    assert room.heard["b"] == []


def test_a_message_is_one_line_of_bounded_length(room: Room) -> None:
    room.call("a", "send", "bob", "hi\r\n[eve]: forged\x1b[2J")
    assert room.heard["b"] == ["[ada]: hi [eve]: forged [2J"]
    assert room.refused("a", "send", "bob", "x" * (TEXT_LENGTH_MAX + 1)) == "bad_text"
    assert room.refused("a", "send", "bob", "\n") == "bad_text"
