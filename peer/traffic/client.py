"""A client that sends something every so often, and shows what comes back."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from tanist.peer.traffic.kinds import Traffic
from tanist.peer.traffic.redialing import Address, keep_talking

READ_BYTES_MAX = 64 * 1024
"""Bytes read at once."""
PATIENCE_S = 10.0
"""Seconds for an answer, beside twice the time between two that are sent: longer than a failover takes."""


async def make_traffic(
    kind: type[Traffic],
    servers: Sequence[Address],
    show: Callable[[str], None],
    tell: Callable[[str], None],
    rng: Random | None = None,
) -> None:
    """Send and show, for ever; cancel to end. `show` gets what is sent and what comes back, `tell` the connection."""
    chance = rng or Random()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # With each connection anew: half an answer of the last server is none of this one's.
        traffic = kind(chance)
        sending = asyncio.create_task(_send(traffic, writer, show))
        try:
            await _hear(traffic, reader, show)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    await keep_talking(servers, talk, tell)


async def _send(traffic: Traffic, writer: asyncio.StreamWriter, show: Callable[[str], None]) -> None:
    while True:
        said, data = traffic.next()
        show(f"> {said}")
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(traffic.every_s)


async def _hear(traffic: Traffic, reader: asyncio.StreamReader, show: Callable[[str], None]) -> None:
    quiet_s = 2 * traffic.every_s + PATIENCE_S
    while True:
        async with asyncio.timeout(quiet_s):
            data = await reader.read(READ_BYTES_MAX)
        if not data:
            return
        for line in traffic.heard(data):
            show(f"< {line}")
