"""What was acknowledged is on disk: kills at random instants, damage, torn tails, a full disk, a second process."""

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.cluster import Cluster
from system.process import tanist
from system.writer import Writer

WRITING_S = 0.5
"""At most so long all peers run between two kills: the kill comes at any moment of that."""
DISK_BYTES = 1 << 20
"""The size of the disk that is filled: the beginning of a journal fits, and it is full at once."""


async def kill_all_again_and_again(cluster: Cluster, rounds: int) -> None:
    """Kill all peers in the middle of writes and start them again; the writers repeat what was not acknowledged."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    await cluster.found()
    async with Writer(cluster, "a") as one, Writer(cluster, "b") as two, Writer(cluster, "c") as three:
        writers = (one, two, three)
        for _ in range(rounds):
            # A random instant is the case that is tested: nothing is waited for.
            await asyncio.sleep(chance.uniform(0, WRITING_S))
            cluster.kill_all()
            for peer in cluster.peers.values():
                peer.start()
            for writer in writers:
                await writer.more(5)
        await cluster.settled(3)
    for writer in writers:
        await writer.must_be_everywhere()


async def test_nothing_acknowledged_is_lost_when_all_are_killed_at_random_instants(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await kill_all_again_and_again(cluster, 5)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_nothing_acknowledged_is_lost_in_twenty_rounds_of_random_kills(tmp_path: Path, safety: str) -> None:
    async with Cluster(tmp_path, safety=safety) as cluster:
        await kill_all_again_and_again(cluster, 20)


async def test_a_flipped_byte_is_repaired_from_the_server_and_a_torn_tail_is_dropped(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found()
        damaged, torn = await cluster.bystander(), await cluster.heir()
        async with Writer(cluster, await cluster.server()) as writer:
            await writer.more(100)
            cluster[damaged].signal(signal.SIGTERM)
            assert await cluster[damaged].ended() == 0
            flip_the_middle_byte(cluster[damaged].journal()[-1])
            bytes_before = contents(cluster[damaged].data / "journal")
            who, mark = cluster[damaged].id, cluster[damaged].mark()
            cluster[damaged].start()
            await cluster.wait_for(lambda: repaired(cluster, damaged, mark), "the damaged peer is repaired")
            (found,) = cluster[damaged].events("data_kept_aside", after=mark)
            complaint = re.search(r"the journal is damaged: (\S+) at byte (\d+): .*", found["fields"]["what"])
            assert complaint is not None and complaint[1] in bytes_before
            assert contents(Path(found["fields"]["path"])) == bytes_before, "the damaged files are kept for people"
            assert cluster[damaged].id == who, "it is the same peer"
            assert await cluster.settled(3)

            cluster[torn].kill()
            tail = cluster[torn].journal()[-1]
            os.truncate(tail, tail.stat().st_size - 3)
            mark = cluster[torn].mark()
            cluster[torn].start()
            await cluster.until_answers(torn)
            recovered = cluster[torn].events("journal_recovered", after=mark)
            assert [event["fields"]["torn_bytes"] > 0 for event in recovered] == [True]
            await cluster.settled(3)

        assert writer.errors == []
        await writer.must_be_everywhere()
        # The repaired one is a full member: the others may die.
        for name in ("a", "b", "c"):
            if name != damaged:
                cluster[name].kill()
        await cluster.until_serves(damaged)


async def repaired(cluster: Cluster, name: str, mark: int) -> bool:
    """Whether a peer says so, and runs."""
    assert cluster[name].running, f"{name} ended instead of being repaired"
    return bool(cluster[name].events("damage_repaired", after=mark))


async def test_a_damaged_peer_that_is_alone_waits_and_says_what_to_do(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found("ab")
        async with Writer(cluster, "a") as writer:
            await writer.more(50)
            cluster.kill_all()
            flip_the_middle_byte(cluster["a"].journal()[-1])
            mark = cluster["a"].mark()
            cluster["a"].start()
            await cluster.wait_for(
                lambda: asyncio.sleep(0, cluster["a"].events("repair_awaited", after=mark)), "it says that it waits"
            )
            status = await cluster.status("a")
            assert status is not None and status["role"] == "seeking"
            assert "damaged" in status["problem"] and "docs/how-to/repair.md" in status["problem"]
            # The other comes back, and repairs it.
            cluster["b"].start()
            await cluster.wait_for(lambda: repaired(cluster, "a", mark), "the damaged peer is repaired")
            assert await cluster.settled(2)
            await writer.more(5)


def flip_the_middle_byte(file: Path) -> None:
    """Change one byte in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def test_a_second_process_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found("a")
        addresses = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        code, said, why = await tanist(
            "up", "--name", "b", "--data", str(cluster["a"].data), *addresses, folder=tmp_path
        )
        assert (code, said) == (1, "")
        assert f"{cluster['a'].data}: in use by process {cluster['a'].pid}: end it, or" in why
        # The first goes on as if nothing had been.
        assert await cluster.serves("a")
        assert (await cluster.call("a", "kv/set", key="k", value="v"))[0] == 200


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, small and in memory; skips where it may not be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a tmpfs may not be mounted here, so no disk can be filled: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_server_whose_disk_is_full_ends_the_others_go_on_and_it_comes_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "a"):
        async with Cluster(tmp_path) as cluster:
            await cluster.found()
            assert await cluster.server() == "a"
            other = await cluster.bystander()
            async with Writer(cluster, other) as writer:
                filler = cluster["a"].data / "filler"
                fill(filler)
                assert await cluster["a"].ended() == 1
                assert "no space is left: free some, then start again" in cluster["a"].stderr
                assert str(cluster["a"].journal()[-1]) in cluster["a"].stderr
                await writer.more(50)
                assert await cluster.settled() != "a"

                filler.unlink()
                cluster["a"].start()
                await cluster.settled(3)
                await writer.more(20)
            assert writer.errors == []
            await writer.must_be_everywhere()


def fill(file: Path) -> None:
    """Write zeros until the disk takes no more."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while out.write(bytes(4096)):
            pass
