"""The journal's format: pure functions between records and bytes.

A *segment* is one file: a header, then frames. A *batch frame* holds the records that one write and one
sync put on disk together: all of them count, or none. After the sync returned, a *mark* frame is written,
without a sync of its own: whoever finds the mark of batch n, or anything of batch n + 1's successor, knows
that batch n was on disk and may have been acknowledged. That tells a torn end from damage (see `recovery`).

    segment header   magic 8 · version 4 · CRC 4 · number 8 · sequence 8 · chain 4 · salt 4 · base 1 ·
                     owner length 1 · owner · CRC 4
    frame            marker 4 · sequence 8 · payload length 4 · payload CRC 4 · header CRC 4 · payload
    payload          records, each: type 1 · length 4 · MessagePack

All numbers are big-endian. A payload's CRC continues the one of the batch before, across segments too, so
that a block that is lost, stale or in the wrong place breaks the chain. A frame header's CRC starts from the
segment's random salt, so that frames from elsewhere, embedded in somebody's data or left on a reused block,
are never taken for this journal's.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Literal, NamedTuple
from zlib import crc32

import msgspec

from tanist.election.records import RECORDS, Record

MAGIC = b"TANISTJ\n"
FORMAT_VERSION = 1
"""Raised when older programs could no longer read what is written. Older versions are read."""
SEGMENT_SUFFIX = ".journal"
"""Ends the names of segments."""
OWNER_BYTES_MAX = 255
"""Its length is one byte."""

_PREFIX = Struct(">8sII")
_FIXED = Struct(">QQIIBB")
_CRC = Struct(">I")
_FRAME = Struct(">4sQII")
_RECORD = Struct(">BI")

HEADER_BYTES_MIN = _PREFIX.size + _FIXED.size + _CRC.size
FRAME_BYTES = _FRAME.size + _CRC.size
"""Bytes of a frame's header, and of a whole mark."""
MARKER = b"\xf7TJ"
"""Every frame starts with it, so that a search for later frames needs not try each byte."""
_BATCH = MARKER + b"B"
_MARK = MARKER + b"M"

_TYPES: dict[type[Record], int] = {cls: code for code, cls in RECORDS.items()}
_encode_record = msgspec.msgpack.Encoder().encode
_DECODERS = {code: msgspec.msgpack.Decoder(cls) for code, cls in RECORDS.items()}


class FormatError(ValueError):
    """The bytes are not what this format says; the message says why."""


class ShortHeader(FormatError):
    """A segment's header begins well and ends early: the file was being made."""


class NewerFormat(FormatError):
    """The bytes are sound and of a newer version of the program."""


class Chain(NamedTuple):
    """Where writing stands: the last batch's number and checksum, and the segment's salt."""

    sequence: int
    checksum: int
    salt: int


class SegmentHeader(NamedTuple):
    """What a segment says of itself.

    `sequence` and `checksum` are those of the last batch before it. A `base` segment needs nothing before it:
    it is the first one ever, or its first batch holds all that earlier segments add up to.
    """

    number: int
    sequence: int
    checksum: int
    salt: int
    base: bool
    owner: str

    @property
    def chain(self) -> Chain:
        """The chain that this segment's first batch continues."""
        return Chain(self.sequence, self.checksum, self.salt)


class Frame(NamedTuple):
    """A frame's header. A mark has no payload and repeats its batch's sequence and checksum."""

    kind: Literal["batch", "mark"]
    sequence: int
    length: int
    checksum: int


def segment_name(number: int) -> str:
    """The file name of a segment: names sort as numbers do."""
    return f"{number:010d}{SEGMENT_SUFFIX}"


def encode_header(header: SegmentHeader) -> bytes:
    """Encode a segment's header. Raises `ValueError` for an owner over `OWNER_BYTES_MAX`."""
    owner = header.owner.encode()
    if len(owner) > OWNER_BYTES_MAX:
        raise ValueError(f"the owner takes {len(owner)} bytes, at most {OWNER_BYTES_MAX} fit")
    fixed = _FIXED.pack(header.number, header.sequence, header.checksum, header.salt, header.base, len(owner))
    body = fixed + owner
    version = MAGIC + FORMAT_VERSION.to_bytes(4)
    return version + _CRC.pack(crc32(version)) + body + _CRC.pack(crc32(body))


