"""A real cluster that is hurt through the public harness: what is done to it bites, and nothing of it is left."""

from pathlib import Path

import pytest

from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.conditions import follows, in_sync, no_server, one_server, serves
from tanist.peer.drills.process import ClusterError
from tanist.peer.faults import Conditions

SHORT_S = 0.2
"""A deadline that is meant to pass."""


async def test_a_killed_server_is_followed_by_its_heir_and_comes_back(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, pace="fast") as cluster:
        server, heir = await cluster.server(), await cluster.heir()
        await cluster.kill(server)
        await cluster.until(serves(heir))
        assert server not in cluster.present()
        await cluster.start(server)
        await cluster.until(in_sync)
        assert await cluster.server() == heir
        assert await cluster.terminate(server) == 0
    assert not any(peer.running for peer in cluster.peers.values())


async def test_a_paused_server_is_replaced_and_goes_on_by_itself(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, pace="fast") as cluster:
        server = await cluster.server()
        await cluster.pause(server, for_s=1.5)
        assert server not in cluster.present()
        await cluster.until(one_server)
        assert await cluster.server() != server

        async def goes_on() -> bool:
            return server in cluster.present()

        await cluster.wait_for(goes_on, f"{server} goes on")
        await cluster.until(in_sync)


async def test_a_server_without_a_majority_ends_its_reign_and_the_others_elect(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, safety="quorum", pace="fast") as cluster:
        server, others = await cluster.server(), [name for name in cluster.peers if name != await cluster.server()]
        cluster.partition([server], others)

        async def others_elect() -> bool:
            found = await cluster.servers()
            return bool(found) and set(found) <= set(others)

        await cluster.wait_for(others_elect, "only the majority has a server")
        cluster.heal()
        await cluster.until(in_sync)
        assert await cluster.server() in others


async def test_two_without_a_third_serve_nobody_in_quorum_mode(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, safety="quorum", pace="fast") as cluster:
        cluster.partition("a", "b", "c")
        await cluster.until(no_server)


async def test_a_one_way_cut_and_a_bad_link_are_between_two_only(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, pace="fast") as cluster:
        server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        cluster.link(server, other, Conditions(delay_ms=5, loss=0.02))
        cluster.cut(server, heir, for_s=0.6)
        await cluster.until_logged(heir, "server_lost")
        assert not cluster[other].events("server_lost")
        await cluster.until(in_sync)
        assert await cluster.status(other) is not None
        await cluster.until(follows(other, await cluster.server()))


async def test_what_does_not_come_is_named(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, 1, pace="fast") as cluster:
        with pytest.raises(ClusterError, match=r"not within 0\.2 s: b serves, and no other does$"):
            await cluster.until(serves("b"), SHORT_S)
        with pytest.raises(ClusterError, match="there is no peer 'b'; there are: a"):
            await cluster.kill("b")
        await cluster.kill("a")
        with pytest.raises(ClusterError, match="a does not run"):
            await cluster.kill("a")


async def test_one_more_joins(tmp_path: Path) -> None:
    async with RealCluster(tmp_path, 2, pace="fast") as cluster:
        await cluster.join("c")
        await cluster.settled(3)


def test_sizes_have_bounds(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a cluster of 10 peers: at most 9"):
        RealCluster(tmp_path, 10, pace="fast")
