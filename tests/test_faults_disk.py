"""Faults of disks: the shim does what it says and mends by itself, and damage to files is what a peer must find."""

import asyncio
import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Thread

import pytest

from tanist.election.entries import Entry, Kind
from tanist.election.records import EntriesRecord
from tanist.peer.faults import DrillDisk, Trouble, flip_byte, tear_tail
from tanist.peer.storage.datadir import DataDirectory
from tanist.peer.storage.errors import JournalDamaged, JournalFailed
from tanist.peer.storage.files import write_atomically
from tanist.peer.storage.journal import Journal

LONG_S = 3600.0


def fails_with(number: int, work: Callable[[], object]) -> None:
    with pytest.raises(OSError) as failed:
        work()
    assert failed.value.errno == number


def test_a_full_disk_takes_half_of_the_last_write_and_no_more(tmp_path: Path) -> None:
    disk = DrillDisk()
    descriptor = disk.create(tmp_path / "file")
    disk.hurt("f1", Trouble.FULL, LONG_S)
    fails_with(errno.ENOSPC, lambda: disk.write(descriptor, b"abcdef"))
    assert (tmp_path / "file").read_bytes() == b"abc"
    fails_with(errno.ENOSPC, lambda: disk.append(tmp_path / "other", b"x"))
    disk.mend("f1")
    disk.write(descriptor, b"def")
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"abcdef"


def test_a_read_only_disk_is_read_and_not_changed(tmp_path: Path) -> None:
    disk = DrillDisk()
    path = tmp_path / "file"
    write_atomically(path, b"old", disk)
    descriptor = disk.open(path)
    disk.hurt("f1", Trouble.READ_ONLY, LONG_S)
    refused: list[Callable[[], object]] = [
        lambda: disk.create(tmp_path / "new"),
        lambda: disk.open(path),
        lambda: disk.write(descriptor, b"x"),
        lambda: disk.truncate(descriptor, 0),
        lambda: disk.replace(path, tmp_path / "new"),
        lambda: disk.remove(path),
        lambda: write_atomically(path, b"new", disk),
    ]
    for change in refused:
        fails_with(errno.EROFS, change)
    os.close(descriptor)
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and path.read_bytes() == b"old"
    disk.mend("f1")
    write_atomically(path, b"new", disk)
    assert path.read_bytes() == b"new"


def test_a_slow_disk_takes_longer_for_each_sync_and_lets_go_when_it_is_mended(tmp_path: Path) -> None:
    disk = DrillDisk()
    descriptor = disk.create(tmp_path / "file")
    disk.hurt("f1", Trouble.SLOW, LONG_S, 60)
    begun = time.monotonic()
    disk.sync(descriptor)
    disk.sync_directory(tmp_path)
    assert time.monotonic() - begun >= 0.12
    disk.hurt("f1", Trouble.SLOW, LONG_S, 100_000)
    hung = Thread(target=disk.sync, args=(descriptor,))
    hung.start()
    hung.join(0.1)
    assert hung.is_alive()
    disk.mend("f1")
    hung.join(20)
    assert not hung.is_alive()
    os.close(descriptor)


def test_a_sync_that_fails(tmp_path: Path) -> None:
    disk = DrillDisk()
    descriptor = disk.create(tmp_path / "file")
    disk.hurt("f1", Trouble.SYNC_FAILS, LONG_S)
    fails_with(errno.EIO, lambda: disk.sync(descriptor))
    fails_with(errno.EIO, lambda: disk.sync_directory(tmp_path))
    disk.mend("f1")
    disk.sync(descriptor)
    os.close(descriptor)


def test_troubles_end_by_themselves(tmp_path: Path) -> None:
    disk = DrillDisk()
    descriptor = disk.create(tmp_path / "file")
    disk.hurt("f1", Trouble.SLOW, 0.1, 100_000)
    disk.hurt("f2", Trouble.FULL, 0.1)
    begun = time.monotonic()
    disk.sync(descriptor)
    assert 0.1 <= time.monotonic() - begun < 20
    disk.write(descriptor, b"whole")
    os.close(descriptor)
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_how_slow_must_be_said() -> None:
    for wrong in (0, -1, 1e9, float("nan")):
        with pytest.raises(ValueError, match="a slow disk needs ms"):
            DrillDisk().hurt("f1", Trouble.SLOW, 1, wrong)


# Damage to what is on disk


def ignore(_: object) -> None:
    """What fails is raised by `flush`."""


async def written(directory: DataDirectory, count: int) -> None:
    """Write so many entries to the journal of a data directory, behind those that are there."""
    journal, recovery = await Journal.open(
        directory.journal, directory.owner, on_persisted=ignore, on_failed=ignore, segment_bytes=1 << 20
    )
    first = 1 + sum(len(r.entries) for r in recovery.records if isinstance(r, EntriesRecord))
    for n in range(first, first + count):
        journal.append(n, [EntriesRecord(n, (Entry(1, "a", Kind.COMMAND, n, n, b"p" * 50),))])
        await journal.flush()
    await journal.close()


