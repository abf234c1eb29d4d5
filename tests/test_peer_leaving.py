"""Running peers that leave their cluster for good: over real sockets, with their exit status."""

import asyncio
from pathlib import Path

import pytest
from test_peer import DEADLINE_S, cluster, started, until

from tanist.peer.errors import NoServer


@pytest.mark.parametrize("which", [0, 1], ids=["server", "client"])
async def test_a_peer_that_leaves_ends_with_status_0_and_is_refused_when_it_comes_back(
    tmp_path: Path, which: int
) -> None:
    async with cluster(tmp_path) as peers:
        gone = peers.pop(which)
        await gone.call("notes", "add", "before")
        await gone.leave()
        async with asyncio.timeout(DEADLINE_S):
            assert await gone.wait_stopped() == 0
        await until(lambda: all(p.status().server is not None and len(p.status().members) == 2 for p in peers))
        reply = await peers[1].call("notes", "add", "after")
        assert reply.result == 2
        again = started(tmp_path, gone.config.name, peer=[peers[0].address])
        await again.start()
        async with asyncio.timeout(DEADLINE_S):
            assert await again.wait_stopped() == 0
        assert {m.name for m in peers[0].status().members} == {p.config.name for p in peers}


async def test_nobody_is_taken_out_while_nobody_serves(tmp_path: Path) -> None:
    first = started(tmp_path, "a", safety="quorum", expect=2)
    async with first:
        second = started(tmp_path, "b", safety="quorum", expect=2, peer=[first.address])
        await second.start()
        await until(lambda: all(p.status().server and len(p.status().members) == 2 for p in (first, second)))
        member = second.core.node.me.id
        await second.stop()
        await until(lambda: first.status().server is None)
        with pytest.raises(NoServer, match="taken out by the server"):
            await first.leave(member)
