"""What each address of the HTTP gateway does.

| request | does |
| --- | --- |
| GET /status, /leader, /healthz, /readyz, /history, /why, /heals | says who serves, what this peer is, and what was |
| GET /apps, /apps/APP | lists applications, their commands and queries; a browser gets an application's page |
| GET /pages/FILE | what the pages of applications are made of |
| POST /apps/APP/COMMAND | has a command done |
| PUT /apps/APP/COMMAND | has a command done whose last argument is bytes, the body |
| GET /apps/APP/QUERY | reads |
| GET /events | WebSocket of events |
| GET /client | WebSocket of a client, with a session of its own |
| POST /cluster/handover, /cluster/leave | planned moves |
| POST /drills/fault, GET and DELETE /drills/faults | injects failures, with --allow-drills |
| GET /drills/state | a hash of the state, with --allow-drills |
| GET / | the page |
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tanist.peer.application.specification import Operation
from tanist.peer.errors import BadRequest, NotFound, UnknownOutcome
from tanist.peer.gateways import http_drills
from tanist.peer.gateways.directory import Directory
from tanist.peer.gateways.facade import GatewayPeer
from tanist.peer.gateways.http_answers import JsonAnswer, MethodNotAllowed, json_answer
from tanist.peer.gateways.http_blobs import BlobAnswer, allowed, with_body
from tanist.peer.gateways.http_clients import ClientSockets
from tanist.peer.gateways.http_events import EventSockets
from tanist.peer.gateways.http_page import CONTENT_SECURITY_POLICY, PAGE
from tanist.peer.gateways.http_pages import PREFIX, VARY, application_page, page_file, wants_page
from tanist.peer.gateways.http_requests import TIMEOUT_DEFAULT_S, key_from, read_body, timeout_from
from tanist.peer.gateways.http_values import decode_object, from_json, from_query, in_order, parse_query, to_json
from tanist.peer.gateways.words import drawn

READS = ("local", "server", "linearizable")
PAGE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""With the page, which a newer peer at the same address may have another of."""
SUPERSEDED_HEADER = "Tanist-Superseded"
"""With answers to queries, once a heal has made an end of commands that were acknowledged here."""
READY_LAG_MAX = 1000
"""Entries that a ready peer may be behind what it knows to be committed: under load it is never at zero."""

Handler = Callable[[web.BaseRequest, Mapping[str, list[bytes]]], Awaitable[web.StreamResponse]]


