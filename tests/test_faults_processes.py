"""Faults of processes: they bite, undo themselves, and leave nothing, also when whoever injected them is killed."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from tanist.peer.faults import PauseFailed, kill, pause, terminate
from tanist.peer.faults import watcher as watcher_script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this system has no signals")
DEADLINE_S = 20.0
INJECTOR = """
import asyncio, sys
from tanist.peer.faults import pause
async def main():
    await pause(int(sys.argv[1]), 3600)
    print("paused", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""


class Ticker:
    """A process that writes a line again and again."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid
        self.status = psutil.Process(self.pid).status

    async def tick(self) -> bytes:
        """The next line; all that were written before count too."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.stdout.readline()


@pytest.fixture
async def ticker() -> AsyncIterator[Ticker]:
    program = "import time\nwhile True:\n    print(flush=True)\n    time.sleep(0.01)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", program, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    ticker = Ticker(process)
    await ticker.tick()
    yield ticker
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def watchers() -> list[int]:
    """The watchers that run, among the children of this process and theirs."""
    script = str(Path(watcher_script.__file__))
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if script in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not reached():
            await asyncio.sleep(0.005)


async def test_a_paused_process_stands_and_goes_on_by_itself(ticker: Ticker) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    paused = await pause(ticker.pid, 0.3)
    await until(lambda: ticker.status() == psutil.STATUS_STOPPED)
    await paused.ended()
    assert loop.time() - begun >= 0.25
    await until(lambda: ticker.status() != psutil.STATUS_STOPPED)
    await ticker.tick()


async def test_a_pause_can_be_ended_before_its_time(ticker: Ticker) -> None:
    async with await pause(ticker.pid, 3600) as paused:
        await until(lambda: ticker.status() == psutil.STATUS_STOPPED)
    await until(lambda: ticker.status() != psutil.STATUS_STOPPED)
    await paused.end()


async def test_a_pause_ends_with_the_program_that_asked_for_it(ticker: Ticker) -> None:
    injector = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INJECTOR, str(ticker.pid), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert injector.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            assert await injector.stdout.readline() == b"paused\n"
        await until(lambda: ticker.status() == psutil.STATUS_STOPPED)
        watching = psutil.Process(injector.pid).children()
    finally:
        injector.send_signal(signal.SIGKILL)
        await injector.wait()
    await until(lambda: ticker.status() != psutil.STATUS_STOPPED)
    assert len(watching) == 1
    await until(lambda: not watching[0].is_running() or watching[0].status() == psutil.STATUS_ZOMBIE)


async def test_a_pause_ends_when_its_watcher_is_killed(ticker: Ticker) -> None:
    before = watchers()
    paused = await pause(ticker.pid, 3600)
    (watching,) = set(watchers()) - set(before)
    os.kill(watching, signal.SIGKILL)
    await paused.ended()
    await until(lambda: ticker.status() != psutil.STATUS_STOPPED)


async def test_a_paused_process_that_is_killed_leaves_no_watcher_behind(ticker: Ticker) -> None:
    paused = await pause(ticker.pid, 3600)
    kill(ticker.pid)
    assert await ticker.process.wait() == -signal.SIGKILL
    await paused.end()


async def test_told_to_end_a_process_may_do_so_in_order() -> None:
    program = (
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nprint(flush=True)\nsignal.pause()"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    terminate(process.pid)
    assert await process.wait() == 7


async def test_what_is_no_single_process_is_left_alone() -> None:
    for nobody in (-1, 0, 1):
        with pytest.raises(ValueError, match="not the number of a process"):
            kill(nobody)
        with pytest.raises(ValueError, match="not the number of a process"):
            await pause(nobody, 1)


async def test_a_process_that_is_gone_cannot_be_paused() -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-I", "-S", "-c", "")
    await gone.wait()
    with pytest.raises(PauseFailed):
        await pause(gone.pid, 1)


async def test_a_pause_has_an_end(ticker: Ticker) -> None:
    for wrong in (0, -1, 3601, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a pause lasts"):
            await pause(ticker.pid, wrong)
