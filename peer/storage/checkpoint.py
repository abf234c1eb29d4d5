"""All that a journal adds up to, as the fewest records that add up to the same."""

from collections.abc import Callable, Sequence

from tanist.election.entries import Entry
from tanist.election.records import (
    BallotRecord,
    BesideRecord,
    CommitRecord,
    CopiedRecord,
    EntriesRecord,
    ListRecord,
    Record,
    SeenRecord,
    SnapshotRecord,
    Stored,
)

ENTRIES_PER_RECORD = 1024
"""Entries in one record of a checkpoint, so that none is larger than what a message may bring."""


def checkpoint(stored: Stored) -> list[Record]:
    """Records from which `Stored.replay` makes a value equal to `stored`."""
    records: list[Record] = [
        BallotRecord(stored.number, stored.voted_for),
        ListRecord(stored.fallbacks, stored.last_server, stored.last_address),
        # Refusals go first: a later refusal would undo the acceptance that still stands.
        *stored.refused,
        *(SeenRecord(peer, start, nonce) for peer, (start, nonce) in stored.seen.items()),
    ]
    if stored.founding is not None:
        records.append(stored.founding)
    if stored.snapshot is not None:
        records.append(SnapshotRecord(stored.snapshot, False, stored.first))
    records += _in_pieces(EntriesRecord, stored.first, stored.entries)
    if stored.committed or stored.snapshot is not None:
        records.append(CommitRecord(stored.committed))
    if stored.beside is not None:
        records.append(BesideRecord(stored.beside.at, stored.beside.snapshot))
        records += _in_pieces(CopiedRecord, stored.beside.at + 1, stored.beside.entries)
    if stored.damage is not None:
        records.append(stored.damage)
    return records


def _in_pieces(
    record: Callable[[int, tuple[Entry, ...]], Record], first: int, entries: Sequence[Entry]
) -> list[Record]:
    """Entries from index `first` on, in records that are not too large."""
    starts = range(0, len(entries), ENTRIES_PER_RECORD)
    return [record(first + i, tuple(entries[i : i + ENTRIES_PER_RECORD])) for i in starts]
