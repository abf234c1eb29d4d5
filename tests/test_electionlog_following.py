"""Following logs as they grow: nothing is lost or told twice, whatever happens to the files, and causes come first."""

import collections
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from tanist.election.events import Event, ReignBegan, ServerFollowed
from tanist.peer.electionlog.following import Follower
from tanist.peer.electionlog.line import LINE_BYTES_MAX
from tanist.peer.electionlog.peer_events import LoopStalled
from tanist.peer.electionlog.reader import Problem, survey
from tanist.peer.electionlog.story import show
from tanist.peer.electionlog.writer import ElectionLog

SAID_S = 20.0
"""How long a process may take to say something: it starts Python first."""


class Peers:
    """Logs of peers in a folder, all on one clock that goes a millisecond a line; `behind` are wall clocks' faults."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = 1_795_000_000_000
        self.behind: dict[str, int] = {}
        self._logs: dict[str, ElectionLog] = {}

    def write(self, peer: str, *events: Event, file_bytes_max: int = 1 << 20) -> None:
        """Have a peer write events."""
        if peer not in self._logs:
            (self.folder / peer).mkdir(exist_ok=True)
            self._logs[peer] = ElectionLog(
                self.path(peer),
                cluster="home",
                peer=f"id-{peer}",
                name=peer,
                incarnation=(1, 1),
                mono_ns=lambda: self.now_ms * 1_000_000,
                wall_ns=lambda: (self.now_ms - self.behind.get(peer, 0)) * 1_000_000,
                file_bytes_max=file_bytes_max,
            )
        for event in events:
            self.now_ms += 1
            self._logs[peer].emit(event)

    def stalls(self, peer: str, *numbers: int) -> None:
        """Have a peer write events that are told apart by these numbers."""
        self.write(peer, *(LoopStalled(float(number)) for number in numbers))

    def path(self, peer: str) -> Path:
        """Where a peer's log is."""
        return self.folder / peer / "election.jsonl"


@pytest.fixture
def peers(tmp_path: Path) -> Peers:
    return Peers(tmp_path)


def following(folder: Path) -> tuple[Follower, list[Problem]]:
    problems: list[Problem] = []
    return Follower([folder], problems.append), problems


def told(follower: Follower, looks: int = 2) -> list[tuple[str, float]]:
    """Who wrote which number, of the lines of so many looks; two give all that there is at the first."""
    lines = [line for _ in range(looks) for _, line in follower.fresh()]
    return [(line.name, line.fields.get("stalled_ms", 0.0)) for line in lines]


def test_only_what_comes_is_told_and_once(peers: Peers, tmp_path: Path) -> None:
    peers.stalls("anna", 1)
    follower, problems = following(tmp_path)
    assert told(follower) == []
    peers.stalls("anna", 2)
    peers.stalls("ben", 3)
    peers.stalls("anna", 4)
    assert told(follower) == [("anna", 2.0), ("ben", 3.0), ("anna", 4.0)]
    assert told(follower) == [] and not problems


def test_what_others_have_read_meanwhile_is_not_told_again(peers: Peers, tmp_path: Path) -> None:
    peers.stalls("anna", 1)
    other, _ = following(tmp_path)
    follower, _ = following(tmp_path)
    peers.stalls("anna", 2, 3)
    _, read_meanwhile = [line for _ in range(2) for _, line in other.fresh()]
    follower.told(read_meanwhile)
    assert told(follower) == []


def test_a_line_is_told_once_it_is_whole(peers: Peers, tmp_path: Path) -> None:
    peers.stalls("anna", 1, 2, 3)
    first, second, third = peers.path("anna").read_bytes().splitlines(keepends=True)
    peers.path("anna").write_bytes(first + second[:20])
    follower, problems = following(tmp_path)
    assert told(follower) == []
    with peers.path("anna").open("ab") as file:
        file.write(second[20:] + third[:-1])
    assert told(follower) == [("anna", 2.0)]
    with peers.path("anna").open("ab") as file:
        file.write(b"\n")
    assert told(follower) == [("anna", 3.0)] and not problems


