"""Histories that forked between real processes: whoever gives way, every write is at every peer afterwards."""

import json
from pathlib import Path

import pytest

from system.cluster import Cluster


def archived_lines(cluster: Cluster, name: str) -> list[dict[str, object]]:
    """The entries in the archive files of a peer."""
    files = sorted((cluster[name].data / "archive").glob("archive-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()[1:]]


async def write(cluster: Cluster, at: str, prefix: str, count: int) -> dict[str, str]:
    """Set so many keys at a peer; gives what is there now."""
    kept = {}
    for i in range(count):
        key = f"{prefix}{i}"
        status, answer = await cluster.call(at, "kv/set", key=key, value=f"from {at}")
        assert status == 200, answer
        kept[key] = f"from {at}"
    return kept


@pytest.mark.parametrize("killed", [False, True], ids=["calm", "killed in the middle"])
async def test_clusters_born_apart_become_one(tmp_path: Path, killed: bool) -> None:
    async with Cluster(tmp_path) as cluster:
        for name in "ab":
            cluster.launch(name)
            await cluster.until_serves(name)
        kept = await write(cluster, "a", "of-a-", 30) | await write(cluster, "b", "of-b-", 20)
        cluster.launch("c", peers=["a", "b"])
        if killed:
            # Whoever copies the other's log dies while it does, or right after: it must not matter when.
            copying = next(iter([n for n in "ab" if cluster[n].events("copy_began")]), "b")
            await cluster.until_logged(copying, "histories_compared")
            cluster[copying].kill()
            cluster.launch(copying)
        server = await cluster.settled(3)
        loser = "b" if server == "a" else "a"
        if killed:
            # Nobody knows any more that its last write was acknowledged: that one is archived alone.
            del kept[f"of-{copying}-{19 if copying == 'b' else 29}"]
        for key, value in kept.items():
            await cluster.until_everywhere(key, value)
        finished = [e for name in "abc" for e in cluster[name].events("heal_finished")]
        assert sum(e["fields"]["archived"] for e in finished) > 0
        assert cluster[loser].events("copy_took_place") or cluster["c"].events("copy_took_place")
        # All of it is on disk, the archived entries included.
        cluster.kill_all()
        for name in "abc":
            cluster.launch(name)
        await cluster.settled(3)
        for key, value in kept.items():
            await cluster.until_everywhere(key, value)


async def test_a_peer_that_returns_with_writes_nobody_else_has_brings_them(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found("ab")
        old = await cluster.server()
        new = "b" if old == "a" else "a"
        cluster[new].kill()
        kept = await write(cluster, old, "first-", 5)
        cluster[old].kill()
        cluster.launch(new)
        await cluster.until_serves(new)
        kept |= await write(cluster, new, "second-", 8)
        cluster.launch(old)
        await cluster.settled(2)
        # It was killed: that its last write was acknowledged is known to nobody, and that one is archived alone.
        await cluster.until_logged(old, "copy_took_place")
        lines = [line for line in archived_lines(cluster, old) if line["kind"] == "command"]
        assert [line["arguments"]["key"] for line in lines] == [key for key in kept if key.startswith("first-")]  # type: ignore[index]
        assert [line["acknowledged"] for line in lines] == [True] * 4 + ["unknown"]
        del kept["first-4"]
        for key, value in kept.items():
            await cluster.until_everywhere(key, value)
