"""What stands behind and before a proxy in its tests: a target that answers frames, and diallers with a hello."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Self

from tanist.transport.frames import HEADER, HEADER_BYTES, encode_frame
from tanist.transport.hello import HELLO, HELLO_ANSWER, Hello, encode_hello

MESSAGE = 40
"""A frame type of messages; which one is all the same to a proxy."""
DEADLINE_S = 20.0
"""For what must come; a loaded machine takes its time."""


def hello(name: str) -> Hello:
    """A hello of a peer with this name."""
    return Hello(
        cluster="c", safety="survivor", id=f"id-of-{name}", name=name, incarnation=(1, 1), address="127.0.0.1:1"
    )


class Stream:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def frame(self) -> tuple[int, bytes]:
        """The next frame; raises `IncompleteReadError` or `ConnectionError` when there is none."""
        async with asyncio.timeout(DEADLINE_S):
            frame_type, length = HEADER.unpack(await self.reader.readexactly(HEADER_BYTES))
            return frame_type, await self.reader.readexactly(length)

    async def nothing_for(self, seconds: float) -> bool:
        """Whether nothing at all came in so many seconds, its end neither."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.reader.readexactly(1)
            return False
        return True

    def send(self, value: bytes, frame_type: int = MESSAGE) -> None:
        """Send a frame."""
        self.writer.write(encode_frame(frame_type, value))

    async def close(self) -> None:
        """End it."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Target:
    """Listens like a peer: greets whoever says hello, and keeps what came. `async with`."""

    def __init__(self, *, echo: bool = True, port: int = 0) -> None:
        self.echo = echo
        self.port = port
        self.came: list[bytes] = []
        self.streams: list[Stream] = []
        self.ends = 0
        """Connections with a hello that ended, in whatever way."""
        self.news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()

    async def die(self) -> None:
        """As a process does: nothing listens any more, and what is open ends."""
        self._server.close()
        for stream in self.streams:
            stream.writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = Stream(reader, writer)
        try:
            await self._answer(stream)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            # The proxy looks now and then whether anybody listens: that is no connection.
            self.ends += stream in self.streams
            self.news.set()
            writer.transport.abort()

    async def _answer(self, stream: Stream) -> None:
        while True:
            frame_type, value = await stream.frame()
            if frame_type == HELLO:
                self.streams.append(stream)
                stream.writer.write(encode_hello(HELLO_ANSWER, hello("target")))
            else:
                self.came.append(value)
                if self.echo:
                    stream.send(value)
            self.news.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for something to become true with what comes and ends here."""
        async with asyncio.timeout(DEADLINE_S):
            while not reached():
                self.news.clear()
                await self.news.wait()


async def dial(address: str) -> Stream:
    """A bare connection. Raises `ConnectionRefusedError`."""
    host, _, port = address.rpartition(":")
    return Stream(*await asyncio.open_connection(host, int(port)))


@contextlib.asynccontextmanager
async def dialler(address: str, name: str = "bob") -> AsyncIterator[Stream]:
    """A connection that has exchanged hellos."""
    stream = await dial(address)
    try:
        stream.writer.write(encode_hello(HELLO, hello(name)))
        frame_type, _ = await stream.frame()
        assert frame_type == HELLO_ANSWER
        yield stream
    finally:
        await stream.close()
