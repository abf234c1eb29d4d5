"""Frames: type 1 byte, length 4 bytes big-endian, value. What is in a value is not known here."""

import struct
from collections.abc import Iterator

from tanist.transport.errors import FrameTooLarge, MisuseError

HEADER = struct.Struct(">BI")
HEADER_BYTES = HEADER.size
TYPE_MAX = 255
"""The highest type: it has one byte."""
LENGTH_MAX = (1 << 32) - 1
"""The longest value that a header can announce; settings allow far less."""


def encode_frame(frame_type: int, value: bytes) -> bytes:
    """One frame, ready for the wire. Raises `MisuseError` for a type or length that no header can hold."""
    if not 0 <= frame_type <= TYPE_MAX or len(value) > LENGTH_MAX:
        raise MisuseError(f"no frame can have type {frame_type} and {len(value)} bytes")
    return HEADER.pack(frame_type, len(value)) + value


class FrameParser:
    """Cuts a stream of bytes, in whatever pieces it comes, into frames.

    `frame_bytes_max` is the longest value taken and may be changed between frames. Memory held is at most
    one frame of that length and one piece.
    """

    __slots__ = ("_needed", "_pending", "frame_bytes_max")

    def __init__(self, frame_bytes_max: int) -> None:
        self.frame_bytes_max = frame_bytes_max
        self._pending = bytearray()
        self._needed = HEADER_BYTES
        """Bytes that `_pending` must have before there is anything to do."""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take in the next bytes; yields (type, value) for every frame that is complete with them.

        The iterator must be exhausted before the next call: what it did not reach is lost. Raises
        `FrameTooLarge` as soon as a header announces too much, after the frames before it; the stream
        cannot be read on then, and its connection must be ended.
        """
        if self._pending:
            self._pending += data
            if len(self._pending) < self._needed:
                return
            data = bytes(self._pending)
            self._pending.clear()
        start, end = 0, len(data)
        self._needed = HEADER_BYTES
        while end - start >= HEADER_BYTES:
            frame_type, length = HEADER.unpack_from(data, start)
            if length > self.frame_bytes_max:
                raise FrameTooLarge(
                    f"a frame of type {frame_type} announces {length} bytes; {self.frame_bytes_max} are allowed"
                )
            value_at = start + HEADER_BYTES
            if value_at + length > end:
                self._needed = HEADER_BYTES + length
                break
            start = value_at + length
            yield frame_type, data[value_at:start]
        self._pending += data[start:]
