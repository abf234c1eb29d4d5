"""What runs only on the server: stopped on waking from a pause, before anything else is done in its name."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

DEADLINE_S = 30.0
WORKER = """
import asyncio, sys, time
from tanist.config import load
from tanist.peer.peer import Peer

async def main(name, data, *others):
    given = {"name": name, "data": data, "pace": "lan", "app": ["kv"], "peers": others}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    peer = Peer(load(None, {}, given).config)
    peer.on_promoted.append(lambda term: print("promoted", term.number, flush=True))
    peer.on_demoted.append(lambda term: print("demoted", term.number, flush=True))
    async with peer:
        print("at", peer.address, flush=True)
        beat = 0
        while True:
            beat += 1
            if peer.status().role == "server":
                try:
                    reply = await peer.call("kv", "set", "owner", name, timeout_s=5.0)
                    heirs = [f.name for f in peer.status().fallbacks if f.counts]
                    print("wrote", reply.receipt.term.number, *heirs, flush=True)
                except Exception as error:
                    print("refused", type(error).__name__, flush=True)
            await asyncio.sleep(0.02)

asyncio.run(main(*sys.argv[1:]))
"""


class Worker:
    """One process of a program that works only while its peer serves."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, begin: str) -> str:
        """The next line that begins so."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self.process.stdout.readline()).decode().strip():
                self.lines.append(line)
                if line.startswith(begin):
                    return line
        raise AssertionError(f"it ended without {begin!r}: {self.lines}")

    async def end(self) -> None:
        """End the process, whatever its state."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


async def started(folder: Path, name: str, *others: str) -> Worker:
    """Start a worker that is told of these peers."""
    command = (sys.executable, "-c", WORKER, name, str(folder / name), *others)
    return Worker(await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE))


@pytest.mark.slow
async def test_a_server_that_slept_through_its_succession_stops_its_work_before_it_writes_again(tmp_path: Path) -> None:
    workers = [await started(tmp_path, "a")]
    try:
        address = (await workers[0].until("at ")).split()[1]
        workers.append(await started(tmp_path, "b", address))
        first, second = workers
        old = int((await first.until("wrote")).split()[1])
        await second.until("at ")
        # Until the other is the heir, a write may be acknowledged by this one alone.
        while (await first.until("wrote")).split()[2:] != ["b"]:
            pass
        os.kill(first.process.pid, signal.SIGSTOP)
        new = int((await second.until("promoted")).split()[1])
        assert new > old
        await second.until("wrote")
        first.lines.clear()
        os.kill(first.process.pid, signal.SIGCONT)
        assert await first.until("demoted") == f"demoted {old}"
        # What it wrote before it froze may still have been on its way to the terminal.
        told = first.lines[:-1]
        assert not [line for line in told if line.startswith("wrote")][1:], told
        for _ in range(10):
            assert int((await second.until("wrote")).split()[1]) >= new
    finally:
        for worker in workers:
            await worker.end()
