"""The HTTP gateway: JSON over HTTP at every peer, server or not; a failover is a delay, not an error.

`docs/reference/http.md` has the addresses. Commands go the shortest way there is: no router, no middleware, one
decode and one encode.
"""

import asyncio
import errno
import logging

from aiohttp import web

from tanist.peer.errors import CallError
from tanist.peer.gateways.directory import Directory
from tanist.peer.gateways.facade import GatewayPeer
from tanist.peer.gateways.http_answers import error_answer
from tanist.peer.gateways.http_clients import ClientSockets
from tanist.peer.gateways.http_connection import Connection
from tanist.peer.gateways.http_connections import BoundedServer, connections_max
from tanist.peer.gateways.http_events import EventSockets
from tanist.peer.gateways.http_guard import Guard
from tanist.peer.gateways.http_routes import Routes
from tanist.transport.address import format_address, parse_address
from tanist.transport.errors import ListenError

BACKLOG = 1024
"""Connections that wait to be accepted: a crowd that arrives at once after a failover."""
CLOSE_S = 2.0
"""Seconds that requests on their way have to end when the gateway stops."""

log = logging.getLogger("tanist.http")


class AddressInUse(ListenError):
    """Another program listens at the address: a default may move to the next port, a given one may not."""

    def __init__(self, address: str) -> None:
        super().__init__(address, "another program listens there; give another port, or :0 for any")


class HttpGateway:
    """Serves a peer over HTTP at `address` ("host:port", "[v6]:port"; port 0 is any)."""

    def __init__(self, peer: GatewayPeer, address: str) -> None:
        self._address = address
        self._host, self._port = parse_address(address)
        self._guard = Guard((self._host,))
        self._sockets = EventSockets(peer)
        directory = Directory(peer.applications)
        self._clients = ClientSockets(peer, directory)
        self._routes = Routes(peer, directory, self._sockets, self._clients)
        self._server: BoundedServer | None = None
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen; gives the bound address. Raises `AddressInUse`, or `ListenError` for another reason."""
        loop = asyncio.get_running_loop()
        self._server = BoundedServer(self._answer, connections_max())
        try:
            self._listener = await loop.create_server(self._server, self._host, self._port, backlog=BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(self._address) from None
            raise ListenError(self._address, (error.strerror or str(error)).lower()) from None
        self._sweeper = asyncio.create_task(self._server.sweep())
        host, port, *_ = self._listener.sockets[0].getsockname()
        return format_address(host, port)

    async def stop(self) -> None:
        """Accept nothing more, let requests on their way end (for `CLOSE_S`), and free the port. Idempotent."""
        if self._listener is None or self._server is None or self._sweeper is None:
            return
        listener, self._listener = self._listener, None
        listener.close()
        self._sweeper.cancel()
        await asyncio.gather(self._sockets.close(), self._clients.close())
        self._server.pre_shutdown()
        await self._server.shutdown(CLOSE_S)
        await asyncio.wait({self._sweeper})

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(connection := request.protocol, Connection):
            connection.begun(request)
        try:
            self._guard.check(request.headers)
            return await self._routes.answer(request)
        except CallError as error:
            return error_answer(error)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            # Without the query: its arguments are the caller's own business.
            log.exception("HTTP: %s %s failed", request.method, request.raw_path.partition("?")[0][:200])
            return error_answer(CallError("an error inside this peer; its log has the details"))


async def serve_http(peer: GatewayPeer, address: str) -> tuple[HttpGateway, str]:
    """Serve a peer at an address; gives the gateway and the address bound. Raises as `start` does."""
    gateway = HttpGateway(peer, address)
    return gateway, await gateway.start()
