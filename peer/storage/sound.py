"""Opening what a peer has on disk, whatever state it is in: what is sound is used, what is not is kept aside.

A peer whose data are damaged starts all the same, and knows that they are: see `tanist.election.repairing`.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from tanist.election.node import NO_SNAPSHOT
from tanist.election.records import DamageRecord, Record, SeenRecord, SnapshotRecord, Stored
from tanist.peer.storage.aside import keep_aside
from tanist.peer.storage.datadir import DataDirectory
from tanist.peer.storage.errors import JournalFailed, SnapshotDamaged, SnapshotMissing
from tanist.peer.storage.files import DISK, Disk
from tanist.peer.storage.journal import Journal, Repair
from tanist.peer.storage.recovery import Recovery
from tanist.peer.storage.snapshots import SnapshotStore

BEFORE_THE_CORE = 0
"""Persist id of what is written before the core takes its first step; its own begin at 1."""


class Opened(NamedTuple):
    """A peer's data: the journal, what was recovered of it, what that adds up to, and the snapshots with the newest.

    `damage` is a sentence for each thing that was found damaged now; `data` the bytes of `stored.snapshot`.
    """

    journal: Journal
    recovery: Recovery
    stored: Stored
    store: SnapshotStore
    data: bytes | None
    damage: list[str]


async def open_data(
    directory: DataDirectory,
    on_persisted: Callable[[int], None],
    on_failed: Callable[[JournalFailed], None],
    disk: Disk = DISK,
) -> Opened:
    """Open the journal and the snapshots of a data directory. Raises `StorageError`, `OSError`.

    When this returns, this start is noted in the journal, and what was found damaged too; all of it is on disk.
    """

    def persisted(persist_id: int) -> None:
        if persist_id != BEFORE_THE_CORE:
            on_persisted(persist_id)

    start = directory.identity.incarnation
    repair = Repair(directory.peer, start, directory.identity.opened, directory.aside)
    journal, recovery = await Journal.open(
        directory.journal, directory.owner, on_persisted=persisted, on_failed=on_failed, disk=disk, repair=repair
    )
    try:
        stored = Stored.replay(recovery.records)
        store = await SnapshotStore.open(directory.snapshots, disk)
        damage = [recovery.damage] if recovery.damage else []
        data, flaw = await _load(store, stored)
        records: list[Record] = []
        if flaw and stored.snapshot is not None:
            damage.append(flaw)
            # The entries behind the snapshot are of no use without it, and leave the journal with it.
            segments = sorted(directory.journal.glob("*"))
            await asyncio.to_thread(keep_aside, segments, directory.aside, disk)
            await asyncio.to_thread(store.keep_aside, stored.snapshot, directory.aside)
            records = [SnapshotRecord(NO_SNAPSHOT, False)]
        # What others know of a later state of this peer counts for its starts too.
        await asyncio.to_thread(directory.raise_incarnation, stored.seen.get(directory.peer, (0, 0))[0])
        known = stored.damage
        if flaw or (known is not None and known.start == start):
            why = flaw or (known.detail if known is not None else "")
            records.append(DamageRecord(directory.identity.incarnation, why))
        records.append(SeenRecord(directory.peer, *directory.incarnation))
        journal.append(BEFORE_THE_CORE, records)
        for record in records:
            stored.take(record)
        await journal.flush()
        await asyncio.to_thread(directory.mark_opened)
    except BaseException:
        await journal.close()
        raise
    return Opened(journal, recovery, stored, store, data, damage)


async def _load(store: SnapshotStore, stored: Stored) -> tuple[bytes | None, str]:
    """The bytes of the snapshot that the journal begins with, or what is wrong with them."""
    meta = stored.snapshot
    if meta is None:
        return None, ""
    try:
        data = await store.load(meta)
    except (SnapshotDamaged, SnapshotMissing) as error:
        return None, str(error)
    if not store.has(meta):
        await store.mend(meta, data)
    return data, ""
