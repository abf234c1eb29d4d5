"""Frames of lanterns: type 1 byte, length 2 bytes big-endian, value."""

import struct
from collections.abc import Iterator

HEADER = struct.Struct(">BH")
"""Type and length; the value follows, at most 65,535 bytes."""


def frame(kind: int, value: bytes = b"") -> bytes:
    """One frame."""
    return HEADER.pack(kind, len(value)) + value


class Frames:
    """Cuts bytes into frames, however they come: byte by byte, glued, cut."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are whole with these bytes: type and value."""
        self._data += data
        at = 0
        while len(self._data) - at >= HEADER.size:
            kind, length = HEADER.unpack_from(self._data, at)
            end = at + HEADER.size + length
            if len(self._data) < end:
                break
            yield kind, self._data[at + HEADER.size : end]
            at = end
        self._data = self._data[at:]
