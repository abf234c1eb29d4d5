"""`tanist demo` as a process, and what it says and leaves behind when something goes wrong."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tanist.peer.cli import demo
from tanist.peer.cli.demo_checks import Check
from tanist.peer.cli.demo_peers import DemoPeer, free_ports
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.verbs import run

TANIST = [sys.executable, "-c", "import sys; from tanist.peer.cli import main; sys.exit(main())"]
END_S = 40.0


def begin(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TANIST_NAME": "not-for-the-demo"}
    return subprocess.Popen(
        [*TANIST, "demo", "--pace", "fast", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        env=environment,
    )


def read_until(running: "subprocess.Popen[str]", words: str) -> None:
    assert running.stdout is not None
    while words not in (line := running.stdout.readline()):
        assert line, running.communicate()


def children(running: "subprocess.Popen[str]") -> list[psutil.Process]:
    found = psutil.Process(running.pid).children(recursive=True)
    assert found
    return found


@pytest.mark.slow
def test_the_whole_story_ends_0_with_every_check_passed_and_nothing_left(tmp_path: Path) -> None:
    running = begin(tmp_path, "--once")
    out, err = running.communicate(timeout=END_S)
    assert running.returncode == 0, out + err
    assert err == ""
    assert out.count("killed") == 2
    assert "All 7 checks passed." in out
    assert "\x1b" not in out, "no colour where nobody looks"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "status"), [pytest.param(n, 130, marks=pytest.mark.slow) for n in (signal.SIGINT, signal.SIGTERM)]
)
def test_an_interrupted_story_leaves_no_process_and_no_file(tmp_path: Path, number: int, status: int) -> None:
    running = begin(tmp_path, "--once")
    read_until(running, "Now anna is killed")
    peers = children(running)
    running.send_signal(number)
    out, err = running.communicate(timeout=END_S)
    assert running.returncode == status, out + err
    assert "Traceback" not in err
    assert psutil.wait_procs(peers, timeout=5)[1] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_peers_end_with_a_demo_that_was_killed(tmp_path: Path) -> None:
    running = begin(tmp_path, "--once")
    read_until(running, "Clients write")
    peers = children(running)
    running.kill()
    running.communicate(timeout=END_S)
    assert psutil.wait_procs(peers, timeout=5)[1] == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_without_once_the_peers_stay_until_ctrl_c_which_is_a_good_end(tmp_path: Path) -> None:
    running = begin(tmp_path)
    read_until(running, "Enter plays the story again")
    peers = children(running)
    assert len(peers) == 3
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=END_S)
    assert running.returncode == 0, out + err
    assert psutil.wait_procs(peers, timeout=5)[1] == []


def test_a_failed_check_is_said_and_ends_1(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    class Told:
        changes = ()

        def __init__(self, *_: object, **__: object) -> None: ...

        async def play(self) -> None: ...

        def picture(self) -> None: ...

    async def lost(*_: object) -> dict[str, list[int]]:
        return {"anna": [1, 3]}

    monkeypatch.setattr(demo, "Story", Told)
    monkeypatch.setattr(demo, "_held", lost)
    monkeypatch.setattr(demo, "judge", lambda *_: [Check(True, "well"), Check(False, "anna lacks 2")])
    assert run(["demo", "--once"]) == Exit.FAILED
    out, _ = capfd.readouterr()
    assert "FAILED  anna lacks 2\n" in out
    assert "1 of 2 checks failed." in out


def test_a_peer_that_does_not_start_ends_the_story_with_its_words(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    start = DemoPeer.start
    monkeypatch.setattr(DemoPeer, "start", lambda self, arguments: start(self, [*arguments, "--app", "nothing"]))
    assert run(["demo", "--once"]) == Exit.FAILED
    out, _ = capfd.readouterr()
    assert "anna ended by itself with status 2" in out
    assert "no such built-in application" in out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--peers", "1"], "2 to 7"),
        (["--peers", "2", "--safety", "quorum"], "3 to 7"),
        (["--pace", "slow"], "classic"),
        (["--safety", "none"], "quorum"),
    ],
)
def test_what_cannot_be_played_is_wrong_usage(words: list[str], named: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", *words]) == Exit.USAGE
    assert named in capfd.readouterr().err


async def test_ports_are_free_where_they_were_found() -> None:
    ports = free_ports(4)
    servers = [await asyncio.start_server(lambda *_: None, "127.0.0.1", port) for port in ports]
    for server in servers:
        server.close()
        await server.wait_closed()


def test_no_free_ports_is_a_failure_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tanist.peer.cli.demo_peers._is_free", lambda port: False)
    with pytest.raises(VerbError, match="neighbouring ports"):
        free_ports(4)
