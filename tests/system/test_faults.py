"""Faults in peers that are processes: what ends or stops a whole one, and what is left when the injector is gone."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from system.cluster import Cluster

INJECTOR = """
import asyncio, sys
from random import Random
from tanist.peer.faults import Conditions, FaultProxy, pause
async def main():
    async with FaultProxy(sys.argv[1], listen=sys.argv[2], random=Random(1)) as proxy:
        await proxy.look()
        proxy.set(Conditions(delay_ms=50))
        await pause(int(sys.argv[3]), 3600)
        print("injected", flush=True)
        await asyncio.sleep(3600)
asyncio.run(main())
"""


async def inject(cluster: Cluster, name: str, **fault: object) -> dict[str, Any]:
    """Inject a fault into a peer; gives what it says of it."""
    async with cluster.http.post(f"{cluster[name].url}/drills/fault", json=fault) as answer:
        body: dict[str, Any] = await answer.json()
        assert answer.status == 200, body
        return body["fault"]  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["crash", "restart"])
async def test_a_process_ends_and_is_the_same_one_again(tmp_path: Path, kind: str) -> None:
    async with Cluster(tmp_path, flags=["--allow-drills"]) as cluster:
        await cluster.found("a")
        assert (await cluster.call("a", "kv/set", key="k", value="kept"))[0] == 200
        pid = cluster["a"].pid
        await inject(cluster, "a", kind=kind, for_ms=200)

        async def started_again() -> bool:
            return len(cluster["a"].events("peer_started")) == 2

        await cluster.wait_for(started_again, "it starts again")
        await cluster.until_serves("a")
        assert cluster["a"].pid == pid and cluster["a"].running
        await cluster.until_everywhere("k", "kept")
        # Only one that ends in order says so.
        assert len(cluster["a"].events("peer_stopped")) == (1 if kind == "restart" else 0)
        (injected,) = cluster["a"].events("fault_injected")
        assert injected["fields"]["failure"] == kind


@pytest.mark.slow
async def test_a_paused_peer_wakes_by_itself_and_tells_of_it(tmp_path: Path) -> None:
    async with Cluster(tmp_path, flags=["--allow-drills"]) as cluster:
        await cluster.found("a")
        await inject(cluster, "a", kind="pause", for_ms=700)
        await cluster.until_logged("a", "fault_ended")
        assert [e["fields"]["failure"] for e in cluster["a"].events("fault_injected", "fault_ended")] == ["pause"] * 2
        (woke,) = cluster["a"].events("woke")
        assert woke["fields"]["away_ms"] > 300
        await cluster.until_serves("a")
        assert psutil.Process(cluster["a"].pid).children() == []


@pytest.mark.slow
async def test_nothing_is_left_of_an_injector_that_is_killed(tmp_path: Path) -> None:
    async with Cluster(tmp_path, flags=["--allow-drills"]) as cluster:
        await cluster.found("a")
        peer = cluster["a"]
        host, _, port = peer.listens.rpartition(":")
        before = f"{host}:{int(port) - 1}"
        injector = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", INJECTOR, peer.listens, before, str(peer.pid)), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert injector.stdout is not None
            async with asyncio.timeout(20):
                assert await injector.stdout.readline() == b"injected\n"
            children = psutil.Process(injector.pid).children(recursive=True)
            assert psutil.Process(peer.pid).status() == psutil.STATUS_STOPPED
        finally:
            os.kill(injector.pid, signal.SIGKILL)
            await injector.wait()
        await cluster.until_serves("a")

        async def gone() -> bool:
            return not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)

        await cluster.wait_for(gone, "the watcher of the pause has ended")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(host, int(port) - 1)
