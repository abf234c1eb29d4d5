"""`tanist shell` and `tanist connect` without a terminal: which application, and how they end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist.peer.cli.console import _chosen
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.verbs import run

DEADLINE_S = 20.0


def test_the_only_application_needs_no_name() -> None:
    assert _chosen(["kv"], False) == "kv"
    for names in ([], ["chat", "kv"]):
        with pytest.raises(VerbError, match=f"there are: {', '.join(names) or 'none'}") as caught:
            _chosen(names, False)
        assert caught.value.status is Exit.USAGE


def test_who_is_not_there_is_exit_4(unused_tcp_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"127.0.0.1:{unused_tcp_port}"
    assert run(["shell", "kv", "--at", address]) == run(["connect", address]) == Exit.UNREACHABLE
    assert run(["connect", "nonsense/x"]) == Exit.USAGE
    assert "nothing listens there" in capsys.readouterr().err


def tanist(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tanist.peer.cli", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    flags = f"--data {tmp_path / 'a'} --name anna --listen 127.0.0.1:0 --http 127.0.0.1:0 --app kv"
    with tanist("up", *flags.split()) as peer:
        assert peer.stdout is not None
        try:
            yield next(line.split("//")[1].strip(" /\n") for line in peer.stdout if "page" in line)
        finally:
            peer.terminate()
            peer.communicate(timeout=DEADLINE_S)


@pytest.mark.slow
def test_in_a_pipe_it_answers_each_line_and_ends_as_it_is_told(address: str) -> None:
    for ends, status in (("QUIT", 0), ("end", 1), (signal.SIGTERM, 0), (signal.SIGINT, 130)):
        with tanist("shell", "kv", "--at", address) as console:
            assert console.stdin is not None and console.stdout is not None and console.stderr is not None
            console.stdin.write("GET nothing\n" if ends == "end" else "SIZE\n")
            assert console.stdout.readline() == ("ERROR not found\n" if ends == "end" else "OK 0\n")
            if ends == "QUIT":
                # The pipe stays open.
                console.stdin.write("QUIT\n")
                assert console.stdout.readline() == "OK\n"
            elif ends == "end":
                console.stdin.close()
            elif isinstance(ends, signal.Signals):
                console.send_signal(ends)
            assert console.wait(DEADLINE_S) == status, ends
            assert console.stderr.read() == "" and console.stdout.read() == ""
