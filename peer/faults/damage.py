"""Damage to the data of a peer that does not run: a flipped byte, a torn tail. What a peer makes of it is its own test.

Each says what it changed, so that whoever wants can put it back.
"""

from pathlib import Path
from random import Random
from typing import NamedTuple

from filelock import FileLock, Timeout

from tanist.peer.storage.format import FRAME_BYTES, decode_header, read_frame, seal
from tanist.peer.storage.recovery import recover
from tanist.peer.storage.segments import read_segments

TORN_BYTES_MAX = 4096
"""Bytes of the write that was interrupted: a few sectors."""


class Damage(NamedTuple):
    """What was done: in this file, from this byte on, these bytes became those; with `tail`, to its end."""

    path: Path
    offset: int
    before: bytes
    after: bytes
    tail: bool

    def undo(self) -> None:
        """Put the bytes back as they were. Raises `OSError`."""
        self._write(self.before)

    def _write(self, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(self.offset)
            file.write(data)
            if self.tail:
                file.truncate()

    def do(self) -> "Damage":
        """Do it. Raises `OSError`."""
        self._write(self.after)
        return self


def flip_byte(data: Path, random: Random) -> Damage:
    """Change one byte in the journal of a data directory, within a batch of records that had been on disk for good.

    Raises `RuntimeError` while a peer runs on it, `ValueError` when there is no journal.
    """
    name, content, end = _journal(data)
    header, offset = decode_header(content)
    batches: list[range] = []
    while frame := read_frame(content[:end], offset, header.salt):
        after = offset + FRAME_BYTES + frame.length
        if frame.kind == "batch":
            # A mark only says that a batch is there: without it, the next batch says so.
            batches.append(range(offset, after))
        offset = after
    if not batches:
        raise ValueError(f"{data}: the newest segment of the journal holds no records yet; there is nothing to damage")
    offset = random.choice(random.choice(batches))
    before = content[offset : offset + 1]
    flipped = bytes([before[0] ^ random.randrange(1, 256)])
    return Damage(data / "journal" / name, offset, before, flipped, tail=False).do()


def tear_tail(data: Path, random: Random) -> Damage:
    """Leave the begin of one more record at the end of the journal, as a write that power interrupted leaves it.

    Nothing that was acknowledged is touched: the peer drops it. Raises as `flip_byte` does.
    """
    name, content, end = _journal(data)
    tail = recover(read_segments(data / "journal")).tail
    assert tail is not None
    frame, _ = seal(random.randbytes(random.randrange(16, TORN_BYTES_MAX)), tail.chain)
    torn = frame[: random.randrange(1, len(frame))]
    return Damage(data / "journal" / name, end, content[end:], torn, tail=True).do()


def _journal(data: Path) -> tuple[str, bytes, int]:
    """The newest segment of a journal: its name, its content, and where its good part ends."""
    lock = FileLock(data / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise RuntimeError(f"{data}: a peer runs on this data directory; end it before you damage its data") from None
    lock.release()
    segments = read_segments(data / "journal")
    tail = recover(segments).tail if segments else None
    if tail is None:
        raise ValueError(f"{data}: there is no journal to damage; start a peer with this data directory first")
    name, content = segments[-1]
    return name, content, tail.length
