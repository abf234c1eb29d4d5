"""To-do lists: a person's, not a connection's."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of
from heal_fake import Side

from tanist.peer.apps import todo as module
from tanist.peer.apps.todo import TEXT_LENGTH_MAX, Todo


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Todo) as room:
        room.call("a", "login", "ada")
        room.call("b", "login", "ada")
        room.call("c", "login", "eve")
        yield room


def test_another_connection_of_the_user_sees_changes_at_once(room: Room) -> None:
    assert room.call("a", "add", "buy milk") == 1
    assert room.call("b", "add", "call Bob") == 2
    assert room.call("b", "done", "1") == "OK"
    assert room.said("a", "list") == room.said("b", "list") == ["1 [x] buy milk", "2 [ ] call Bob"]
    assert room.heard == {"a": ["Added: 2 call Bob", "Done: 1 buy milk"], "b": ["Added: 1 buy milk"], "c": []}


def test_others_see_and_touch_nothing(room: Room) -> None:
    room.call("a", "add", "buy milk")
    assert room.said("c", "list") == []
    assert room.refused("c", "done", "1") == "unknown_task"
    assert room.refused("c", "del", "1") == "unknown_task"


def test_a_list_outlives_connections_and_numbers_are_not_given_again(room: Room) -> None:
    room.call("a", "add", "buy milk")
    room.call("a", "add", "call Bob")
    assert room.call("a", "del", "2") == "OK"
    room.close("a")
    room.close("b")
    room.restart()
    assert room.refused("c", "add", "") == "bad_text"
    room.call("c", "login", "ada")
    assert room.call("c", "add", "sleep") == 3
    assert room.said("c", "list") == ["1 [ ] buy milk", "3 [ ] sleep"]


def test_nothing_goes_before_login(room: Room) -> None:
    room.open("d")
    for call in (("add", "x"), ("list",), ("done", "1"), ("del", "1")):
        assert room.refused("d", *call) == "not_registered"
    assert room.refused("d", "login", "\n") == "bad_name"


def test_lists_are_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    assert room.refused("a", "add", "x" * (TEXT_LENGTH_MAX + 1)) == "bad_text"
    monkeypatch.setattr(module, "TASKS_MAX", 1)
    monkeypatch.setattr(module, "LISTS_MAX", 1)
    room.call("a", "add", "one")
    assert room.refused("a", "add", "two") == "full"
    assert room.refused("c", "add", "one") == "too_many_lists"


def test_after_a_split_both_sides_tasks_are_there_and_none_is_mistaken_for_another() -> None:
    one = Side(1, Todo, "todo")
    one.open("s", "t")
    one.send("s", 1, "login", "ada")
    one.send("t", 1, "login", "ada")
    one.send("s", 2, "add", "shared")
    two = one.fork(2)
    one.send("s", 3, "add", "here")
    one.close("t")
    two.send("t", 2, "add", "there")
    two.send("t", 3, "del", 2)
    two.send("t", 4, "done", 1)
    one.heal(two)
    listed = [(item["text"], item["done"]) for item in one.machine.query("todo", "list", session="s")]
    assert listed == [("shared", True), ("here", False), ("there", False)]
