"""A connection to one of several servers, found again for ever."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle

REDIAL_S = 1.0
"""Seconds between two attempts."""
DIAL_S = 5.0
"""Seconds for which one attempt may take."""
CLOSE_S = 1.0
"""Seconds for what is on its way when a connection is closed."""

Address = tuple[str, int]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Talks with one server, until it is gone: returns, or raises OSError, EOFError or TimeoutError."""


async def keep_talking(servers: Sequence[Address], talk: Talk, tell: Callable[[str], None]) -> None:
    """Talk with one server after another, for ever; cancel to end. `tell` hears once why there is none."""
    told: set[str] = set()
    now = asyncio.get_running_loop().time
    for host, port in cycle(servers):
        begun, where = now(), f"{host}:{port}"
        try:
            async with asyncio.timeout(DIAL_S):
                reader, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            news = f"nobody at {where} ({reason(error)}); trying again"
            if news not in told:
                tell(news)
            told.add(news)
        else:
            told.clear()
            tell(f"connected to {where}")
            why = "it ended"
            try:
                await talk(reader, writer)
            except (OSError, EOFError, TimeoutError) as error:
                why = reason(error)
            finally:
                await _close(writer)
            tell(f"the connection to {where} is gone ({why}); trying again")
        await asyncio.sleep(max(0.0, begun + REDIAL_S - now()))


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words."""
    match error:
        case TimeoutError():
            return "no answer"
        case EOFError():
            return "it ended"
        case OSError(errno=int(number)) if number > 0:
            # What asyncio says instead repeats the address.
            return os.strerror(number).lower()
    return str(error).lower() or type(error).__name__