async def held(directory: DataDirectory) -> tuple[int, int]:
    """How many batches a journal has, and how many torn bytes it dropped. Raises `JournalDamaged`."""
    journal, recovery = await Journal.open(directory.journal, directory.owner, on_persisted=ignore, on_failed=ignore)
    await journal.close()
    return recovery.batches, recovery.torn_bytes


@pytest.fixture
async def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory.open(tmp_path / "data", "club", "alpha")
    await written(directory, 20)
    directory.close()
    return directory


async def test_a_flipped_byte_is_found_and_can_be_put_back(data: DataDirectory) -> None:
    for seed in range(20):
        damage = flip_byte(data.path, Random(seed))
        assert damage.before != damage.after and len(damage.after) == 1
        with pytest.raises(JournalDamaged):
            await held(data)
        damage.undo()
        assert await held(data) == (20, 0), f"seed {seed}"


async def test_a_torn_tail_is_dropped_and_nothing_else(data: DataDirectory) -> None:
    for seed in range(8):
        damage = tear_tail(data.path, Random(seed))
        assert await held(data) == (20 + seed, len(damage.after)), f"seed {seed}"
        await written(data, 1)
        assert await held(data) == (21 + seed, 0), f"seed {seed}"


async def test_a_torn_tail_can_be_put_back(data: DataDirectory) -> None:
    tear_tail(data.path, Random(1)).undo()
    assert await held(data) == (20, 0)


async def test_data_in_use_are_not_damaged(data: DataDirectory) -> None:
    running = DataDirectory.open(data.path, "club", "alpha")
    with pytest.raises(RuntimeError, match="end it before"):
        flip_byte(data.path, Random(1))
    running.close()


def test_where_there_is_no_journal_there_is_nothing_to_damage(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no journal"):
        tear_tail(tmp_path, Random(1))


# Against the disks themselves


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a process mounts of its own")
@pytest.mark.parametrize(
    ("trouble", "says"), [(Trouble.FULL, "no space is left"), (Trouble.READ_ONLY, "the file system is read-only")]
)
async def test_the_shim_fails_as_a_real_file_system_does(tmp_path: Path, trouble: Trouble, says: str) -> None:
    """A journal on a small tmpfs, in a mount namespace that ends with its process, ends with the same words."""
    program = (
        "import asyncio, sys; sys.path.insert(0, sys.argv[2]); from test_faults_disk import fill; "
        "from pathlib import Path; print(asyncio.run(fill(Path(sys.argv[1]), sys.argv[3])))"
    )
    place = tmp_path / "small"
    place.mkdir()
    mounted = 'mount -t tmpfs -o size=64k tmpfs "$1" && exec "$0" -c "$4" "$1" "$2" "$3"'
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--mount", "sh", "-c", mounted, sys.executable),
        *(str(place), str(Path(__file__).parent), trouble.value, program),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, why = await process.communicate()
    if process.returncode != 0 and b"ermi" in why:
        pytest.skip(f"this user may not mount: {why.decode().strip()}")
    assert process.returncode == 0, why.decode()
    real = said.decode().strip()
    assert list(place.iterdir()) == [], "the mount ended with its process"
    shimmed = await fill(tmp_path, "", trouble)
    assert real.partition(": ")[2] == shimmed.partition(": ")[2] and says in real


async def fill(place: Path, really: str, shimmed: Trouble | None = None) -> str:
    """Write entries until the disk takes no more; gives what the journal says then. Read-only: open it once more."""
    disk, read_only = DrillDisk(), Trouble.READ_ONLY in (really, shimmed)
    journal = await filling(place, disk)
    try:
        for n in range(1, 11 if read_only else 1000):
            if n == 10 and shimmed is not None:
                disk.hurt("f1", shimmed, LONG_S)
            if n == 10 and read_only:
                await journal.close()
                if shimmed is None:
                    # With a file open for writing the system would refuse.
                    remount = await asyncio.create_subprocess_exec("mount", "-o", "remount,ro", str(place))
                    assert await remount.wait() == 0
                journal = await filling(place, disk)
            journal.append(n, [EntriesRecord(n, (Entry(1, "a", Kind.COMMAND, n, n, b"p" * 500),))])
            await journal.flush()
    except JournalFailed as failed:
        return str(failed)
    finally:
        await journal.close()
    return "it took everything"


async def filling(place: Path, disk: DrillDisk) -> Journal:
    journal, _ = await Journal.open(place / "journal", "club/peer", on_persisted=ignore, on_failed=ignore, disk=disk)
    return journal
