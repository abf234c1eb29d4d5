"""Having a connection listed among the visitors of its application."""

import asyncio

from tanist.peer.errors import CallError
from tanist.peer.gateways.tcp import Connection

AGAIN_S = 1.0
"""Seconds until it is tried again, where it was refused."""


async def arrive(connection: Connection) -> None:
    """Have a connection listed, as soon as somebody serves. The list is for people: nothing waits for it."""
    while not connection.ended:
        try:
            await connection.call("arrive")
        except CallError:
            await asyncio.sleep(AGAIN_S)
        else:
            return
