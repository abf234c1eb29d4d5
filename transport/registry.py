"""What all connections of one transport share: the handler, the caps, and where errors go."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from tanist.transport.hello import Code, Hello
from tanist.transport.link import Handler
from tanist.transport.notices import Notices
from tanist.transport.settings import TransportSettings


class Held(Protocol):
    """A connection as the registry sees it."""

    def drop(self, code: str, text: str) -> None:
        """End at once; the registry is told by `remove`."""
        ...

    def close(self, reason: str) -> None:
        """End after what was sent."""
        ...


class Registry:
    """Counts connections: strangers (no hello yet, or being closed), links, and dialed ones before the hello."""

    def __init__(
        self,
        hello: Callable[[], Hello],
        handler: Handler,
        settings: TransportSettings,
        on_error: Callable[[BaseException], None],
    ) -> None:
        """To be made on a running event loop. `hello` is asked at every connection for what to say of oneself."""
        self.loop = asyncio.get_running_loop()
        self.hello = hello
        self.handler = handler
        self.settings = settings
        self.on_error = on_error
        self.closed = False
        self.notices = Notices(
            self.loop,
            settings.rejected_notices_max,
            lambda address, code, text: self.tell(handler.rejected, address, code, text),
        )
        # Dicts keep the order of arrival: the oldest stranger is dropped first, and a test goes the same every time.
        self._strangers: dict[Held, None] = {}
        self._links: dict[Held, None] = {}
        self._dialed: dict[Held, None] = {}
        # Dropped, and closed in the next turn of the loop.
        self._dropped: dict[Held, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def tell(self, callback: Callable[..., None], *args: object) -> None:
        """Call the handler; what it raises is a local bug and goes to `on_error`."""
        try:
            callback(*args)
        except Exception as error:
            self.on_error(error)

    def add_stranger(self, connection: Held) -> None:
        """Take in a connection that may stay only while nobody newer needs its place."""
        self._links.pop(connection, None)
        self._dialed.pop(connection, None)
        self._strangers[connection] = None
        self._empty.clear()
        # While closing no more are accepted, and those that linger have last words to hand over.
        if len(self._strangers) > self.settings.unauthenticated_max and not self.closed:
            self.drop_oldest_stranger()

    def drop_oldest_stranger(self) -> None:
        """Make room, for a newer connection or for the whole process; nothing happens when there is none."""
        oldest = next(iter(self._strangers), None)
        if oldest is not None:
            del self._strangers[oldest]
            self._dropped[oldest] = None
            oldest.drop(Code.CROWDED, "dropped for a newer connection: too many wait without a hello")

    def add_dialed(self, connection: Held) -> None:
        """Take in a connection that this peer opened and that has no hello yet."""
        self._dialed[connection] = None
        self._empty.clear()

    def dialed_count(self) -> int:
        """How many connections wait for the hello of the one that was dialed."""
        return len(self._dialed)

    def link_free(self) -> bool:
        """Whether one more link may be opened."""
        return len(self._links) < self.settings.links_max

    def add_link(self, connection: Held) -> None:
        """The hellos are exchanged: this connection is a link now."""
        self._strangers.pop(connection, None)
        self._dialed.pop(connection, None)
        self._links[connection] = None

    def remove(self, connection: Held) -> None:
        """This connection is gone, its socket closed."""
        self._strangers.pop(connection, None)
        self._dialed.pop(connection, None)
        self._links.pop(connection, None)
        self._dropped.pop(connection, None)
        if not (self._strangers or self._dialed or self._links or self._dropped):
            self._empty.set()

    async def close(self) -> None:
        """End all connections, links after what was sent, and wait until the last socket is closed."""
        self.closed = True
        for connection in [*self._strangers, *self._dialed, *self._links]:
            connection.close("this peer closed its transport")
        await self._empty.wait()
        self.notices.close()
