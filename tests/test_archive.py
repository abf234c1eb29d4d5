"""Archives: readable, on disk before they return, never overwritten."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened, TimerDue
from tanist.election.ready import Archive
from tanist.election.roster import Member, Roster
from tanist.peer.storage.archive import readable, write_archive
from tanist.peer.storage.files import Disk

TIME_NS = 1_700_000_000_123_456_789


def entry(kind: int, body: bytes) -> Entry:
    return Entry(4, "aaaa", kind, 99, 1, body)


def packed(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def command(arguments: dict[str, object]) -> bytes:
    return packed(Command("s1", 7, 5, "kv", "set", msgspec.Raw(packed(arguments)), "key-1"))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


ENTRIES = (
    entry(Kind.REIGN, b""),
    entry(Kind.COMMAND, command({"key": "k", "value": b"\xff\x00", "text": b"plain", "list": [1, None, 2.5]})),
    entry(Kind.SESSION_OPENED, packed(SessionOpened("s1", "aaaa", "ann"))),
    entry(Kind.SESSION_CLOSED, packed(SessionClosed("s1", "gone"))),
    entry(Kind.TIMER, packed(TimerDue("chat", 3))),
    entry(Kind.ROSTER, packed(Roster((Member("aaaa", "alpha", "h:1"),)))),
    entry(200, b"\x01\xfe"),
    entry(Kind.COMMAND, b"not msgpack \xc1"),
)


def test_every_kind_of_entry_is_readable(tmp_path: Path) -> None:
    archive = Archive(11, ENTRIES, 12, "conflict with 5@bbbb")
    path = write_archive(tmp_path / "new", archive, time_ns=TIME_NS, cluster="club", peer="aaaa")
    header, *lines = lines_of(path)
    assert path.name == "archive-20231114T221320Z-11-18.jsonl"
    assert header == {
        "archive": 1,
        "cluster": "club",
        "peer": "aaaa",
        "time": "2023-11-14T22:13:20Z",
        "reason": "conflict with 5@bbbb",
        "first": 11,
        "last": 18,
        "acknowledged_to": 12,
    }
    assert [line["index"] for line in lines] == list(range(11, 19))
    assert [line["acknowledged"] for line in lines] == [True, True] + ["unknown"] * 6
    assert lines[0] == {
        "index": 11,
        "term": {"number": 4, "holder": "aaaa"},
        "kind": "reign",
        "time_ns": 99,
        "acknowledged": True,
    }
    put = lines[1]
    assert (put["kind"], put["app"], put["name"], put["session"], put["sequence"], put["key"]) == (
        "command",
        "kv",
        "set",
        "s1",
        7,
        "key-1",
    )
    assert put["arguments"] == {"key": "k", "value": {"base64": "/wA="}, "text": "plain", "list": [1, None, 2.5]}
    assert (lines[2]["peer"], lines[2]["user"]) == ("aaaa", "ann")
    assert lines[3]["reason"] == "gone"
    assert (lines[4]["app"], lines[4]["handle"]) == ("chat", 3)
    assert lines[5]["members"][0]["name"] == "alpha"
    assert (lines[6]["kind"], lines[6]["body"]) == ("200", {"base64": "Af4="})
    assert lines[7]["body"] == {"base64": "bm90IG1zZ3BhY2sgwQ=="}


def test_odd_values_are_readable() -> None:
    assert readable({1: "a", b"k": (True,)}) == {"1": "a", "k": [True]}
    assert readable(msgspec.msgpack.Ext(5, b"x")) == {"extension": 5, "value": "x"}


def test_archives_are_never_overwritten(tmp_path: Path) -> None:
    archive = Archive(1, ENTRIES[:1], 0, "heal")
    paths = [write_archive(tmp_path, archive, time_ns=TIME_NS) for _ in range(3)]
    assert [path.name for path in paths] == [f"archive-20231114T221320Z-1-1{n}.jsonl" for n in ("", "-2", "-3")]
    assert all(len(lines_of(path)) == 2 for path in paths)


def test_it_is_synced_before_it_has_its_name(tmp_path: Path) -> None:
    steps: list[str] = []

    class Noting(Disk):
        def sync(self, descriptor: int) -> None:
            steps.append("sync")
            super().sync(descriptor)

        def replace(self, source: Path, target: Path) -> None:
            steps.append("replace")
            super().replace(source, target)

        def sync_directory(self, path: Path) -> None:
            steps.append("directory")
            super().sync_directory(path)

    write_archive(tmp_path, Archive(1, ENTRIES, 0, "heal"), time_ns=TIME_NS, disk=Noting())
    assert steps == ["sync", "replace", "directory"]


def test_full_disk_raises_and_leaves_no_empty_archive(tmp_path: Path) -> None:
    class Full(Disk):
        def write(self, descriptor: int, data: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space"):
        write_archive(tmp_path, Archive(1, ENTRIES, 0, "heal"), time_ns=TIME_NS, disk=Full())
    assert not list(tmp_path.glob("*.jsonl"))
