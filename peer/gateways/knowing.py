"""A peer that has just started knows nothing: what a gateway does until it does.

Whoever comes to a server that was started again would else be shown an empty state, or one of before.
"""

import asyncio
from collections.abc import Callable

from tanist.peer.status import Status

KNOWN_S = 10.0
"""Seconds for which a client waits for a peer that has just started: longer than it takes to find a server."""
LOOK_EVERY_S = 0.05
"""Seconds between two looks, for as long as a peer has just started."""


class Knowing:
    """Whether the peer of a gateway knows how things are. It goes on knowing when its server is lost."""

    def __init__(self, status: Callable[[], Status]) -> None:
        """`status` gives that of the peer."""
        self._status = status
        self._knows = False
        self._from = 1
        self._turn = asyncio.Lock()

    async def wait(self, fork: int | None = None) -> bool:
        """Wait until it does, but no longer than `KNOWN_S`; whether it does. At once when it has before.

        `fork`: its log changed behind this index, and its state began anew.
        """
        if fork is not None:
            self._knows, self._from = False, max(1, fork)
        end = asyncio.get_running_loop().time() + KNOWN_S
        # In turn: who came first goes on first, and hears what those who came later do.
        async with self._turn:
            return await self._look(end)

    async def _look(self, end: float) -> bool:
        loop = asyncio.get_running_loop()
        while not self._knows:
            self._knows = self._status().applied >= self._from
            if not self._knows:
                if loop.time() >= end:
                    return False
                await asyncio.sleep(LOOK_EVERY_S)
        return True
