"""The writer: one line an event, in order, and a disk or listener that fails never reaches the peer."""

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tanist.election.events import ReignBegan, RetryEnded
from tanist.peer.electionlog.line import KEYS, LogLine, parse
from tanist.peer.electionlog.peer_events import DialFailed, FeatureLater, LoopStalled
from tanist.peer.electionlog.writer import ElectionLog


class Clock:
    """Nanoseconds that move when told."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "election.jsonl"


def log_at(path: Path, **options: Any) -> ElectionLog:
    return ElectionLog(path, cluster="home", peer="a1", name="anna", incarnation=(3, 0xBEEF), **options)


@pytest.fixture
def log(path: Path) -> Iterator[ElectionLog]:
    log = log_at(path, wall_ns=Clock(1_795_000_000_123_999_999), mono_ns=Clock(5_000_123_456))
    yield log
    log.close()


def lines_of(path: Path) -> list[LogLine]:
    return [parse(raw) for raw in path.read_bytes().splitlines()]


def test_a_line_has_all_keys_in_order(log: ElectionLog, path: Path) -> None:
    log.emit(ReignBegan("1@a1", 0, 12.5, True))
    found = json.loads(path.read_text())
    assert tuple(found) == KEYS
    assert found == {
        "v": 1,
        "event": "reign_began",
        "level": "info",
        "wall": "2026-11-18T11:06:40.123Z",
        "mono_ms": 5000.123,
        "cluster": "home",
        "peer": "a1",
        "name": "anna",
        "incarnation": "3-beef",
        "seq": 1,
        "fields": {"term": "1@a1", "last_index": 0, "without_ms": 12.5, "first": True, "after_term": ""},
    }


def test_lines_are_readable_before_the_file_is_closed_and_numbered(log: ElectionLog, path: Path) -> None:
    for _ in range(3):
        log.emit(LoopStalled(1.0))
    assert [line.seq for line in lines_of(path)] == [1, 2, 3]


def test_injected_lines_stay_inside_their_text(log: ElectionLog, path: Path) -> None:
    forged = '"}\n{"v":1,"event":"reign_began"}\x1b[2J'
    log.emit(RetryEnded(1, 3, "host", "rejected", forged))
    (line,) = lines_of(path)
    assert line.fields["detail"] == forged
    assert b"\x1b" not in path.read_bytes()


def test_debug_is_recorded_only_when_asked_for_and_heard_all_the_same(path: Path) -> None:
    event = DialFailed("host:1", "refused", "")
    log = log_at(path)
    heard: list[LogLine] = []
    log.listeners.append(heard.append)
    log.emit(event)
    log.emit(LoopStalled(1.0))
    log.close()
    assert [(line.event, line.seq) for line in lines_of(path)] == [("loop_stalled", 1)]
    assert [line.event for line in heard] == ["dial_failed", "loop_stalled"]
    log = log_at(path, level="debug")
    log.emit(event)
    log.close()
    assert lines_of(path)[-1].body == event


def test_listeners_hear_what_the_file_has(log: ElectionLog, path: Path) -> None:
    heard: list[LogLine] = []
    log.listeners.append(heard.append)
    log.emit(LoopStalled(1.0))
    log.emit(FeatureLater("--light"))
    assert heard == lines_of(path)


def test_a_listener_that_fails_hears_no_more_and_the_others_do(log: ElectionLog, path: Path) -> None:
    heard: list[str] = []

    def broken(_line: LogLine) -> None:
        raise RuntimeError("page gone")

    log.listeners += [broken, lambda line: heard.append(line.event)]
    log.emit(LoopStalled(1.0))
    log.emit(LoopStalled(2.0))
    assert sorted(heard) == ["listener_failed", "loop_stalled", "loop_stalled"]
    assert [line.event for line in lines_of(path)] == ["loop_stalled", "listener_failed", "loop_stalled"]
    assert "page gone" in lines_of(path)[1].fields["error"]


def test_a_full_disk_costs_lines_that_are_counted(
    log: ElectionLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    log.listeners.append(lambda line: heard.append(line.event))
    log.emit(LoopStalled(0.0))

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(3):
            log.emit(LoopStalled(1.0))
        assert log.lost == 3
    log.emit(LoopStalled(2.0))
    assert log.lost == 0
    lines = lines_of(path)
    assert [line.event for line in lines] == ["loop_stalled", "election_log_lines_lost", "loop_stalled"]
    assert lines[1].fields["lines"] == 3 and "No space left" in lines[1].fields["error"]
    # The numbers of the lost lines are missing, and no others.
    assert [line.seq for line in lines] == [1, 5, 6]
    # Listeners hear all events, and once that the file does not take them.
    assert heard.count("election_log_unwritable") == 1 and heard.count("loop_stalled") == 5


def test_a_missing_directory_costs_lines_until_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "data" / "election.jsonl"
    log = log_at(path)
    log.emit(LoopStalled(1.0))
    assert log.lost == 1
    path.parent.mkdir()
    log.emit(LoopStalled(2.0))
    log.close()
    assert [line.event for line in lines_of(path)] == ["election_log_lines_lost", "loop_stalled"]


def test_turning_over_loses_nothing_while_files_last(path: Path) -> None:
    log = log_at(path, file_bytes_max=1000, files_max=4)
    for i in range(10):
        log.emit(LoopStalled(float(i)))
    log.close()
    files = sorted(path.parent.iterdir(), reverse=True)
    assert len(files) > 2 and all(file.stat().st_size <= 1000 for file in files)
    assert sorted(line.seq for file in files for line in lines_of(file)) == list(range(1, 11))


@pytest.mark.bench
def test_bench_emit(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = log_at(path)
    count = 5000
    began = time.perf_counter()
    for _ in range(count):
        log.emit(RetryEnded(1, 3, "127.0.0.1:7400", "refused", "nothing listens"))
    took_s = time.perf_counter() - began
    log.close()
    with capsys.disabled():
        print(f"\nelection log: {took_s / count * 1e6:.1f} us a line")
