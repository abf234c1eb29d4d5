"""The server is frozen (SIGSTOP), not dead: another serves on, and what wakes up acknowledges nothing of its past."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from system.cluster import Cluster
from system.writer import Writer

LATE_CALLS = 8
"""Calls that are sent to the frozen server: each on a connection of its own, which its kernel accepts."""
LATE_S = 15.0
"""How long such a call may take: long enough for the frozen server to wake up and find the new one."""


async def late_call(cluster: Cluster, server: str, key: str) -> tuple[int, int]:
    """Send one write to a frozen peer; gives the HTTP status and the number of the receipt's term (0 without)."""
    # A connection of its own: a kept one could belong to the frozen peer's past, or be waited for.
    async with aiohttp.ClientSession() as session:
        url = f"{cluster[server].url}/apps/kv/incr?timeout={LATE_S:g}"
        async with session.post(url, json={"key": key}) as answer:
            body = await answer.json()
            return answer.status, body["receipt"]["term"]["number"] if answer.status == 200 else 0


@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_a_frozen_server_is_succeeded_and_acknowledges_nothing_in_its_old_term(
    tmp_path: Path, safety: str
) -> None:
    async with Cluster(tmp_path, safety=safety) as cluster:
        await cluster.found()
        old, other = await cluster.server(), await cluster.bystander()
        mark = cluster[old].mark()
        async with Writer(cluster, other) as writer:
            old_number = writer.acks[-1].receipt["term"]["number"]
            cluster[old].signal(signal.SIGSTOP)
            keys = [f"late-{i}" for i in range(LATE_CALLS)]
            calls = [asyncio.create_task(late_call(cluster, old, key)) for key in keys]

            async def succeeded() -> bool:
                return bool(writer.acks[-1].receipt["term"]["number"] > old_number)

            await cluster.wait_for(succeeded, "writes are acknowledged in a new term")
            await writer.more(20)
            assert not any(call.done() for call in calls)
            cluster[old].signal(signal.SIGCONT)
            answers = await asyncio.gather(*calls)
            await writer.more(20)
            server = await cluster.settled(3)
        assert server != old
        assert writer.errors == []
        await writer.must_be_everywhere()
        await each_once_or_not_at_all(cluster, dict(zip(keys, answers, strict=True)), old_number)
        changes = [(e["fields"]["was"], e["fields"]["role"]) for e in cluster[old].events("role_changed", after=mark)]
        assert changes[0] == ("server", "seeking")
        assert changes[-1][1] == "client"


async def each_once_or_not_at_all(cluster: Cluster, answers: dict[str, tuple[int, int]], old_number: int) -> None:
    """Every late call was done once in a newer term, or failed; one that certainly failed was not done."""
    for key, (status, number) in answers.items():
        if status == 200:
            assert number > old_number, f"{key} was acknowledged in term {number}, and {old_number} had ended"
            await cluster.until_everywhere(key, "1")
        else:
            assert status in (503, 504), f"{key}: {status}"
            done = {await cluster.query(name, "kv/get", key=key) for name in cluster.peers}
            assert done <= ({None} if status == 503 else {None, "1"}), f"{key}: {status}, and is {done}"
