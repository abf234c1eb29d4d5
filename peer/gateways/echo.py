"""`--gateway packets=echo:9000`: bytes come back as they were; who says nothing for long is gone."""

import asyncio

from tanist.peer.gateways.arriving import arrive
from tanist.peer.gateways.tcp import Connection, TcpGateway

QUIET_S = 60.0
"""Seconds without a byte after which a client is ended: it sends one now and then if it is there."""


class EchoGateway(TcpGateway):
    """An echo whose visitors are listed."""

    protocol = "echo"
    reads = False

    async def serve(self, connection: Connection) -> None:
        """Send everything back, as fast as the client reads."""
        # The list is for people: bytes come back also while nobody serves.
        arriving = asyncio.create_task(arrive(connection))
        try:
            while True:
                async with asyncio.timeout(QUIET_S):
                    data = await connection.some()
                if not data:
                    return
                await connection.send_all(data)
        except TimeoutError:
            return
        finally:
            arriving.cancel()
