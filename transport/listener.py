"""Listens on one address and accepts, also when the process runs out of file descriptors."""

import asyncio
import errno
import os
import select
import socket
from collections.abc import Callable

from tanist.transport.address import format_address, parse_address
from tanist.transport.dialer import describe
from tanist.transport.errors import AddressError, ListenError
from tanist.transport.hello import Code
from tanist.transport.registry import Registry
from tanist.transport.resolver import Resolver, SocketAddress

_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


async def bind(address: str, resolver: Resolver, backlog: int) -> socket.socket:
    """A listening socket. Of a name's addresses the first IPv4 one is taken, else the first.

    Raises `ListenError`, naming the address and the reason.
    """
    try:
        host, port = parse_address(address)
        found = await resolver.resolve(host, port)
    except AddressError as error:
        raise ListenError(address, str(error)) from error
    except OSError as error:
        raise ListenError(address, f"the host is not known ({describe(error)})") from error
    chosen = next((a for a in found if a.family == socket.AF_INET), found[0])
    try:
        return _bind(chosen, backlog)
    except OSError as error:
        raise ListenError(address, why_not(error)) from error


def bound_address(sock: socket.socket) -> str:
    """Where a socket is bound, as "host:port"."""
    host, port = sock.getsockname()[:2]
    return format_address(host, port)


class Listener:
    """Accepts connections on a listening socket and hands each to a protocol."""

    def __init__(self, sock: socket.socket, registry: Registry, accepted: Callable[[], asyncio.Protocol]) -> None:
        """`accepted` makes the protocol of one connection. Accepting begins at once."""
        self._sock = sock
        self._registry = registry
        self._accepted = accepted
        self._task = registry.loop.create_task(self._accept_all(), name=f"listener {bound_address(sock)}")
        self._task.add_done_callback(self._done)

    async def close(self) -> None:
        """Accept no more and free the port."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._sock.close()

    async def _accept_all(self) -> None:
        loop = self._registry.loop
        while True:
            try:
                sock, _ = await loop.sock_accept(self._sock)
            except OSError as error:
                await self._not_accepted(error)
                continue
            try:
                await loop.connect_accepted_socket(self._accepted, sock)
            except OSError:
                # It was gone again before it was looked at.
                sock.close()

    async def _not_accepted(self, error: OSError) -> None:
        """Make room, and wait before the next try: a connection that was not accepted still stands in the queue."""
        # Linux looks for a descriptor before it looks into the queue, so this error comes without a caller too.
        if error.errno in _OUT_OF_RESOURCES and _somebody_waits(self._sock):
            self._registry.notices.add(
                bound_address(self._sock),
                Code.NO_RESOURCES,
                f"cannot accept: {describe(error)}; raise the limit of open files (ulimit -n)",
            )
            self._registry.drop_oldest_stranger()
        await asyncio.sleep(self._registry.settings.accept_pause_ms / 1000)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._registry.on_error(error)


def _somebody_waits(sock: socket.socket) -> bool:
    """Whether a connection is in the queue of a listening socket; asked without a descriptor of its own."""
    if not hasattr(select, "poll"):
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _bind(address: SocketAddress, backlog: int) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if os.name == "posix":
            # A restart must not wait for connections of its former life that the system still remembers.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        elif hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # Elsewhere that option would let two processes share the port; this one says what is meant.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if address.family == socket.AF_INET6:
            # So that [::]:port and 0.0.0.0:port mean on every system what they say.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address.sockaddr)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def why_not(error: OSError) -> str:
    """Why nobody can listen at an address, and what to do."""
    match error.errno:
        case errno.EADDRINUSE:
            return "the address is in use by another process; stop that one or give another port"
        case errno.EADDRNOTAVAIL:
            return "this host does not have that address; give one of its own, or 0.0.0.0 for all"
        case errno.EACCES:
            return "no permission; ports below 1024 often need it, give a higher one"
        case _:
            return describe(error)
