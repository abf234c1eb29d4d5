"""One connection through a proxy: two sockets and a lane each way; who dialed is known from the hello."""

import asyncio
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Protocol, cast

from tanist.peer.faults.conditions import Conditions, Way
from tanist.peer.faults.lane import Counts, Lane
from tanist.transport.errors import ProtocolError
from tanist.transport.frames import HEADER_BYTES
from tanist.transport.hello import HELLO, Hello, decode_hello

RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing the socket resets the connection."""


class Station(Protocol):
    """What a passage asks of its proxy."""

    def connect(self, passage: "Passage") -> None:
        """Connect `passage.upstream` to the target, or reset the passage."""
        ...

    def conditions(self, passage: "Passage", way: Way) -> Conditions:
        """What one direction suffers now."""
        ...

    def counts_of(self, passage: "Passage", way: Way) -> Counts:
        """Where a dialler that is known now is counted."""
        ...

    def target_ended(self, then: Callable[[], None]) -> None:
        """The target closed a connection: see whether it is still there, and go on with `then`."""
        ...

    def gone(self, passage: "Passage") -> None:
        """Both sockets are closed."""
        ...


class Half(asyncio.Protocol):
    """One of the two sockets, and the `Sink` of the lane that leads to it."""

    inward: Lane
    """Takes what this socket receives."""
    outward: Lane
    """Gives what this socket sends."""

    def __init__(self, passage: "Passage", way: Way) -> None:
        self._passage = passage
        self._way = way
        self._early = b""
        self.transport: asyncio.Transport | None = None
        self.ended = False
        """Nothing more comes from this socket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self.transport = cast(asyncio.Transport, transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._passage.over:
            self.abort()
        elif self._early:
            self.transport.write(self._early)
            self._early = b""
            self.outward.hold(False)

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        self.inward.fed(data)

    def eof_received(self) -> bool:
        """The other side sends no more; it may still be sent to."""
        self._passage.source_ended(self, None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self.transport = None
        self._passage.source_ended(self, exc or ConnectionAbortedError("the connection was closed"))
        self._passage.lost()

    def pause_writing(self) -> None:
        """The socket's buffer is full."""
        self.outward.hold(True)

    def resume_writing(self) -> None:
        """The socket's buffer has room."""
        self.outward.hold(False)

    def write(self, data: bytes) -> None:
        """Send bytes, connecting first if need be; until then the lane holds."""
        if self.transport is not None:
            self.transport.write(data)
        elif not self.ended:
            self._early = data
            self.outward.hold(True)
            self._passage.connect()

    def finish(self, lost: Exception | None) -> None:
        """Hand the end of the other side on, as it was."""
        self._passage.finished(self._way, lost)

    def reset(self) -> None:
        """End both sockets."""
        self._passage.reset()

    def wait(self, paused: bool) -> None:
        """Read no more for now, or go on."""
        if self.transport is None or self.transport.is_closing():
            return
        if paused:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def send_end(self) -> None:
        """Say that nothing more comes."""
        if self.transport is not None and not self.transport.is_closing():
            try:
                self.transport.write_eof()
            except OSError:
                self.transport.abort()

    def abort(self) -> None:
        """Reset this socket's connection."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            if sock is not None and not self.transport.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
            self.transport.abort()


class Passage:
    """A dialler's connection, and the one to the target that is opened when there is something to hand over."""

    def __init__(self, station: Station, random: Random) -> None:
        self.dialler: Hello | None = None
        self.over = False
        self._station = station
        self._connecting = False
        self._finished: set[Way] = set()
        self.downstream, self.upstream = Half(self, Way.OUT), Half(self, Way.IN)
        # Nothing passes before the first frame has said who dials: these counts stay empty.
        inward = Lane(self.upstream, self.downstream.wait, Counts(), random)
        outward = Lane(self.downstream, self.upstream.wait, Counts(), random)
        self._lanes = {Way.IN: inward, Way.OUT: outward}
        self.downstream.inward, self.upstream.outward = inward, inward
        self.upstream.inward, self.downstream.outward = outward, outward
        inward.on_first = self._met

    @property
    def names(self) -> tuple[str, ...]:
        """By what rules may name the dialler: nothing before its hello."""
        return () if self.dialler is None else (self.dialler.id, self.dialler.name)

    def refresh(self) -> None:
        """Suffer what is in force now."""
        for way, lane in self._lanes.items():
            conditions = self._station.conditions(self, way)
            if conditions.refuse:
                lane.counts.resets += 1
                self.reset()
                return
            lane.suffer(conditions)

    def reset(self) -> None:
        """Reset both connections."""
        self.over = True
        for lane in self._lanes.values():
            lane.close()
        self.downstream.abort()
        self.upstream.abort()
        self.lost()

    def unconnected(self) -> None:
        """The target could not be connected to."""
        self.upstream.ended = True
        self.reset()

    # What the halves tell

    def connect(self) -> None:
        """The first bytes are due at the target."""
        if not self._connecting:
            self._connecting = True
            self._station.connect(self)

    def source_ended(self, half: Half, lost: Exception | None) -> None:
        """One socket gives nothing more."""
        if half.ended or self.over:
            half.ended = True
            return
        half.ended = True
        if half is self.upstream:
            self._station.target_ended(lambda: self._pass_end(half, lost))
        else:
            self._pass_end(half, lost)

    def _pass_end(self, half: Half, lost: Exception | None) -> None:
        half.inward.ended(lost)
        nobody = self.downstream.ended and (not self._connecting or self.upstream.ended)
        if nobody and not self.over and (self.downstream.transport is None or self.upstream.transport is None):
            # Both are gone, or have had enough: whatever is still on its way is for nobody.
            self.reset()

    def finished(self, way: Way, lost: Exception | None) -> None:
        """All of one direction has arrived, its end too."""
        if lost is not None:
            self.reset()
            return
        self._finished.add(way)
        (self.upstream if way is Way.IN else self.downstream).send_end()
        if len(self._finished) == 2 and not self.over:
            self.over = True
            for half in (self.downstream, self.upstream):
                if half.transport is not None:
                    half.transport.close()

    def lost(self) -> None:
        """A socket is closed; the proxy forgets a passage that has none."""
        if self.over and self.downstream.transport is None and self.upstream.transport is None:
            self._station.gone(self)

    def _met(self, frame: bytes) -> None:
        if frame[0] == HELLO:
            try:
                hello = decode_hello(frame[HEADER_BYTES:])
            except ProtocolError:
                hello = None
            self.dialler = hello if isinstance(hello, Hello) else None
        for way, lane in self._lanes.items():
            lane.counts = self._station.counts_of(self, way)
        self.refresh()
