"""Names to socket addresses, off the event loop.

Lookups run in threads of their own: one that hangs must neither take a thread of the loop's executor (the
disk waits for those) nor keep the process from ending, so the threads are daemons and few.
"""

import asyncio
import ipaddress
import socket
import threading
from typing import NamedTuple, cast

LOOKUPS_MAX = 8
"""Lookups under way at once, each of another name; a broken resolver holds that many threads and no more."""


_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_SockAddr = tuple[str, int] | tuple[str, int, int, int]


class SocketAddress(NamedTuple):
    """What a socket is made of, and connected or bound to."""

    family: int
    sockaddr: _SockAddr

    def with_port(self, port: int) -> "SocketAddress":
        """The same host with another port."""
        match self.sockaddr:
            case (host, _):
                return SocketAddress(self.family, (host, port))
            case (host, _, flow, scope):
                return SocketAddress(self.family, (host, port, flow, scope))


class Resolver:
    """Looks up names; those who ask for the same one at the same time share a lookup."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lookups: dict[str, asyncio.Future[list[SocketAddress]]] = {}

    async def resolve(self, host: str, port: int) -> list[SocketAddress]:
        """All TCP addresses of a host, in the system's order of preference; at least one.

        Raises `OSError` (of which `socket.gaierror` is one) with a sentence when there is none.
        """
        if _is_literal(host):
            return _look_up(host, port, socket.AI_NUMERICHOST)
        lookup = self._lookups.get(host)
        if lookup is None:
            if len(self._lookups) >= LOOKUPS_MAX:
                raise OSError(f"{LOOKUPS_MAX} other names are being resolved, and none of them has answered")
            lookup = self._lookups[host] = self._loop.create_future()
            lookup.add_done_callback(lambda done: self._forget(host, done))
            threading.Thread(target=self._run, args=(host, lookup), name=f"resolve {host}", daemon=True).start()
        # One who gives up waiting must not end the lookup for the others.
        found = await asyncio.shield(lookup)
        return [a.with_port(port) for a in found]

    def _forget(self, host: str, lookup: asyncio.Future[list[SocketAddress]]) -> None:
        self._lookups.pop(host, None)
        if not lookup.cancelled():
            # Marks the error as seen: all who asked may have given up.
            lookup.exception()

    def _run(self, host: str, lookup: asyncio.Future[list[SocketAddress]]) -> None:
        """In a thread: look up, and hand the outcome to the loop."""
        found: list[SocketAddress] | OSError
        try:
            found = _look_up(host, 0, 0)
        except OSError as error:
            found = error
        try:
            self._loop.call_soon_threadsafe(_settle, lookup, found)
        except RuntimeError:
            # The loop was closed while the name server kept silent; nobody waits any more.
            pass


def _settle(lookup: asyncio.Future[list[SocketAddress]], found: list[SocketAddress] | OSError) -> None:
    if lookup.cancelled():
        return
    if isinstance(found, OSError):
        lookup.set_exception(found)
    else:
        lookup.set_result(found)


def _look_up(host: str, port: int, flags: int) -> list[SocketAddress]:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:
        # The name cannot even be asked for: an empty or overlong label, for one.
        raise socket.gaierror(socket.EAI_NONAME, f"no host name: {error}") from error
    found = [SocketAddress(family, cast(_SockAddr, addr)) for family, _, _, _, addr in infos if family in _FAMILIES]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no IPv4 or IPv6 address")
    return found


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
