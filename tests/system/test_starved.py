"""Processor time is scarce: busy programs on every core cost time, and no server."""

import asyncio
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from system.cluster import Cluster
from system.writer import Writer

STARVED_S = 10.0
"""Many heartbeats of the pace classic, and thrice its time-out."""
BUSY_A_CORE = 5
"""Busy processes on each core: a peer has a sixth of one, at best."""


def be_busy(until: float) -> None:
    """Use a core, for a bounded time, whatever becomes of who started this."""
    while time.monotonic() < until:
        pass


@pytest.mark.slow
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_starved_of_their_cores_peers_change_no_server_at_default_timeouts(tmp_path: Path, safety: str) -> None:
    async with Cluster(tmp_path, pace="classic", safety=safety) as cluster:
        await cluster.found()
        server = await cluster.server()
        until = time.monotonic() + STARVED_S
        spawn = multiprocessing.get_context("spawn")
        busy = [
            spawn.Process(target=be_busy, args=(until,), daemon=True)
            for _ in range(BUSY_A_CORE * (os.cpu_count() or 1))
        ]
        for process in busy:
            process.start()
        try:
            async with Writer(cluster, await cluster.bystander()) as writer:
                for process in busy:
                    await asyncio.to_thread(process.join)
        finally:
            for process in busy:
                process.join()
        writer.must_be_whole()
        assert await cluster.server() == server
        terms = {ack.receipt["term"]["number"] for ack in writer.acks}
        assert len(terms) == 1, "nobody else was elected meanwhile"
        stalls = [
            json.loads(line)["stalled_ms"]
            for name in cluster.peers
            for line in (tmp_path / name / "election.jsonl").read_text().splitlines()
            if json.loads(line)["event"] == "loop_stalled"
        ]
        print(f"longest stall of a loop: {max(stalls, default=0):.0f} ms")
