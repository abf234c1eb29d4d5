"""The file of the election log on disk: lines appended, the file turned over when it is full.

The present lines are in `election.jsonl`, older ones in `election.jsonl.1`, `.2`, … up to the oldest.
"""

import os
from pathlib import Path

FILE_NAME = "election.jsonl"
"""The name of the election log in a peer's data directory."""
FILE_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of one file: about sixty thousand lines, years of a calm cluster."""
FILES_MAX = 4
"""Files kept, the present one included: so the election log never takes more than 64 MiB of the disk."""


class RotatingFile:
    """Lines appended to a file, without a sync: what the operating system has is kept if only the process dies.

    Nothing is opened before the first line. One writer a file: the lock of the data directory sees to it.
    """

    def __init__(self, path: Path, bytes_max: int = FILE_BYTES_MAX, files_max: int = FILES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._fd = -1
        self._size = 0
        self._mid_line = False

    def append(self, text: str) -> None:
        """Append one line; the end of line is added. Raises OSError when the line is not, or not wholly, written."""
        data = text.encode() + b"\n"
        if self._fd < 0:
            self._open()
        if self._size and self._size + len(data) > self._bytes_max:
            self._turn_over()
        if self._mid_line:
            # Half a line stands before this one, from a crash or a full disk: it must not swallow this one.
            data = b"\n" + data
        written = os.write(self._fd, data)
        self._size += written
        self._mid_line = written < len(data)
        if self._mid_line:
            raise OSError(f"only {written} of {len(data)} bytes could be written")

    def close(self) -> None:
        """Close the file; a later `append` opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self._fd = os.open(self.path, flags, 0o644)
        self._size = os.lseek(self._fd, 0, os.SEEK_END)
        self._mid_line = False
        if self._size:
            os.lseek(self._fd, -1, os.SEEK_END)
            self._mid_line = os.read(self._fd, 1) != b"\n"

    def _turn_over(self) -> None:
        self.close()
        for age in range(self._files_max - 1, 0, -1):
            younger = older_path(self.path, age - 1)
            if younger.exists():
                younger.replace(older_path(self.path, age))
        self._open()


def older_path(path: Path, age: int) -> Path:
    """Where the lines are that are `age` files old; age 0 is the present file."""
    return path.with_name(f"{path.name}.{age}") if age else path
