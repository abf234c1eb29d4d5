"""Real processes with data that are not theirs alone: copied directories, restored backups, wiped peers."""

import asyncio
import shutil
from pathlib import Path

import pytest

from system.cluster import Cluster
from system.writer import Writer


async def test_a_copied_data_directory_is_refused_and_the_cluster_goes_on(tmp_path: Path) -> None:
    async with Cluster(tmp_path, pace="lan") as cluster:
        await cluster.found()
        original = await cluster.bystander()
        server = await cluster.server()
        async with Writer(cluster, server) as writer:
            await writer.more(20)
            cluster.add("double")
            shutil.copytree(cluster[original].data, cluster["double"].data)
            cluster.launch("double", peers=["a", "b", "c"])
            assert await cluster["double"].ended() == 5
            assert "a data directory was copied" in cluster["double"].stderr
            await writer.more(20)
        assert writer.errors == []
        assert await cluster.server() == server
        assert cluster[original].running
        await cluster.settled(3)


@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_a_restored_backup_is_repaired(tmp_path: Path, safety: str) -> None:
    async with Cluster(tmp_path, safety=safety) as cluster:
        await cluster.found()
        name = await cluster.bystander()
        async with Writer(cluster, await cluster.server()) as writer:
            await writer.more(20)
            cluster[name].kill()
            backup = tmp_path / "backup"
            shutil.copytree(cluster[name].data, backup)
            cluster[name].start()
            await cluster.settled(3)
            await writer.more(20)
            cluster[name].kill()
            shutil.rmtree(cluster[name].data)
            shutil.copytree(backup, cluster[name].data)
            cluster[name].start()
            await cluster.wait_for(
                lambda: asyncio.sleep(0, cluster[name].events("damage_repaired")), "the restored peer is repaired"
            )
            await cluster.settled(3)
        assert writer.errors == []
        await writer.must_be_everywhere()
