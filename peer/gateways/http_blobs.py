"""Bytes over HTTP: `PUT /apps/APP/COMMAND?name=…` with a body of any size, and answers that are bytes.

Neither is ever whole in one place on its way: a body goes into the log as it comes, an answer leaves part by part, and
who is slow is waited for, up to a limit.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from tanist.peer.application.blob import BLOB_BYTES_MAX, Blob
from tanist.peer.application.specification import Operation
from tanist.peer.errors import BadRequest, TooLarge
from tanist.peer.gateways.directory import Directory
from tanist.peer.gateways.facade import GatewayClient
from tanist.peer.gateways.http_answers import MethodNotAllowed
from tanist.peer.gateways.http_requests import BodyTooSlow
from tanist.peer.gateways.http_values import from_query, in_order

STALL_S = 30.0
"""Seconds in which some more of a body must come, or some of an answer must be taken."""
NOT_YET = {"hash": "", "size": 0}
"""Stands for the bytes while the other arguments are looked at."""


def allowed(operation: Operation) -> str:
    """The methods that an operation takes."""
    if not operation.is_command:
        return "GET, HEAD"
    return "POST" if operation.blob is None else "POST, PUT"


async def with_body(
    client: GatewayClient,
    directory: Directory,
    request: web.BaseRequest,
    operation: Operation,
    given: Mapping[str, Sequence[bytes]],
) -> list[Any]:
    """The arguments of a command whose bytes are the body, and whose other arguments are in the address.

    All that can be known to be wrong is refused before a byte is read. Raises `CallError`.
    """
    blob = operation.blob
    if blob is None:
        text = f"{operation.app} {operation.name} takes no bytes as they are: use {allowed(operation)}"
        raise MethodNotAllowed(text, allowed(operation))
    if (request.content_length or 0) > BLOB_BYTES_MAX:
        raise TooLarge(f"the body has more than {BLOB_BYTES_MAX} bytes, which is the most that is kept")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BadRequest("the body is compressed; send it as it is")
    declared = {parameter.name: parameter for parameter in operation.parameters}
    texts = {name: from_query(declared[name], v) if name in declared else v for name, v in given.items()}
    arguments = directory.convert(operation.app, operation, texts | {blob.name: NOT_YET})
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    arguments[blob.name] = await client.upload(_body(request))
    return in_order(operation, arguments)


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                data = await request.content.readany()
        except TimeoutError:
            raise BodyTooSlow(f"nothing more of the body came for {STALL_S:g} s") from None
        except (web.RequestPayloadError, ConnectionError) as error:
            raise BadRequest(f"the body broke off: {error}") from None
        if not data:
            return
        yield data


class BlobAnswer(web.StreamResponse):
    """An answer that is bytes. A browser saves them and never shows them as a page of this peer."""

    def __init__(self, client: GatewayClient, result: object) -> None:
        super().__init__()
        blob = msgspec.convert(result, type=Blob)
        self._parts = client.parts_of(blob)
        self.content_type = "application/octet-stream"
        self.content_length = blob.size
        self.headers["Content-Disposition"] = "attachment"
        self.headers["X-Content-Type-Options"] = "nosniff"
        self.headers["Cache-Control"] = "no-store"
        self.headers["ETag"] = f'"{blob.hash}"'

        self._asked: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send the head; aiohttp calls this."""
        self._asked = request
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the bytes, and wait while the reader is behind. Raises `ConnectionResetError`."""
        request = self._asked
        if request is not None and request.method != "HEAD":
            for part in self._parts:
                try:
                    async with asyncio.timeout(STALL_S):
                        await self.write(part)
                except TimeoutError:
                    if request.transport is not None:
                        request.transport.abort()
                    raise ConnectionResetError("it reads nothing") from None
        await super().write_eof()
