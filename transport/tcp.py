"""The transport over TCP: one asyncio protocol a connection, dials with one deadline, listeners."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from tanist.election.evidence import Evidence
from tanist.transport.address import format_address, parse_address
from tanist.transport.connection import Carried, Connection
from tanist.transport.dialer import connect_first, describe, dial_evidence, loss_evidence
from tanist.transport.errors import AddressError
from tanist.transport.hello import Hello
from tanist.transport.link import Handler
from tanist.transport.listener import Listener, bind, bound_address
from tanist.transport.registry import Registry
from tanist.transport.resolver import Resolver
from tanist.transport.settings import TransportSettings


class TcpWire(asyncio.Protocol):
    """A socket under a `Connection`."""

    remote_address = ""
    _transport: asyncio.Transport

    def __init__(self, connection: Carried) -> None:
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if peer:
            self.remote_address = format_address(peer[0], peer[1])
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # Small messages wait for nobody: writes are joined here already.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.opened(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        self._connection.fed(data)

    def eof_received(self) -> None:
        """The other side sends no more; returning None lets asyncio close the socket."""
        self._connection.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if exc is not None and not isinstance(exc, OSError):
            self._connection.lost(Evidence.CLOSED, f"{type(exc).__name__}: {exc}")
        else:
            self._connection.lost(*loss_evidence(exc))

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        self._transport.write(data)

    def buffered(self) -> int:
        """See `Wire.buffered`."""
        return self._transport.get_write_buffer_size()

    def finish(self) -> None:
        """See `Wire.finish`."""
        try:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()
        except OSError:
            # The other side reset the connection, and the loop has not told yet.
            self._transport.abort()

    def abort(self) -> None:
        """See `Wire.abort`."""
        self._transport.abort()

    def wait(self, paused: bool) -> None:
        """Read nothing for now, so that the other side has to wait, or go on."""
        if self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


class TcpTransport:
    """A `Transport` over TCP sockets. To be made, used and closed on one running event loop."""

    def __init__(
        self,
        hello: Callable[[], Hello],
        handler: Handler,
        settings: TransportSettings,
        on_error: Callable[[BaseException], None],
    ) -> None:
        """`hello` is asked at every connection: the advertised address is known only after `listen`.

        `on_error` gets what the handler, the hello or the transport itself raises: a bug; the peer should end.
        """
        self._registry = Registry(hello, handler, settings, on_error)
        self._resolver = Resolver(self._registry.loop)
        self._listeners: list[Listener] = []
        self._dials: set[asyncio.Task[None]] = set()
        self._connected: set[asyncio.Task[None]] = set()
        """Those of `_dials` that have a socket, and are about to make a connection of it."""

    async def listen(self, address: str) -> str:
        """See `Transport.listen`."""
        sock = await bind(address, self._resolver, self._registry.settings.listen_backlog)
        self._listeners.append(Listener(sock, self._registry, self._accepted))
        return bound_address(sock)

    def dial(self, address: str, timeout_s: float) -> None:
        """See `Transport.dial`."""
        registry = self._registry
        if registry.closed:
            return
        if len(self._dials) + registry.dialed_count() >= registry.settings.dials_max:
            text = f"{registry.settings.dials_max} dials are under way (dials_max)"
            registry.loop.call_soon(self._dial_failed, address, Evidence.UNREACHABLE, text)
            return
        deadline = registry.loop.time() + timeout_s
        task = registry.loop.create_task(self._dial(address, deadline), name=f"dial {address}")
        self._dials.add(task)
        task.add_done_callback(self._dial_done)

    async def close(self) -> None:
        """See `Transport.close`."""
        if self._connected:
            # A turn or two. Cancelled or closed in the midst of it, uvloop would never report the connection lost, or
            # leave the socket open.
            await asyncio.wait(self._connected)
        self._registry.closed = True
        dials = list(self._dials)
        for task in dials:
            task.cancel()
        await asyncio.gather(*(listener.close() for listener in self._listeners), *dials, return_exceptions=True)
        self._listeners.clear()
        await self._registry.close()

    def _accepted(self) -> TcpWire:
        deadline = self._registry.loop.time() + self._registry.settings.hello_timeout_ms / 1000
        return self._wire(Connection(self._registry, None, deadline), None)

    def _wire(self, connection: Connection, dialed: str | None) -> TcpWire:
        """The wire of a new connection; a drill puts something between the two."""
        return TcpWire(connection)

    async def _dial(self, address: str, deadline: float) -> None:
        loop = self._registry.loop
        try:
            host, port = parse_address(address)
            async with asyncio.timeout_at(deadline):
                found = await self._resolver.resolve(host, port)
                sock = await connect_first(loop, found)
        except AddressError as error:
            self._dial_failed(address, Evidence.UNREACHABLE, str(error))
        except TimeoutError:
            self._dial_failed(address, Evidence.UNREACHABLE, "no answer to connecting in time")
        except OSError as error:
            self._dial_failed(address, dial_evidence(error), describe(error))
        else:
            dial = asyncio.current_task()
            assert dial is not None
            self._connected.add(dial)
            connection = Connection(self._registry, address, deadline)
            await loop.create_connection(lambda: self._wire(connection, address), sock=sock)

    def _dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        if not self._registry.closed:
            self._registry.tell(self._registry.handler.dial_failed, address, evidence, detail)

    def _dial_done(self, task: asyncio.Task[None]) -> None:
        self._dials.discard(task)
        self._connected.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._registry.on_error(error)
