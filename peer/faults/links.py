"""Faults of the links of a running peer, in its own transport: for peers that no proxy stands before.

Bytes are shaped between the socket and the connection, as in a proxy. Whom a peer dials it knows by the address, who
dials it from the hello. What is cut or refused for a known address is not dialed at all.
"""

from collections.abc import Callable
from random import Random

from tanist.election.evidence import Evidence
from tanist.peer.faults.conditions import Conditions, Way
from tanist.peer.faults.lane import Counts, Lane
from tanist.peer.faults.requests import LinkFault
from tanist.peer.faults.rules import TimedRules
from tanist.transport.connection import Carried, Connection, Wire
from tanist.transport.errors import ProtocolError
from tanist.transport.frames import HEADER_BYTES
from tanist.transport.hello import Hello, decode_hello
from tanist.transport.link import Handler
from tanist.transport.registry import Registry
from tanist.transport.settings import TransportSettings
from tanist.transport.tcp import TcpTransport, TcpWire

REFUSED = "refused in a drill"
CUT = "no answer in a drill that cut this link"


class LinkFaults:
    """What the links of one peer suffer. `names_at` gives the id and name of the peer at an address, if known."""

    def __init__(self, names_at: Callable[[str], tuple[str, ...]], random: Random) -> None:
        self.names_at = names_at
        self.random = random
        self.counts = Counts()
        """Of all links since the start."""
        self._rules = TimedRules(self._refresh)
        self._shaped: set[ShapedConnection] = set()

    def put(self, key: str, fault: LinkFault) -> None:
        """Begin a fault. Raises `ValueError`."""
        self._rules.put(key, fault.peer, fault.way, fault.conditions, fault.for_ms / 1000)

    def drop(self, key: str) -> None:
        """End one."""
        self._rules.drop(key)

    def close(self) -> None:
        """End all, for good."""
        self._rules.clear()
        self._rules.close()

    def conditions(self, names: tuple[str, ...], way: Way) -> Conditions:
        """What one direction of the link with a peer suffers now."""
        return self._rules.effective(names, way)

    def add(self, shaped: "ShapedConnection") -> None:
        """A connection is open, and suffers from now on."""
        self._shaped.add(shaped)
        shaped.refresh()

    def remove(self, shaped: "ShapedConnection") -> None:
        """A connection is gone."""
        self._shaped.discard(shaped)

    def _refresh(self) -> None:
        for shaped in list(self._shaped):
            shaped.refresh()


class DrillTransport(TcpTransport):
    """A `TcpTransport` whose links can be hurt."""

    def __init__(
        self,
        hello: Callable[[], Hello],
        handler: Handler,
        settings: TransportSettings,
        on_error: Callable[[BaseException], None],
        faults: LinkFaults,
    ) -> None:
        """As `TcpTransport`; `faults` say what its links suffer."""
        super().__init__(hello, handler, settings, on_error)
        self._faults = faults

    def dial(self, address: str, timeout_s: float) -> None:
        """See `Transport.dial`. What is cut is not answered, what is refused is: as the network would do it."""
        names = self._faults.names_at(address)
        out, back = (self._faults.conditions(names, way) for way in (Way.OUT, Way.IN))
        if out.refuse or back.refuse:
            self._registry.loop.call_soon(self._dial_failed, address, Evidence.REFUSED, REFUSED)
        elif out.blackhole or back.blackhole:
            self._registry.loop.call_later(timeout_s, self._dial_failed, address, Evidence.UNREACHABLE, CUT)
        else:
            super().dial(address, timeout_s)

    def _wire(self, connection: Connection, dialed: str | None) -> TcpWire:
        names = () if dialed is None else self._faults.names_at(dialed)
        return TcpWire(ShapedConnection(connection, self._faults, self._registry, names))


