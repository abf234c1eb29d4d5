"""The chat, through the machine as peers run it: who may talk, who hears, and when a nickname is free."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened
from tanist.peer.application import Refused
from tanist.peer.application.machine import Machine
from tanist.peer.application.replies import decode_reply
from tanist.peer.application.specification import validate
from tanist.peer.apps import chat as module
from tanist.peer.apps.chat import NICK_LENGTH_MAX, TEXT_LENGTH_MAX, Chat


class Room:
    """A machine with one chat; sessions by letter, and what each of them heard."""

    def __init__(self, sessions: str) -> None:
        self.machine = Machine({"chat": Chat()}, check=True)
        self.heard: dict[str, list[str]] = {session: [] for session in sessions}
        self.sequences: dict[str, int] = dict.fromkeys(sessions, 0)
        self.machine.local_sessions.update(sessions)
        self.machine.on_event = self.hear
        for session in sessions:
            self._apply(Kind.SESSION_OPENED, SessionOpened(session, "p"))

    def hear(self, event: Any) -> None:
        for session, lines in self.heard.items():
            if event.is_for(session):
                lines.append(event.line)

    def _apply(self, kind: int, body: Any) -> list[Any]:
        entry = Entry(1, "p", kind, 0, 0, msgspec.msgpack.encode(body))
        return self.machine.apply(self.machine.applied + 1, [entry])

    def call(self, session: str, name: str, *arguments: Any) -> Any:
        raw = msgspec.Raw(validate(self.machine.applications["chat"], name, arguments))
        self.sequences[session] += 1
        body = Command(session, self.sequences[session], 1, "chat", name, raw)
        (outcome,) = self._apply(Kind.COMMAND, body)
        return decode_reply(outcome.reply)

    def close(self, session: str) -> None:
        self._apply(Kind.SESSION_CLOSED, SessionClosed(session, "gone"))

    def query(self, name: str, *arguments: Any) -> Any:
        return self.machine.query("chat", name, arguments)


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room("abc")
    yield room
    # The checking machine found no rule broken, whatever the test did.
    assert room.machine.take_failures() == []


def refusal(room: Room, *call: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        room.call(*call)
    return caught.value.code, caught.value.message


def test_everybody_but_the_sender_hears(room: Room) -> None:
    assert room.call("a", "register", "ada") == "OK"
    assert room.call("a", "msg", "здравей 👋") == "OK"
    assert room.heard == {"a": [], "b": ["[ada]: здравей 👋"], "c": ["[ada]: здравей 👋"]}


def test_a_nickname_has_one_holder(room: Room) -> None:
    room.call("a", "register", "ada")
    assert refusal(room, "b", "register", "ada") == ("nickname_taken", "Nickname is taken")
    assert room.call("a", "register", "ada") == "OK"
    assert room.query("who") == ["ada"]


def test_a_new_nickname_frees_the_old_one(room: Room) -> None:
    room.call("a", "register", "ada")
    room.call("a", "register", "eve")
    assert room.call("b", "register", "ada") == "OK"
    assert room.query("who") == ["ada", "eve"]


def test_a_refused_new_nickname_leaves_the_old_one(room: Room) -> None:
    room.call("a", "register", "ada")
    room.call("b", "register", "bob")
    refusal(room, "a", "register", "bob")
    assert room.query("who") == ["ada", "bob"]


def test_a_nickname_is_free_when_its_session_has_closed(room: Room) -> None:
    room.call("a", "register", "ada")
    room.close("a")
    room.close("b")
    assert room.query("who") == []
    assert room.call("c", "register", "ada") == "OK"


def test_only_those_with_a_nickname_talk(room: Room) -> None:
    assert refusal(room, "a", "msg", "hello")[0] == "not_registered"
    assert room.heard["b"] == []


@pytest.mark.parametrize("nick", ["", " ada", "a\nb", "\x07", "x" * (NICK_LENGTH_MAX + 1)])
def test_bad_nicknames_are_refused(room: Room, nick: str) -> None:
    assert refusal(room, "a", "register", nick)[0] == "bad_nickname"


@pytest.mark.parametrize("text", ["", " \n", "x" * (TEXT_LENGTH_MAX + 1)])
def test_bad_messages_are_refused(room: Room, text: str) -> None:
    room.call("a", "register", "ada")
    assert refusal(room, "a", "msg", text)[0] == "bad_text"


def test_nobody_forges_a_line_of_another(room: Room) -> None:
    room.call("a", "register", "ada")
    room.call("a", "msg", "hi\n[bob]: forged")
    assert room.heard["b"] == ["[ada]: hi [bob]: forged"]


def test_history_has_the_last_messages_and_is_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HISTORY_MAX", 3)
    room.call("a", "register", "ada")
    for n in range(5):
        room.call("a", "msg", str(n))
    assert [said["text"] for said in room.query("history")] == ["2", "3", "4"]
    assert room.query("history", 1) == [{"nick": "ada", "text": "4"}]
    assert room.query("history", 0) == []
    assert room.query("history", -1) == []
