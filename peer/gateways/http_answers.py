"""What an HTTP request comes with and what it is answered with: bodies, parameters, JSON answers, errors."""

import asyncio
import math
from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from tanist.peer.errors import BadRequest, CallError, TooLarge

BODY_BYTES_MAX = 1 << 20
"""Bytes of a request's body: one command is one entry of the log, which may have no more."""
BODY_S = 30.0
"""Seconds for a body to arrive: a mebibyte over a slow line, but not for ever."""
TIMEOUT_DEFAULT_S = 10.0
"""Seconds a call may take when `?timeout=` does not say."""
TIMEOUT_MAX_S = 300.0
"""The longest `?timeout=`: who waits longer had better ask again with the same key."""
KEY_CHARACTERS_MAX = 256
"""Characters of an Idempotency-Key: every peer keeps it for ten minutes."""

JSON_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class MethodNotAllowed(CallError):
    """The address exists and takes another method. Nothing was done."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class BodyTooSlow(CallError):
    """The body did not arrive in time. Nothing was done."""

    code = "body_too_slow"
    status = 408


def json_answer(value: object, status: int = 200) -> web.Response:
    """An answer with a JSON body and a final line feed, so that a terminal's prompt stands on its own line."""
    return web.Response(body=msgspec.json.encode(value) + b"\n", status=status, headers=CIMultiDict(JSON_HEADERS))


def error_answer(error: CallError) -> web.Response:
    """The answer to what could not be done: `{"error": {"code", "message"}}` with the error's status."""
    answer = json_answer({"error": {"code": error.code, "message": error.message}}, error.status)
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = error.allow
    return answer


async def read_body(request: web.BaseRequest) -> bytes:
    """The request's body; raises `TooLarge`, `BadRequest` (cut off, or compressed), `BodyTooSlow`."""
    headers = request.headers
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise _too_large()
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BadRequest("the body is compressed; send it as it is")
    content = request.content
    if content.is_eof():
        # The usual case, the body came with the headers: no timer, no extra turn of the loop.
        body = content.read_nowait()
    else:
        if headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        body = await _read_slowly(request)
    if len(body) > BODY_BYTES_MAX:
        raise _too_large()
    return body


async def _read_slowly(request: web.BaseRequest) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        raise BodyTooSlow(f"the body did not arrive within {BODY_S:g} s") from None
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except web.RequestPayloadError as error:
        raise BadRequest(f"the body broke off: {error}") from None


def _too_large() -> TooLarge:
    return TooLarge(f"the body is over {BODY_BYTES_MAX} bytes, more than one command may carry; send it in parts")


def timeout_from(query: Mapping[str, Sequence[bytes]]) -> float:
    """Seconds from `?timeout=`, or the default; raises `BadRequest`."""
    values = query.get("timeout")
    if values is None:
        return TIMEOUT_DEFAULT_S
    try:
        timeout_s = float(values[-1])
    except ValueError:
        timeout_s = math.nan
    if not 0 < timeout_s <= TIMEOUT_MAX_S:
        shown = values[-1][:40].decode(errors="replace")
        raise BadRequest(f"timeout={shown} is not a number of seconds over 0 and up to {TIMEOUT_MAX_S:g}")
    return timeout_s


def key_from(headers: Mapping[str, str]) -> str:
    """The Idempotency-Key, or "" without one; raises `BadRequest`."""
    key = headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not 0 < len(key) <= KEY_CHARACTERS_MAX or not key.isprintable():
        raise BadRequest(f"the Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} printable characters")
    return key
