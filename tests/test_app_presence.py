"""Who is here: gone after the time, not before, by log time."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps import presence as module
from tanist.peer.apps.presence import Presence

SILENT_S = Presence.Settings().seconds


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Presence, "ab") as room:
        yield room


def here(room: Room, *seconds: str) -> list[str]:
    return [found["name"] for found in room.call("b", "status", *seconds)]


def test_a_silent_one_leaves_at_its_time_and_not_before(room: Room) -> None:
    room.call("a", "heartbeat", "ada")
    room.wait(SILENT_S - 0.001)
    assert room.drain("b") == ["ada is here"]
    assert here(room) == ["ada"]
    room.wait(0.001)
    assert room.drain("b") == ["ada is gone"]
    room.wait(0.001)
    assert here(room) == []


def test_a_heartbeat_keeps_one_here_also_over_a_restart(room: Room) -> None:
    for _ in range(5):
        room.call("a", "heartbeat", "ada")
        room.wait(SILENT_S - 1)
        room.restart()
    assert room.drain("b") == ["ada is here"]
    assert len(room.machine.timers) == 1
    room.wait(1)
    assert room.drain("b") == ["ada is gone"]


def test_one_may_look_back_less_or_further(room: Room) -> None:
    room.call("a", "heartbeat", "ada")
    room.wait(5)
    room.call("a", "heartbeat", "bob")
    assert here(room, "4") == ["bob"]
    assert room.said("b", "status", "5") == ["ada, heard 5.0 s ago", "bob, heard 0.0 s ago"]
    room.wait(60)
    assert here(room, "100") == ["ada", "bob"]


@pytest.mark.parametrize("seconds", ["0", "-1", "1e9", "inf", "nan"])
def test_impossible_seconds_are_refused(room: Room, seconds: str) -> None:
    assert room.refused("a", "status", seconds) == "bad_seconds"


def test_names_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NAMES_MAX", 2)
    for name in ("ada", "bob", "eve"):
        room.call("a", "heartbeat", name)
    assert here(room) == ["bob", "eve"]
    assert len(room.machine.timers) == 2
    assert room.refused("a", "heartbeat", "") == "bad_name"


def test_who_comes_back_is_told(room: Room) -> None:
    room.call("a", "heartbeat", "ada")
    room.wait(SILENT_S)
    room.call("a", "heartbeat", "ada")
    assert room.heard["b"] == ["ada is here", "ada is gone", "ada is here"]
