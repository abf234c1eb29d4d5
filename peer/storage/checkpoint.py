"""All that a journal adds up to, as the fewest records that add up to the same."""

from tanist.election.records import BallotRecord, EntriesRecord, ListRecord, Record, SnapshotRecord, Stored

ENTRIES_PER_RECORD = 1024
"""Entries in one record of a checkpoint, so that none is larger than what a message may bring."""


def checkpoint(stored: Stored) -> list[Record]:
    """Records from which `Stored.replay` makes a value equal to `stored`."""
    records: list[Record] = [
        BallotRecord(stored.number, stored.voted_for),
        ListRecord(stored.fallbacks, stored.last_server, stored.last_address),
        # Refusals go first: a later refusal would undo the acceptance that still stands.
        *stored.refused,
    ]
    if stored.founding is not None:
        records.append(stored.founding)
    if stored.snapshot is not None:
        records.append(SnapshotRecord(stored.snapshot, False))
    for i in range(0, len(stored.entries), ENTRIES_PER_RECORD):
        records.append(EntriesRecord(stored.first + i, tuple(stored.entries[i : i + ENTRIES_PER_RECORD])))
    return records
