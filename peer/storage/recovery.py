"""From the bytes of a journal back to its records: what to keep, what to drop, what to call damage.

Batches are numbered. Batch n + 1 is written only after batch n was synced and marked, so the proof that
batch n was on disk, and may have been acknowledged, is its mark, or any later batch's successor. Where reading
fails, in the last segment, behind the last good batch:

1. If anything later proves that a batch behind the last good one was on disk, this is damage.
2. If the file simply ends within a frame, the write was cut short: a torn tail.
3. If a whole sector of it is zero, it never reached the disk: a torn tail (power was lost during the write).
4. Else it is damage: bytes that were written whole and changed.

A process that is killed always leaves its marks behind (they are with the operating system by then), so that a
flipped bit in acknowledged records is found by rule 1, in the very last batch too. What bytes alone cannot tell:
when *power* was lost within seconds of the last batch, its mark may be lost with it. If then a bit of that last
batch flips as well, and a sector of it is rightly zero, rule 3 takes it for torn; and a file whose end is cut off
exactly by its file system looks like one that was not yet written. Everywhere else (earlier segments, headers,
a segment that compaction made) any failure is damage: those bytes were synced before the file got its name or
its successor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from zlib import crc32

from tanist.election.records import Record
from tanist.peer.storage.errors import JournalDamaged, JournalForeign, JournalNewer
from tanist.peer.storage.format import (
    FRAME_BYTES,
    MARKER,
    Chain,
    FormatError,
    NewerFormat,
    SegmentHeader,
    ShortHeader,
    decode_header,
    decode_payload,
    read_frame,
    segment_name,
)

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where to go on writing.

    The segment `file` of this `number` is good up to byte `length`; the bytes from `unmarked` on (equal to `length`
    when there are none) are a whole batch without a mark: maybe never synced.
    """

    file: str
    number: int
    chain: Chain
    length: int
    unmarked: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a journal holds.

    `records` in order; `torn_bytes` at the end of `torn_file` were never acknowledged and are dropped, for the
    reason in `torn_detail`; `superfluous` names segments that a compaction has replaced, or that were being made.
    `tail` is None when there is no segment yet.
    """

    records: list[Record] = field(default_factory=list)
    tail: Tail | None = None
    batches: int = 0
    torn_bytes: int = 0
    torn_file: str = ""
    torn_detail: str = ""
    superfluous: tuple[str, ...] = ()
    damage: str = ""
    """What was wrong, when a damaged journal was begun anew from what was sound of it."""


class _Failure(NamedTuple):
    offset: int
    detail: str
    cut_short: bool


@dataclass(slots=True)
class _Walk:
    """A segment read from its begin to its end, or to the first failure."""

    chain: Chain
    offset: int
    unmarked: int
    records: list[Record] = field(default_factory=list)
    batches: int = 0
    failure: _Failure | None = None


def recover(segments: Sequence[tuple[str, bytes]], owner: str | None = None) -> Recovery:
    """Read the segments of a journal, given as (file name, content) in the order of their names.

    Raises `JournalDamaged`, `JournalNewer`, or `JournalForeign` when the segments are not of `owner` (None: any).
    """
    headers: list[tuple[SegmentHeader, int] | None] = []
    replaced: list[str] = []
    flaw: JournalDamaged | None = None
    for name, data in segments:
        try:
            header = _header(name, data)
        except JournalDamaged as error:
            flaw = flaw or error
            header = None
        else:
            if header is not None and header[0].base:
                # It stands for all segments before it, sound or not.
                replaced += [n for n, _ in segments[len(replaced) : len(replaced) + len(headers)]]
                headers, flaw = [], None
        headers.append(header)
    if flaw is not None:
        raise flaw
    kept = _recover_from(segments[len(replaced) :], headers, owner)
    return replace(kept, superfluous=(*replaced, *kept.superfluous))


def _recover_from(
    segments: Sequence[tuple[str, bytes]], headers: list[tuple[SegmentHeader, int] | None], owner: str | None
) -> Recovery:
    """Recover from segments whose headers were read; None stands for one that the file ends within."""
    torn_header = bool(headers) and headers[-1] is None
    if torn_header:
        headers.pop()
    for (name, _), head in zip(segments, headers, strict=False):
        if head is None:
            raise JournalDamaged(name, 0, "it ends within its header, and a later segment follows")
        if name != segment_name(head[0].number):
            raise JournalDamaged(name, 0, f"this is segment {head[0].number} under another name")
        if owner is not None and head[0].owner != owner:
            raise JournalForeign(name, head[0].owner, owner)
    whole = [(name, data, *head) for (name, data), head in zip(segments, headers, strict=False) if head is not None]
    if torn_header:
        return _without_torn_header(whole, *segments[-1])
    return _recover_whole(whole) if whole else Recovery()


_Whole = tuple[str, bytes, SegmentHeader, int]


def _header(name: str, data: bytes) -> tuple[SegmentHeader, int] | None:
    """The header of a segment and its length, or None when the file ends within it."""
    try:
        return decode_header(data)
    except ShortHeader:
        return None
    except NewerFormat as error:
        raise JournalNewer(name, str(error)) from None
    except FormatError as error:
        raise JournalDamaged(name, 0, str(error)) from None


def _without_torn_header(whole: list[_Whole], name: str, data: bytes) -> Recovery:
    """Recover without the last segment, whose header is incomplete: nothing can have been written to it.

    If segments before it were removed already, it was complete once: then what remains has no base, and that is damage.
    """
    if not whole and name != segment_name(1):
        raise JournalDamaged(name, 0, "it ends within its header, and no earlier segment is there")
    kept = _recover_whole(whole) if whole else Recovery()
    detail = "a new segment's header was not complete"
    return replace(
        kept,
        torn_bytes=kept.torn_bytes + len(data),
        torn_file=name,
        torn_detail=f"{kept.torn_detail}; {detail}" if kept.torn_detail else detail,
        superfluous=(*kept.superfluous, name),
    )


def _recover_whole(whole: list[_Whole]) -> Recovery:
    """Recover from segments with sound headers, from the newest base on."""
    bases = [i for i, (_, _, header, _) in enumerate(whole) if header.base]
    if not bases:
        raise JournalDamaged(whole[0][0], 0, "the segments before it are missing")
    superfluous = tuple(name for name, *_ in whole[: bases[-1]])
    used = whole[bases[-1] :]
    records: list[Record] = []
    batches = 0
    chain, number = used[0][2].chain, used[0][2].number
    for i, (name, data, header, start) in enumerate(used):
        if header.number != number + i:
            raise JournalDamaged(name, 0, f"segment {number + i} is missing before it")
        if (header.sequence, header.checksum) != (chain.sequence, chain.checksum):
            raise JournalDamaged(name, 0, "it does not continue the segment before it")
        walk = _walk(name, data, start, header.chain)
        last = i == len(used) - 1
        if not last:
            _must_be_whole(name, walk)
        if header.base and header.number > 1 and walk.batches == 0:
            raise JournalDamaged(name, start, "the batch that stands for all earlier segments is not there")
        records += walk.records
        batches += walk.batches
        chain = walk.chain
        if last:
            torn = _torn(name, data, walk) if walk.failure is not None else None
            tail = Tail(name, header.number, chain, walk.offset, walk.unmarked)
            if torn is None:
                return Recovery(records, tail, batches, superfluous=superfluous)
            return Recovery(records, tail, batches, len(data) - walk.offset, name, torn, superfluous)
    raise AssertionError("a base is always used")


def _walk(name: str, data: bytes, offset: int, chain: Chain) -> _Walk:
    """Read frames from `offset` on, until the end or the first thing that is not as it should be."""
    walk = _Walk(chain, offset, offset)
    while walk.offset < len(data):
        at = walk.offset
        frame = read_frame(data, at, chain.salt)
        if frame is None:
            walk.failure = _Failure(at, "there is no sound frame", len(data) - at < FRAME_BYTES)
            break
        if frame.kind == "mark":
            if (frame.sequence, frame.checksum) != (walk.chain.sequence, walk.chain.checksum):
                walk.failure = _Failure(at, "the mark is of another batch", False)
                break
            walk.offset += FRAME_BYTES
            walk.unmarked = walk.offset
            continue
        end = at + FRAME_BYTES + frame.length
        problem = batch_problem(data, at, end, frame.sequence, frame.checksum, walk.chain)
        if problem is not None:
            walk.failure = problem
            break
        try:
            walk.records += decode_payload(data[at + FRAME_BYTES : end])
        except NewerFormat as error:
            raise JournalNewer(name, str(error)) from None
        except FormatError as error:
            raise JournalDamaged(name, at, str(error)) from None
        walk.chain = Chain(frame.sequence, frame.checksum, chain.salt)
        walk.batches += 1
        walk.unmarked, walk.offset = at, end
    return walk


def batch_problem(data: bytes, at: int, end: int, sequence: int, checksum: int, chain: Chain) -> _Failure | None:
    """What is wrong with a batch whose frame header is sound, if anything."""
    if sequence != chain.sequence + 1:
        return _Failure(at, f"batch {sequence} follows batch {chain.sequence}", False)
    if end > len(data):
        return _Failure(at, "the file ends within a batch", True)
    if crc32(memoryview(data)[at + FRAME_BYTES : end], chain.checksum) != checksum:
        return _Failure(at, "the checksum of a batch does not fit", False)
    return None


def _must_be_whole(name: str, walk: _Walk) -> None:
    """Raise `JournalDamaged` unless a segment that was synced as a whole is whole."""
    if walk.failure is not None:
        raise JournalDamaged(name, walk.failure.offset, walk.failure.detail)
    if walk.unmarked != walk.offset:
        raise JournalDamaged(name, walk.offset, "its end is missing")


def _torn(name: str, data: bytes, walk: _Walk) -> str | None:
    """Why the tail of the last segment may be dropped. Raises `JournalDamaged` when it may not."""
    failure = walk.failure
    assert failure is not None
    proven = _synced_after(data, failure.offset, walk.chain.salt)
    if proven > walk.chain.sequence:
        raise JournalDamaged(
            name, failure.offset, f"{failure.detail}, and what follows shows that batch {proven} was on disk"
        )
    if failure.cut_short:
        return "the last write was cut short"
    if len(data) - failure.offset <= FRAME_BYTES:
        # Too short for a batch: at most a mark, which carries no records.
        return "the last mark is not sound"
    if _has_zero_sector(data, failure.offset):
        return "parts of the last write never reached the disk"
    raise JournalDamaged(name, failure.offset, f"{failure.detail}, though it was written to its end")


def _synced_after(data: bytes, offset: int, salt: int) -> int:
    """The highest batch that any sound frame behind `offset` proves to have been on disk; 0 for none."""
    proven = 0
    at = data.find(MARKER, offset)
    while at >= 0:
        frame = read_frame(data, at, salt)
        if frame is not None:
            proven = max(proven, frame.sequence if frame.kind == "mark" else frame.sequence - 1)
        at = data.find(MARKER, at + 1)
    return proven


def _has_zero_sector(data: bytes, offset: int) -> bool:
    """Whether a sector's part behind `offset` is all zero."""
    at = offset
    while at < len(data):
        end = (at // SECTOR_BYTES + 1) * SECTOR_BYTES
        if not any(data[at:end]):
            return True
        at = end
    return False
