"""One connection, whatever carries its bytes: hello, frames to messages, one write a loop turn, one clean end.

    HELLO --both agree--> UP --close, refusal--> LINGERING --gone--> GONE
    HELLO --refused--> LINGERING         UP --lost, cut--> GONE

A lingering connection flushes, has told its end to the handler, and discards what still comes in: a socket
closed with unread input is reset, and a reset may overtake the last words that were sent.
"""

import asyncio
from enum import Enum
from typing import Protocol

from tanist.election.evidence import Evidence
from tanist.election.messages import Message
from tanist.transport.codec import decode_message, encode_message
from tanist.transport.errors import MisuseError, ProtocolError
from tanist.transport.frames import HEADER_BYTES, FrameParser
from tanist.transport.hello import (
    CONTROL_TYPE_MAX,
    HELLO,
    HELLO_ANSWER,
    REFUSAL,
    Code,
    Hello,
    Refusal,
    check,
    decode_hello,
    decode_refusal,
    encode_hello,
    encode_refusal,
)
from tanist.transport.registry import Registry


class Wire(Protocol):
    """What carries the bytes: a socket, or memory. Calls back a `Carried`."""

    remote_address: str
    """Where the other end is, as "host:port"."""

    def write(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""
        ...

    def buffered(self) -> int:
        """Bytes written that have not left this process."""
        ...

    def finish(self) -> None:
        """Send an end of stream after what was written, and go on reading."""
        ...

    def abort(self) -> None:
        """End at once; `lost` follows on a later loop turn."""
        ...


class Carried(Protocol):
    """What a wire carries bytes for, and calls back: a `Connection`."""

    def opened(self, wire: Wire) -> None:
        """The wire is connected; nothing else is called before."""
        ...

    def fed(self, data: bytes) -> None:
        """Bytes came in."""
        ...

    def ended(self) -> None:
        """The other side sends no more; the wire closes itself after this."""
        ...

    def lost(self, evidence: Evidence, detail: str) -> None:
        """The wire is gone, for good."""
        ...


class Phase(Enum):
    """How far a connection is."""

    HELLO = "hello"
    UP = "up"
    LINGERING = "lingering"
    GONE = "gone"


class Connection:
    """A `Link` once it is up; before that a stranger, or a dial under way."""

    remote: Hello

    def __init__(self, registry: Registry, dialed: str | None, deadline: float) -> None:
        """`dialed` is the address dialed, None when accepted; `deadline` for the hello is in the loop's time."""
        self._registry = registry
        self._dialed = dialed
        self._phase = Phase.HELLO
        self._wire: Wire
        self._parser = FrameParser(registry.settings.hello_bytes_max)
        self._deadline = deadline
        self._timer: asyncio.TimerHandle
        self._out: list[bytes] = []
        self._out_bytes = 0
        """Bytes in `_out`, which the next flush writes."""
        self._wire_bytes = 0
        """Bytes the wire held after the last flush: asking it at every send would cost more than sending."""

    # What the wire calls

    def opened(self, wire: Wire) -> None:
        """The wire is connected; it must not call anything else before."""
        self._wire = wire
        registry = self._registry
        self._timer = registry.loop.call_at(self._deadline, self._hello_late)
        if self._dialed is None:
            registry.add_stranger(self)
        else:
            registry.add_dialed(self)
            registry.tell(self._say_hello, HELLO)
        if registry.closed:
            self.close("this peer is closing")

    def fed(self, data: bytes) -> None:
        """Bytes came in. The hot path: all whole frames are decoded, then the handler is called once."""
        if self._phase in (Phase.LINGERING, Phase.GONE):
            return
        try:
            self._take(data)
        except Exception as error:
            # The event loop would log this and close the socket, and a bug would go unnoticed.
            self._registry.on_error(error)

    def ended(self) -> None:
        """The other side sends no more; the wire closes itself after this."""
        self._end(Phase.GONE, Evidence.CLOSED, "the other side closed the connection")
        if self._wire.buffered():
            self._wire.abort()

    def lost(self, evidence: Evidence, detail: str) -> None:
        """The wire is gone, for good."""
        self._timer.cancel()
        self._end(Phase.GONE, evidence, detail)
        self._registry.remove(self)

    # What the handler calls

    def send(self, message: Message) -> None:
        """See `Link.send`."""
        self.send_frame(encode_message(message))

    def send_frame(self, frame: bytes) -> None:
        """See `Link.send_frame`."""
        if self._phase is Phase.UP:
            limit = self._registry.settings.frame_bytes_max
            if len(frame) - HEADER_BYTES > limit:
                raise MisuseError(f"{len(frame)} bytes are above frame_bytes_max ({limit}): send them in parts")
            self._queue(frame)

    def close(self, reason: str) -> None:
        """See `Link.close`. What is no link yet ends at once; what is ending already goes on ending."""
        if self._phase is Phase.UP:
            self._phase = Phase.LINGERING
            self._registry.loop.call_soon(self._linger)
            self._tell_down_soon(Evidence.CLOSED, reason)
        elif self._phase is Phase.HELLO:
            self._end(Phase.GONE, Evidence.CLOSED, reason)
            self._wire.abort()

    # What the registry calls

    def drop(self, code: str, text: str) -> None:
        """End a stranger at once; its place is needed."""
        self._end(Phase.GONE, Evidence.CLOSED, text, Refusal(code, text))
        self._wire.abort()

    # Reading

    def _take(self, data: bytes) -> None:
        messages: list[Message] = []
        broken: ProtocolError | None = None
        refused: Refusal | None = None
        try:
            for frame_type, value in self._parser.feed(data):
                if self._phase is Phase.UP:
                    message = decode_message(frame_type, value)
                    if message is not None:
                        messages.append(message)
                    elif frame_type <= CONTROL_TYPE_MAX:
                        refused = _control(frame_type, value)
                        break
                elif self._phase is Phase.HELLO:
                    self._greet(frame_type, value)
                else:
                    return
        except ProtocolError as error:
            broken = error
        # What came before the offence was sent in good faith.
        if messages:
            self._registry.tell(self._registry.handler.received, self, messages)
        if broken is not None:
            self._refuse(Refusal(Code.PROTOCOL, str(broken)))
        elif refused is not None:
            self._end_rejected(refused)

    def _greet(self, frame_type: int, value: bytes) -> None:
        """Take the first frame of the other side."""
        if self._dialed is not None and frame_type == REFUSAL:
            self._end_rejected(decode_refusal(value))
            return
        if frame_type != (HELLO if self._dialed is None else HELLO_ANSWER):
            raise ProtocolError(f"a frame of type {frame_type} came where a hello belongs")
        match self._judge(decode_hello(value)):
            case Refusal() as refusal:
                self._refuse(refusal)
            case Hello() as theirs:
                if self._dialed is None:
                    self._say_hello(HELLO_ANSWER)
                self._up(theirs)

    def _judge(self, theirs: Hello | Refusal) -> Hello | Refusal:
        """The hello of one that this peer may talk to, or why it may not."""
        if isinstance(theirs, Refusal):
            return theirs
        mine = self._registry.hello()
        if refusal := check(mine, theirs):
            return refusal
        if not self._registry.link_free():
            links = self._registry.settings.links_max
            return Refusal(Code.FULL, f"peer {mine.name!r} has all its {links} links in use; dial another peer")
        return theirs

    def _up(self, theirs: Hello) -> None:
        self.remote = theirs
        self._timer.cancel()
        self._phase = Phase.UP
        self._parser.frame_bytes_max = self._registry.settings.frame_bytes_max
        self._registry.add_link(self)
        self._registry.tell(self._registry.handler.link_up, self, self._dialed)

    def _say_hello(self, frame_type: int) -> None:
        self._queue(encode_hello(frame_type, self._registry.hello()))

    def _hello_late(self) -> None:
        text = "connected, but no hello came in time"
        self._end(Phase.GONE, Evidence.SILENT, text, Refusal(Code.NO_HELLO, text))
        self._wire.abort()

    # Writing

    def _queue(self, frame: bytes) -> None:
        if not self._out:
            self._registry.loop.call_soon(self._flush)
        self._out.append(frame)
        self._out_bytes += len(frame)
        limit = self._registry.settings.write_buffer_bytes_max
        if self._out_bytes + self._wire_bytes > limit:
            # The figure of the last flush may be old by now.
            self._wire_bytes = self._wire.buffered()
            if self._out_bytes + self._wire_bytes > limit and self._phase is Phase.UP:
                self._cut_slow_reader()

    def _flush(self) -> None:
        if self._out and self._phase is not Phase.GONE:
            self._wire.write(b"".join(self._out))
            self._wire_bytes = self._wire.buffered()
        self._out.clear()
        self._out_bytes = 0

    def _cut_slow_reader(self) -> None:
        waiting = self._out_bytes + self._wire_bytes
        limit = self._registry.settings.write_buffer_bytes_max
        self._phase = Phase.GONE
        self._out.clear()
        self._wire.abort()
        self._tell_down_soon(
            Evidence.SILENT, f"reads too slowly: {waiting} bytes wait for it, write_buffer_bytes_max is {limit}"
        )

    # Ending

    def _end(self, to: Phase, evidence: Evidence, detail: str, refusal: Refusal | None = None) -> None:
        """Stop being a link, a dial or a stranger, and tell whoever waits for that; later calls tell nothing."""
        was, self._phase = self._phase, to
        registry = self._registry
        if was is Phase.UP:
            registry.tell(registry.handler.link_down, self, evidence, detail)
        elif was is not Phase.HELLO or registry.closed:
            return
        elif self._dialed is not None:
            registry.tell(registry.handler.dial_failed, self._dialed, evidence, detail)
        elif refusal is not None:
            registry.notices.add(self._wire.remote_address, refusal.code, refusal.text)

    def _refuse(self, refusal: Refusal) -> None:
        """Turn the other side away, and tell it why."""
        if self._phase in (Phase.HELLO, Phase.UP):
            self._queue(encode_refusal(refusal))
            self._end_rejected(refusal)

    def _end_rejected(self, refusal: Refusal) -> None:
        """One of the two refused the other: nothing more is said or heard."""
        if self._phase in (Phase.HELLO, Phase.UP):
            evidence = Evidence.CLONE if refusal.code == Code.CLONE else Evidence.REJECTED
            self._end(Phase.LINGERING, evidence, str(refusal), refusal)
            self._linger()

    def _linger(self) -> None:
        """Hand over what was sent, then end; within a deadline, since the other side may not read."""
        if self._phase is Phase.GONE:
            return
        self._flush()
        self._timer.cancel()
        registry = self._registry
        self._timer = registry.loop.call_later(registry.settings.close_timeout_ms / 1000, self._wire.abort)
        registry.add_stranger(self)
        self._wire.finish()

    def _tell_down_soon(self, evidence: Evidence, detail: str) -> None:
        registry = self._registry
        registry.loop.call_soon(registry.tell, registry.handler.link_down, self, evidence, detail)


def _control(frame_type: int, value: bytes) -> Refusal:
    """What a frame of the hello means on an open link: a late refusal, or an offence."""
    if frame_type == REFUSAL:
        return decode_refusal(value)
    raise ProtocolError(f"a frame of type {frame_type} came on an open link, where no hello belongs")