def decode_header(data: bytes) -> tuple[SegmentHeader, int]:
    """Decode the header at the begin of a segment; returns it and its length in bytes.

    Raises `ShortHeader`, `NewerFormat`, or `FormatError` for anything else that is no header.
    """
    if not data.startswith(MAGIC[: len(data)]):
        raise FormatError("this is no segment of a journal: it does not begin with the magic bytes")
    if len(data) < _PREFIX.size:
        raise ShortHeader("the segment ends within its header")
    _, version, checksum = _PREFIX.unpack_from(data)
    if crc32(data[: _PREFIX.size - _CRC.size]) != checksum:
        raise FormatError("the checksum of the segment's version does not fit")
    if version > FORMAT_VERSION:
        raise NewerFormat(f"format {version}, this program reads up to {FORMAT_VERSION}")
    if len(data) < HEADER_BYTES_MIN:
        raise ShortHeader("the segment ends within its header")
    number, sequence, chain, salt, base, owner_bytes = _FIXED.unpack_from(data, _PREFIX.size)
    end = _PREFIX.size + _FIXED.size + owner_bytes
    if len(data) < end + _CRC.size:
        raise ShortHeader("the segment ends within its header")
    if _CRC.unpack_from(data, end)[0] != crc32(data[_PREFIX.size : end]):
        raise FormatError("the checksum of the segment's header does not fit")
    owner = data[end - owner_bytes : end].decode()
    return SegmentHeader(number, sequence, chain, salt, bool(base), owner), end + _CRC.size


def pack_records(records: Sequence[Record], into: list[bytes]) -> int:
    """Append the encoded records to a list of pieces of a payload; returns how many bytes they add."""
    size = 0
    for record in records:
        encoded = _encode_record(record)
        into.append(_RECORD.pack(_TYPES[type(record)], len(encoded)))
        into.append(encoded)
        size += _RECORD.size + len(encoded)
    return size


def seal(payload: bytes, chain: Chain) -> tuple[bytes, Chain]:
    """Make the frame of the batch that follows `chain`; returns the frame and the chain after it."""
    after = Chain(chain.sequence + 1, crc32(payload, chain.checksum), chain.salt)
    head = _FRAME.pack(_BATCH, after.sequence, len(payload), after.checksum)
    return b"".join((head, _CRC.pack(crc32(head, chain.salt)), payload)), after


def encode(records: Sequence[Record], chain: Chain) -> tuple[bytes, Chain]:
    """Encode records as one batch after `chain`; returns the frame and the chain after it."""
    pieces: list[bytes] = []
    pack_records(records, pieces)
    return seal(b"".join(pieces), chain)


def mark(chain: Chain) -> bytes:
    """Make the mark that says: the batch which `chain` ends with is on disk."""
    head = _FRAME.pack(_MARK, chain.sequence, 0, chain.checksum)
    return head + _CRC.pack(crc32(head, chain.salt))


def read_frame(data: bytes, offset: int, salt: int) -> Frame | None:
    """Read the frame header at `offset`, or None when there is no sound one of this segment."""
    if len(data) - offset < FRAME_BYTES:
        return None
    marker, sequence, length, checksum = _FRAME.unpack_from(data, offset)
    end = offset + _FRAME.size
    if _CRC.unpack_from(data, end)[0] != crc32(data[offset:end], salt):
        return None
    if marker == _BATCH:
        return Frame("batch", sequence, length, checksum)
    if marker == _MARK:
        return Frame("mark", sequence, length, checksum)
    return None


def decode_payload(payload: bytes) -> list[Record]:
    """Decode a batch whose checksum fits. Raises `NewerFormat` for an unknown record type, else `FormatError`."""
    records: list[Record] = []
    offset = 0
    while offset < len(payload):
        if len(payload) - offset < _RECORD.size:
            raise FormatError("a batch ends within a record's head")
        code, length = _RECORD.unpack_from(payload, offset)
        offset += _RECORD.size
        decoder = _DECODERS.get(code)
        if decoder is None:
            raise NewerFormat(f"record type {code} is not known here")
        if len(payload) - offset < length:
            raise FormatError("a batch ends within a record")
        try:
            records.append(decoder.decode(memoryview(payload)[offset : offset + length]))
        except msgspec.DecodeError as error:
            raise FormatError(f"a record of type {code} does not decode: {error}") from None
        offset += length
    return records
