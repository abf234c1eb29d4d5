"""Planned moves: SIGTERM, hand-overs, leaving, joining, coming back after a long time away."""

import json
import signal
from pathlib import Path

import pytest

from system.cluster import Cluster
from system.process import tanist
from system.writer import Writer
from tanist.peer.drills.ports import is_free


@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_sigterm_hands_over_without_a_failed_call_and_frees_the_ports(tmp_path: Path, safety: str) -> None:
    async with Cluster(tmp_path, safety=safety) as cluster:
        await cluster.found()
        server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        async with Writer(cluster, other) as writer:
            cluster[server].signal(signal.SIGTERM)
            status = await cluster[server].ended()
            free = [
                is_free(int(address.rpartition(":")[2])) for address in (cluster[server].address, cluster[server].http)
            ]
            await cluster.until_serves(heir)
            await writer.more(50)
        assert (status, free) == (0, [True, True])
        assert [e["fields"]["outcome"] for e in cluster[server].events("handover_ended")] == ["done"]
        assert writer.errors == []
        assert writer.longest_gap_s() <= 0.1
        await cluster.settled()
        await writer.must_be_everywhere()


async def test_a_handover_moves_the_reign_to_the_heir_or_to_the_peer_that_is_named(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found()
        server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        async with Writer(cluster, other) as writer:
            code, said, complaint = await tanist("handover", "--at", cluster[server].url, folder=tmp_path)
            assert (code, said, complaint) == (0, f"{heir} serves now\n", "")
            assert await cluster.settled() == heir
            code, said, _ = await tanist("handover", "--to", server, "--at", cluster[heir].url, folder=tmp_path)
            assert (code, said) == (0, f"{server} serves now\n")
            assert await cluster.settled() == server
            await writer.more(20)
        assert writer.errors == []
        assert writer.longest_gap_s() <= 0.1
        await writer.must_be_everywhere()
        reigns = json.loads((await tanist("history", "--json", "--at", cluster[other].url, folder=tmp_path))[1])[
            "reigns"
        ]
        assert [reign["name"] for reign in reigns] == [server, heir, server]


async def test_a_fourth_peer_joins_under_load_gets_everything_and_leaves_for_good(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found()
        server, other = await cluster.server(), await cluster.bystander()
        async with Writer(cluster, other) as writer:
            await writer.more(200)
            # Told of any member, server or not.
            cluster.launch("d", peers=[other])
            assert await cluster.settled(4) == server
            await cluster.wait_for(lambda: has_as_many(cluster, "d", writer), "d has what was written before it joined")
            code, said, complaint = await tanist("leave", "--at", cluster["d"].url, folder=tmp_path)
            assert (code, said, complaint) == (0, "d has left the cluster\n", "")
            await cluster.wait_for(lambda: is_gone(cluster, server, "d"), "d is out of the roster and the list")
            await writer.more(100)
            # It does not come back by itself while its process goes on.
            assert await is_gone(cluster, server, "d")
        assert writer.errors == []
        assert writer.longest_gap_s() <= 0.4
        cluster["d"].kill()
        assert await cluster.settled(3) == server
        await writer.must_be_everywhere()


async def has_as_many(cluster: Cluster, name: str, writer: Writer) -> bool:
    """Whether a peer's own copy holds as much as was acknowledged when it is asked."""
    total = writer.total
    return int(await cluster.query(name, "kv/get", key=writer.key) or 0) >= total


async def is_gone(cluster: Cluster, at: str, name: str) -> bool:
    """Whether a peer says that another is neither a member nor in the list."""
    status = await cluster.status(at)
    return status is not None and all(e["name"] != name for e in (*status["members"], *status["fallbacks"]))


@pytest.mark.slow
async def test_a_peer_that_was_away_while_a_snapshot_was_taken_catches_up_by_it(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("snapshot: {every: 200, keep: 10}\nheal: {keep: 10}\n")
    async with Cluster(tmp_path, flags=["--config", str(tmp_path / "small.yaml")]) as cluster:
        await cluster.found()
        away, at = await cluster.bystander(), await cluster.server()
        async with Writer(cluster, at) as writer:
            cluster[away].kill()
            mark = cluster[away].mark()
            await writer.more(600)
            cluster[away].start()
            await cluster.until_logged(away, "snapshot_installed", after=mark)
            await cluster.settled(3)
            await writer.more(20)
        assert writer.errors == []
        await writer.must_be_everywhere()
