"""The journal on a real disk: what it acknowledged is there after kill -9, crashes at any step, and full disks."""

import asyncio
import errno
import os
import shutil
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tanist.election.entries import Entry, Kind
from tanist.election.history import EMPTY, Term
from tanist.election.messages import SnapshotMeta
from tanist.election.records import BallotRecord, EntriesRecord, Record, RecordsError, SnapshotRecord, Stored
from tanist.election.roster import Roster
from tanist.peer.storage import journal as journal_module
from tanist.peer.storage.errors import JournalDamaged, JournalFailed, JournalForeign, JournalNewer
from tanist.peer.storage.files import Disk
from tanist.peer.storage.format import FRAME_BYTES, segment_name
from tanist.peer.storage.journal import Journal
from tanist.peer.storage.recovery import Recovery, recover
from tanist.peer.storage.segments import read_segments

OWNER = "club/peer"


def entries(first: int, count: int = 1, body: bytes = b"x") -> EntriesRecord:
    return EntriesRecord(first, tuple(Entry(1, "a", Kind.COMMAND, n, n, body) for n in range(first, first + count)))


def snapshot(index: int) -> SnapshotRecord:
    return SnapshotRecord(SnapshotMeta(index, Term(1, "a"), 7, EMPTY, Roster(), 10, "ab" * 32), True)


class Caller:
    """Opens a journal and notes what it calls back."""

    def __init__(self, directory: Path, disk: Disk | None = None, segment_bytes: int = 1 << 20) -> None:
        self.directory = directory
        self.disk = disk or Disk()
        self.segment_bytes = segment_bytes
        self.persisted: list[int] = []
        self.failures: list[JournalFailed] = []
        self.failed = asyncio.Event()

    async def open(self, owner: str = OWNER) -> tuple[Journal, Recovery]:
        return await Journal.open(
            self.directory,
            owner,
            on_persisted=self.persisted.append,
            on_failed=self._on_failed,
            segment_bytes=self.segment_bytes,
            disk=self.disk,
        )

    def _on_failed(self, failure: JournalFailed) -> None:
        self.failures.append(failure)
        self.failed.set()


async def held(directory: Path) -> list[Record]:
    journal, recovery = await Caller(directory).open()
    await journal.close()
    return recovery.records


async def test_what_was_appended_is_there_again(tmp_path: Path) -> None:
    caller = Caller(tmp_path / "j")
    journal, recovery = await caller.open()
    assert recovery.records == []
    written: list[Record] = [BallotRecord(1, "a"), entries(1, 64), entries(65)]
    journal.append(1, written[:2])
    journal.append(2, [])
    await journal.flush()
    assert caller.persisted == [2]  # Both waited for one write.
    journal.append(3, written[2:])
    await journal.close()
    await journal.close()
    assert caller.persisted == [2, 3]
    assert journal.waiting_s == 0.0
    assert await held(tmp_path / "j") == written
    with pytest.raises(RuntimeError, match="closed"):
        journal.append(4, written)


async def test_appends_during_a_sync_share_the_next_one(tmp_path: Path) -> None:
    class Slow(Disk):
        syncs = 0

        def sync(self, descriptor: int) -> None:
            Slow.syncs += 1
            super().sync(descriptor)

    caller = Caller(tmp_path, Slow())
    journal, _ = await caller.open()
    before = Slow.syncs
    for n in range(1, 101):
        journal.append(n, [entries(n)])
    await journal.flush()
    assert caller.persisted == [100]
    assert Slow.syncs == before + 1
    await journal.close()


async def test_nothing_is_persisted_before_its_sync_returns(tmp_path: Path) -> None:
    gate, reached = threading.Event(), threading.Event()

    class Gated(Disk):
        armed = False

        def sync(self, descriptor: int) -> None:
            if self.armed:
                reached.set()
                assert gate.wait(20)
            super().sync(descriptor)

    disk = Gated()
    caller = Caller(tmp_path, disk)
    journal, _ = await caller.open()
    disk.armed = True
    journal.append(1, [entries(1)])
    await asyncio.to_thread(reached.wait, 20)
    journal.append(2, [entries(2)])
    assert caller.persisted == []
    assert journal.waiting_s > 0
    gate.set()
    await journal.flush()
    assert caller.persisted == [1, 2]
    await journal.close()


