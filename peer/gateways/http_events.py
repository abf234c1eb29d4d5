"""`GET /events`: what happens in the applications and in the cluster, pushed over a WebSocket.

Each message is one JSON object with a `position`; `?after=POSITION` goes on behind it, at any peer. Events meant
for certain sessions alone are not sent here. Whoever reads too slowly is disconnected, and resumes.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web

from tanist.peer.errors import BadRequest, CallError, Overloaded
from tanist.peer.gateways.facade import GatewayEvent, GatewayPeer
from tanist.peer.gateways.http_connection import Connection
from tanist.peer.gateways.http_values import to_json

LISTENERS_MAX = 512
"""WebSockets of one gateway: each event is encoded and sent once for each."""
SEND_S = 10.0
"""Seconds a listener may take to make room for the next message."""
PING_EVERY_S = 20.0
"""Seconds between pings, so that a listener that vanished is noticed."""
MESSAGE_BYTES_MAX = 4096
"""Bytes of a message from a listener: it has nothing to say."""
HEARD_BYTES_MAX = 8192
"""Bytes from a listener in `HEARD_EVERY_S`: answers to pings, and its own. Each of the thousands of frames in a
flood of empty ones costs as much as a request."""
HEARD_EVERY_S = 60.0
"""Seconds for which `HEARD_BYTES_MAX` are enough, for a listener that pings every second too."""
CLOSE_S = 2.0
"""Seconds a listener has to answer the closing of its WebSocket."""

log = logging.getLogger("tanist.http")


def position_from(query: Mapping[str, Sequence[bytes]]) -> tuple[int, int] | None:
    """The position in `?after=`, two numbers and a dot; None without one. Raises `BadRequest`."""
    values = query.get("after")
    if values is None:
        return None
    match = re.fullmatch(rb"(\d{1,18})\.(\d{1,18})", values[-1])
    if match is None:
        raise BadRequest('after= takes the "position" of an event, two numbers with a dot, as in 120.0')
    return int(match[1]), int(match[2])


def is_public(event: GatewayEvent) -> bool:
    """Whether an event is for everybody: an application may address some to certain sessions."""
    return getattr(event, "to", None) is None


def encode_event(event: GatewayEvent) -> str:
    """One event as a JSON object: `type` is application or cluster."""
    fields = to_json(event.fields)
    said: dict[str, Any] = {"type": "cluster"}
    if (app := getattr(event, "app", None)) is not None:
        said = {"type": "application", "app": app}
    said |= {"position": f"{event.index}.{event.number}", "event": event.event, "fields": fields, "line": event.line}
    return msgspec.json.encode(said).decode()


class EventSockets:
    """The open WebSockets of one gateway."""

    def __init__(self, peer: GatewayPeer) -> None:
        self._peer = peer
        self._open: set[web.WebSocketResponse] = set()

    async def serve(self, request: web.BaseRequest, query: Mapping[str, Sequence[bytes]]) -> web.StreamResponse:
        """Serve one listener until it goes; raises `BadRequest` or `Overloaded` before it began."""
        position = position_from(query)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise BadRequest("/events is a WebSocket; connect to it with ws:// instead of http://")
        connection = request.protocol
        if isinstance(connection, Connection) and connection.unread_bytes > HEARD_BYTES_MAX:
            raise BadRequest("this listener talks too much; /events has nothing to be told")
        if len(self._open) >= LISTENERS_MAX:
            raise Overloaded(f"{LISTENERS_MAX} listeners are connected here, the limit; go to another peer")
        socket = web.WebSocketResponse(heartbeat=PING_EVERY_S, max_msg_size=MESSAGE_BYTES_MAX, timeout=CLOSE_S)
        try:
            await socket.prepare(request)
        except web.HTTPException as error:
            raise BadRequest(f"this is no WebSocket's handshake: {error.text}") from None
        self._open.add(socket)
        self._allow(request)
        sender = asyncio.create_task(self._send(socket, request, position))
        try:
            async for _ in socket:
                pass  # Reading answers pings and notices the end; what a listener says has no meaning.
        finally:
            self._open.discard(socket)
            sender.cancel()
            await asyncio.wait({sender})
        return socket

    def _allow(self, request: web.BaseRequest) -> None:
        if isinstance(connection := request.protocol, Connection) and connection.transport is not None:
            connection.allow(HEARD_BYTES_MAX)
            asyncio.get_running_loop().call_later(HEARD_EVERY_S, self._allow, request)

    async def _send(
        self, socket: web.WebSocketResponse, request: web.BaseRequest, position: tuple[int, int] | None
    ) -> None:
        events = self._peer.events_after(position)
        try:
            async for event in events:
                if is_public(event):
                    async with asyncio.timeout(SEND_S):
                        await socket.send_str(encode_event(event))
        except TimeoutError:
            log.warning("HTTP: a listener at %s reads too slowly; disconnected", request.remote)
            if request.transport is not None:
                request.transport.abort()
            return
        except CallError as error:
            with contextlib.suppress(ConnectionError):
                said = {"type": "error", "error": {"code": error.code, "message": error.message}}
                await socket.send_str(msgspec.json.encode(said).decode())
        except ConnectionError:
            return  # It went while a message was on its way.
        except Exception:
            log.exception("HTTP: the events to %s broke off", request.remote)
        finally:
            if (close := getattr(events, "aclose", None)) is not None:
                await close()
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"connect again behind your last position")

    async def close(self) -> None:
        """Close all WebSockets: the peer goes away."""
        await asyncio.gather(
            *(s.close(code=WSCloseCode.GOING_AWAY, message=b"this peer stops") for s in list(self._open)),
            return_exceptions=True,
        )
