"""Cuts a stream into the frames of the protocol as they stand, header and all, or says that it is something else."""

from tanist.transport.frames import HEADER, HEADER_BYTES
from tanist.transport.hello import CONTROL_TYPE_MAX
from tanist.transport.settings import TransportSettings

FRAME_BYTES_MAX = TransportSettings().frame_bytes_max
"""The longest value of a frame that is taken for one: what announces more is no stream of ours."""


class Cutter:
    """Takes bytes in whatever pieces they come. Holds at most one frame and one piece."""

    __slots__ = ("_pending", "raw")

    def __init__(self) -> None:
        self._pending = b""
        self.raw = False
        """The stream is not the protocol's (it is encrypted, or malice): its pieces are passed on as they come."""

    def cut(self, data: bytes) -> list[bytes]:
        """The frames that are whole with these bytes; of a raw stream, its bytes."""
        if self.raw:
            return [data]
        if self._pending:
            data = self._pending + data
        frames, start, end = [], 0, len(data)
        while end - start >= HEADER_BYTES:
            _, length = HEADER.unpack_from(data, start)
            if length > FRAME_BYTES_MAX:
                self.raw = True
                break
            after = start + HEADER_BYTES + length
            if after > end:
                break
            frames.append(data[start:after])
            start = after
        self._pending = data[start:]
        if self.raw and self._pending:
            frames.append(self._pending)
            self._pending = b""
        return frames

    def rest(self) -> bytes:
        """The begin of a frame that was not finished when the stream ended."""
        rest, self._pending = self._pending, b""
        return rest


def is_message(frame: bytes) -> bool:
    """Whether a frame is one that may get lost or come twice: all but those of the hello."""
    return frame[0] > CONTROL_TYPE_MAX