async def test_segments_rotate_and_all_are_read(tmp_path: Path) -> None:
    caller = Caller(tmp_path, segment_bytes=500)
    journal, _ = await caller.open()
    for n in range(1, 31):
        journal.append(n, [entries(n, 1, b"y" * 50)])
        await journal.flush()
    await journal.close()
    assert len(read_segments(tmp_path)) > 3
    assert await held(tmp_path) == [entries(n, 1, b"y" * 50) for n in range(1, 31)]


async def test_tiny_segments_survive_restarts_without_writes(tmp_path: Path) -> None:
    for n in range(1, 5):
        caller = Caller(tmp_path, segment_bytes=1)
        journal, recovery = await caller.open()
        assert len(recovery.records) == n - 1
        journal.append(1, [entries(n)])
        await journal.close()
        await (await Caller(tmp_path, segment_bytes=1).open())[0].close()


async def test_snapshot_compacts(tmp_path: Path) -> None:
    caller = Caller(tmp_path, segment_bytes=300)
    journal, _ = await caller.open()
    written: list[Record] = [BallotRecord(3, "b")]
    for n in range(1, 40):
        written.append(entries(n, 1, b"z" * 40))
    for n, record in enumerate(written):
        journal.append(n, [record])
        await journal.flush()
    journal.append(100, [snapshot(30)])
    journal.append(101, [entries(40)])  # Joins the batch that compacts.
    await journal.flush()
    assert caller.persisted[-1] == 101
    assert len(read_segments(tmp_path)) == 1
    journal.append(102, [entries(41)])
    await journal.close()
    expected = Stored.replay([*written, snapshot(30), entries(40), entries(41)])
    again = Stored.replay(await held(tmp_path))
    assert again == expected
    assert (again.first, again.last) == (31, 41)


async def test_entries_with_a_hole_are_refused_and_not_written(tmp_path: Path) -> None:
    journal, _ = await Caller(tmp_path).open()
    with pytest.raises(RecordsError):
        journal.append(1, [entries(5)])
    await journal.close()
    assert await held(tmp_path) == []


async def test_torn_tail_is_cut_and_writing_goes_on(tmp_path: Path) -> None:
    journal, _ = await Caller(tmp_path).open()
    journal.append(1, [entries(1)])
    await journal.flush()
    journal.append(2, [entries(2, 50)])
    await journal.close()
    path = tmp_path / segment_name(1)
    os.truncate(path, path.stat().st_size - FRAME_BYTES - 1)
    journal, recovery = await Caller(tmp_path).open()
    assert recovery.records == [entries(1)]
    assert recovery.torn_bytes > 0
    journal.append(1, [entries(2, 1, b"other")])
    await journal.close()
    assert await held(tmp_path) == [entries(1), entries(2, 1, b"other")]


async def test_batch_without_its_mark_is_written_and_synced_again_before_it_counts(tmp_path: Path) -> None:
    journal, _ = await Caller(tmp_path).open()
    journal.append(1, [entries(1)])
    await journal.close()
    path = tmp_path / segment_name(1)
    whole = path.read_bytes()
    os.truncate(path, len(whole) - FRAME_BYTES)
    steps: list[str] = []

    class Noting(Disk):
        def write(self, descriptor: int, data: bytes) -> None:
            steps.append(f"write {len(data)}")
            super().write(descriptor, data)

        def sync(self, descriptor: int) -> None:
            steps.append("sync")
            super().sync(descriptor)

    journal, recovery = await Caller(tmp_path, Noting()).open()
    assert recovery.records == [entries(1)]
    tail = recovery.tail
    assert tail is not None
    assert steps == [f"write {tail.length - tail.unmarked}", "sync", f"write {FRAME_BYTES}"]
    await journal.close()
    assert path.read_bytes() == whole


async def test_damage_newer_and_foreign_journals_are_left_untouched(tmp_path: Path) -> None:
    journal, _ = await Caller(tmp_path).open()
    journal.append(1, [entries(1, 5)])
    await journal.close()
    path = tmp_path / segment_name(1)
    good = path.read_bytes()
    leftover = tmp_path / "0000000002.journal.tmp"
    leftover.write_bytes(b"half")
    with pytest.raises(JournalForeign):
        await Caller(tmp_path).open("club/other")
    damaged = bytearray(good)
    damaged[-FRAME_BYTES - 2] ^= 4
    newer = good[:8] + (99).to_bytes(4)
    newer += zlib.crc32(newer).to_bytes(4) + good[16:]
    for content, error in ((bytes(damaged), JournalDamaged), (newer, JournalNewer)):
        path.write_bytes(content)
        with pytest.raises(error):
            await Caller(tmp_path).open()
        assert path.read_bytes() == content
        assert leftover.read_bytes() == b"half"
    path.write_bytes(good)
    assert await held(tmp_path) == [entries(1, 5)]
    assert not leftover.exists()


