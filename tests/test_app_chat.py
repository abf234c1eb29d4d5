"""The chat, through the machine as peers run it: who may talk, who hears, and when a nickname is free."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.application import Refused
from tanist.peer.apps import chat as module
from tanist.peer.apps.chat import TEXT_LENGTH_MAX, Chat
from tanist.peer.apps.checks import NAME_LENGTH_MAX


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Chat) as room:
        yield room


def test_everybody_but_the_sender_hears(room: Room) -> None:
    assert room.call("a", "register", "ada") == "OK"
    assert room.call("a", "msg", "здравей 👋") == "OK"
    assert room.heard == {"a": [], "b": ["[ada]: здравей 👋"], "c": ["[ada]: здравей 👋"]}


def test_a_nickname_has_one_holder(room: Room) -> None:
    room.call("a", "register", "ada")
    with pytest.raises(Refused, match=r"^Nickname is taken$"):
        room.call("b", "register", "ada")
    assert room.call("a", "register", "ada") == "OK"
    assert room.ask("a", "who") == ["ada"]


def test_a_new_nickname_frees_the_old_one(room: Room) -> None:
    room.call("a", "register", "ada")
    room.call("a", "register", "eve")
    assert room.call("b", "register", "ada") == "OK"
    assert room.ask("a", "who") == ["ada", "eve"]


def test_a_refused_new_nickname_leaves_the_old_one(room: Room) -> None:
    room.call("a", "register", "ada")
    room.call("b", "register", "bob")
    room.refused("a", "register", "bob")
    assert room.ask("a", "who") == ["ada", "bob"]


def test_a_nickname_is_free_when_its_session_has_closed(room: Room) -> None:
    room.call("a", "register", "ada")
    room.close("a")
    room.close("b")
    assert room.ask("a", "who") == []
    assert room.call("c", "register", "ada") == "OK"


def test_only_those_with_a_nickname_talk(room: Room) -> None:
    assert room.refused("a", "msg", "hello") == "not_registered"
    assert room.heard["b"] == []


@pytest.mark.parametrize("nick", ["", " ada", "a\nb", "\x07", "x" * (NAME_LENGTH_MAX + 1)])
def test_bad_nicknames_are_refused(room: Room, nick: str) -> None:
    assert room.refused("a", "register", nick) == "bad_nickname"


@pytest.mark.parametrize("text", ["", " \n", "x" * (TEXT_LENGTH_MAX + 1)])
def test_bad_messages_are_refused(room: Room, text: str) -> None:
    room.call("a", "register", "ada")
    assert room.refused("a", "msg", text) == "bad_text"


def test_nobody_forges_a_line_of_another(room: Room) -> None:
    room.call("a", "register", "ada")
    room.call("a", "msg", "hi\n[bob]: forged")
    assert room.heard["b"] == ["[ada]: hi [bob]: forged"]


def test_history_has_the_last_messages_and_is_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HISTORY_MAX", 3)
    room.call("a", "register", "ada")
    for n in range(5):
        room.call("a", "msg", str(n))
    assert [said["text"] for said in room.ask("a", "history")] == ["2", "3", "4"]
    assert room.said("b", "history", 2) == ["[ada]: 3", "[ada]: 4"]
    assert room.ask("a", "history", 1) == [{"nick": "ada", "text": "4"}]
    assert room.ask("a", "history", 0) == []
    assert room.ask("a", "history", -1) == []
