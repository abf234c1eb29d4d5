"""The base of gateways that speak a protocol of their own over TCP: to write one is to write `serve`.

    class Shouting(TcpGateway):
        protocol = "shout"

        async def serve(self, connection: Connection) -> None:
            async for line in connection.lines():
                connection.send(line.upper() + b"\\n")

Each connection has a session of its own, which ends with it. Bad input, a flood, silence and a reader that never
reads end that connection alone, and cost bounded memory.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

from tanist.peer.application.blob import Blob
from tanist.peer.application.events import Published
from tanist.peer.errors import CallError, NoServer, Overloaded
from tanist.peer.gateways.facade import GatewayClient, GatewayEvent
from tanist.peer.gateways.knowing import Knowing
from tanist.peer.status import Receipt, Status
from tanist.transport.address import format_address, parse_address
from tanist.transport.errors import ListenError
from tanist.transport.listener import why_not

CONNECTIONS_MAX = 1024
"""Connections of one gateway: each may hold `READ_BYTES_MAX` and `UNREAD_BYTES_MAX`."""
READ_BYTES_MAX = 64 * 1024
"""Bytes read ahead of what is being worked on; also the longest line."""
UNREAD_BYTES_MAX = 1 << 20
"""Bytes that wait for a client to read them; beyond it is not waited for any longer."""
TURN_S = 0.001
"""Seconds for which a connection is worked on before all others, and the peer itself, have their turn: what it sent
ahead is there without waiting."""
STALL_S = 20.0
"""Seconds in which a client must take something of what waits for it, where its protocol waits for that."""
SILENT_S = 300.0
"""Seconds after which a connection that has never said anything is ended."""
CALL_S = 30.0
"""Seconds for which a command waits for a server: a failover is a delay for whoever is connected. At the slowest pace
it takes eleven when the server hangs."""
GONE_S = 60
"""Seconds without a sign of life from a client's machine after which it is gone: a laptop may lose its power."""
PROBE_S = 10
"""Seconds between the questions whether it is still there, in the last half of that time."""
END_S = 1.5
"""Seconds in which connections have to take what is on its way to them when the gateway ends."""
SUPERSEDED = "history_superseded"
"""The event of a peer that goes on from another log, after a split or from a snapshot."""
BACKLOG = 256
"""Connections that wait to be accepted: a crowd that comes back after a failover."""

log = logging.getLogger("tanist.gateways")


class Serving(Protocol):
    """What such a gateway needs of a peer."""

    @property
    def gateways(self) -> Mapping[str, str]:
        """Where its gateways listen, by `APP=PROTOCOL`."""

    def open_client(self) -> GatewayClient:
        """A client for a connection."""

    def events_after(self, position: tuple[int, int] | None) -> AsyncIterator[GatewayEvent]:
        """What happens from now on."""

    def status(self) -> Status:
        """What it knows of the cluster."""


class TooLong(Exception):
    """A line longer than `READ_BYTES_MAX`."""


class CutOff(Exception):
    """The client said no more in the middle of a line."""


class Incoming:
    """So many bytes of a client, as they come. Raises IncompleteReadError or TimeoutError when they do not."""

    def __init__(self, reader: asyncio.StreamReader, count: int) -> None:
        self._reader = reader
        self._left = count

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        async with asyncio.timeout(STALL_S):
            data = await self._reader.read(min(self._left, READ_BYTES_MAX))
        if not data:
            raise asyncio.IncompleteReadError(b"", self._left)
        self._left -= len(data)
        return data


