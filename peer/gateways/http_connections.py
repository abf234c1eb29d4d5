"""The connections of the HTTP gateway, bounded: how many there are, how long they idle, how slowly they read.

aiohttp closes a connection that sends no complete request within `IDLE_S`; what stands here beside it is a cap
on their number, and the end of readers that take nothing of an answer that waits for them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from tanist.peer.errors import CallError, Overloaded
from tanist.peer.gateways.http_answers import JsonAnswer, error_answer
from tanist.peer.gateways.http_connection import Connection

CONNECTIONS_MAX = 2048
"""Open connections of one gateway: twice a crowd of a thousand, each a few KiB; fewer where files are scarcer."""
IDLE_S = 75.0
"""Seconds without a complete request after which a connection is closed; a slow sender has no longer either."""
STALL_S = 20.0
"""Seconds in which a reader must take something of an answer that waits for it, or be disconnected."""
SWEEP_EVERY_S = 5.0
"""Seconds between two looks at the readers; cheap, for a thousand connections take a millisecond."""
GIVES_WAY_S = 1.0
"""Seconds without a request after which a connection gives way to one too many: whoever opens all that there may be
and says nothing must not keep others out."""
LINE_BYTES_MAX = 16_384
"""Bytes of a request line: queries carry their arguments in it."""
HEADER_BYTES_MAX = 8_192
"""Bytes of one header."""
HEADERS_MAX = 64
"""Headers of one request."""
LINGER_S = 2.0
"""Seconds in which the rest of a refused body is thrown away, so that the client reads why before it ends."""
REFUSALS_LOGGED_EVERY_S = 10.0
"""Seconds between two log lines about refused connections: a crowd does not fill the log."""

log = logging.getLogger("tanist.http")


def connections_max() -> int:
    """How many connections this process can afford: at most half of the files it may open, the rest is its own."""
    try:
        import resource
    except ImportError:  # Windows has no such limit for sockets.
        return CONNECTIONS_MAX
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else max(16, min(CONNECTIONS_MAX, soft // 2))


class BoundedServer(web.Server):
    """aiohttp's low-level server with a cap on connections and an eye on slow readers.

    `limit` connections at most: for one more the oldest without a request ends, or else it is told so and closed. What
    is no HTTP request, and who is one too many, is answered by `failed`. `sweep()` must run beside it.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        limit: int,
        failed: Callable[[CallError], JsonAnswer] = error_answer,
    ) -> None:
        super().__init__(
            handler,
            keepalive_timeout=IDLE_S,
            access_log=None,
            logger=log,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
            auto_decompress=False,
            lingering_time=LINGER_S,
        )
        self.limit = limit
        self.failed = failed
        self._open: dict[web.RequestHandler, asyncio.Transport] = {}
        self._stalled: dict[asyncio.Transport, tuple[int, float]] = {}
        self._refused = 0
        self._told_at = -REFUSALS_LOGGED_EVERY_S

    def __call__(self) -> Connection:
        """The event loop calls this for each new connection."""
        return Connection(self, self.failed, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """aiohttp calls this for each new connection."""
        super().connection_made(handler, transport)
        if len(self._open) >= self.limit and not self._one_gives_way():
            # Not at once: aiohttp is yet to begin its work on this connection, and must not find it gone.
            self._loop.call_soon(self._refuse, transport)
            return
        self._open[handler] = transport

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """aiohttp calls this when a connection has ended."""
        transport = self._open.pop(handler, None)
        if transport is not None:
            self._stalled.pop(transport, None)
        super().connection_lost(handler, exc)

    def _one_gives_way(self) -> bool:
        """End the oldest connection on which nothing is asked; whether there is one."""
        before = self._loop.time() - GIVES_WAY_S
        for handler, transport in self._open.items():
            if isinstance(handler, Connection) and handler.idle_since is not None and handler.idle_since <= before:
                del self._open[handler]
                self._stalled.pop(transport, None)
                transport.abort()
                return True
        return False

    def _refuse(self, transport: asyncio.Transport) -> None:
        transport.write(self.failed(Overloaded("this peer has too many connections")).last_words())
        transport.close()
        self._refused += 1
        now = self._loop.time()
        if now - self._told_at >= REFUSALS_LOGGED_EVERY_S:
            self._told_at = now
            log.warning("HTTP: %d connections refused, %d are open (the limit)", self._refused, self.limit)
            self._refused = 0

    async def sweep(self) -> None:
        """Disconnect stalled readers, for ever; cancel to end."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.disconnect_stalled(self._loop.time())

    def disconnect_stalled(self, now: float) -> int:
        """Abort connections that took nothing for `STALL_S` of what waits for them; `now` in s. Gives how many."""
        aborted = 0
        for transport in list(self._open.values()):
            waiting = transport.get_write_buffer_size()
            if not waiting:
                self._stalled.pop(transport, None)
                continue
            seen, since = self._stalled.get(transport, (0, now))
            if waiting != seen:
                self._stalled[transport] = (waiting, now)
            elif now - since >= STALL_S:
                log.warning("HTTP: %s reads nothing; disconnected", transport.get_extra_info("peername"))
                transport.abort()
                aborted += 1
        return aborted
