"""Reads that are true at the server: ask how far the log is, apply up to there, then read here."""

import asyncio
import contextlib
from collections.abc import Callable

from tanist.election.ready import ReadAsked
from tanist.peer.errors import NoServer
from tanist.peer.replica import Replica

ASK_AGAIN_S = 0.05
"""After how long a read that no server answered is asked again, when the server did not change before."""
READS_MAX = 4_096
"""Reads of one peer waiting at once."""


class Reads:
    """The reads of one peer that wait for an answer from the server."""

    def __init__(
        self,
        feed: Callable[[ReadAsked], None],
        replica: Replica,
        changed: asyncio.Event,
        nobody: Callable[[str], NoServer],
    ) -> None:
        """`changed` is set when another server is there; `nobody(what)` makes the error when there is none."""
        self._feed = feed
        self._replica = replica
        self._changed = changed
        self._nobody = nobody
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._next = 0

    async def catch_up(self, prove: bool, timeout_s: float) -> None:
        """Return once this peer has applied what was true at the server when this was called.

        `prove`: the server confirms first that it still serves (a linearizable read). Raises `NoServer`.
        """
        if len(self._waiting) >= READS_MAX:
            raise NoServer(f"{READS_MAX} reads wait at this peer already")
        try:
            async with asyncio.timeout(timeout_s):
                while (index := await self._ask(prove)) < 0:
                    self._changed.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), ASK_AGAIN_S)
                await self._replica.wait_applied(index)
        except TimeoutError:
            raise self._nobody("no server said in time how far to read") from None

    async def _ask(self, prove: bool) -> int:
        self._next += 1
        request = self._next
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[request] = future
        self._feed(ReadAsked(request, prove))
        try:
            return await future
        finally:
            self._waiting.pop(request, None)

    def answered(self, request: int, index: int) -> None:
        """The core answered: apply up to `index`; -1 when there is nobody to say."""
        future = self._waiting.get(request)
        if future is not None and not future.done():
            future.set_result(index)
