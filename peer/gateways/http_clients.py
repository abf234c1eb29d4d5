"""`GET /client`: a client over a WebSocket, with a session of its own that ends with the connection.

One JSON object a message, for consoles and pages:

    {"id": 1, "app": "chat", "name": "msg", "arguments": {"text": "hi"}}
    {"id": 2, "app": "chat", "line": "MSG hi"}, as in the line protocol
    {"id": 3, "app": "poll", "name": "vote", "texts": {"n": "2"}}, arguments as text, as in a form
        --> {"id": 1, "result": …, "lines": […], "receipt": …}
    {"id": 4, "ping": true}, from who wants to know whether this connection still stands
        --> {"id": 4}
    anything that is wrong
        --> {"id": …, "error": {"code": …, "message": …}}

A `key` beside them makes a command safe to repeat, over another connection too. Whoever sent a line also gets the
`answer` as the line protocol has it, a list of lines.

Besides, what happens comes as `{"event": …, "app": …, "fields": …, "line": …, "position": …}`: application events that
are for this session, and cluster events without `app`. The first message says who answers, and from where on it hears
what happens: `{"peer": …, "session": …, "position": …}`. Who lost a peer goes on at another one with
`?after=POSITION&instead=SESSION`: it hears what happened behind that position, and its former session ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from tanist.peer.application.events import Published
from tanist.peer.application.specification import Operation
from tanist.peer.errors import BadRequest, CallError, Overloaded
from tanist.peer.gateways import words
from tanist.peer.gateways.directory import Directory
from tanist.peer.gateways.facade import GatewayClient, GatewayEvent, GatewayPeer
from tanist.peer.gateways.http_connection import Connection
from tanist.peer.gateways.http_events import position_from
from tanist.peer.gateways.http_requests import Bodies, checked_key
from tanist.peer.gateways.http_values import from_json, in_order, to_json
from tanist.peer.gateways.knowing import Knowing
from tanist.peer.gateways.line import done, help_answer, undone

CLIENTS_MAX = 512
"""WebSockets of one gateway."""
MESSAGE_BYTES_MAX = 1 << 20
"""Bytes of one message: a command has no more."""
UNDER_WAY_MAX = 64
"""Calls of one client under way; more are read when one is answered."""
CALL_S = 30.0
"""Seconds for which a command waits for a server."""
SEND_S = 10.0
"""Seconds a client may take to make room for the next message."""
PING_EVERY_S = 20.0
"""Seconds between pings, so that a client that vanished is noticed."""
CLOSE_S = 2.0
"""Seconds a client has to answer the closing of its WebSocket."""

NUMBER_MAX = 10**9
"""Behind all events of an entry: none has so many."""

log = logging.getLogger("tanist.http")
_encode = msgspec.json.Encoder().encode


class ClientSockets:
    """The clients of one gateway."""

    def __init__(self, peer: GatewayPeer, directory: Directory) -> None:
        self._peer = peer
        self._directory = directory
        self._open: set[OneClient] = set()
        self.bodies = Bodies()
        """What waits for answers, of these clients and of all other requests of the gateway."""

    async def serve(self, request: web.BaseRequest, query: Mapping[str, Sequence[bytes]]) -> web.StreamResponse:
        """Serve one client until it goes; raises `BadRequest` or `Overloaded` before it began."""
        position = position_from(query)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise BadRequest("/client is a WebSocket; connect to it with ws:// instead of http://")
        if len(self._open) >= CLIENTS_MAX:
            raise Overloaded(f"{CLIENTS_MAX} clients are connected here, the limit; go to another peer")
        client = self._peer.open_client()
        try:
            former = query["instead"][-1].decode(errors="replace") if "instead" in query else ""
            if former:
                self._take_the_place(client, former)
            socket = web.WebSocketResponse(heartbeat=PING_EVERY_S, max_msg_size=MESSAGE_BYTES_MAX, timeout=CLOSE_S)
            try:
                await socket.prepare(request)
            except web.HTTPException as error:
                raise BadRequest(f"this is no WebSocket's handshake: {error.text}") from None
            if isinstance(connection := request.protocol, Connection):
                # Other listeners have little to say; this one talks.
                connection.allow(None)
            one = OneClient(self._peer, self._directory, client, socket, request.transport, self.bodies, former)
            self._open.add(one)
            try:
                await one.talk(position)
            finally:
                self._open.discard(one)
            return socket
        finally:
            client.close("its connection ended")

    def _take_the_place(self, client: GatewayClient, session: str) -> None:
        """End the session that a client was before, at another peer or here.

        Here its connection may stand still: who slept, or changed networks, knows sooner than the peer.
        """
        for one in self._open:
            if one.session == session:
                one.end("its client connected again")
        client.replace(session)

    async def close(self) -> None:
        """Close all WebSockets: the peer goes away."""
        closings = (one.socket.close(code=1001, message=b"this peer stops") for one in list(self._open))
        await asyncio.gather(*closings, return_exceptions=True)


class OneClient:
    """One client: its calls, and what it is told."""

    def __init__(
        self,
        peer: GatewayPeer,
        directory: Directory,
        client: GatewayClient,
        socket: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        bodies: Bodies,
        former: str,
    ) -> None:
        self._peer = peer
        self._knowing = Knowing(peer.status)
        self._directory = directory
        self._client = client
        self.socket = socket
        self._transport = transport
        self._bodies = bodies
        self._former = former
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)
        self._sending = asyncio.Lock()

    @property
    def session(self) -> str:
        """Its session, until that is another one."""
        return self._client.session

    def end(self, why: str) -> None:
        """End its session now, and its connection, on which nobody may listen."""
        self._client.close(why)
        self._hang_up()

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def talk(self, after: tuple[int, int] | None) -> None:
        """Answer until the client goes; tell it what happened behind `after`, or from now on."""
        status = self._peer.status()
        events = asyncio.create_task(self._events(after))
        calls: set[asyncio.Task[None]] = set()
        try:
            position = f"{status.applied}.{NUMBER_MAX}"
            await self._send({"peer": status.name, "session": self._client.session, "position": position})
            async for message in self.socket:
                # An answer that is not sent yet takes room too: who reads nothing is not heard either.
                await self._room.acquire()
                call = asyncio.create_task(self._answer(message.data))
                calls.add(call)
                call.add_done_callback(calls.discard)
        except ConnectionError:
            pass  # It went while a message was on its way.
        finally:
            for task in [events, *calls]:
                task.cancel()
            await asyncio.wait([events, *calls])

    async def _answer(self, data: str | bytes) -> None:
        try:
            said = await self._said(data)
            with contextlib.suppress(ConnectionError):
                await self._send(said)
        finally:
            self._room.release()

    async def _said(self, data: str | bytes) -> dict[str, Any]:
        """The answer to a message."""
        asked: Any = None
        line = False
        reserved = 0
        try:
            message = _decoded(data)
            asked = message.pop("id", None)
            line = "line" in message
            reserved = self._bodies.take(len(data))
            said = await self._done(message)
        except CallError as error:
            said = {"error": {"code": error.code, "message": error.message}}
            if line:
                said["answer"] = _lines(undone(error))
        except Exception:
            log.exception("HTTP: a client's call failed")
            said = {"error": {"code": "failed", "message": "this peer failed; ask another"}}
        finally:
            self._bodies.release(reserved)
        return {"id": asked, **said}

    async def _done(self, message: Mapping[str, Any]) -> dict[str, Any]:
        key = _key_in(message)
        match {name: value for name, value in message.items() if name != "key"}:
            case {"ping": True, **rest} if not rest:
                return {}
            case {"app": str() as app, "line": str() as line, **rest} if not rest:
                if (about := words.asks_for_help(line)) is not None:
                    return {"answer": _lines(help_answer(self._directory.application(app), about))}
                operation, given = words.read(self._directory.application(app), line)
            case {"app": str() as app, "name": str() as name, **rest} if _is_one_of(rest, "arguments", "texts"):
                operation = self._directory.find(app, name)
                given = self._given(app, operation, rest)
            case _:
                raise BadRequest("a message has an app, and a line or a name and its arguments or texts")
        if operation.is_command:
            reply = await self._client.call(app, operation.name, given, key=key, timeout_s=CALL_S)
            result, receipt = reply.result, {"receipt": reply.receipt}
        else:
            await self._knowing.wait()
            result, receipt = self._client.query(app, operation.name, given), {}
        said = {"result": to_json(result), **receipt}
        if (lines := words.drawn(operation, result)) is not None:
            said["lines"] = lines
        if "line" in message:
            said["answer"] = _lines(done(operation, result))
        return said

    def _given(self, app: str, operation: Operation, message: Mapping[str, Any]) -> list[Any]:
        """The arguments of a message, in order."""
        if "texts" in message:
            texts = message["texts"]
            if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
                raise BadRequest("texts are an object of texts")
            return in_order(operation, self._directory.convert(app, operation, texts))
        arguments = message.get("arguments", {})
        if isinstance(arguments, dict):
            return in_order(operation, {n: from_json(v) for n, v in arguments.items()})
        if isinstance(arguments, list):
            return [from_json(value) for value in arguments]
        raise BadRequest("arguments are an object or a list")

    async def _events(self, after: tuple[int, int] | None) -> None:
        try:
            try:
                await self._tell(self._peer.events_after(after))
            except CallError as error:
                await self._send({"error": {"code": error.code, "message": error.message}})
                await self._tell(self._peer.events_after(None))
        except ConnectionError:
            return
        await self.socket.close(code=1013, message=b"too slow for what happens: connect again")

    async def _tell(self, events: AsyncIterator[GatewayEvent]) -> None:
        try:
            async for happened in events:
                if not isinstance(happened, Published) or self._hears(happened):
                    await self._send(_event(happened))
        finally:
            if (close := getattr(events, "aclose", None)) is not None:
                await close()

    def _hears(self, happened: Published) -> bool:
        """Whether it is for this client, or for the one that it was before; and what that one said, it says itself."""
        if happened.to is None:
            return happened.but not in (self._client.session, self._former)
        return happened.is_for(self._client.session) or happened.is_for(self._former)

    async def _send(self, message: Mapping[str, Any]) -> None:
        """Send one message. A client that takes nothing for long is ended. Raises ConnectionError when it is gone."""
        async with self._sending:
            try:
                async with asyncio.timeout(SEND_S):
                    await self.socket.send_str(_encode(message).decode())
            except TimeoutError:
                self._hang_up()
                raise ConnectionResetError("it reads nothing") from None


def _decoded(data: str | bytes) -> dict[str, Any]:
    """The object that a message is; raises `BadRequest`."""
    if isinstance(data, bytes):
        raise BadRequest("messages are text, not binary")
    try:
        message = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest("this is no JSON") from None
    if not isinstance(message, dict):
        raise BadRequest('a message is an object: {"id": 1, "app": "chat", "line": "MSG hi"}')
    return message


def _is_one_of(rest: Mapping[str, Any], *names: str) -> bool:
    return not rest or (len(rest) == 1 and rest.keys() <= set(names))


def _key_in(message: Mapping[str, Any]) -> str:
    match message.get("key", ""):
        case "":
            return ""
        case str() as key:
            return checked_key(key)
    raise BadRequest("a key is text")


def _lines(answer: bytes) -> list[str]:
    return answer.decode().split("\n")[:-1]


def _event(happened: GatewayEvent) -> dict[str, Any]:
    said = {"event": happened.event, "fields": to_json(happened.fields), "line": happened.line}
    if isinstance(happened, Published):
        said["app"] = happened.app
    return said | {"position": f"{happened.index}.{happened.number}"}
