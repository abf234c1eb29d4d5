"""The server is killed while a client writes without pause: who serves on, after how long, and with what."""

from pathlib import Path

import pytest

from system.cluster import Cluster
from system.writer import Writer


async def kill_the_server(cluster: Cluster, seen_from: str) -> str:
    """Kill the server; gives the peer that stands first in the last heartbeat another one had of it."""
    server = await cluster.server()
    cluster[server].kill()
    status = await cluster.status(seen_from)
    assert status is not None
    return str(status["fallbacks"][0]["name"])


async def test_classic_the_first_of_the_last_heartbeat_serves_within_the_retries_and_a_ballot(tmp_path: Path) -> None:
    async with Cluster(tmp_path, pace="classic") as cluster:
        await cluster.found()
        other = await cluster.bystander()
        mark = cluster[other].mark()
        async with Writer(cluster, other) as writer:
            heir = await kill_the_server(cluster, other)
            assert heir != other
            await cluster.until_serves(heir)
            await writer.more(20)
        assert 4.4 <= writer.longest_gap_s() <= 5.0
        assert writer.errors == []
        assert await cluster.settled() == heir
        await writer.must_be_everywhere()
        # The other peer reconnected to the fallback that the last heartbeat named.
        chosen = cluster[other].events("fallback_chosen", after=mark)
        assert {event["fields"]["peer"] for event in chosen} == {cluster[heir].id}
        followed = cluster[other].events("server_followed", after=mark)
        assert [event["fields"]["server"] for event in followed] == [cluster[heir].id]


@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_fast_a_killed_server_costs_less_than_half_a_second(tmp_path: Path, safety: str) -> None:
    async with Cluster(tmp_path, safety=safety) as cluster:
        await cluster.found()
        other = await cluster.bystander()
        async with Writer(cluster, other) as writer:
            heir = await kill_the_server(cluster, other)
            await cluster.until_serves(heir)
            await writer.more(50)
        assert writer.longest_gap_s() <= 0.4
        assert writer.errors == []
        await cluster.settled()
        await writer.must_be_everywhere()


async def test_three_of_four_servers_die_one_after_another_and_the_last_one_standing_has_all(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found("abcd")
        first = await cluster.server()
        # The peer that outlives them all is the last of the list: the client is connected there.
        status = await cluster.status(first)
        assert status is not None
        last = str(status["fallbacks"][-1]["name"])
        async with Writer(cluster, last) as writer:
            for _ in range(3):
                await cluster.settled()
                heir = await cluster.heir()
                assert await kill_the_server(cluster, last) == heir
                await cluster.until_serves(heir)
                await writer.more(50)
        assert writer.errors == []
        assert writer.longest_gap_s() <= 0.4
        assert await cluster.servers() == [last]
        await writer.must_be_everywhere()
