"""Guess the number: own numbers, counted attempts, and a secret that nobody is told."""

import re
from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps.guess import Guess


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Guess, "ab") as room:
        yield room


def find(room: Room, session: str) -> tuple[int, int]:
    """The number of a session, and the attempts it took to halve the way to it."""
    low, high, attempts = 1, 100, 0
    while True:
        middle = (low + high) // 2
        attempts += 1
        answer = room.call(session, "guess", middle)
        if answer.startswith("correct"):
            assert answer == f"correct in {attempts}"
            return middle, attempts
        low, high = (middle + 1, high) if answer == "higher" else (low, middle - 1)
        assert low <= high


def test_halving_finds_every_number_and_each_has_its_own(room: Room) -> None:
    numbers = []
    for _ in range(20):
        room.call("a", "start")
        room.call("b", "start")
        numbers.append((find(room, "a")[0], find(room, "b")[0]))
    assert all(1 <= n <= 100 for pair in numbers for n in pair)
    assert any(a != b for a, b in numbers)


def test_a_game_goes_on_after_a_restart(room: Room) -> None:
    room.call("a", "start")
    secret = room.state.games["a"].secret
    room.call("a", "guess", 100 if secret < 100 else 1)
    room.restart()
    assert room.call("a", "guess", secret) == "correct in 2"


@pytest.mark.parametrize("n", ["0", "101", "-5", "9" * 18])
def test_numbers_out_of_range_are_refused_and_not_counted(room: Room, n: str) -> None:
    room.call("a", "start")
    assert room.refused("a", "guess", n) == "out_of_range"
    assert room.state.games["a"].attempts == 0


def test_without_a_game_there_is_nothing_to_guess(room: Room) -> None:
    assert room.refused("a", "guess", "5") == "no_game"
    room.call("a", "start")
    assert room.refused("b", "guess", "5") == "no_game"
    find(room, "a")
    assert room.refused("a", "guess", "5") == "no_game"


def test_the_secret_is_told_to_nobody(room: Room) -> None:
    assert room.call("a", "start") == "OK"
    game = room.state.games["a"]
    assert room.events == []
    assert not re.search(r"\d\d", repr(game)) and "secret" not in repr(game)


def test_who_leaves_gives_up(room: Room) -> None:
    room.call("a", "start")
    room.close("a")
    assert room.state.games == {}
