"""The journal's files: going on after a recovery, writing batches, turning to new segments. Blocks on the disk."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from tanist.peer.storage.files import DISK, TEMPORARY_SUFFIX, Disk
from tanist.peer.storage.format import SEGMENT_SUFFIX, Chain, SegmentHeader, encode_header, mark, seal, segment_name
from tanist.peer.storage.recovery import Recovery, Tail
from tanist.peer.storage.salvage import newest_number


def read_segments(directory: Path) -> list[tuple[str, bytes]]:
    """Read all segments of a journal as (file name, content), in order. Raises `OSError`."""
    return [(path.name, path.read_bytes()) for path in sorted(directory.glob("*" + SEGMENT_SUFFIX))]


class SegmentWriter:
    """Writes batches to the newest segment of a directory. All methods block, and raise `OSError`.

    After an error it must not be used but for `close`: what is on disk then is known only after a recovery.
    """

    def __init__(self, directory: Path, owner: str, segment_bytes: int, disk: Disk = DISK) -> None:
        """Prepare to write segments of about `segment_bytes` each. Touches nothing yet: see `resume`."""
        self._directory = directory
        self._owner = owner
        self._segment_bytes = segment_bytes
        self._disk = disk
        self._descriptor = -1
        self._number = 0
        self._chain = Chain(0, 0, 0)
        self._size = 0

    @property
    def file(self) -> Path:
        """The segment that is written to."""
        return self._directory / segment_name(self._number)

    def resume(self, recovery: Recovery) -> None:
        """Make the files agree with what was recovered, and be ready to write on.

        Cuts the torn tail, removes segments that do not count, and sees to it that all that was recovered is on disk.
        """
        tail = recovery.tail
        if tail is not None:
            self._resume_segment(tail)
        for name in recovery.superfluous:
            self._disk.remove(self._directory / name)
        if tail is None:
            self._begin(base=True, payload=None)
        else:
            self._disk.sync_directory(self._directory)

    def _resume_segment(self, tail: Tail) -> None:
        self._number, self._chain, self._size = tail.number, tail.chain, tail.length
        path = self.file
        self._descriptor = self._disk.open(path)
        self._disk.truncate(self._descriptor, tail.length)
        os.lseek(self._descriptor, tail.unmarked, os.SEEK_SET)
        if tail.unmarked < tail.length:
            # The last batch was read, but perhaps from the cache of a disk that failed to sync it: then a second sync
            # would succeed without writing anything. Written again, its bytes are what the next sync is about.
            with path.open("rb") as file:
                file.seek(tail.unmarked)
                batch = file.read(tail.length - tail.unmarked)
            self._disk.write(self._descriptor, batch)
        self._disk.sync(self._descriptor)
        if tail.unmarked < tail.length:
            self._write_mark()

    def begin_anew(self, payload: bytes, replaced: Sequence[str]) -> None:
        """Leave all segments as they are, write what is to be kept of them into a new one, and only then remove them.

        It stands for all that were before it, whatever is wrong with them, and whenever this is interrupted.
        """
        self._number, self._chain = newest_number(replaced), Chain(0, 0, 0)
        self._begin(base=True, payload=payload)
        for name in replaced:
            self._disk.remove(self._directory / name)
        self._disk.sync_directory(self._directory)

    def write(self, payload: bytes, base: bool) -> None:
        """Put one batch on disk. A `base` replaces all that was written before, in a segment of its own."""
        if base:
            self._begin(base=True, payload=payload)
            self._remove_older()
            return
        if self._size >= self._segment_bytes:
            # The mark too must be on disk: recovery takes no segment but the last for unfinished.
            self._disk.sync(self._descriptor)
            self._begin(base=False, payload=None)
        frame, chain = seal(payload, self._chain)
        self._disk.write(self._descriptor, frame)
        self._disk.sync(self._descriptor)
        self._chain = chain
        self._size += len(frame)
        self._write_mark()

    def _write_mark(self) -> None:
        """Say that the last batch is on disk. Not synced by itself: see `recovery` for why that is enough."""
        data = mark(self._chain)
        self._disk.write(self._descriptor, data)
        self._size += len(data)

    def _begin(self, base: bool, payload: bytes | None) -> None:
        """Begin a segment. It gets its name only when all of it is on disk, so that it is there whole or not at all."""
        number = self._number + 1
        chain = self._chain._replace(salt=secrets.randbits(32))
        data = encode_header(SegmentHeader(number, chain.sequence, chain.checksum, chain.salt, base, self._owner))
        if payload is not None:
            frame, chain = seal(payload, chain)
            data = b"".join((data, frame, mark(chain)))
        path = self._directory / segment_name(number)
        temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
        descriptor = self._disk.create(temporary)
        try:
            self._disk.write(descriptor, data)
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
        self._disk.replace(temporary, path)
        self._disk.sync_directory(self._directory)
        self.close()
        self._descriptor = self._disk.open(path)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        self._number, self._chain, self._size = number, chain, len(data)

    def _remove_older(self) -> None:
        """Remove the segments before the present one, which needs none of them."""
        newest = segment_name(self._number)
        for path in sorted(self._directory.glob("*" + SEGMENT_SUFFIX)):
            if path.name < newest:
                self._disk.remove(path)

    def finish(self) -> None:
        """Put the last mark on disk too, and close."""
        self._disk.sync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Close the segment as it is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
