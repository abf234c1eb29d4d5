"""The journal through crashes: kill -9 at any moment, lost power, an end at any single step of the disk's work."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import pytest

from tanist.election.entries import Entry, Kind
from tanist.election.history import EMPTY, Term
from tanist.election.messages import SnapshotMeta
from tanist.election.records import EntriesRecord, Record, SnapshotRecord, Stored
from tanist.election.roster import Roster
from tanist.peer.storage.checkpoint import checkpoint
from tanist.peer.storage.files import DISK, Disk
from tanist.peer.storage.format import FRAME_BYTES, pack_records, segment_name
from tanist.peer.storage.journal import Journal
from tanist.peer.storage.recovery import Recovery, recover
from tanist.peer.storage.segments import SegmentWriter, read_segments

OWNER = "club/peer"


def entries(first: int, count: int = 1, body: bytes = b"x") -> EntriesRecord:
    return EntriesRecord(first, tuple(Entry(1, "a", Kind.COMMAND, n, n, body) for n in range(first, first + count)))


def snapshot(index: int) -> SnapshotRecord:
    return SnapshotRecord(SnapshotMeta(index, Term(1, "a"), 7, EMPTY, Roster(), 10, "ab" * 32), True)


def ignore(_: object) -> None:
    """These tests look at the disk, or wait with `flush`, which raises what fails."""


async def opened(directory: Path, disk: Disk = DISK, segment_bytes: int = 1 << 20) -> tuple[Journal, Recovery]:
    return await Journal.open(
        directory, OWNER, on_persisted=ignore, on_failed=ignore, segment_bytes=segment_bytes, disk=disk
    )


async def held(directory: Path) -> list[Record]:
    journal, recovery = await opened(directory)
    await journal.close()
    return recovery.records


class PowerLoss(Disk):
    """Remembers how much of each file was synced, so that the rest can be lost."""

    def __init__(self) -> None:
        self.synced: dict[int, int] = {}

    def sync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self.synced[status.st_ino] = status.st_size

    def lose(self, source: Path, target: Path) -> None:
        target.mkdir()
        for path in source.iterdir():
            (target / path.name).write_bytes(path.read_bytes()[: self.synced.get(path.stat().st_ino, 0)])


async def test_power_loss_after_any_batch_keeps_all_that_was_acknowledged(tmp_path: Path) -> None:
    disk = PowerLoss()
    journal, _ = await opened(tmp_path / "j", disk, segment_bytes=400)
    for n in range(1, 30):
        journal.append(n, [snapshot(n - 2)] if n % 10 == 0 else [entries(n - n // 10, 1, b"p" * 60)])
        await journal.flush()
        disk.lose(tmp_path / "j", tmp_path / f"lost-{n}")
        stored = Stored.replay(await held(tmp_path / f"lost-{n}"))
        assert stored.last == n - n // 10
    await journal.close()


CHILD = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from tanist.election.entries import Entry
    from tanist.election.records import EntriesRecord, Stored
    from tanist.peer.storage.journal import Journal

    async def main():
        ended = asyncio.Event()
        def failed(error):
            print("failed", error.errno, error, flush=True)
            ended.set()
        journal, recovery = await Journal.open(
            Path(sys.argv[1]), "club/peer", on_persisted=lambda n: print(n, flush=True), on_failed=failed,
            segment_bytes=20_000)
        last = Stored.replay(recovery.records).last
        print("opened", last, flush=True)
        while not ended.is_set():
            for _ in range(3):
                last += 1
                journal.append(last, [EntriesRecord(last, (Entry(1, "a", 3, last, last, b"e" * (last % 700)),))])
                await asyncio.sleep(0)
            if last % 400 < 3:
                journal.compact()
            if last % 7 == 0:
                try:
                    await journal.flush()
                except Exception:
                    await ended.wait()
        await journal.close()

    asyncio.run(main())
""")


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged = 0
    for wait_for in (40, 3, 150, 1, 90, 300):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        opened = child.stdout.readline().split()
        assert opened[0] == "opened"
        assert int(opened[1]) >= acknowledged
        for _ in range(wait_for):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        for line in child.stdout:
            if line.endswith("\n"):
                acknowledged = int(line)
        child.wait()
        child.stdout.close()
        stored = Stored.replay(recover(read_segments(tmp_path)).records)
        assert stored.last >= acknowledged
        assert [entry.time_ns for entry in stored.entries] == list(range(1, stored.last + 1))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_file_size_limit_is_reported_and_clean_after_a_restart(tmp_path: Path) -> None:
    def limit() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (15_001, 15_001))

    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True, preexec_fn=limit, timeout=60
    )
    lines = child.stdout.splitlines()
    assert lines[-1].startswith(f"failed {errno.EFBIG}")
    acknowledged = int(lines[-2])
    found = recover(read_segments(tmp_path))
    assert Stored.replay(found.records).last >= acknowledged > 0


