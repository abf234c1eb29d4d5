"""Bytes on their way into the log: parts of an upload, a few at a time, as commands of one client's session."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import count

import msgspec

from tanist.peer.application.blob import BLOB_BYTES_MAX, Blob
from tanist.peer.application.blobstore import BLOBS, DROP, PART, PART_BYTES, Drop, Part
from tanist.peer.calls import Calls
from tanist.peer.errors import CallError, Overloaded, TooLarge
from tanist.peer.status import Reply

WINDOW_PARTS = 8
"""Parts of one upload under way: half a mebibyte, so that a slow disk is kept busy and other commands go between."""
UPLOADS_MAX = 32
"""Uploads under way at one peer: 16 MiB in windows."""
PART_S = 30.0
"""Seconds for which a part waits for a server: a failover is a delay for whoever uploads."""

_encode = msgspec.msgpack.Encoder().encode


class Uploads:
    """The uploads of one peer."""

    def __init__(self) -> None:
        self._under_way = 0
        # Numbers are told apart in one session only, but one row for all is as good.
        self._numbers: Iterator[int] = count(1)

    async def upload(self, calls: Calls, source: AsyncIterator[bytes]) -> Blob:
        """Have the bytes that `source` gives kept, until a command of the same session names them.

        Raises what a call raises, or `source`; then nothing of them stays.
        """
        if self._under_way >= UPLOADS_MAX:
            raise Overloaded(f"{UPLOADS_MAX} uploads are under way at this peer: try again")
        self._under_way += 1
        number = next(self._numbers)
        waiting: deque[asyncio.Future[Reply]] = deque()
        try:
            last: asyncio.Future[Reply] | None = None
            async for part in _parts(number, source):
                last = calls.call(BLOBS, PART, _encode(part), "", PART_S)
                waiting.append(last)
                while len(waiting) >= WINDOW_PARTS:
                    await waiting.popleft()
            while waiting:
                await waiting.popleft()
            assert last is not None, "even nothing is one part"
            return msgspec.convert(last.result().result, type=Blob)
        except BaseException:
            for answer in waiting:
                answer.add_done_callback(_heard)
            self._give_up(calls, number)
            raise
        finally:
            self._under_way -= 1

    def _give_up(self, calls: Calls, number: int) -> None:
        """What was uploaded is not wanted any more. If this does not arrive, the end of the session does it."""
        try:
            calls.call(BLOBS, DROP, _encode(Drop(number)), "", PART_S).add_done_callback(_heard)
        except CallError:
            pass


async def _parts(number: int, source: AsyncIterator[bytes]) -> AsyncIterator[Part]:
    """Bytes as they come, in parts; the last one is known by what follows, which is nothing."""
    held, offset = bytearray(), 0
    async for data in source:
        held += data
        if offset + len(held) > BLOB_BYTES_MAX:
            raise TooLarge(f"it has more than {BLOB_BYTES_MAX} bytes, which is the most that is kept")
        while len(held) > PART_BYTES:
            yield Part(number, offset, bytes(held[:PART_BYTES]), False)
            offset += PART_BYTES
            del held[:PART_BYTES]
    yield Part(number, offset, bytes(held), True)


def _heard(answer: "asyncio.Future[Reply]") -> None:
    """Nobody waits for this answer: its error is no news."""
    if not answer.cancelled():
        answer.exception()
