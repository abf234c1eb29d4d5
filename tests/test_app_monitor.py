"""How the machines are: a readable table, and the silent ones marked."""

from collections.abc import Iterator

import pytest
from app_room import Room, room_of

from tanist.peer.apps import monitor as module
from tanist.peer.apps.monitor import SILENT_S, Monitor
from tanist.peer.errors import BadRequest


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Monitor, "ab") as room:
        yield room


def test_the_report_is_a_table(room: Room) -> None:
    room.call("a", "push", "web-1", "12.5", "40", "99.9")
    room.call("a", "push", "db", "100", "0", "5")
    assert room.said("b", "report") == [
        "name    CPU %   RAM %  disk %",
        "db      100.0     0.0     5.0",
        "web-1    12.5    40.0    99.9",
    ]


def test_an_empty_report_has_its_heading(room: Room) -> None:
    assert room.said("b", "report") == ["name   CPU %   RAM %  disk %"]


def test_silent_ones_are_marked_at_their_time_and_not_before(room: Room) -> None:
    room.call("a", "push", "db", "1", "2", "3")
    room.wait(SILENT_S / 2)
    room.call("a", "push", "web", "1", "2", "3")
    room.wait(SILENT_S / 2 - 0.001)
    assert not any("silent" in line for line in room.said("b", "report"))
    room.restart()
    room.wait(0.001)
    assert [line.endswith("silent") for line in room.said("b", "report")] == [False, True, False]
    room.call("a", "push", "db", "4", "5", "6")
    assert not any("silent" in line for line in room.said("b", "report"))
    assert room.heard["b"] == ["db reports", "web reports", "db is silent", "db reports"]


@pytest.mark.parametrize("figures", [("-1", "0", "0"), ("0", "100.1", "0"), ("0", "0", "nan"), ("inf", "0", "0")])
def test_figures_that_cannot_be_are_refused(room: Room, figures: tuple[str, str, str]) -> None:
    assert room.refused("a", "push", "db", *figures) == "bad_figure"


def test_what_is_no_number_is_refused(room: Room) -> None:
    with pytest.raises(BadRequest, match="cpu"):
        room.call("a", "push", "db", "much", "0", "0")


def test_machines_are_bounded_and_silent_ones_can_be_forgotten(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MACHINES_MAX", 1)
    room.call("a", "push", "db", "1", "2", "3")
    assert room.refused("a", "push", "web", "1", "2", "3") == "too_many_machines"
    assert room.refused("a", "forget", "db") == "not_silent"
    assert room.refused("a", "forget", "web") == "unknown_machine"
    room.wait(SILENT_S)
    assert room.call("a", "forget", "db") == "OK"
    assert room.call("a", "push", "web", "1", "2", "3") == "OK"