class _Inward:
    """The `Sink` of what comes in: the connection above."""

    def __init__(self, shaped: "ShapedConnection") -> None:
        self._shaped = shaped

    def write(self, data: bytes) -> None:
        self._shaped.above.fed(data)

    def finish(self, lost: Exception | None) -> None:
        self._shaped.tell_end()

    def reset(self) -> None:
        self._shaped.reset()


class _Outward:
    """The `Sink` of what goes out: the wire below."""

    def __init__(self, shaped: "ShapedConnection") -> None:
        self._shaped = shaped

    def write(self, data: bytes) -> None:
        self._shaped.below.write(data)

    def finish(self, lost: Exception | None) -> None:
        self._shaped.below.finish()

    def reset(self) -> None:
        self._shaped.reset()


class ShapedConnection:
    """Stands between a wire and a `Connection`: each takes it for the other."""

    below: TcpWire

    def __init__(self, above: Carried, faults: LinkFaults, registry: Registry, names: tuple[str, ...]) -> None:
        self.above = above
        self.remote_address = ""
        self._faults = faults
        self._loop = registry.loop
        self._names = names
        self._end: tuple[Evidence, str] | None = None
        self._over = False
        self._in = Lane(_Inward(self), self._wait, faults.counts, faults.random)
        self._out = Lane(_Outward(self), lambda paused: None, faults.counts, faults.random)
        self._in.on_first = self._met

    def refresh(self) -> None:
        """Suffer what is in force now."""
        for way, lane in ((Way.IN, self._in), (Way.OUT, self._out)):
            conditions = self._faults.conditions(self._names, way)
            if conditions.refuse:
                self._faults.counts.resets += 1
                self.reset()
                return
            lane.suffer(conditions)

    # What the wire below calls

    def opened(self, wire: Wire) -> None:
        """The wire is connected."""
        assert isinstance(wire, TcpWire), "the transport of a drill is one of sockets"
        self.below = wire
        self.remote_address = wire.remote_address
        self._faults.add(self)
        self.above.opened(self)

    def fed(self, data: bytes) -> None:
        """Bytes came in."""
        self._in.fed(data)

    def ended(self) -> None:
        """The other side sends no more; the wire closes itself after this, and says so."""
        if self.below.buffered():
            self.below.abort()

    def lost(self, evidence: Evidence, detail: str) -> None:
        """The wire is gone. The connection hears of it behind what is on its way, or when its link is whole again."""
        self._end = evidence, detail
        self._out.close()
        if self._over:
            self._tell_lost()
        else:
            self._in.ended(None)

    # What the connection above calls

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        self._out.fed(data)

    def buffered(self) -> int:
        """See `Wire.buffered`."""
        return self._out.waiting_bytes + self.below.buffered()

    def finish(self) -> None:
        """See `Wire.finish`."""
        self._out.ended(None)

    def abort(self) -> None:
        """See `Wire.abort`."""
        if self._over:
            return
        self._close_lanes()
        if self._end is not None:
            # Its socket is gone already, and nobody knows yet.
            self._loop.call_soon(self._tell_lost)
        else:
            self.below.abort()

    # Between them

    def tell_end(self) -> None:
        """All that came in has arrived, the end too."""
        self._close_lanes()
        self._tell_lost()

    def reset(self) -> None:
        """End the connection as a reset does, at both ends."""
        self.abort()

    def _close_lanes(self) -> None:
        self._over = True
        self._in.close()
        self._out.close()

    def _tell_lost(self) -> None:
        assert self._end is not None
        self._faults.remove(self)
        self.above.lost(*self._end)

    def _wait(self, paused: bool) -> None:
        self.below.wait(paused)

    def _met(self, frame: bytes) -> None:
        """The first frame that came in says who is there, unless it is no hello."""
        try:
            hello = decode_hello(frame[HEADER_BYTES:])
        except ProtocolError:
            return
        if isinstance(hello, Hello):
            self._names = (hello.id, hello.name)
            self.refresh()
