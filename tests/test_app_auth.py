"""Accounts: nothing before the login, few tries, and no password anywhere."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.application import Refused
from tanist.peer.apps import auth as module
from tanist.peer.apps import passwords
from tanist.peer.apps.auth import Auth
from tanist.peer.apps.passwords import SALT_BYTES, TRIES_MAX, WAIT_S, hashed, new_salt


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(passwords, "WORK", 2)
    with room_of(Auth) as room:
        assert room.call("a", "register", "ada", "s3cret") == "OK"
        yield room


def test_nothing_goes_before_login(room: Room) -> None:
    for call in (("data",), ("keep", "x"), ("logout",), ("passwd", "s3cret", "other")):
        assert room.refused("a", *call) == "not_logged_in"
    assert room.refused("a", "login", "ada", "wrong") == "wrong_password"
    assert room.refused("a", "data") == "not_logged_in"


def test_who_is_logged_in_sees_the_data_on_any_connection_until_its_end(room: Room) -> None:
    assert room.call("a", "login", "ada", "s3cret") == "OK"
    assert room.call("a", "keep", "my plans") == "OK"
    room.restart()
    assert room.said("a", "data") == ["my plans"]
    assert room.refused("b", "data") == "not_logged_in"
    room.call("b", "login", "ada", "s3cret")
    assert room.said("b", "data") == ["my plans"]
    assert room.call("a", "logout") == "OK"
    assert room.refused("a", "data") == "not_logged_in"
    room.close("b")
    assert room.state.logins == {}


def test_tries_are_limited_and_the_limit_ends(room: Room) -> None:
    for _ in range(TRIES_MAX - 1):
        assert room.refused("b", "login", "ada", "guess") == "wrong_password"
    assert room.call("a", "login", "ada", "s3cret") == "OK"
    for _ in range(TRIES_MAX):
        assert room.refused("b", "login", "ada", "guess") == "wrong_password"
    room.open("d")
    assert room.refused("d", "login", "ada", "s3cret") == "too_many_tries"
    room.wait(WAIT_S - 0.001)
    assert room.refused("a", "passwd", "s3cret", "other") == "too_many_tries"
    room.wait(0.001)
    assert room.call("d", "login", "ada", "s3cret") == "OK"


def test_nobody_learns_which_users_there_are(room: Room) -> None:
    with pytest.raises(Refused, match=r"^Wrong user or password$"):
        room.call("b", "login", "eve", "guess")
    with pytest.raises(Refused, match=r"^Wrong user or password$"):
        room.call("b", "login", "ada", "guess")


def test_a_changed_password_ends_other_logins(room: Room) -> None:
    room.call("a", "login", "ada", "s3cret")
    room.call("b", "login", "ada", "s3cret")
    assert room.refused("a", "passwd", "wrong", "other") == "wrong_password"
    assert room.call("a", "passwd", "s3cret", "other") == "OK"
    assert room.said("a", "data") == [""]
    assert room.refused("b", "data") == "not_logged_in"
    assert room.refused("b", "login", "ada", "s3cret") == "wrong_password"
    assert room.call("b", "login", "ada", "other") == "OK"


def test_no_password_is_anywhere(room: Room) -> None:
    room.call("a", "login", "ada", "s3cret")
    room.call("a", "passwd", "s3cret", "0ther")
    room.refused("b", "login", "ada", "gue55")
    snapshot = room.machine.snapshot()
    assert not [word for word in (b"s3cret", b"0ther", b"gue55") if word in snapshot]


def test_two_accounts_with_one_password_look_different(room: Room) -> None:
    room.call("b", "register", "eve", "s3cret")
    ada, eve = (room.state.accounts[user] for user in ("ada", "eve"))
    assert ada.salt != eve.salt and ada.proof != eve.proof


def test_impossible_accounts_are_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.refused("b", "register", "ada", "mine") == "user_taken"
    assert room.refused("b", "register", "", "mine") == "bad_user"
    assert room.refused("b", "register", "eve", "") == "bad_password"
    assert room.refused("b", "register", "eve", "x" * 257) == "bad_password"
    monkeypatch.setattr(module, "ACCOUNTS_MAX", 1)
    assert room.refused("b", "register", "eve", "mine") == "full"
    room.call("a", "login", "ada", "s3cret")
    assert room.refused("a", "keep", "x" * 1001) == "bad_text"


def test_hashes_are_of_the_strength_that_is_told() -> None:
    salt = new_salt()
    assert len(salt) == SALT_BYTES and salt != new_salt()
    assert passwords.WORK == 2**14
    assert len(hashed("s3cret", salt)) == 64
    assert hashed("s3cret", salt) == hashed("s3cret", salt) != hashed("s3cret", new_salt())
