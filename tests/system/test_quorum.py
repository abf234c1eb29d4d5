"""Quorum mode with three: one dead goes on, two dead acknowledge nothing and say why, back again goes on."""

from pathlib import Path

from system.cluster import Cluster
from system.process import tanist
from system.writer import Writer


async def test_one_dead_goes_on_two_dead_wait_for_a_majority(tmp_path: Path) -> None:
    async with Cluster(tmp_path, safety="quorum") as cluster:
        await cluster.found()
        server, heir, last = await cluster.server(), await cluster.heir(), await cluster.bystander()
        async with Writer(cluster, server) as writer:
            cluster[heir].kill()
            await writer.more(50)
            assert writer.longest_gap_s() <= 0.4
            assert await cluster.servers() == [server]

            cluster[last].kill()

            async def no_majority() -> bool:
                status = await cluster.status(server)
                return status is not None and status["server"] is None and "majority" in status["problem"]

            await cluster.wait_for(no_majority, f"{server} steps down and says why")
            acknowledged = len(writer.acks)
            code, said, why = await tanist(
                "call", "kv", "set", "alone", "x", "--timeout", "1", "--at", cluster[server].url, folder=tmp_path
            )
            assert (code, said) == (3, "")
            assert "no majority: 1 of 3 voters are here, 2 are needed" in why
            assert heir in why and last in why
            assert len(writer.acks) == acknowledged

            cluster[heir].start()
            await writer.more(50)
            cluster[last].start()
            await cluster.settled(3)
        assert writer.errors == []
        await writer.must_be_everywhere()
        # What was refused as certainly not done was not done.
        assert {await cluster.query(name, "kv/get", key="alone") for name in cluster.peers} == {None}
