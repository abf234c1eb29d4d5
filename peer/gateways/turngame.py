"""The turn game with reserve servers, over HTTP/JSON as its own clients speak it: `--gateway tictactoe=turngame:8080`.

Players ask again and again, at whatever server answers; every error is 400 with `{"error": text}`. A player who lost
the answer to a move says the move again, and gets it.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from tanist.config.addresses import WILDCARDS
from tanist.election.roles import Role
from tanist.peer.apps.table import ABSENT_S
from tanist.peer.errors import BadRequest, CallError, NotFound
from tanist.peer.gateways.http_answers import JsonAnswer
from tanist.peer.gateways.http_requests import read_body
from tanist.peer.gateways.small_http import SmallHttpGateway
from tanist.peer.gateways.tcp import CALL_S, Serving
from tanist.transport.address import parse_address

WAIT_EVERY_S = ABSENT_S / 4
"""Seconds between two times that the table hears that its only player asks on."""
GREETING = {"message": "Tic-tac-toe. POST /join with your uid, then GET and POST /move."}

_encode = msgspec.json.encode


class TurnGameGateway(SmallHttpGateway):
    """The game, in front of an application with a table."""

    def __init__(self, peer: Serving, app: str, address: str) -> None:
        super().__init__(peer, app, address)
        self._client = peer.open_client()
        self._telling: asyncio.Task[None] | None = None
        self._waited_at = -WAIT_EVERY_S

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        return JsonAnswer(_encode(await self._routed(request)))

    def failed(self, error: CallError) -> JsonAnswer:
        """Every error is 400, as the game's clients know it."""
        return JsonAnswer(_encode({"error": error.message}), 400)

    async def ending(self) -> None:
        """The gateway is no client of the application any more."""
        if self._telling is not None:
            self._telling.cancel()
        self._client.close("its gateway ended")

    async def _routed(self, request: web.BaseRequest) -> Mapping[str, Any]:
        match request.method, request.path:
            case "GET" | "HEAD", "/":
                return GREETING
            case "GET" | "HEAD", "/ping":
                return {"url": self._url(request), "is_main": self.peer.status().role == Role.SERVER}
            case "GET" | "HEAD", "/status":
                table = await self._table()
                if table["alone"]:
                    self._tell_wait()
                return {"player": table["turn"], "is_game_start": table["full"], "board": _board(table)}
            case "POST", "/join":
                uid = _text(await _object(request), "uid")
                table = await self._call("sit", uid)
                return {"player": table["turn"], "token": table["you"], "board": _board(table)}
            case "GET", "/move":
                table = await self._table()
                if table["winner"] or table["draw"]:
                    self._tell_end()
                return {"player": table["turn"], "board": _board(table), **_end(table)}
            case "POST", "/move":
                given = await _object(request)
                table = await self._call("put", _text(given, "uid"), _cell(given, "row"), _cell(given, "col"))
                return {"board": _board(table), **_end(table)}
        raise NotFound("there are GET /, /ping, /status, /move and POST /join, /move")

    def _url(self, request: web.BaseRequest) -> str:
        """Where this server is: as it was reached, where it listens everywhere."""
        everywhere = parse_address(self.url.removeprefix("http://"))[0] in WILDCARDS
        return f"http://{request.host}" if everywhere else self.url

    def _tell_end(self) -> None:
        """The mover knew; whoever asks first now is the other. The answer does not wait until all know that."""
        self._tell("seen")

    def _tell_wait(self) -> None:
        """Who waits alone for another asks for the begin again and again, and is not absent."""
        now = asyncio.get_running_loop().time()
        if now - self._waited_at >= WAIT_EVERY_S:
            self._waited_at = now
            self._tell("wait")

    def _tell(self, command: str) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._told(command))

    async def _told(self, command: str) -> None:
        # Where nobody serves for long, the table is empty after a while all the same.
        with contextlib.suppress(CallError):
            await self._call(command)

    async def _table(self) -> Any:
        await self.known()
        return self._client.query(self.app, "table", ())

    async def _call(self, command: str, *given: Any) -> Any:
        return (await self._client.call(self.app, command, given, timeout_s=CALL_S)).result


async def _object(request: web.BaseRequest) -> Mapping[str, Any]:
    try:
        given = msgspec.json.decode(await read_body(request))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        given = None
    if not isinstance(given, dict):
        raise BadRequest("the body must be a JSON object")
    return given


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{name} must be a text")
    return value


def _cell(given: Mapping[str, Any], name: str) -> int:
    value = given.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 2:
        raise BadRequest(f"{name} must be 0, 1 or 2")
    return value


def _board(table: Mapping[str, Any]) -> list[list[str]]:
    rows: Sequence[Sequence[str]] = table["rows"]
    return [[cell or " " for cell in row] for row in rows]


def _end(table: Mapping[str, Any]) -> dict[str, Any]:
    return {"winner": table["winner"] or None, "draw": table["draw"]}
