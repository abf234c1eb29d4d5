"""The transport without sockets, for tests: the same frames, hellos and rules over an in-memory network.

Bytes travel in the loop's next turn, in order; what a network would do by chance happens here only when it
is asked for (`refuse`, `cut`, `silence`), so that a test gives the same result every time.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from tanist.election.evidence import Evidence
from tanist.transport.address import format_address, parse_address
from tanist.transport.connection import Connection
from tanist.transport.errors import AddressError, ListenError
from tanist.transport.hello import Hello
from tanist.transport.link import Handler
from tanist.transport.registry import Registry
from tanist.transport.settings import TransportSettings

FIRST_FREE_PORT = 10_000
"""Ports that are given for port 0, and to dialing ends, count up from here."""


class MemoryNetwork:
    """Hosts by name, and what is wrong between them."""

    def __init__(self) -> None:
        self._hosts: set[str] = set()
        self._listeners: dict[str, MemoryTransport] = {}
        self._refusing: set[str] = set()
        self._silent: set[str] = set()
        self._cuts: set[frozenset[str]] = set()
        # A dict keeps the order in which held-back bytes are let go.
        self._wires: dict[MemoryWire, None] = {}
        self._next_port = FIRST_FREE_PORT

    def refuse(self, address: str) -> None:
        """From now on dials to this address are refused, as if nothing listened."""
        self._refusing.add(address)

    def accept(self, address: str) -> None:
        """Undo `refuse`."""
        self._refusing.discard(address)

    def cut(self, a: str, b: str) -> None:
        """Let nothing pass between two hosts: links stay open and bytes wait, dials get no answer."""
        self._cuts.add(frozenset((a, b)))

    def heal(self, a: str, b: str) -> None:
        """Undo `cut`; what waited goes on."""
        self._cuts.discard(frozenset((a, b)))
        self._pump_all()

    def silence(self, host: str) -> None:
        """Freeze a host's process: connections are still accepted (a kernel does that), and nothing is answered."""
        self._silent.add(host)

    def wake(self, host: str) -> None:
        """Undo `silence`; what waited goes on."""
        self._silent.discard(host)
        self._pump_all()

    def passes(self, a: str, b: str) -> bool:
        """Whether bytes get from one host to the other now."""
        return not self.is_cut(a, b) and a not in self._silent and b not in self._silent

    def is_cut(self, a: str, b: str) -> bool:
        """Whether `cut` stands between two hosts."""
        return frozenset((a, b)) in self._cuts

    def knows(self, host: str) -> bool:
        """Whether a transport was ever made on this host."""
        return host in self._hosts

    def listener(self, address: str) -> "MemoryTransport | None":
        """Who answers at an address, if anybody does."""
        return None if address in self._refusing else self._listeners.get(address)

    def free_port(self) -> int:
        """A port that was never given before."""
        self._next_port += 1
        return self._next_port - 1

    def add_host(self, host: str) -> None:
        """A transport was made on a host; a host may have several."""
        self._hosts.add(host)

    def add_listener(self, address: str, transport: "MemoryTransport") -> None:
        """Listen; raises `ListenError` when somebody does already."""
        if address in self._listeners:
            raise ListenError(address, "the address is in use by another transport; give another port")
        self._listeners[address] = transport

    def remove_listener(self, address: str) -> None:
        """Listen no more."""
        self._listeners.pop(address, None)

    def add_wire(self, wire: "MemoryWire") -> None:
        """A wire was opened."""
        self._wires[wire] = None

    def remove_wire(self, wire: "MemoryWire") -> None:
        """A wire is closed, and all it sent has arrived."""
        self._wires.pop(wire, None)

    def _pump_all(self) -> None:
        for wire in list(self._wires):
            wire.pump_soon()


class End:
    """What stands in the stream of bytes where it ends."""


FINISHED, RESET = End(), End()


