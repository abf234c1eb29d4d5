"""What can go wrong with what is kept on disk: each error says what, where, and what to do."""

import errno
from pathlib import Path

ADVICE: dict[int, str] = {
    errno.ENOSPC: "no space is left: free some, then start again",
    errno.EDQUOT: "the disk quota is used up: free some space, then start again",
    errno.EFBIG: "the file may not grow further (a file size limit): raise the limit, then start again",
    errno.EROFS: "the file system is read-only: mount it writable, or choose another directory",
    errno.EACCES: "permission denied: give this user the right to write there, or choose another directory",
    errno.EPERM: "permission denied: give this user the right to write there, or choose another directory",
    errno.ENOTDIR: "a part of the path is a file: choose another directory",
    errno.EIO: "the disk reports an input/output error: check it before you trust it again",
    errno.EMFILE: "too many files are open: raise the limit of open files (ulimit -n)",
}
"""What to do about an operating system error, by its number."""


def explain(error: OSError) -> str:
    """Say in a clause what an operating system error means and what to do about it."""
    return ADVICE.get(error.errno or 0, error.strerror or str(error))


class StorageError(Exception):
    """Base of all errors of what is kept on disk."""


class JournalError(StorageError):
    """Base of the journal's errors."""


class JournalDamaged(JournalError):
    """Bytes that were on disk once are not what they were. Nothing was changed or cut away.

    `file` is the name of the segment, `offset` the byte in it where reading fails, `detail` a sentence.
    """

    def __init__(self, file: str, offset: int, detail: str) -> None:
        super().__init__(f"the journal is damaged: {file} at byte {offset}: {detail}; it was left as it is")
        self.file = file
        self.offset = offset
        self.detail = detail


class JournalNewer(JournalError):
    """A newer version of the program wrote this journal. Nothing was changed."""

    def __init__(self, file: str, detail: str) -> None:
        super().__init__(f"{file} was written by a newer version ({detail}): use that version; nothing was changed")
        self.file = file
        self.detail = detail


class JournalForeign(JournalError):
    """The journal belongs to another peer or cluster. Nothing was changed."""

    def __init__(self, file: str, found: str, expected: str) -> None:
        super().__init__(
            f"{file} belongs to {found!r}, not to {expected!r}: use the directory of that peer; nothing was changed"
        )
        self.file = file
        self.found = found
        self.expected = expected


class JournalFailed(JournalError):
    """The disk did not take what must be on it. The journal writes nothing more until it is opened anew.

    `errno` is the operating system's number, or None when there is none.
    """

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.errno = number


class SnapshotDamaged(StorageError):
    """A snapshot's bytes are not those that its digest names."""


class SnapshotMissing(StorageError):
    """There is no such snapshot here."""


class DataError(StorageError):
    """A data directory cannot be used: `path`, `reason`, and in `advice` what to do."""

    def __init__(self, path: Path, reason: str, advice: str) -> None:
        super().__init__(f"{path}: {reason}: {advice}")
        self.path = path
        self.reason = reason
        self.advice = advice


class DataLocked(DataError):
    """Another process uses this data directory; `pid` is its process id if known."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid is not None else "another process"
        super().__init__(path, f"in use by {who}", "end it, or give this peer another data directory")
        self.pid = pid
