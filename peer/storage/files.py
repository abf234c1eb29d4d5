"""The few file operations that everything kept on disk is made of, in one class so that tests can fail each."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

TEMPORARY_SUFFIX = ".tmp"
"""Ends the names of files that are being written: they count for nothing, and are removed at the next start."""
_BINARY = getattr(os, "O_BINARY", 0)


class Disk:
    """File operations, each raising `OSError`. All block: call them off the event loop where it matters."""

    def create(self, path: Path) -> int:
        """Make an empty file, or empty an old one; returns a descriptor to write to."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)

    def open(self, path: Path) -> int:
        """Open an existing file to write to, positioned at its begin."""
        return os.open(path, os.O_RDWR | _BINARY)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`, however many calls it takes."""
        written = os.write(descriptor, data)
        if written < len(data):
            rest = memoryview(data)[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]

    def append(self, path: Path, data: bytes) -> None:
        """Write `data` behind what a file has (made if missing)."""
        with path.open("ab", buffering=0) as file:
            self.write(file.fileno(), data)

    def sync(self, descriptor: int) -> None:
        """Return once the file's bytes and length are on the disk."""
        if sys.platform == "darwin":
            # fsync on macOS leaves the bytes in the drive's cache.
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut a file to `length` bytes."""
        os.ftruncate(descriptor, length)

    def replace(self, source: Path, target: Path) -> None:
        """Rename a file, over an older one if there is one."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def sync_directory(self, path: Path) -> None:
        """Return once names made or removed in a directory are on the disk. Windows has no such call and needs none."""
        if sys.platform == "win32":
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


DISK = Disk()
"""The real disk."""


def write_atomically(path: Path, data: bytes | Iterable[bytes], disk: Disk = DISK) -> None:
    """Replace a file's content so that after a crash it holds the old or the new bytes, never neither.

    Large contents come in pieces: putting them together would take as much memory again, and stall the peer.

    Returns when the new content and its name are on disk. Raises `OSError`; the old content stays then.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    write_synced(temporary, data, disk)
    disk.replace(temporary, path)
    disk.sync_directory(path.parent)


def write_synced(path: Path, data: bytes | Iterable[bytes], disk: Disk = DISK) -> None:
    """Write a file and return when its bytes are on disk (its name may not be yet). Raises `OSError`."""
    descriptor = disk.create(path)
    try:
        for piece in (data,) if isinstance(data, bytes) else data:
            disk.write(descriptor, piece)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(directory: Path, disk: Disk = DISK) -> int:
    """Remove what a crash left half written in a directory; returns how many files that were."""
    leftovers = sorted(directory.glob("*" + TEMPORARY_SUFFIX))
    for path in leftovers:
        disk.remove(path)
    return len(leftovers)
