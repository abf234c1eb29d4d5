"""Waiting for what other processes come to: looked at again and again, since nothing tells this one of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

POLL_S = 0.02
"""Between two looks: little beside what is measured, and little work for the peers."""


async def until(check: Callable[[], Awaitable[object]], limit_s: float) -> bool:
    """Look again and again until a check gives something true; whether it was within so many seconds."""
    try:
        async with asyncio.timeout(limit_s):
            while not await check():  # noqa: ASYNC110 (peers are other processes: nothing here can tell an event)
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True


__all__ = ["POLL_S", "until"]