class MemoryWire:
    """One end of a connection in memory."""

    other: "MemoryWire"

    def __init__(
        self,
        network: MemoryNetwork,
        loop: asyncio.AbstractEventLoop,
        host: str,
        remote_address: str,
        accept: Callable[[], Connection] | None = None,
    ) -> None:
        """`host` is the host of this end; `remote_address` the address of the other.

        `accept` makes the connection of an accepting end when the first bytes arrive: a frozen process
        accepts nothing, although its kernel did.
        """
        self.remote_address = remote_address
        self.host = host
        self._connection: Connection | None = None
        self._accept = accept
        self._network = network
        self._loop = loop
        self._outbox: deque[bytes | End] = deque()
        self._outbox_bytes = 0
        self._pumping = False
        self._finished = False
        self._closed = False
        network.add_wire(self)

    def attach(self, connection: Connection) -> None:
        """The process at this end takes the connection over."""
        self._connection = connection
        connection.opened(self)

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        if not self._finished and not self._closed:
            self._outbox.append(data)
            self._outbox_bytes += len(data)
            self.pump_soon()

    def buffered(self) -> int:
        """See `Wire.buffered`."""
        return self._outbox_bytes

    def finish(self) -> None:
        """See `Wire.finish`."""
        if not self._finished and not self._closed:
            self._finished = True
            self._outbox.append(FINISHED)
            self.pump_soon()

    def abort(self) -> None:
        """See `Wire.abort`."""
        if not self._closed:
            self._outbox.clear()
            self._outbox_bytes = 0
            self._outbox.append(RESET)
            self._close(Evidence.CLOSED, "aborted here")
            self.pump_soon()

    def pump_soon(self) -> None:
        """Deliver what waits, in the loop's next turn."""
        if not self._pumping and self._outbox:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while self._outbox and self._network.passes(self.host, self.other.host):
            item = self._outbox.popleft()
            if isinstance(item, bytes):
                self._outbox_bytes -= len(item)
            self.other.take(item)
        if self._closed and not self._outbox:
            self._network.remove_wire(self)

    def take(self, item: bytes | End) -> None:
        """Something arrives at this end."""
        if self._closed:
            return
        if self._connection is None and self._accept is not None and item is not RESET:
            self.attach(self._accept())
        if item is RESET or self._connection is None:
            self._outbox.clear()
            self._outbox_bytes = 0
            self._close(Evidence.CLOSED, "connection reset by the other side")
        elif isinstance(item, bytes):
            self._connection.fed(item)
        else:
            self._connection.ended()
            self.finish()
            self._close(Evidence.CLOSED, "the connection ended")

    def _close(self, evidence: Evidence, detail: str) -> None:
        if not self._closed:
            self._closed = True
            if self._connection is not None:
                self._loop.call_soon(self._connection.lost, evidence, detail)
            if not self._outbox:
                self._network.remove_wire(self)


class MemoryTransport:
    """A `Transport` on a host of a `MemoryNetwork`. Addresses are "host:port", with that host's name."""

    def __init__(
        self,
        network: MemoryNetwork,
        host: str,
        hello: Callable[[], Hello],
        handler: Handler,
        settings: TransportSettings,
        on_error: Callable[[BaseException], None],
    ) -> None:
        """See `TcpTransport`; `host` is the name of this transport's host, which needs no form."""
        self._network = network
        self._host = host
        self._registry = Registry(hello, handler, settings, on_error)
        self._listening: list[str] = []
        self._waiting: dict[asyncio.TimerHandle, None] = {}
        network.add_host(host)

    async def listen(self, address: str) -> str:
        """See `Transport.listen`."""
        try:
            host, port = parse_address(address)
        except AddressError as error:
            raise ListenError(address, str(error)) from error
        if host != self._host:
            raise ListenError(address, f"this host does not have that address; it is {self._host!r}")
        bound = format_address(host, port or self._network.free_port())
        self._network.add_listener(bound, self)
        self._listening.append(bound)
        return bound

    def dial(self, address: str, timeout_s: float) -> None:
        """See `Transport.dial`."""
        if not self._registry.closed:
            self._registry.loop.call_soon(self._dial, address, self._registry.loop.time() + timeout_s)

    async def close(self) -> None:
        """See `Transport.close`."""
        self._registry.closed = True
        for address in self._listening:
            self._network.remove_listener(address)
        for timer in self._waiting:
            timer.cancel()
        await self._registry.close()

    def _dial(self, address: str, deadline: float) -> None:
        try:
            host, _ = parse_address(address)
        except AddressError as error:
            self._dial_failed(address, Evidence.UNREACHABLE, str(error))
            return
        if not self._network.knows(host):
            self._dial_failed(address, Evidence.UNREACHABLE, "the name is not known")
        elif self._network.is_cut(self._host, host):
            self._wait_in_vain(address, deadline)
        elif (listener := self._network.listener(address)) is None:
            self._dial_failed(address, Evidence.REFUSED, "nothing listens there")
        else:
            self._connect(address, listener, deadline)

    def _connect(self, address: str, listener: "MemoryTransport", deadline: float) -> None:
        loop, own = self._registry.loop, format_address(self._host, self._network.free_port())
        mine = MemoryWire(self._network, loop, self._host, address)
        theirs = MemoryWire(self._network, loop, listener._host, own, listener._accepted)
        mine.other, theirs.other = theirs, mine
        mine.attach(Connection(self._registry, address, deadline))

    def _accepted(self) -> Connection:
        deadline = self._registry.loop.time() + self._registry.settings.hello_timeout_ms / 1000
        return Connection(self._registry, None, deadline)

    def _wait_in_vain(self, address: str, deadline: float) -> None:
        """A dial into nowhere ends at its deadline, not before."""

        def over() -> None:
            del self._waiting[timer]
            self._dial_failed(address, Evidence.UNREACHABLE, "no answer to connecting in time")

        timer = self._registry.loop.call_at(deadline, over)
        self._waiting[timer] = None

    def _dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        if not self._registry.closed:
            self._registry.tell(self._registry.handler.dial_failed, address, evidence, detail)