def test_files_that_are_turned_over_lose_nothing(peers: Peers, tmp_path: Path) -> None:
    peers.write("anna", LoopStalled(1.0), file_bytes_max=1000)
    follower, problems = following(tmp_path)
    seen: list[float] = []
    for number in range(2, 30):
        peers.stalls("anna", number)
        if number % 2:
            seen += [number for _, number in told(follower)]
    assert seen == [float(number) for number in range(2, 30)]
    assert peers.path("anna").with_name("election.jsonl.3").exists() and not problems


def test_a_log_that_was_emptied_begins_anew(peers: Peers, tmp_path: Path) -> None:
    peers.stalls("anna", 1, 2)
    follower, _ = following(tmp_path)
    assert told(follower) == []
    os.truncate(peers.path("anna"), 0)
    peers.stalls("anna", 3)
    assert told(follower) == [("anna", 3.0)]


def test_damage_is_told_and_an_endless_line_is_not_kept(peers: Peers, tmp_path: Path) -> None:
    peers.stalls("anna", 1)
    follower, problems = following(tmp_path)
    with peers.path("anna").open("ab") as file:
        for _ in range(3):
            file.write(b"x" * LINE_BYTES_MAX)
            file.flush()
            assert told(follower) == []
        file.write(b"\n")
    peers.stalls("anna", 2)
    assert told(follower) == [("anna", 2.0)]
    assert [str(problem).startswith(f"{peers.path('anna')}: not a line") for problem in problems] == [True]


def test_what_led_to_a_line_comes_before_it_though_its_clock_is_behind(peers: Peers, tmp_path: Path) -> None:
    peers.behind["ben"] = 3_600_000
    peers.stalls("anna", 1)
    peers.stalls("ben", 2)
    follower, _ = following(tmp_path)
    follower.go_on_from(survey([[peers.path("anna")], [peers.path("ben")]]))
    peers.write("ben", ReignBegan("1@id-ben", 1, 0.0, True))
    peers.write("anna", ServerFollowed("id-ben", "h:1", "1@id-ben", 1.0))
    lines = [line.event for _ in range(2) for _, line in follower.fresh()]
    assert lines == ["reign_began", "server_followed"]


def test_a_line_waits_for_one_more_look_at_the_others(peers: Peers, tmp_path: Path) -> None:
    peers.stalls("anna", 1)
    peers.stalls("ben", 2)
    follower, _ = following(tmp_path)
    peers.stalls("ben", 4)
    assert follower.fresh() == []
    # Anna wrote this before ben's line, and her file is only read now.
    peers.now_ms -= 2
    peers.stalls("anna", 3)
    assert told(follower, looks=1) == [("anna", 3.0), ("ben", 4.0)]


def test_the_story_goes_on_until_somebody_has_seen_enough(peers: Peers, tmp_path: Path) -> None:
    peers.write("anna", ReignBegan("1@id-anna", 1, 0.0, True))
    steps: list[Callable[[], None]] = [
        lambda: peers.stalls("anna", 7),
        lambda: None,
        lambda: peers.stalls("ben", 8),
        lambda: None,
    ]

    def wait(_seconds: float) -> None:
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        show([tmp_path], follow=True, stream=stream, errors=io.StringIO(), zone=UTC, wait=wait)
    rows = [row.partition("  ")[2] for row in stream.getvalue().splitlines()]
    assert rows[1:4] == [
        "anna          serving as 1@anna",
        "anna          the event loop stood still for 7 ms",
        "ben           the event loop stood still for 8 ms",
    ]
    assert "term  server" in stream.getvalue()


def test_the_verb_tells_what_is_written_and_ends_with_ctrl_c(peers: Peers, tmp_path: Path) -> None:
    peers.stalls("anna", 1)
    command = [sys.executable, "-m", "tanist.peer.cli", "log", "show", "-f", "--json", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines: queue.Queue[bytes] = queue.Queue()
        reading = threading.Thread(target=lambda: collections.deque(map(lines.put, process.stdout or ()), maxlen=0))
        reading.start()
        try:
            for number in range(1, 4):
                peers.stalls("anna", number + 1)
                line = json.loads(lines.get(timeout=SAID_S))
                assert line["fields"] == {"stalled_ms": float(number)}
            process.send_signal(signal.SIGINT)
            assert process.wait(SAID_S) == 130
        finally:
            process.kill()
            reading.join()
