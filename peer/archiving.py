"""Entries that leave the log are kept where people find them, with the snapshot before them if nobody else keeps it."""

from pathlib import Path

from tanist.election.ready import Archive
from tanist.peer import clock
from tanist.peer.storage.archive import write_archive
from tanist.peer.storage.datadir import DataDirectory
from tanist.peer.storage.files import Disk
from tanist.peer.storage.snapshots import SnapshotStore


def keep_archive(directory: DataDirectory, store: SnapshotStore, archive: Archive, cluster: str, disk: Disk) -> Path:
    """Write an archive of a peer; gives its path when it is on disk. Blocks on the disk; raises `OSError`."""
    where, me = directory.archives, directory.peer
    path = write_archive(where, archive, time_ns=clock.wall_ns(), cluster=cluster, peer=me, disk=disk)
    if archive.snapshot is not None and store.has(archive.snapshot):
        # What was compacted before those entries is nowhere else: the snapshot must outlive its pruning.
        store.keep_copy(archive.snapshot, where)
    return path
