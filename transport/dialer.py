"""Opens a TCP connection to whichever of a host's addresses answers first, and names why none did."""

import asyncio
import errno
import os
import socket

from tanist.election.evidence import Evidence
from tanist.transport.resolver import SocketAddress

STAGGER_S = 0.25
"""Seconds before the next address of a host is tried beside one that is silent (RFC 8305, section 8)."""
ADDRESSES_MAX = 4
"""Addresses of one host that are tried; a host with more of them has them for load, not for reach."""

_UNREACHABLE = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN})


def dial_evidence(error: OSError) -> Evidence:
    """What an error of connecting says of the other peer."""
    if isinstance(error, ConnectionRefusedError):
        return Evidence.REFUSED
    if isinstance(error, ConnectionResetError):
        return Evidence.CLOSED
    return Evidence.UNREACHABLE


def loss_evidence(error: OSError | None) -> tuple[Evidence, str]:
    """What the end of an open connection says, and in which words."""
    if error is None:
        return Evidence.CLOSED, "the connection ended"
    if error.errno in _UNREACHABLE:
        return Evidence.UNREACHABLE, describe(error)
    return Evidence.CLOSED, describe(error)


def describe(error: OSError) -> str:
    """An error in the system's words, without Python's brackets or asyncio's "Connect call failed"."""
    # Name resolution numbers its errors by itself, and has words for them.
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return error.strerror or str(error) or type(error).__name__


async def connect_first(loop: asyncio.AbstractEventLoop, addresses: list[SocketAddress]) -> socket.socket:
    """A connected socket to the first address that answers; attempts are staggered, losers are closed.

    Raises the `OSError` that says most: a refusal (the host is there) before all others.
    """
    waiting = addresses[:ADDRESSES_MAX]
    if len(waiting) == 1:
        return await _connect(loop, waiting[0])
    running: set[asyncio.Task[socket.socket]] = set()
    errors: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(_connect(loop, waiting.pop(0))))
            stagger = STAGGER_S if waiting else None
            done, _ = await asyncio.wait(running, timeout=stagger, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                error = task.exception()
                if error is None:
                    # Others that won in the same turn are still in `running`, and closed below.
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
                errors.append(error)
    finally:
        await _give_up(running)
    raise next((e for e in errors if isinstance(e, ConnectionRefusedError)), errors[0])


async def _give_up(attempts: set[asyncio.Task[socket.socket]]) -> None:
    for task in attempts:
        task.cancel()
    for outcome in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()


async def _connect(loop: asyncio.AbstractEventLoop, address: SocketAddress) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address.sockaddr)
        # Dialing a free port of this host can, by chance, leave from that very port and meet itself.
        if sock.getsockname() == sock.getpeername():
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nothing listens there")
    except BaseException:
        sock.close()
        raise
    return sock
