"""`--gateway lantern=page:8888`: a page with the lantern and its three buttons; `/ws` pushes every change of it.

The page shows what it is told over the WebSocket, and calls the API at its own port. It comes back by itself when the
peer was away, and is right then, whatever it missed.
"""

import asyncio
import contextlib

import msgspec
from aiohttp import web

from tanist.peer.application.events import Published
from tanist.peer.errors import BadRequest, NoServer, NotFound, Overloaded
from tanist.peer.gateways.facade import GatewayEvent
from tanist.peer.gateways.http_page import hashed
from tanist.peer.gateways.lantern_page_parts import SCRIPT, STYLE, page
from tanist.peer.gateways.small_http import SmallHttpGateway
from tanist.peer.gateways.tcp import SUPERSEDED, Serving

LISTENERS_MAX = 200
"""Open pages of one gateway."""
SEND_S = 10.0
"""Seconds that a page may take to make room for the next message."""
PING_EVERY_S = 20.0
"""Seconds between pings, so that a page that vanished is noticed."""
API_PORT = 9000
"""Where the API is if this peer has none of its own."""


class LanternPage(SmallHttpGateway):
    """Serves the page, and tells open ones what changes."""

    def __init__(self, peer: Serving, app: str, address: str) -> None:
        super().__init__(peer, app, address)
        self._client = peer.open_client()
        self._open: set[web.WebSocketResponse] = set()

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        match request.method, request.path:
            case "GET" | "HEAD", "/":
                return self._page()
            case "GET", "/ws":
                return await self._listen(request)
        raise NotFound("there are / and /ws")

    def _page(self) -> web.Response:
        api = self.peer.gateways.get(f"{self.app}=api", "")
        port = int(api.rpartition(":")[2] or API_PORT)
        policy = (
            f"default-src 'none'; script-src {hashed(SCRIPT)}; style-src {hashed(STYLE)}; "
            "connect-src 'self' ws: http:; base-uri 'none'; form-action 'none'"
        )
        headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
        return web.Response(text=page(port), content_type="text/html", headers=headers)

    async def _listen(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise BadRequest("/ws is a WebSocket; connect to it with ws:// instead of http://")
        if len(self._open) >= LISTENERS_MAX:
            raise Overloaded(f"{LISTENERS_MAX} pages are open here, the limit")
        socket = web.WebSocketResponse(heartbeat=PING_EVERY_S, max_msg_size=4096)
        try:
            await socket.prepare(request)
        except web.HTTPException as error:
            raise BadRequest(f"this is no WebSocket's handshake: {error.text}") from None
        self._open.add(socket)
        sending = asyncio.create_task(self._send(socket))
        try:
            async for _ in socket:
                pass  # Reading answers pings and notices the end; what a page says has no meaning.
        finally:
            self._open.discard(socket)
            sending.cancel()
            await asyncio.wait({sending})
        return socket

    async def _send(self, socket: web.WebSocketResponse) -> None:
        """The present state, and again after each change: a page shows states, and can miss nothing by it."""
        events = self.peer.events_after(None)
        coming = asyncio.ensure_future(anext(events))
        try:
            # Events are listened to before the state is looked at.
            await asyncio.sleep(0)
            await self.known()
            while True:
                state = self._client.query(self.app, "lantern", ())
                async with asyncio.timeout(SEND_S):
                    await socket.send_str(msgspec.json.encode(state).decode())
                while not self._is_mine(happened := await coming):
                    coming = asyncio.ensure_future(anext(events))
                if happened.event == SUPERSEDED:
                    await self.known(happened.fields["fork"])
                coming = asyncio.ensure_future(anext(events))
        except (TimeoutError, StopAsyncIteration, ConnectionError, NoServer):
            await socket.close()
        finally:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming

    def _is_mine(self, happened: GatewayEvent) -> bool:
        if isinstance(happened, Published):
            return happened.app == self.app
        return happened.event == SUPERSEDED

    async def ending(self) -> None:
        """Close open pages' WebSockets: they come back when there is a peer again."""
        await asyncio.gather(*(socket.close() for socket in list(self._open)), return_exceptions=True)
        self._client.close("its gateway ended")
