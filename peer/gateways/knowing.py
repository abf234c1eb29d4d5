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
    """Whether the peer of a gateway knows how things are. It does for good, also when its server is lost."""

    def __init__(self, status: Callable[[], Status]) -> None:
        """`status` gives that of the peer."""
        self._status = status
        self._knows = False

    async def wait(self) -> bool:
        """Wait until it does, but no longer than `KNOWN_S`; whether it does. At once when it has before."""
        loop = asyncio.get_running_loop()
        end = loop.time() + KNOWN_S
        while not self._knows:
            self._knows = self._status().applied > 0
            if not self._knows:
                if loop.time() >= end:
                    return False
                await asyncio.sleep(LOOK_EVERY_S)
        return True
