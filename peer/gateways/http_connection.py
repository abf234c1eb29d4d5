"""One HTTP connection: how aiohttp's own is told to answer garbage, and a client that only listens any more."""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web

from tanist.peer.errors import BadRequest, CallError
from tanist.peer.gateways.http_answers import JsonAnswer

HALF_CLOSED_S = 0.05
"""Seconds between looks at a connection that sends no more: it is closed when nothing is left to answer. What came
in one piece with the end is under way within a turn of the loop."""
HEAD_BYTES_MAX = 65_536
"""Bytes that may arrive without making a request complete: its line and all its headers. A browser sends 2 KiB; two
thousand connections that never complete theirs hold 128 MiB."""
REASON_CHARACTERS_MAX = 200
"""Characters of what a parser says about garbage: it may quote all of it."""

log = logging.getLogger("tanist.http")


class Connection(web.RequestHandler):
    """aiohttp's handler of one connection. `begun` must be called with each request.

    `failed` makes the answer to what is no request.
    """

    __slots__ = ("_allowance", "_answering", "_begun", "_failed", "_head_bytes", "_waiter_of_end", "idle_since")

    def __init__(self, manager: web.Server, failed: Callable[[CallError], JsonAnswer], **options: object) -> None:
        super().__init__(manager, **options)  # type: ignore[arg-type]
        self._failed = failed
        self.idle_since: float | None = self._loop.time()
        """Since when, in the loop's time, no request is under way; None while one is."""
        self._answering: web.BaseRequest | None = None
        self._begun = 0
        self._head_bytes = 0
        self._allowance: int | None = None

    @property
    def _handler_waiter(self) -> asyncio.Future[None] | None:
        """By which aiohttp's `shutdown` waits for the end of a request, and which the request's end sets.

        One that is cancelled, since the request ended in the very turn in which `shutdown` gave up, is none any more:
        aiohttp would set it all the same, and log a traceback.
        """
        waiter = self._waiter_of_end
        return None if waiter is None or waiter.done() else waiter

    @_handler_waiter.setter
    def _handler_waiter(self, waiter: asyncio.Future[None] | None) -> None:
        self._waiter_of_end = waiter

    def begun(self, request: web.BaseRequest) -> None:
        """A request is under way on this connection."""
        self._answering = request
        self.idle_since = None
        self._begun += 1

    def allow(self, bytes_more: int | None) -> None:
        """From now on, abort when the client sends more than this before the next `allow`; None ends that."""
        self._allowance = bytes_more

    @property
    def unread_bytes(self) -> int:
        """Bytes that came behind a request to upgrade this connection, and wait for what it becomes."""
        return len(self._message_tail)

    def data_received(self, data: bytes) -> None:
        """Take what arrived. What is too much ends the connection before it costs the time to be parsed."""
        if self._allowance is not None and self.transport is not None:
            self._allowance -= len(data)
            if self._allowance < 0:
                log.warning("HTTP: a listener at %s talks too much; disconnected", self.peername)
                self._abort()
                return
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self._head_bytes = 0
        elif self._answering is None and self._begun == requests:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._abort()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        self.force_close()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The client sends no more (`printf … | nc -N`): it still gets the answers to what it has asked."""
        self._loop.call_later(HALF_CLOSED_S, self._close_unless_answering)
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; aiohttp calls this for each."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self.idle_since = self._loop.time()
            if request.content.is_eof():
                self._answering = None

    def _close_unless_answering(self) -> None:
        request = self._answering
        if request is None or not request.content.is_eof() or "Upgrade" in request.headers:
            # Nothing was asked, or the rest of it will never come, or it is a WebSocket, which has ended.
            self.force_close()
        else:
            self._loop.call_later(HALF_CLOSED_S, self._close_unless_answering)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what could not be parsed, and the end of the connection: what follows has no beginning."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        answer = self._failed(CallError("an error inside this peer; its log has the details"))
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            # At debug level: anybody can send garbage, and fill a log with it.
            log.debug("HTTP: no request, from %s: %s", request.remote, message)
            reason = " ".join((message or "").split())[:REASON_CHARACTERS_MAX]
            answer = self._failed(BadRequest(f"this is no HTTP request: {reason}"))
        else:
            log.error("HTTP: a request from %s failed", request.remote, exc_info=exc)
        answer.force_close()
        return answer
