"""`tanist up`: starting, being told to stop, ending by itself, against a fake of the peer."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import ClassVar

import pytest

from tanist.config import ConfigError, PeerConfig, Problem
from tanist.peer.application import Application, Context, command
from tanist.peer.application.binding import bind
from tanist.peer.application.loading import LoadError
from tanist.peer.application.timers import TimerTable
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.standstill import place_of
from tanist.peer.cli.up import serve
from tanist.peer.status import Status, TermView
from tanist.peer.storage.errors import DataLocked, JournalDamaged, JournalForeign
from tanist.transport.errors import ListenError

STATUS = Status(
    cluster="default",
    id="p1",
    name="anna",
    address="127.0.0.1:7400",
    http="127.0.0.1:7480",
    role="server",
    safety="survivor",
    term=TermView(1, "p1"),
    server=None,
    fallbacks=[],
    members=[],
    commit=1,
    applied=1,
    durability="alone",
    reach=1,
    since="",
    version="0.1.0",
    apps=["kv"],
)


class FakePeer:
    """A peer whose start and end the test decides."""

    http_address = "127.0.0.1:7480"
    gateways: ClassVar[dict[str, str]] = {"chat=line": "127.0.0.1:7500"}

    def __init__(self, fails: Exception | None = None, starts: bool = True, ends_with: int | None = None) -> None:
        self.fails = fails
        self.starts = starts
        self.ends_with = ends_with
        self.starting = asyncio.Event()
        self.waiting = asyncio.Event()
        self.stopped: list[bool] = []

    async def start(self) -> None:
        self.starting.set()
        if self.fails is not None:
            raise self.fails
        if not self.starts:
            await asyncio.Event().wait()

    async def stop(self, *, hand_over: bool = True) -> None:
        self.stopped.append(hand_over)

    def status(self) -> Status:
        return STATUS

    async def wait_stopped(self) -> int:
        self.waiting.set()
        if self.ends_with is None:
            await asyncio.Event().wait()
            raise AssertionError
        return self.ends_with


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_hands_over_and_ends_0(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    peer = FakePeer()
    running = asyncio.create_task(serve(PeerConfig(), lambda: peer))
    await asyncio.wait_for(peer.waiting.wait(), 5)
    os.kill(os.getpid(), number)
    assert await asyncio.wait_for(running, 5) == 0
    assert peer.stopped == [True]
    out, err = capsys.readouterr()
    assert out.startswith("anna is up in cluster default (survivor), with kv\n")
    assert "handing over" in err


async def test_a_signal_while_it_starts_ends_0_without_a_hand_over() -> None:
    peer = FakePeer(starts=False)
    running = asyncio.create_task(serve(PeerConfig(), lambda: peer))
    await asyncio.wait_for(peer.starting.wait(), 5)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, 5) == 0
    assert peer.stopped == [False]


async def test_a_peer_that_ends_by_itself_gives_its_status() -> None:
    assert await serve(PeerConfig(), lambda: FakePeer(ends_with=5)) == 5


@pytest.mark.parametrize(
    ("error", "status", "named"),
    [
        (ListenError("127.0.0.1:7400", "in use"), Exit.USAGE, "127.0.0.1:7400"),
        (LoadError("--app notes.py:Notes: there is no file"), Exit.USAGE, "notes.py"),
        (ConfigError([Problem("c.yaml:3:5", "no such setting")]), Exit.USAGE, "c.yaml:3:5: no such setting"),
        (DataLocked(Path("/data/anna"), 77), Exit.FAILED, "process 77"),
        (JournalDamaged("0001.log", 9, "checksum"), Exit.FAILED, "0001.log"),
        (JournalForeign("0001.log", "p2", "p1"), Exit.REFUSED, "0001.log"),
    ],
)
async def test_a_start_that_fails_is_one_sentence_and_a_status(error: Exception, status: Exit, named: str) -> None:
    with pytest.raises(VerbError) as raised:
        await serve(PeerConfig(), lambda: FakePeer(fails=error))
    assert raised.value.status is status
    assert named in raised.value.message


def in_a_process(program: str) -> "subprocess.Popen[str]":
    """A program that may have this module's `FakePeer` from `tests_fake`."""
    load = f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("tests_fake", {str(Path(__file__))!r})
        sys.modules["tests_fake"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    """
    running = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(load) + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert "is up" in running.stdout.readline()
    return running


def test_a_loop_that_stands_still_is_told_of_and_can_be_interrupted() -> None:
    program = """
        import asyncio
        from tanist.config import PeerConfig
        from tanist.peer.cli import standstill, up
        from tests_fake import FakePeer

        standstill.STILL_S = standstill.LOOK_S = 0.2

        class Stuck(FakePeer):
            async def wait_stopped(self):
                while True:
                    pass

        asyncio.run(up.serve(PeerConfig(), Stuck))
    """
    running = in_a_process(program)
    assert running.stderr is not None
    told = running.stderr.readline()
    assert re.match(r"tanist: the event loop stands still for \d s, in Stuck\.wait_stopped at <string>:\d+\. ", told)
    for _ in range(2):
        # The second at the first's heels might be taken for one with it.
        running.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.2)
    running.communicate(timeout=10)
    assert running.returncode == 130


def test_the_place_is_the_line_of_an_applications_own_file() -> None:
    class Slow(Application):
        @command
        def look(self, ctx: Context) -> None:
            # Within a function of a library, here of Python's own.
            json.dumps(object(), default=lambda _: seen.append(place_of(sys._getframe(0).f_back or sys._getframe(0))))

    seen: list[str] = []
    bound = bind("slow", Slow(), TimerTable()).operations["look"]
    bound.run(bound.context, bound.decode(b"\x80"))
    assert re.match(r".*Slow\.look.* at test_cli_up\.py:\d+$", seen[0])
    assert place_of(sys._getframe(0)).startswith("test_the_place_is_the_line_of_an_applications_own_file at")


def test_a_second_interrupt_ends_130_at_once() -> None:
    """In a process of its own, for it ends without a word."""
    program = """
        import asyncio
        from tanist.config import PeerConfig
        from tanist.peer.cli.up import serve
        from tests_fake import FakePeer

        class Stuck(FakePeer):
            async def stop(self, *, hand_over=True):
                print("stopping", flush=True)
                await asyncio.Event().wait()

        asyncio.run(serve(PeerConfig(), Stuck))
    """
    running = in_a_process(program)
    assert running.stdout is not None
    running.send_signal(signal.SIGINT)
    while (line := running.stdout.readline().strip()) != "stopping":
        assert line, running.communicate()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=10)
    assert running.returncode == 130
