"""What an HTTP request comes with: its body, `?timeout=`, its key. Each with a limit, and an error that says so."""

import asyncio
import math
from collections.abc import Mapping, Sequence

from aiohttp import web

from tanist.peer.errors import BadRequest, CallError, Overloaded, TooLarge

BODY_BYTES_MAX = 1 << 20
"""Bytes of a request's body: one command is one entry of the log, which may have no more."""
BODY_BYTES_SMALL = 16_384
"""Bytes up to which a body is always taken: who sends large ones must not keep ordinary commands out, and small ones
on every connection there can be are 32 MiB."""
BODIES_BYTES_MAX = 64 << 20
"""Bytes of all larger bodies under way at once, until their commands are answered: two thousand connections could
bring 2 GiB while nobody serves, and sixty-four of the largest commands keep any server busy for a while."""
BODY_S = 30.0
"""Seconds for a body to arrive: a mebibyte over a slow line, but not for ever."""
TIMEOUT_DEFAULT_S = 10.0
"""Seconds a call may take when `?timeout=` does not say."""
TIMEOUT_MAX_S = 300.0
"""The longest `?timeout=`: who waits longer had better ask again with the same key."""
KEY_CHARACTERS_MAX = 256
"""Characters of an Idempotency-Key: every peer keeps it for ten minutes."""


class BodyTooSlow(CallError):
    """The body did not arrive in time. Nothing was done."""

    code = "body_too_slow"
    status = 408


class Bodies:
    """The large bodies of one gateway's requests, and messages of its clients, that are under way; their bytes."""

    def __init__(self) -> None:
        self.bytes_under_way = 0

    def reserve(self, request: web.BaseRequest) -> int:
        """Make room for a request's body; gives the bytes to `release` when its command is answered.

        Raises `TooLarge`, or `Overloaded` when others have the room.
        """
        length = request.content_length
        if length is None:
            length = 0 if request.content.is_eof() else BODY_BYTES_MAX
        if length > BODY_BYTES_MAX:
            raise _too_large()
        return self.take(length)

    def take(self, length: int) -> int:
        """Make room for so many bytes; gives those to `release`. Raises `Overloaded` when others have the room."""
        if length <= BODY_BYTES_SMALL:
            return 0
        if self.bytes_under_way + length > BODIES_BYTES_MAX:
            raise Overloaded(f"{BODIES_BYTES_MAX >> 20} MiB of large commands wait at this peer, the limit; try again")
        self.bytes_under_way += length
        return length

    def release(self, length: int) -> None:
        """Give back what was reserved."""
        self.bytes_under_way -= length


async def read_body(request: web.BaseRequest) -> bytes:
    """The request's body; raises `TooLarge`, `BadRequest` (cut off, or compressed), `BodyTooSlow`."""
    headers = request.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BadRequest("the body is compressed; send it as it is")
    if (request.content_length or 0) > BODY_BYTES_MAX:
        # Not waited for, whether it comes or was only announced.
        raise _too_large()
    content = request.content
    if content.is_eof() and content.exception() is None:
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
    except (web.RequestPayloadError, ConnectionError) as error:
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
    return "" if key is None else checked_key(key)


def checked_key(key: str) -> str:
    """An idempotency key, if it is one; raises `BadRequest`."""
    if not 0 < len(key) <= KEY_CHARACTERS_MAX or not key.isprintable():
        raise BadRequest(f"the Idempotency-Key must have 1 to {KEY_CHARACTERS_MAX} printable characters")
    return key
