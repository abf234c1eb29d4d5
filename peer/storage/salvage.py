"""What is sound of a damaged journal: everything before the first thing that is not as it should be.

Pure functions over bytes, as `recovery` is. Nothing here says that what comes after was unimportant: whoever goes on
from a salvage must know that it may have promised more than it remembers (see `tanist.election.repairing`).
"""

from collections.abc import Iterable, Sequence
from itertools import takewhile

from tanist.election.records import Record, RecordsError, Stored
from tanist.peer.storage.format import (
    FRAME_BYTES,
    FormatError,
    SegmentHeader,
    decode_header,
    decode_payload,
    read_frame,
    segment_name,
)
from tanist.peer.storage.recovery import batch_problem


def salvage(segments: Sequence[tuple[str, bytes]], owner: str) -> Stored:
    """Add up the sound begin of a damaged journal, given as (file name, content) in the order of their names.

    It is read from the newest segment on that stands for all before it and has something sound in it.
    """
    headers = [_header(name, data, owner) for name, data in segments]
    for i in range(len(segments) - 1, -1, -1):
        first = headers[i]
        if first is None or not first[0].base:
            continue
        run = [
            (data, *h) for (_, data), h in takewhile(lambda x: x[1], zip(segments[i:], headers[i:], strict=True)) if h
        ]
        if records := _read(run):
            return _add_up(records)
    return Stored()


def _header(name: str, data: bytes, owner: str) -> tuple[SegmentHeader, int] | None:
    """The header of a segment and its length, or None when it cannot be used."""
    try:
        header, length = decode_header(data)
    except FormatError:
        return None
    return (header, length) if header.owner == owner and name == segment_name(header.number) else None


def newest_number(names: Iterable[str]) -> int:
    """The highest number that any of these segment files says it has."""
    return max(
        (int(stem) for name in names if (stem := name.partition(".")[0]).isascii() and stem.isdigit()), default=0
    )


def _read(segments: Sequence[tuple[bytes, SegmentHeader, int]]) -> list[Record]:
    """The records of segments that follow each other, up to the first flaw."""
    records: list[Record] = []
    chain, number = segments[0][1].chain, segments[0][1].number
    for i, (data, header, offset) in enumerate(segments):
        if header.number != number + i or (header.sequence, header.checksum) != (chain.sequence, chain.checksum):
            break
        chain = header.chain
        while offset < len(data):
            frame = read_frame(data, offset, chain.salt)
            if frame is None:
                return records
            if frame.kind == "mark":
                if (frame.sequence, frame.checksum) != (chain.sequence, chain.checksum):
                    return records
                offset += FRAME_BYTES
                continue
            end = offset + FRAME_BYTES + frame.length
            if batch_problem(data, offset, end, frame.sequence, frame.checksum, chain) is not None:
                return records
            try:
                records += decode_payload(data[offset + FRAME_BYTES : end])
            except FormatError:
                return records
            chain = chain._replace(sequence=frame.sequence, checksum=frame.checksum)
            offset = end
    return records


def _add_up(records: Iterable[Record]) -> Stored:
    stored = Stored()
    for record in records:
        try:
            stored.take(record)
        except RecordsError:
            break
    return stored
