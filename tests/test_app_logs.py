"""The log server: log time, levels, and nothing that looks like a line and is none."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from app_room import SECOND_NS, Room, room_of
from heal_fake import Side

from tanist.peer.application import Here
from tanist.peer.apps import logs as module
from tanist.peer.apps.logs import TEXT_LENGTH_MAX, Logs
from tanist.peer.errors import BadRequest


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Logs, "ab") as room:
        yield room


def test_lines_have_the_logs_own_time(room: Room) -> None:
    room.time_ns = 1_790_000_000 * SECOND_NS + 25_999_999
    assert room.call("a", "log", "WARN", "disk is full") == "OK"
    assert room.said("b", "tail") == ["2026-09-21T14:13:20.025Z WARN disk is full"]
    assert room.heard == {"a": [], "b": ["2026-09-21T14:13:20.025Z WARN disk is full"]}


def test_a_tail_has_as_many_as_asked_for_of_a_level(room: Room) -> None:
    for n, level in enumerate(["INFO", "ERROR", "INFO", "WARN", "ERROR"]):
        room.call("a", "log", level, str(n))
    room.restart()
    assert [line["text"] for line in room.ask("b", "tail", "3")] == ["2", "3", "4"]
    assert [line["text"] for line in room.ask("b", "tail", "9", "ERROR")] == ["1", "4"]
    assert [line["text"] for line in room.ask("b", "tail", "1", "INFO")] == ["2"]


@pytest.mark.parametrize("n", ["0", "-1", "1001"])
def test_an_impossible_tail_is_refused(room: Room, n: str) -> None:
    assert room.refused("a", "tail", n) == "bad_number"


def test_nobody_forges_a_line(room: Room) -> None:
    room.call("a", "log", "INFO", "hi\n2026-01-01T00:00:00.000Z ERROR forged\r\u2028\x1b[31m")
    (line,) = room.said("b", "tail")
    assert line.endswith("INFO hi 2026-01-01T00:00:00.000Z ERROR forged [31m")


def test_other_levels_and_bad_texts_are_refused(room: Room) -> None:
    with pytest.raises(BadRequest, match="level"):
        room.call("a", "log", "DEBUG", "x")
    assert room.refused("a", "log", "INFO", "") == "bad_text"
    assert room.refused("a", "log", "INFO", "x" * (TEXT_LENGTH_MAX + 1)) == "bad_text"


def test_lines_are_bounded_and_so_is_an_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES_MAX", 2)
    for n in range(4):
        room.call("a", "log", "INFO", str(n))
    assert [line["text"] for line in room.ask("a", "tail")] == ["2", "3"]


class Folder:
    """The part of a `Here` that is used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


def test_each_peer_has_the_lines_in_a_file_none_torn_and_of_bounded_size(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = cast("Here", Folder(tmp_path))
    for n in range(2):
        room.call("a", "log", "INFO", f"line {n}")
        room.state.effect(here, room.events[-1])
    file = tmp_path / module.FILE
    assert file.read_text().splitlines() == room.said("b", "tail")
    file.write_bytes(file.read_bytes() + b"torn")
    room.state.effect(here, room.events[-1])
    assert [line.split(" ", 2)[-1] for line in file.read_text().splitlines()] == [
        "line 0",
        "line 1",
        "torn",
        "line 1",
    ]
    monkeypatch.setattr(module, "FILE_BYTES_MAX", 10)
    room.state.effect(here, room.events[-1])
    assert len(file.read_text().splitlines()) == 1
    assert len((tmp_path / "lines.1.log").read_text().splitlines()) == 4


def test_after_a_split_lines_stand_at_their_own_time() -> None:
    one = Side(1, Logs, "logs")
    one.open("s", "t")
    two = one.fork(2)
    for side, session, times in ((one, "s", (2000, 4000)), (two, "t", (1500, 3000))):
        for sequence, time_ns in enumerate(times, 1):
            side.time_ns = time_ns
            side.send(session, sequence, "log", "INFO", str(time_ns))
    one.heal(two)
    texts = [line["text"] for line in one.machine.query("logs", "tail")]
    assert texts == ["1500", "2000", "3000", "4000"]
