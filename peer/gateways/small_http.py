"""The base of small HTTP servers in front of one application: bounds on connections, a clean end, errors as JSON."""

import asyncio
import logging

import msgspec
from aiohttp import web

from tanist.peer.errors import CallError, NoServer, UnknownOutcome
from tanist.peer.gateways.http_answers import JsonAnswer
from tanist.peer.gateways.http_connection import Connection
from tanist.peer.gateways.http_connections import BoundedServer
from tanist.peer.gateways.knowing import Knowing
from tanist.peer.gateways.tcp import Serving
from tanist.transport.address import format_address, parse_address
from tanist.transport.errors import ListenError
from tanist.transport.listener import why_not

CONNECTIONS_MAX = 256
"""Connections of one such server."""
CLOSE_S = 1.0
"""Seconds that requests on their way have to end when it stops."""

log = logging.getLogger("tanist.gateways")


class SmallHttpGateway:
    """A server at `address` ("host:port"; port 0 is any), for the application called `app`. Write `respond`."""

    def __init__(self, peer: Serving, app: str, address: str) -> None:
        self.peer = peer
        self.app = app
        self.url = ""
        """Where it is, once it listens."""
        self._address = address
        self._knowing = Knowing(peer.status)
        self._server: BoundedServer | None = None
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def known(self, fork: int | None = None) -> None:
        """Return when the peer knows how things are: before a query. Raises NoServer where that takes long.

        `fork`: its log changed behind this index.
        """
        if not await self._knowing.wait(fork):
            raise NoServer("this server has just started and found no other; ask again")

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. `CallError`s become answers by `failed`."""
        raise NotImplementedError

    def failed(self, error: CallError) -> JsonAnswer:
        """The answer to a request that failed, or to what is none."""
        return JsonAnswer(msgspec.json.encode({"error": error.message}), error.status)

    async def ending(self) -> None:
        """Called when it stops, before its connections end."""

    async def start(self) -> str:
        """Listen; gives the bound address. Raises ListenError."""
        host, port = parse_address(self._address)
        self._server = BoundedServer(self._answer, CONNECTIONS_MAX, self.failed)
        try:
            self._listener = await asyncio.get_running_loop().create_server(self._server, host, port)
        except OSError as error:
            raise ListenError(self._address, why_not(error)) from None
        self._sweeper = asyncio.create_task(self._server.sweep())
        bound_host, bound_port, *_ = self._listener.sockets[0].getsockname()
        address = format_address(bound_host, bound_port)
        self.url = f"http://{address}"
        return address

    async def stop(self) -> None:
        """Accept nothing more, end, and free the port. Idempotent."""
        if self._listener is None or self._server is None or self._sweeper is None:
            return
        listener, self._listener = self._listener, None
        listener.close()
        self._sweeper.cancel()
        await self.ending()
        self._server.pre_shutdown()
        await self._server.shutdown(CLOSE_S)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(connection := request.protocol, Connection):
            connection.begun(request)
        try:
            return await self.respond(request)
        except UnknownOutcome:
            return self.failed(UnknownOutcome("no answer in time: it may be done or not; to say it again does no harm"))
        except CallError as error:
            return self.failed(error)
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            log.exception("%s of %s: %s %s failed", type(self).__name__, self.app, request.method, request.path[:100])
            return self.failed(CallError("this server failed; ask another"))