# Failing disks


class FailingSync(Disk):
    """Fails one sync, then works again: a journal that tried again would trust what is not on disk."""

    def __init__(self) -> None:
        self.fail = False
        self.calls = 0

    def write(self, descriptor: int, data: bytes) -> None:
        self.calls += 1
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self.calls += 1
        if self.fail:
            self.fail = False
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(descriptor)


async def test_failed_sync_is_final(tmp_path: Path) -> None:
    disk = FailingSync()
    caller = Caller(tmp_path, disk)
    journal, _ = await caller.open()
    journal.append(1, [entries(1)])
    await journal.flush()
    disk.fail = True
    journal.append(2, [entries(2)])
    with pytest.raises(JournalFailed, match="input/output error"):
        await journal.flush()
    calls = disk.calls
    journal.append(3, [entries(3)])
    journal.compact()
    with pytest.raises(JournalFailed):
        await journal.flush()
    await caller.failed.wait()
    await journal.close()
    assert caller.persisted == [1]
    assert [failure.errno for failure in caller.failures] == [errno.EIO]
    assert journal.failure is caller.failures[0]
    assert disk.calls == calls
    assert (await held(tmp_path))[0] == entries(1)


async def test_short_write_then_full_disk_is_clean_after_a_restart(tmp_path: Path) -> None:
    class Filling(Disk):
        room = 1 << 30

        def write(self, descriptor: int, data: bytes) -> None:
            super().write(descriptor, data[: self.room])
            if len(data) > self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= len(data)

    for room in (0, 1, FRAME_BYTES, FRAME_BYTES + 30):
        directory = tmp_path / str(room)
        disk = Filling()
        caller = Caller(directory, disk)
        journal, _ = await caller.open()
        journal.append(1, [entries(1)])
        await journal.flush()
        disk.room = room
        journal.append(2, [entries(2, 10)])
        await caller.failed.wait()
        await journal.close()
        assert "no space is left" in str(caller.failures[0])
        journal, recovery = await Caller(directory).open()
        assert recovery.records == [entries(1)]
        assert recovery.torn_bytes == room
        journal.append(1, [entries(2)])
        await journal.close()
        assert await held(directory) == [entries(1), entries(2)]


async def test_queue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "QUEUE_BYTES_MAX", 1000)
    caller = Caller(tmp_path)
    journal, _ = await caller.open()
    journal.append(1, [entries(1, 1, b"b" * 2000)])
    await caller.failed.wait()
    await journal.close()
    assert "too slow" in str(caller.failures[0])
    assert caller.persisted == []


async def test_failing_callback_ends_the_journal(tmp_path: Path) -> None:
    caller = Caller(tmp_path)

    def broken(persist_id: int) -> None:
        raise ZeroDivisionError

    journal, _ = await Journal.open(tmp_path, OWNER, on_persisted=broken, on_failed=caller._on_failed)
    journal.append(1, [entries(1)])
    await caller.failed.wait()
    await journal.close()
    assert isinstance(caller.failures[0].__cause__, ZeroDivisionError)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def make_larger(mount: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=512k", str(mount)], check=True)


async def test_full_disk_loses_nothing_acknowledged(small_disk: Path) -> None:
    caller = Caller(small_disk / "j", segment_bytes=50_000)
    journal, _ = await caller.open()
    n = 0
    while not caller.failures:
        n += 1
        journal.append(n, [entries(n, 1, b"q" * 3000)])
        with suppress(JournalFailed):
            await journal.flush()
        await asyncio.sleep(0)
    await journal.close()
    assert caller.failures[0].errno == errno.ENOSPC
    assert "no space is left" in str(caller.failures[0])
    found = recover(read_segments(small_disk / "j"))
    assert len(found.records) >= caller.persisted[-1] == n - 1
    make_larger(small_disk)
    assert len(await held(small_disk / "j")) >= n - 1
