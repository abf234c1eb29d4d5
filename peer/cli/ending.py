"""Running something until SIGTERM or Ctrl-C."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any


async def until_ended(work: Coroutine[Any, Any, None]) -> None:
    """Do it until it is done, or a signal says to end: then it is cancelled, and may tidy up."""
    working = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(working.cancel))
    else:
        for ending in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(ending, working.cancel)
    try:
        await working
    except asyncio.CancelledError:
        return
