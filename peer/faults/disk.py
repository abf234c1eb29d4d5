"""A disk that can be full, read-only, slow, or fail to sync: in place of the real one under `--allow-drills`.

Only what must be kept goes through it: identity, journal, snapshots, archives. The election log does not, so that what
happened can be read afterwards.
"""

import errno
import os
import time
from enum import StrEnum
from pathlib import Path
from threading import Condition

from tanist.peer.storage.files import Disk

SLOW_MS_MAX = 120_000
"""Two minutes a sync: what takes longer hangs, and this is long enough to see what a hung disk does."""


class Trouble(StrEnum):
    """What may be wrong with a disk."""

    FULL = "disk_full"
    """No space is left: a write is done by half, as the last one is, and fails."""
    READ_ONLY = "disk_read_only"
    """Nothing may be changed, as when a file system was mounted anew after an error."""
    SLOW = "disk_slow"
    """Each sync takes so many milliseconds longer."""
    SYNC_FAILS = "fsync_fails"
    """Each sync reports an input/output error: what was written may be there, or not."""


class DrillDisk(Disk):
    """The real disk, with troubles that begin with `hurt` and end with `mend` or by themselves; from any thread."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._troubles: dict[str, tuple[Trouble, float, float]] = {}
        """By key: the trouble, its milliseconds, and when it ends."""

    def hurt(self, key: str, trouble: Trouble, for_s: float, slow_ms: float = 0.0) -> None:
        """Begin a trouble, under a name by which it can be mended; `slow_ms` is for slow ones. Raises `ValueError`."""
        if trouble is Trouble.SLOW and not 0 < slow_ms <= SLOW_MS_MAX:
            raise ValueError(f"a slow disk needs ms: above 0 and at most {SLOW_MS_MAX}, for each sync")
        with self._changed:
            self._troubles[key] = (trouble, slow_ms, time.monotonic() + for_s)
            self._changed.notify_all()

    def mend(self, key: str) -> None:
        """End a trouble now; what it holds up goes on."""
        with self._changed:
            self._troubles.pop(key, None)
            self._changed.notify_all()

    # The operations

    def create(self, path: Path) -> int:
        """See `Disk.create`."""
        self._must_be_writable(path)
        return super().create(path)

    def open(self, path: Path) -> int:
        """See `Disk.open`."""
        self._must_be_writable(path)
        return super().open(path)

    def write(self, descriptor: int, data: bytes) -> None:
        """See `Disk.write`."""
        self._must_be_writable(None)
        if self._has(Trouble.FULL):
            super().write(descriptor, data[: len(data) // 2])
            raise _error(errno.ENOSPC)
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """See `Disk.sync`."""
        self._sync_slowly()
        super().sync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        """See `Disk.truncate`."""
        self._must_be_writable(None)
        super().truncate(descriptor, length)

    def replace(self, source: Path, target: Path) -> None:
        """See `Disk.replace`."""
        self._must_be_writable(target)
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        self._must_be_writable(path)
        super().remove(path)

    def sync_directory(self, path: Path) -> None:
        """See `Disk.sync_directory`."""
        self._sync_slowly()
        super().sync_directory(path)

    # What is wrong

    def _must_be_writable(self, path: Path | None) -> None:
        if self._has(Trouble.READ_ONLY):
            raise _error(errno.EROFS, path)

    def _has(self, trouble: Trouble) -> bool:
        with self._changed:
            now = time.monotonic()
            return any(one is trouble and now < until for one, _, until in self._troubles.values())

    def _sync_slowly(self) -> None:
        begun = time.monotonic()
        with self._changed:
            while (left := self._slow_until(begun) - time.monotonic()) > 0:
                self._changed.wait(left)
        if self._has(Trouble.SYNC_FAILS):
            raise _error(errno.EIO)

    def _slow_until(self, begun: float) -> float:
        """When a sync that began then goes on: what makes it slow may have ended, or been mended, before."""
        slow = (min(begun + ms / 1000, until) for one, ms, until in self._troubles.values() if one is Trouble.SLOW)
        return max(slow, default=begun)


def _error(number: int, path: Path | None = None) -> OSError:
    return OSError(number, os.strerror(number), *(() if path is None else (str(path),)))
