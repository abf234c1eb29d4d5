"""Ports for peers that are started and killed again: free, and reserved until they are let go.

A restarted peer must find its port free again, so the system's own choice (port 0) will not do: while the peer is
dead, any outgoing connection of the machine could be given that port.
"""

import asyncio
import contextlib
import random
import socket

PORTS = range(20_000, 32_000)
"""Below 32768, where systems begin to hand ports out by themselves, and above what services commonly use."""
DIALED_S = 30.0
"""Seconds that are waited for somebody to listen."""
DIAL_AGAIN_S = 0.02
"""Seconds between two attempts."""
TRIES_MAX = 1000
"""Ports tried for one that is free; a machine with a thousand taken in a row has another problem."""


class Port:
    """One reserved TCP port of 127.0.0.1.

    A UDP socket on the same number is what reserves it, also against tests in other processes: it cannot be bound
    twice, it leaves the TCP port alone, and the system frees it when this process ends in whatever way.
    """

    def __init__(self) -> None:
        for _ in range(TRIES_MAX):
            number = random.choice(PORTS)
            reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                reservation.bind(("127.0.0.1", number))
            except OSError:
                reservation.close()
                continue
            if is_free(number):
                self.number = number
                self.address = f"127.0.0.1:{number}"
                self._reservation = reservation
                return
            reservation.close()
        raise OSError(f"no free port found among {PORTS} in {TRIES_MAX} tries")

    async def dialed(self, limit_s: float = DIALED_S) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to whoever listens there, waited for: a peer serves before its gateways listen.

        Raises TimeoutError.
        """
        async with asyncio.timeout(limit_s):
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    return await asyncio.open_connection("127.0.0.1", self.number)
                await asyncio.sleep(DIAL_AGAIN_S)

    def release(self) -> None:
        """Let others have it."""
        self._reservation.close()


def is_free(number: int) -> bool:
    """Whether a peer could listen at this TCP port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As the listeners of peers do it: connections of a former life are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
            probe.listen(1)
        except OSError:
            return False
        return True
