"""`--gateway lantern=api:9000`: the lantern's JSON API.

    curl -d '{"method": "message", "params": {"command": "COLOR", "value": "ff0000"}}' http://localhost:9000

What the body is called does not matter: `curl -d` says that it is a form. Pages of other origins may call.
"""

import msgspec
from aiohttp import web

from tanist.peer.errors import BadRequest, CallError, NotFound
from tanist.peer.gateways.http_answers import JsonAnswer
from tanist.peer.gateways.http_requests import read_body
from tanist.peer.gateways.small_http import SmallHttpGateway
from tanist.peer.gateways.tcp import CALL_S, Serving

ANY_ORIGIN = (
    b"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, OPTIONS\r\n"
    b"Access-Control-Allow-Headers: content-type\r\n"
)
"""The page is served at another port, so that its calls come from another origin."""
USAGE = '{"method": "message", "params": {"command": "COLOR", "value": "ff0000"}}'


class LanternApi(SmallHttpGateway):
    """Takes commands for all lanterns."""

    def __init__(self, peer: Serving, app: str, address: str) -> None:
        super().__init__(peer, app, address)
        self._client = peer.open_client()

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one call; one that is no command is 4xx and tells lanterns nothing."""
        if request.method == "OPTIONS":
            return JsonAnswer(b"{}", extra=ANY_ORIGIN)
        if request.path != "/":
            raise NotFound("the API is at /")
        if request.method != "POST":
            raise BadRequest(f"POST a JSON body: {USAGE}")
        try:
            given = msgspec.json.decode(await read_body(request))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise BadRequest(f"the body is no JSON; write {USAGE}") from None
        match given:
            case {"method": "message", "params": {"command": str() as command, **rest}} if not rest.keys() - {"value"}:
                value = rest.get("value")
                if value is not None and not isinstance(value, str):
                    raise BadRequest("value is a text")
            case _:
                raise BadRequest(f"this is no call; write {USAGE}")
        reply = await self._client.call(self.app, "message", [command, value or ""], timeout_s=CALL_S)
        return JsonAnswer(msgspec.json.encode({"result": reply.result}), extra=ANY_ORIGIN)

    def failed(self, error: CallError) -> JsonAnswer:
        """The answer to a call that failed, for any origin to read."""
        return JsonAnswer(msgspec.json.encode({"error": error.message}), error.status, ANY_ORIGIN)

    async def ending(self) -> None:
        """The gateway is no client of the application any more."""
        self._client.close("its gateway ended")