class Routes:
    """Answers requests by asking the peer. `answer` is the only entry."""

    def __init__(self, peer: GatewayPeer, directory: Directory, sockets: EventSockets, clients: ClientSockets) -> None:
        self._peer = peer
        self._directory = directory
        self._bodies = clients.bodies
        self._get: dict[str, Handler] = {
            "/": self._page,
            "/status": self._status,
            "/leader": self._leader,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/history": self._history,
            "/why": self._why,
            "/heals": self._heals,
            "/apps": self._apps,
            "/events": sockets.serve,
            "/client": clients.serve,
            "/drills/faults": self._faults,
            "/drills/state": self._state,
        }
        self._post: dict[str, Handler] = {
            "/cluster/handover": self._handover,
            "/cluster/leave": self._leave,
            "/cluster/abandon-founding": self._abandon_founding,
            "/cluster/accept-loss": self._accept_loss,
            "/cluster/settings": self._use_settings,
            "/drills/fault": self._inject,
        }
        self._delete: dict[str, Handler] = {"/drills/faults": self._end_faults}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; raises `CallError` for what cannot be done."""
        path, _, query = request.raw_path.partition("?")
        method = request.method
        if path.startswith("/apps/"):
            return await self._application(request, method, path, query)
        if path.startswith(PREFIX) and method in ("GET", "HEAD"):
            return page_file(request, path)
        if method in ("GET", "HEAD"):
            handler = self._get.get(path)
        elif method == "POST":
            handler = self._post.get(path)
        elif method == "DELETE":
            handler = self._delete.get(path)
        else:
            handler = None
        if handler is not None:
            return await handler(request, parse_query(query))
        if path in self._get:
            allow = "GET, HEAD, DELETE" if path in self._delete else "GET, HEAD"
            raise MethodNotAllowed(f"{path} is read: use GET", allow)
        if path in self._post:
            raise MethodNotAllowed(f"{path} changes something: use POST", "POST")
        raise NotFound(
            f"there is no {path[:100]} here; there are {', '.join((*self._get, *self._post))}, /apps/APP/NAME"
        )

    async def _application(self, request: web.BaseRequest, method: str, path: str, query: str) -> web.StreamResponse:
        parts = path.split("/")
        if "%" in path:
            parts = [unquote(p) for p in parts]
        match method, parts:
            case "GET" | "HEAD", ["", "apps", app]:
                if wants_page(request):
                    return application_page(app, self._directory.application(app))
                return json_answer(self._directory.describe(app), extra=f"Vary: {VARY}\r\n".encode())
            case "POST", ["", "apps", app, name]:
                return await self._command(request, app, name, query)
            case "PUT", ["", "apps", app, name]:
                return await self._put(request, app, name, query)
            case "GET" | "HEAD", ["", "apps", app, name]:
                return await self._query(app, name, query)
            case _, ["", "apps", app]:
                raise MethodNotAllowed(f"{path} is read: use GET", "GET, HEAD")
            case _, ["", "apps", app, name]:
                kind = allowed(self._directory.find(app, name))
                raise MethodNotAllowed(f"{app} {name} takes {kind}, not {method}", kind)
        raise NotFound(f"there is no {path[:100]} here; commands and queries are at /apps/APP/NAME")

    async def _command(self, request: web.BaseRequest, app: str, name: str, query: str) -> JsonAnswer:
        operation = self._directory.find(app, name)
        if not operation.is_command:
            raise MethodNotAllowed(f"{name} of {app} is a query: use GET with ?argument=value", "GET, HEAD")
        timeout_s = timeout_from(parse_query(query)) if query else TIMEOUT_DEFAULT_S
        key = key_from(request.headers)
        reserved = self._bodies.reserve(request)
        try:
            given = decode_object(await read_body(request))
            arguments = in_order(operation, {n: from_json(v) for n, v in given.items()})
            reply = await self._peer.call(app, name, *arguments, idempotency_key=key, timeout_s=timeout_s)
        finally:
            self._bodies.release(reserved)
        return json_answer(_told(operation, reply.result) | {"receipt": reply.receipt})

    async def _put(self, request: web.BaseRequest, app: str, name: str, query: str) -> JsonAnswer:
        operation, given = self._directory.find(app, name), parse_query(query)
        timeout_s = TIMEOUT_DEFAULT_S
        if all(p.name != "timeout" for p in operation.parameters):
            timeout_s = timeout_from(given)
            given.pop("timeout", None)
        key = key_from(request.headers)
        arguments = await with_body(self._peer.own_client, self._directory, request, operation, given)
        reply = await self._peer.call(app, name, *arguments, idempotency_key=key, timeout_s=timeout_s)
        return json_answer(_told(operation, reply.result) | {"receipt": reply.receipt})

    async def _query(self, app: str, name: str, query: str) -> web.StreamResponse:
        operation = self._directory.find(app, name)
        if operation.is_command:
            raise MethodNotAllowed(f"{name} of {app} is a command: use POST with a JSON body", "POST")
        given = parse_query(query)
        declared = {p.name: p for p in operation.parameters}
        read, timeout_s = "local", TIMEOUT_DEFAULT_S
        # A parameter of the application goes before one of the gateway that has the same name.
        if "timeout" not in declared:
            timeout_s = timeout_from(given)
            given.pop("timeout", None)
        if "read" not in declared:
            read = _read_from(given.pop("read", []))
        texts = {n: from_query(declared[n], v) if n in declared else v for n, v in given.items()}
        arguments = in_order(operation, self._directory.convert(app, operation, texts))
        result = await self._peer.look_up(app, name, arguments, read=read, timeout_s=timeout_s)
        if operation.gives_blob:
            if result is None:
                raise NotFound(f"{app} {name}: there is none such")
            return BlobAnswer(self._peer.own_client, result)
        # All callers of this gateway share one session: an error would hit whoever comes next, a header hurts nobody.
        superseded = self._peer.superseded()
        extra = f"{SUPERSEDED_HEADER}: {superseded}\r\n".encode() if superseded else b""
        return json_answer(_told(operation, result), extra=extra)

    async def _page(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html", headers=PAGE_HEADERS)

    async def _status(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        return json_answer(self._peer.status())

    async def _leader(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        status = self._peer.status()
        serving = status.role == "server"
        said = {"serving": serving, "server": status.server, "term": status.term, "problem": status.problem}
        return json_answer(said, 200 if serving else 503)

    async def _healthz(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        return json_answer({"ok": True})

    async def _readyz(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        status = self._peer.status()
        lag = max(0, status.commit - status.applied)
        reason = ""
        if status.server is None:
            reason = status.problem or "no server is known yet"
        elif lag > READY_LAG_MAX:
            reason = f"{lag} entries are yet to be applied"
        return json_answer({"ready": not reason, "reason": reason, "lag": lag}, 503 if reason else 200)

    async def _history(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        return json_answer({"reigns": self._peer.reigns()})

    async def _why(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        term = query["term"][-1].decode(errors="replace") if "term" in query else "last"
        return json_answer({"reigns": self._peer.why(term)})

    async def _heals(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        heal = query["heal"][-1].decode(errors="replace") if "heal" in query else None
        return json_answer({"heals": self._peer.heals(heal)})

    async def _apps(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        return json_answer({"apps": [self._directory.describe(app) for app in self._peer.applications]})

    async def _handover(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        to = _optional_name(await self._small_object(request), "to")
        timeout_s = timeout_from(query)
        try:
            server = await self._peer.hand_over(to, timeout_s=timeout_s)
        except TimeoutError:
            text = f"handed over, and nobody was heard to serve within {timeout_s:g} s; ask /status"
            raise UnknownOutcome(text) from None
        return json_answer({"server": server})

    async def _leave(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        peer = _optional_name(await self._small_object(request), "peer")
        left = peer or self._peer.status().name
        await self._peer.leave(peer)
        return json_answer({"left": left})

    async def _abandon_founding(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        _nothing(await self._small_object(request))
        return json_answer({"waited_for": await self._peer.abandon_founding()})

    async def _accept_loss(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        _nothing(await self._small_object(request))
        return json_answer({"last": await self._peer.accept_loss()})

    async def _use_settings(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        match await self._small_object(request):
            case {"app": str(app), **others} if not others:
                return json_answer({"changed": await self._peer.use_settings(app, timeout_from(query))})
        raise BadRequest('it takes one argument, "app", the name of an application')

    async def _faults(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        return http_drills.in_force(self._peer.drills)

    async def _state(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        applied, digest = self._peer.digest()
        return json_answer({"applied": applied, "digest": digest})

    async def _inject(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        drills = self._peer.drills
        return http_drills.inject(drills, await self._small_object(request))

    async def _end_faults(self, request: web.BaseRequest, query: Mapping[str, list[bytes]]) -> JsonAnswer:
        return http_drills.end(self._peer.drills, query)

    async def _small_object(self, request: web.BaseRequest) -> dict[str, Any]:
        reserved = self._bodies.reserve(request)
        try:
            return decode_object(await read_body(request))
        finally:
            self._bodies.release(reserved)


def _told(operation: Operation, result: Any) -> dict[str, Any]:
    """A result, and its lines where people should see it otherwise."""
    lines = drawn(operation, result)
    return {"result": to_json(result)} | ({} if lines is None else {"lines": lines})


def _read_from(values: list[bytes]) -> str:
    """How `?read=` wants a query to be answered."""
    read = values[-1].decode(errors="replace") if values else READS[0]
    if read not in READS:
        raise BadRequest(f"read={read[:40]} is not one of {', '.join(READS)}")
    return read


def _nothing(body: Mapping[str, Any]) -> None:
    """A command without arguments."""
    if body:
        raise BadRequest(f"there is no argument {next(iter(body))[:100]!r} here; it takes none: send {{}}")


def _optional_name(body: Mapping[str, Any], argument: str) -> str | None:
    """The one optional argument of a cluster command: a peer's name or id."""
    if unknown := [name for name in body if name != argument]:
        raise BadRequest(f"there is no argument {unknown[0]!r} here; there is {argument!r}, a peer's name or id")
    value = body.get(argument)
    if value is not None and not (isinstance(value, str) and value):
        raise BadRequest(f"{argument!r} must be a peer's name or id")
    return value
