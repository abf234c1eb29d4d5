"""The notice board: newest first, in whatever number."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps import board as module
from tanist.peer.apps.board import TEXT_LENGTH_MAX, Board


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Board, "ab") as room:
        yield room


def test_the_newest_comes_first(room: Room) -> None:
    assert [room.call("a", "post", text) for text in ("one", "two", "three")] == [1, 2, 3]
    assert room.said("b", "read") == ["3. three", "2. two", "1. one"]
    assert room.said("b", "read", "2") == ["3. three", "2. two"]
    assert room.said("b", "read", "99") == ["3. three", "2. two", "1. one"]
    assert room.heard["b"] == ["New notice 1. one", "New notice 2. two", "New notice 3. three"]
    assert room.heard["a"] == []


@pytest.mark.parametrize("n", ["0", "-1"])
def test_less_than_one_is_refused(room: Room, n: str) -> None:
    room.call("a", "post", "one")
    assert room.refused("b", "read", n) == "bad_number"


def test_an_empty_board_has_nothing_to_read(room: Room) -> None:
    assert room.ask("a", "read", "5") == []


def test_the_oldest_are_taken_down_and_numbers_not_given_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTICES_MAX", 2)
    for text in ("one", "two", "three"):
        room.call("a", "post", text)
    room.restart()
    assert room.call("b", "post", "four") == 4
    assert room.said("b", "read") == ["4. four", "3. three"]


def test_a_notice_is_one_line_of_bounded_length(room: Room) -> None:
    room.call("a", "post", "real\n99. forged")
    assert room.said("b", "read") == ["1. real 99. forged"]
    assert room.refused("a", "post", "x" * (TEXT_LENGTH_MAX + 1)) == "bad_text"
    assert room.refused("a", "post", "") == "bad_text"