class Crash(BaseException):
    """The process ends here."""


class Crashing(Disk):
    """Ends at the n-th operation: before it, or, for a write, in the middle of it."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def create(self, path: Path) -> int:
        self._step()
        return super().create(path)

    def write(self, descriptor: int, data: bytes) -> None:
        if self.left == 1:
            super().write(descriptor, data[: len(data) // 2])
        self._step()
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._step()
        super().sync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def sync_directory(self, path: Path) -> None:
        self._step()
        super().sync_directory(path)


NEVER = 1 << 30


def write_crashing(directory: Path, base: bool, crash_at: int) -> tuple[int, Stored]:
    """Fill three segments, then write one more batch and crash at an operation; returns the steps made."""
    directory.mkdir()
    disk = Crashing(NEVER)
    writer = SegmentWriter(directory, OWNER, 200, disk)
    writer.resume(Recovery())
    stored = Stored()
    for n in range(1, 7):
        pieces: list[bytes] = []
        record = entries(n, 1, b"w" * 80)
        stored.take(record)
        pack_records([record], pieces)
        writer.write(b"".join(pieces), base=False)
    assert len(list(directory.glob("*.journal"))) >= 3
    pieces = []
    records = checkpoint(stored) if base else [entries(7)]
    pack_records(records, pieces)
    disk.left = crash_at
    try:
        writer.write(b"".join(pieces), base=base)
    except Crash:
        disk.left = NEVER
    writer.close()
    return NEVER - disk.left, stored


@pytest.mark.parametrize("base", [True, False], ids=["compact", "rotate"])
async def test_crash_at_every_step_leaves_old_or_new(tmp_path: Path, base: bool) -> None:
    steps, _ = write_crashing(tmp_path / "whole", base, NEVER)
    assert steps > 6
    seen = set()
    for at in range(1, steps + 1):
        directory = tmp_path / str(at)
        _, stored = write_crashing(directory, base, at)
        journal, recovery = await opened(directory, segment_bytes=200)
        again = Stored.replay(recovery.records)
        seen.add(len(recovery.records))
        assert again.entries[:6] == stored.entries
        assert not list(directory.glob("*.tmp"))
        journal.append(1, [entries(again.last + 1)])
        await journal.close()
        assert Stored.replay(await held(directory)).last == again.last + 1
    assert len(seen) > 1  # Some crashes left the old state, some the new one.


async def test_crash_at_every_step_of_making_and_reopening_a_journal(tmp_path: Path) -> None:
    for at in range(1, 8):
        disk = Crashing(at)
        directory = tmp_path / str(at)
        with suppress(Crash):
            journal, _ = await opened(directory, disk)
            disk.left = NEVER
            await journal.close()
        journal, recovery = await opened(directory)
        assert recovery.records == []
        journal.append(1, [entries(1)])
        await journal.close()
        os.truncate(directory / segment_name(1), (directory / segment_name(1)).stat().st_size - FRAME_BYTES)
        with suppress(Crash):
            disk = Crashing(at)
            journal, _ = await opened(directory, disk)
            disk.left = NEVER
            await journal.close()
        assert await held(directory) == [entries(1)]
