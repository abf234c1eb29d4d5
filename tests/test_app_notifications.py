"""Notifications: one administrator, everybody hears once, and the password is nowhere."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps import notifications as module
from tanist.peer.apps import passwords
from tanist.peer.apps.notifications import Notifications
from tanist.peer.apps.passwords import TRIES_MAX, WAIT_S


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(passwords, "WORK", 2)
    with room_of(Notifications) as room:
        assert room.call("a", "admin", "open sesame") == "OK"
        yield room


def test_everybody_hears_once(room: Room) -> None:
    assert room.call("a", "broadcast", "Lunch!\nNow") == "OK"
    assert room.heard == {session: ["Lunch! Now"] for session in "abc"}
    room.open("d")
    assert (room.heard["d"], room.said("d", "history")) == ([], ["Lunch! Now"])


def test_only_the_administrator_sends(room: Room) -> None:
    assert room.refused("b", "broadcast", "hi") == "not_admin"
    assert room.refused("b", "admin", "sesame") == "wrong_password"
    assert room.refused("b", "broadcast", "hi") == "not_admin"
    assert room.call("b", "admin", "open sesame") == "OK"
    assert room.call("b", "broadcast", "hi") == "OK"
    room.close("a")
    assert list(room.state.admins) == ["b"]


def test_tries_are_limited_and_the_limit_ends(room: Room) -> None:
    for _ in range(TRIES_MAX):
        assert room.refused("b", "admin", "guess") == "wrong_password"
    room.restart()
    assert room.refused("b", "admin", "open sesame") == "too_many_tries"
    room.wait(WAIT_S - 0.001)
    assert room.refused("b", "admin", "open sesame") == "too_many_tries"
    room.wait(0.001)
    assert room.call("b", "admin", "open sesame") == "OK"


def test_the_password_is_nowhere(room: Room) -> None:
    room.refused("b", "admin", "another secret")
    snapshot = room.machine.snapshot()
    assert b"sesame" not in snapshot and b"secret" not in snapshot


def test_texts_and_passwords_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.refused("a", "broadcast", "") == "bad_text"
    assert room.refused("b", "admin", "") == "bad_password"
    assert room.refused("b", "admin", "x" * 257) == "bad_password"
    monkeypatch.setattr(module, "HISTORY_MAX", 2)
    for n in range(3):
        room.call("a", "broadcast", str(n))
    assert room.said("b", "history") == ["1", "2"]
    assert room.said("b", "history", "1") == ["2"]
