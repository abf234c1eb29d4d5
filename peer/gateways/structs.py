"""Raw structs in, text out: `--gateway sums=struct:9001` and `--gateway positions=struct:9002`."""

import asyncio
import contextlib
import struct

from tanist.peer.application.events import Published
from tanist.peer.errors import CallError
from tanist.peer.gateways.arriving import arrive
from tanist.peer.gateways.tcp import Connection, TcpGateway

QUIET_S = 60.0
"""Seconds without a whole request after which who asks for sums is ended."""
SUM = struct.Struct("<Ihh")
"""A sum: how long its word is, and two numbers, all little-endian; the word follows."""
WORD_BYTES_MAX = 64
"""Bytes of a sum's word, a few times the longest there is: a longer one is no request."""
POSITION = struct.Struct("<hh")
"""A position: x and y, little-endian."""


class SumsGateway(TcpGateway):
    """Calculates for whoever asks; the list of who did is the application's."""

    protocol = "struct"
    reads = False

    async def serve(self, connection: Connection) -> None:
        """Answer one request after another; an absurd length ends the connection."""
        arriving = asyncio.create_task(arrive(connection))
        try:
            while True:
                async with asyncio.timeout(QUIET_S):
                    length, a, b = SUM.unpack(await connection.exactly(SUM.size))
                    if length > WORD_BYTES_MAX:
                        return
                    word = await connection.exactly(length)
                await connection.send_all(f"El resultado de la operacion es {calculated(word, a, b)}".encode())
        except TimeoutError:
            return
        finally:
            arriving.cancel()


def calculated(word: bytes, a: int, b: int) -> int | float | bool | None:
    """What a word makes of two numbers: False where that is division by zero, None for an unknown word."""
    match word:
        case b"SUMA":
            return a + b
        case b"RESTA":
            return a - b
        case b"MULTIPLICACION":
            return a * b
        case b"DIVISION":
            return a / b if b else False
    return None


class PositionsGateway(TcpGateway):
    """Takes positions, and tells everybody all of them, from when they come."""

    protocol = "struct"
    reads = False

    async def serve(self, connection: Connection) -> None:
        """Take one position after another. Whoever only looks on says nothing, for as long as they like."""
        while True:
            x, y = POSITION.unpack(await connection.exactly(POSITION.size))
            # While nobody serves for long a position is lost: the next one says where it is by then.
            with contextlib.suppress(CallError):
                await connection.call("move", x, y)

    def told(self, connection: Connection, happened: Published) -> bytes:
        """`48544 (1, -2)`: who is where, to everybody, also to who moved."""
        return happened.line.encode()
