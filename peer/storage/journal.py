"""The journal: records go in, and a call comes back when they are on disk. One write and one sync for all that waits.

All of the disk's work is done in a thread of the journal's own, one hop per batch; the event loop only encodes.
The journal adds up what it holds (`Stored`), so that it can replace old segments by what they amount to.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from aiofiles.os import wrap

from tanist.election.records import DamageRecord, Record, RecordsError, SnapshotRecord, Stored
from tanist.peer.storage.aside import keep_aside
from tanist.peer.storage.checkpoint import checkpoint
from tanist.peer.storage.errors import JournalDamaged, JournalFailed, explain
from tanist.peer.storage.files import DISK, Disk, remove_temporaries
from tanist.peer.storage.format import pack_records
from tanist.peer.storage.recovery import Recovery, recover
from tanist.peer.storage.salvage import salvage
from tanist.peer.storage.segments import SegmentWriter, read_segments

SEGMENT_BYTES = 64 << 20
"""Bytes after which a new segment begins: a recovery reads whole segments, and a damaged one is named exactly."""
QUEUE_BYTES_MAX = 256 << 20
"""Bytes that may wait for the disk. A disk that is so far behind has failed: its peer must not go on serving."""


@dataclass(slots=True)
class _Batch:
    """What the next write puts on disk: records, the highest persist id among them, and who waits for it."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    base: bool = False
    persist_id: int | None = None
    waiters: list[asyncio.Future[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Repair:
    """How a damaged journal is begun anew.

    `peer` is the id whose starts are noted in it, `start` the number of this one, and `opened` that of the last one
    which noted itself there (0: none did). The damaged files are kept in `aside`.
    """

    peer: str
    start: int
    opened: int
    aside: Path


class Journal:
    """A peer's journal, open for writing. Use it from one event loop; make it with `Journal.open`."""

    def __init__(
        self,
        writer: SegmentWriter,
        stored: Stored,
        executor: ThreadPoolExecutor,
        on_persisted: Callable[[int], None],
        on_failed: Callable[[JournalFailed], None],
    ) -> None:
        """Use `Journal.open` instead."""
        self._writer = writer
        self._stored = stored
        self._executor = executor
        self._on_persisted = on_persisted
        self._on_failed = on_failed
        self._hop = wrap(writer.write)
        self._loop = asyncio.get_running_loop()
        self._next = _Batch()
        self._writing: _Batch | None = None
        self._writing_since = 0.0
        self._wake = asyncio.Event()
        self._closing = False
        self._failure: JournalFailed | None = None
        self._task = self._loop.create_task(self._write_batches(), name="journal")

    @classmethod
    async def open(
        cls,
        directory: Path,
        owner: str,
        *,
        on_persisted: Callable[[int], None],
        on_failed: Callable[[JournalFailed], None],
        segment_bytes: int = SEGMENT_BYTES,
        disk: Disk = DISK,
        repair: "Repair | None" = None,
    ) -> tuple["Journal", Recovery]:
        """Open the journal in `directory` (made if missing), and return it with what it holds.

        `owner` (say, cluster and peer id) must be the one it was made with. `on_persisted(persist_id)` is called on
        the loop when everything appended up to that id is on disk; `on_failed(error)` once, when nothing will be
        written any more: take it for the end of the reign. All that was recovered is on disk when this returns.

        With `repair`, a damaged journal is kept aside and begun anew from what is sound of it, with a `DamageRecord`
        that says so; `Recovery.damage` tells what was wrong.

        Raises `JournalDamaged` (without `repair`), `JournalNewer`, `JournalForeign` (nothing is changed then), and
        `JournalFailed` when the disk does not do what is asked.
        """
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        writer = SegmentWriter(directory, owner, segment_bytes, disk)
        try:
            recovery, stored = await wrap(_recover)(directory, owner, writer, disk, repair, executor=executor)
        except BaseException as error:
            executor.submit(writer.close)
            executor.shutdown(wait=False)
            if isinstance(error, OSError):
                raise JournalFailed(f"cannot open the journal in {directory}: {explain(error)}", error.errno) from error
            raise
        return cls(writer, stored, executor, on_persisted, on_failed), recovery

    @property
    def failure(self) -> JournalFailed | None:
        """Why nothing is written any more, or None while all is well."""
        return self._failure

    @property
    def waiting_s(self) -> float:
        """For how many seconds the disk has been at the present batch; 0.0 when it is idle."""
        return self._loop.time() - self._writing_since if self._writing is not None else 0.0

    def append(self, persist_id: int, records: Sequence[Record]) -> None:
        """Have records written; `on_persisted(persist_id)` follows, or `on_failed`.

        A `SnapshotRecord` also compacts the journal: the snapshot must be on disk already. After a failure this does
        nothing. Raises `RecordsError` for entries that leave a hole, `RuntimeError` once closed.
        """
        if self._failure is not None:
            return
        if self._closing:
            raise RuntimeError("the journal is closed: append before close()")
        compact = False
        for record in records:
            self._stored.take(record)
            compact = compact or isinstance(record, SnapshotRecord)
        batch = self._next
        batch.persist_id = persist_id
        if compact:
            self.compact()
        else:
            batch.size += pack_records(records, batch.pieces)
            self._wake.set()
        if batch.size > QUEUE_BYTES_MAX:
            self._fail(JournalFailed(f"the disk is {batch.size} bytes behind at {self._writer.file}: it is too slow"))

    def compact(self) -> None:
        """Replace all segments by a new one that holds what they add up to, and nothing else.

        It takes the place of the next batch. A crash at any moment leaves the old segments or the new one.
        """
        if self._failure is not None:
            return
        batch = self._next
        # What waits in the batch is part of the sum already.
        batch.pieces.clear()
        batch.size = pack_records(checkpoint(self._stored), batch.pieces)
        batch.base = True
        self._wake.set()

    async def flush(self) -> None:
        """Return when everything appended so far is on disk. Raises `JournalFailed` if it will never be."""
        if self._failure is not None:
            raise self._failure
        if self._next.persist_id is not None or self._next.base:
            batch = self._next
        elif self._writing is not None:
            batch = self._writing
        else:
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        batch.waiters.append(waiter)
        await waiter

    async def close(self) -> None:
        """Write what waits, then close. After a failure it only closes. May be called again."""
        self._closing = True
        self._wake.set()
        # The thread may be in the middle of a batch: a cancelled close must not take its file away.
        await asyncio.shield(self._task)

    async def _write_batches(self) -> None:
        """Write batch after batch until closed or failed."""
        try:
            while self._failure is None:
                await self._wake.wait()
                if self._failure is not None or not await self._write_next():
                    break
            if self._failure is None:
                await wrap(self._writer.finish)(executor=self._executor)
        except OSError as error:
            self._fail(JournalFailed(f"cannot write {self._writer.file}: {explain(error)}", error.errno), error)
        except Exception as error:
            self._fail(JournalFailed(f"the journal's writer ended unexpectedly: {error!r}"), error)
        finally:
            self._closing = True
            # Behind whatever the thread may still be at: closing under a running write could hit another file.
            self._executor.submit(self._writer.close)
            self._executor.shutdown(wait=False)

    async def _write_next(self) -> bool:
        """Write what waits. Returns False when nothing waits and the journal is closing."""
        if not self._closing:
            self._wake.clear()
        batch = self._next
        if batch.persist_id is None and not batch.base:
            return not self._closing
        self._next = _Batch()
        self._writing, self._writing_since = batch, self._loop.time()
        if batch.pieces or batch.base:
            await self._hop(b"".join(batch.pieces), batch.base, executor=self._executor)
        self._writing = None
        if self._failure is None:
            for waiter in batch.waiters:
                if not waiter.done():
                    waiter.set_result(None)
            if batch.persist_id is not None:
                self._on_persisted(batch.persist_id)
        return True

    def _fail(self, failure: JournalFailed, cause: BaseException | None = None) -> None:
        """Stop for good: what is on disk is unknown from here on, so nothing may be built on it."""
        if self._failure is not None:
            return
        failure.__cause__ = cause
        self._failure = failure
        self._wake.set()
        for batch in (self._writing, self._next):
            for waiter in batch.waiters if batch is not None else ():
                if not waiter.done():
                    waiter.set_exception(failure)
        self._writing, self._next = None, _Batch()
        self._loop.call_soon(self._on_failed, failure)


def _recover(
    directory: Path, owner: str, writer: SegmentWriter, disk: Disk, repair: Repair | None
) -> tuple[Recovery, Stored]:
    """Read a journal and get its files ready for writing on."""
    directory.mkdir(parents=True, exist_ok=True)
    segments = read_segments(directory)
    try:
        recovery = recover(segments, owner)
        stored = _replay(recovery, segments, repair)
    except JournalDamaged as damage:
        if repair is None:
            raise
        return _begin_anew(directory, segments, owner, writer, disk, repair, damage)
    remove_temporaries(directory, disk)
    writer.resume(recovery)
    return recovery, stored


def _replay(recovery: Recovery, segments: Sequence[tuple[str, bytes]], repair: Repair | None) -> Stored:
    """Add up what was recovered. Raises `JournalDamaged` when that is not what this journal must hold."""
    if repair is not None and repair.opened and not segments:
        raise JournalDamaged("journal", 0, "its segments are gone")
    try:
        stored = Stored.replay(recovery.records)
    except RecordsError as error:
        raise JournalDamaged(segments[-1][0], 0, f"its records do not add up: {error}") from None
    if repair is not None and stored.seen.get(repair.peer, (0, 0))[0] < repair.opened:
        raise JournalDamaged(segments[-1][0], 0, f"it is older than start {repair.opened}, which wrote to it")
    return stored


def _begin_anew(
    directory: Path,
    segments: Sequence[tuple[str, bytes]],
    owner: str,
    writer: SegmentWriter,
    disk: Disk,
    repair: Repair,
    damage: JournalDamaged,
) -> tuple[Recovery, Stored]:
    """Keep a damaged journal aside, and go on from what is sound of it: the peer is told by a record in it."""
    names = [name for name, _ in segments]
    keep_aside([directory / name for name in names], repair.aside, disk)
    stored = salvage(segments, owner)
    stored.take(DamageRecord(repair.start, f"{damage.file} at byte {damage.offset}: {damage.detail}"))
    records = checkpoint(stored)
    pieces: list[bytes] = []
    pack_records(records, pieces)
    remove_temporaries(directory, disk)
    writer.begin_anew(b"".join(pieces), names)
    return Recovery(records, damage=str(damage)), stored