class Connection:
    """One connection of a gateway: bytes in, bytes out, and a session at the peer."""

    def __init__(
        self, app: str, client: GatewayClient, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._app = app
        self._client = client
        self._reader = reader
        self._writer = writer
        self._held: bytearray | None = None
        """What is to be sent after the bytes that are on their way; None while none are."""
        self._turn_began = 0.0
        self.ended = False
        self.state: object = None
        """What its protocol keeps of it."""
        self.receipt: Receipt | None = None
        """How safely the last command that was done is kept."""

    @property
    def session(self) -> str:
        """The id of its session."""
        return self._client.session

    @property
    def ip(self) -> str:
        """Where it comes from; "" if that is not known any more."""
        name = self._writer.get_extra_info("peername")
        return str(name[0]).removeprefix("::ffff:") if name else ""

    # In and out

    async def lines(self, *, whole: bool = False) -> AsyncIterator[bytes]:
        """Lines without their end (LF or CRLF), until the client says no more. Raises TooLong, or OSError.

        The last one may lack its end; where that may be half a command, ask for `whole` lines: it raises CutOff.
        """
        limit_s: float | None = SILENT_S
        while True:
            try:
                async with asyncio.timeout(limit_s):
                    line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                raise TooLong(f"a line has at most {READ_BYTES_MAX} bytes") from None
            except asyncio.IncompleteReadError as ended:
                if ended.partial and whole:
                    raise CutOff("the last line was cut off and is not done: lines end with LF") from None
                if ended.partial:
                    yield ended.partial.removesuffix(b"\r")
                return
            except TimeoutError:
                return
            limit_s = None
            await self.give_way()
            yield line[:-1].removesuffix(b"\r")

    async def exactly(self, count: int) -> bytes:
        """So many bytes. Raises IncompleteReadError when the client ends before."""
        # One request a turn of the loop: they are small, and twenty clients that glue thousands of them together would
        # else have it for themselves, for so long that this peer is taken for dead.
        await asyncio.sleep(0)
        return await self._reader.readexactly(count)

    def incoming(self, count: int) -> Incoming:
        """So many bytes that come now, as they are."""
        return Incoming(self._reader, count)

    async def give_way(self) -> None:
        """Let all others have their turn, once this has had its own: a flood of one is no standstill of all."""
        now = asyncio.get_running_loop().time()
        if now - self._turn_began >= TURN_S:
            await asyncio.sleep(0)
            self._turn_began = asyncio.get_running_loop().time()

    async def some(self) -> bytes:
        """Whatever has come; b"" at the end."""
        return await self._reader.read(READ_BYTES_MAX)

    def send(self, data: bytes) -> None:
        """Send; never waits. A client that leaves too much unread is ended."""
        if self._gone():
            return
        if self._held is not None:
            self._held += data
            if len(self._held) > UNREAD_BYTES_MAX:
                self.abort()
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self.abort()

    async def send_all(self, data: bytes) -> None:
        """Send, and return when there is room for more; a client that takes nothing for `STALL_S` is ended."""
        if self._gone():
            return
        self._writer.write(data)
        try:
            async with asyncio.timeout(STALL_S):
                await self._writer.drain()
        except (TimeoutError, OSError):
            self.abort()

    async def send_whole(self, pieces: Sequence[bytes]) -> None:
        """Send piece by piece, each when there is room for it; what is sent meanwhile comes after."""
        self.hold()
        try:
            for piece in pieces:
                await self.send_all(piece)
        finally:
            self.release()

    def hold(self) -> None:
        """Have what is sent from now on wait for `release`."""
        if self._held is None:
            self._held = bytearray()

    def release(self, first: bytes = b"") -> None:
        """Send this, and then what has waited."""
        held, self._held = self._held, None
        self.send(first + (held or b""))

    async def linger(self) -> None:
        """Say no more, and throw away what still comes, for a while: else the client may never read why it ends."""
        if not self._writer.is_closing() and self._writer.can_write_eof():
            self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                while await self._reader.read(READ_BYTES_MAX):
                    pass

    def _gone(self) -> bool:
        """Whether nothing reaches the client any more; not every event loop lets it be written to then."""
        return self.ended or self._writer.is_closing()

    def abort(self) -> None:
        """End at once; what waits is not sent."""
        self.ended = True
        self._writer.transport.abort()

    # Asking

    async def call(self, command: str, *given: Any) -> Any:
        """Have a command of the application done; its result, in plain values. Raises `CallError`."""
        reply = await self._client.call(self._app, command, given, timeout_s=CALL_S)
        self.receipt = reply.receipt
        return reply.result

    async def upload(self, incoming: Incoming) -> Blob:
        """Have bytes kept, for the next command to name. Raises `CallError`, and what `Incoming` raises."""
        return await self._client.upload(incoming)

    def parts_of(self, blob: Blob) -> Sequence[bytes]:
        """The bytes of a blob. Raises NotFound."""
        return self._client.parts_of(blob)

    def query(self, name: str, *given: Any) -> Any:
        """Answer a query from this peer's state, in plain values. Raises `CallError`."""
        return self._client.query(self._app, name, given)


class TcpGateway:
    """A protocol in front of one application, at one address ("host:port"; port 0 is any)."""

    protocol: ClassVar[str]
    """Its name in `--gateway APP=PROTOCOL:PORT`."""
    reads: ClassVar[bool] = True
    """Whether it shows the state: then who comes to a peer that has just started waits until that has one."""

    def __init__(self, peer: Serving, app: str, address: str) -> None:
        self.app = app
        self.peer = peer
        self._address = address
        self._knowing = Knowing(peer.status)
        self._listener: asyncio.Server | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    @property
    def connections(self) -> Collection[Connection]:
        """Those who are connected."""
        return self._connections

    # What a protocol says

    async def serve(self, connection: Connection) -> None:
        """Talk with one client, until it or this has had enough."""
        raise NotImplementedError

    def told(self, connection: Connection, happened: Published) -> bytes:
        """What a client gets of an event that is for it; b"" for nothing."""
        return b""

    def told_anew(self, connection: Connection) -> bytes:
        """What a client gets when this peer's state is another now, and no event said so; b"" for nothing."""
        return b""

    def refused(self, why: str) -> bytes:
        """What a client gets that is not taken."""
        return b""

    # Begin and end

    async def start(self) -> str:
        """Listen; gives the bound address. Raises ListenError."""
        host, port = parse_address(self._address)
        try:
            self._listener = await asyncio.start_server(self._came, host, port, limit=READ_BYTES_MAX, backlog=BACKLOG)
        except OSError as error:
            raise ListenError(self._address, why_not(error)) from None
        bound_host, bound_port, *_ = self._listener.sockets[0].getsockname()
        return format_address(bound_host, bound_port)

    async def stop(self) -> None:
        """Accept nothing more and end all connections, each with what is on its way to it. Idempotent."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        listener.close()
        tasks = list(self._connections.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2 * END_S)

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._connections) >= CONNECTIONS_MAX:
                raise Overloaded(f"{CONNECTIONS_MAX} are connected here already")
            client = self.peer.open_client()
            _ask_whether_there(writer.get_extra_info("socket"))
        except CallError as error:
            writer.write(self.refused(str(error)))
            await _close(writer)
            return
        connection = Connection(self.app, client, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        events: asyncio.Task[None] | None = None
        try:
            if self.reads:
                await self._knowing.wait()
            events = asyncio.create_task(self._events(connection))
            await self.serve(connection)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, NoServer):
            pass  # The client is gone, this gateway ends, or this peer knows nothing that it could show.
        except Exception:
            log.exception("the %s gateway of %s failed; the connection ends", self.protocol, self.app)
        finally:
            if events is not None:
                events.cancel()
            del self._connections[connection]
            client.close("its connection ended")
            connection.ended = True
            await _close(writer)

    async def _events(self, connection: Connection) -> None:
        async with contextlib.aclosing(self.peer.events_after(None)) as events:  # type: ignore[type-var]
            async for happened in events:
                data = b""
                if isinstance(happened, Published):
                    if happened.app == self.app and happened.is_for(connection.session):
                        data = self.told(connection, happened)
                elif happened.event == SUPERSEDED and self.reads:
                    if not await self._knowing.wait(happened.fields["fork"]):
                        break
                    data = self.told_anew(connection)
                if data:
                    connection.send(data)
        # It was too slow for the events that it is owed, or they are not known: it had better come back than miss some.
        connection.abort()


def _ask_whether_there(client: socket.socket) -> None:
    """Have the system notice that a client's machine is gone; what a system cannot do, it goes without."""
    wanted = {
        "TCP_KEEPIDLE": GONE_S // 2,
        "TCP_KEEPINTVL": PROBE_S,
        "TCP_KEEPCNT": GONE_S // 2 // PROBE_S,
        "TCP_USER_TIMEOUT": GONE_S * 1000,
    }
    with contextlib.suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in wanted.items():
            if (option := getattr(socket, name, None)) is not None:
                client.setsockopt(socket.IPPROTO_TCP, option, value)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close when what waits is sent, or when that takes too long."""
    writer.close()
    try:
        async with asyncio.timeout(END_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
