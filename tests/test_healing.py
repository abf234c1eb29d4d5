"""What a peer does about heals besides applying them: readable files, the event, and telling whom it concerns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from heal_fake import Ledger, Side

from tanist.election.events import Event
from tanist.peer.electionlog.peer_events import FatesDecided, HealFileFailed
from tanist.peer.errors import WriteSuperseded
from tanist.peer.healing import Healing
from tanist.peer.storage import healfiles
from tanist.peer.storage.healfiles import HealFiles


class Kept(Ledger, on_heal="archive"):
    """Superseded lines are archived."""


class Scene:
    """A side with a peer's healing, and the events that it emitted."""

    def __init__(self, directory: Path, app: type[Ledger] = Ledger) -> None:
        self.directory = directory
        self.events: list[Event] = []
        self.sessions = ["s"]
        self.one = Side(1, app)
        self.one.open("s", "t")
        self.two = self.one.fork(2)
        self.listen(self.one)

    def listen(self, side: Side, started_ns: int = 0) -> Healing:
        self.healing = Healing(self.directory, started_ns, self.events.append, lambda: self.sessions)
        side.listening = self.healing
        self.healing.listen_to(side.machine)
        return self.healing


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_archived_entry_is_a_line_with_its_fate(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "archive")
    scene.two.send("s", 1)
    scene.two.send("s", 2, "add", "bad")
    scene.two.close("t")
    scene.one.heal(scene.two, "2@a:4", unknown_from=5)
    (path,) = (tmp_path / "archive").iterdir()
    assert path.name == "heal-2-a-4.jsonl"
    found = lines(path)
    assert [(line["at"], line["index"], line["fate"], line["acknowledged"]) for line in found] == [
        (4, 3, "replayed", True),
        (5, 4, "refused", True),
        (6, 5, "other", "unknown"),
    ]
    assert (found[0]["arguments"], found[1]["code"]) == ({"text": "1"}, "bad_line")
    (event,) = scene.events
    assert event == FatesDecided("2@a:4", 3, 1, 1, 0, 0, str(path))


def test_entries_that_are_applied_again_after_a_restart_are_not_written_twice(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    for sequence in (1, 2, 3):
        scene.two.send("s", sequence)
    fork = scene.one.begin(scene.two)
    scene.one.archive(scene.two, fork + 1)
    begun_with = scene.one.copy()
    scene.one.archive(scene.two, fork + 2)
    scene.healing.flush()
    whole = (tmp_path / "heal-h.jsonl").read_bytes()
    (tmp_path / "heal-h.jsonl").write_bytes(whole + b'{"at": 99, "torn')
    scene.listen(begun_with)
    begun_with.archive(scene.two, fork + 2)
    begun_with.archive(scene.two, fork + 3)
    begun_with.end()
    assert [line["at"] for line in lines(tmp_path / "heal-h.jsonl")] == [4, 5, 6]
    assert (tmp_path / "heal-h.jsonl").read_bytes().startswith(whole)


@pytest.mark.parametrize("content", [b"", b"no json\n", b"[]\n", b'{"other": 1}\n', b"torn"])
def test_a_file_that_is_not_ours_is_continued(tmp_path: Path, content: bytes) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "heal-h.jsonl").write_bytes(content)
    scene.two.send("s", 1)
    scene.one.heal(scene.two)
    kept = content if content.endswith(b"\n") else b""
    assert (tmp_path / "heal-h.jsonl").read_bytes().removeprefix(kept).count(b"\n") == 1


def test_a_heals_id_never_leads_out_of_the_directory(tmp_path: Path) -> None:
    files = HealFiles(tmp_path)
    for heal in ("../../etc/passwd", "/x", "a\nb", "ü" * 1000, "..", "c:\\x"):
        path = files.path(heal)
        assert path.parent == tmp_path
        assert path.name.startswith("heal-") and path.name.isascii()
        assert len(path.name) <= healfiles.NAME_LENGTH_MAX + len("heal-.jsonl")


def test_a_directory_that_cannot_be_written_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("in the way")
    scene = Scene(tmp_path / "archive")
    scene.two.send("s", 1)
    scene.two.send("s", 2)
    scene.one.heal(scene.two)
    assert scene.one.ask() == ["s:1", "s:2"]
    assert [type(event) for event in scene.events] == [HealFileFailed, FatesDecided]


def test_what_was_told_before_a_restart_is_not_told_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.two.send("s", 1)
    scene.listen(scene.one, started_ns=scene.one.time_ns + 1)
    scene.one.heal(scene.two)
    assert scene.events == []
    scene.listen(scene.one)
    scene.one.heal(scene.two, "nothing new")
    assert scene.events == []


def test_a_program_is_told_once_of_each_heal_that_superseded_its_writes(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Kept)
    machine = scene.one.machine
    scene.healing.tell_once(machine)
    assert scene.healing.header(machine) == ""
    scene.two.send("s", 1)
    scene.two.send("s", 2, floor=1)
    scene.two.send("t", 1)
    scene.one.heal(scene.two, "2@a;\r\nX:9")
    with pytest.raises(WriteSuperseded, match="2 acknowledged commands of this peer were superseded") as told:
        scene.healing.tell_once(machine)
    assert (told.value.code, told.value.status) == ("superseded", 409)
    scene.healing.tell_once(machine)
    # A gateway's callers share the session: the header stays, and no id breaks out of it.
    assert scene.healing.header(machine) == "2@a---X:9; commands=2"
    third = scene.one.fork(3)
    third.send("s", 3)
    scene.one.heal(third, "later")
    with pytest.raises(WriteSuperseded, match=r"3 acknowledged commands .* heal later"):
        scene.healing.tell_once(machine)


def test_notices_of_past_sessions_count_and_those_of_others_do_not(tmp_path: Path) -> None:
    scene = Scene(tmp_path, Kept)
    scene.two.send("t", 1)
    scene.one.heal(scene.two)
    scene.healing.tell_once(scene.one.machine)
    scene.sessions = ["t", "s"]
    with pytest.raises(WriteSuperseded):
        scene.healing.tell_once(scene.one.machine)
