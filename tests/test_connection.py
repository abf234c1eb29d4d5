"""One connection over a wire that only writes down what it is asked to do."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tanist.election.evidence import Evidence
from tanist.election.messages import Support
from tanist.transport.codec import encode_message
from tanist.transport.connection import Connection
from tanist.transport.frames import FrameParser
from tanist.transport.hello import HELLO, HELLO_ANSWER, Hello, encode_hello
from tanist.transport.registry import Registry
from tanist.transport.settings import TransportSettings
from tanist.transport.testing import DialFailed, Down, RecordingHandler, Up

MINE = Hello(cluster="home", safety="survivor", id="a", name="a", incarnation=(1, 1), address="10.0.0.1:1")
THEIRS = msgspec.structs.replace(MINE, id="b", name="b", address="10.0.0.2:1")


class PaperWire:
    """Writes down; holds bytes back when it is told to."""

    remote_address = "10.0.0.2:555"

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.held = 0
        self.finished = False
        self.aborted = asyncio.Event()

    def write(self, data: bytes) -> None:
        assert not self.finished, "written after the end of the stream"
        self.written.append(data)

    def buffered(self) -> int:
        return self.held

    def finish(self) -> None:
        self.finished = True

    def abort(self) -> None:
        self.aborted.set()


class Bench:
    """A connection, its wire and its handler."""

    def __init__(self, dialed: str | None = None, **settings: float) -> None:
        self.handler = RecordingHandler()
        self.errors: list[BaseException] = []
        made = msgspec.convert(settings, TransportSettings)
        self.registry = Registry(lambda: MINE, self.handler, made, self.errors.append)
        self.wire = PaperWire()
        self.connection = Connection(self.registry, dialed, self.registry.loop.time() + 60)
        self.connection.opened(self.wire)

    def greet(self) -> None:
        self.connection.fed(encode_hello(HELLO, THEIRS))

    def frame_types(self) -> list[int]:
        return [t for t, _ in FrameParser(1 << 20).feed(b"".join(self.wire.written))]


async def turn() -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.greet()
    await turn()
    bench.wire.written.clear()
    yield bench
    bench.connection.lost(Evidence.CLOSED, "test over")
    await bench.registry.close()
    assert bench.errors == []


async def test_everything_of_one_turn_leaves_in_one_write(bench: Bench) -> None:
    frames = [encode_message(Support(n)) for n in range(1000)]
    for frame in frames:
        bench.connection.send_frame(frame)
    assert bench.wire.written == []
    await turn()
    assert bench.wire.written == [b"".join(frames)]
    bench.connection.send(Support(5))
    await turn()
    assert bench.wire.written[1:] == [encode_message(Support(5))]


async def test_the_answer_to_the_hello_leaves_before_what_the_handler_sends() -> None:
    bench = Bench()
    bench.handler.link_up = lambda link, dialed: link.send(Support(1))  # type: ignore[method-assign]
    bench.greet()
    await turn()
    assert bench.frame_types() == [HELLO_ANSWER, 49]
    bench.connection.lost(Evidence.CLOSED, "test over")
    await bench.registry.close()


async def test_what_came_with_the_hello_is_not_received_when_link_up_closes() -> None:
    bench = Bench(close_timeout_ms=1)
    bench.handler.link_up = lambda link, dialed: link.close("not you")  # type: ignore[method-assign]
    bench.connection.fed(encode_hello(HELLO, THEIRS) + encode_message(Support(1)))
    bench.connection.fed(encode_message(Support(2)))
    assert bench.handler.messages() == []
    assert (await bench.handler.first(Down)).detail == "not you"
    assert bench.frame_types() == [HELLO_ANSWER]
    bench.connection.lost(Evidence.CLOSED, "test over")
    await bench.registry.close()


async def test_closing_flushes_then_ends_the_stream_then_cuts_at_its_deadline() -> None:
    bench = Bench(close_timeout_ms=10)
    bench.greet()
    bench.connection.send(Support(1))
    bench.connection.close("enough")
    await bench.handler.first(Down)
    assert bench.frame_types() == [HELLO_ANSWER, 49]
    assert bench.wire.finished
    assert not bench.wire.aborted.is_set()
    async with asyncio.timeout(20):
        await bench.wire.aborted.wait()
    bench.connection.lost(Evidence.CLOSED, "aborted")
    assert bench.handler.all(Down) == [Down(bench.connection, Evidence.CLOSED, "enough")]
    await bench.registry.close()


async def test_a_buffer_that_drained_since_the_last_flush_is_no_reason_to_cut() -> None:
    bench = Bench(write_buffer_bytes_max=1000)
    bench.greet()
    bench.wire.held = 990
    await turn()
    bench.wire.held = 0
    for n in range(10):
        bench.connection.send(Support(n))
    await turn()
    assert bench.handler.all(Down) == []
    bench.wire.held = 990
    for n in range(10):
        bench.connection.send(Support(n))
    await turn()
    for n in range(2):
        bench.connection.send(Support(n))
    await turn()
    assert bench.wire.aborted.is_set()
    assert bench.handler.all(Down)[0].evidence == Evidence.SILENT
    bench.connection.lost(Evidence.CLOSED, "aborted")
    await bench.registry.close()


async def test_an_end_of_stream_is_told_at_once_and_unsent_bytes_are_given_up(bench: Bench) -> None:
    bench.wire.held = 5_000_000
    bench.connection.ended()
    assert bench.handler.all(Down)[0].evidence == Evidence.CLOSED
    assert bench.wire.aborted.is_set()
    bench.connection.lost(Evidence.CLOSED, "again")
    assert len(bench.handler.all(Down)) == 1


async def test_the_deadline_for_the_hello_does_not_touch_a_link(bench: Bench) -> None:
    registry, loop = bench.registry, bench.registry.loop
    wires = [PaperWire(), PaperWire()]
    greeted, silent = (Connection(registry, None, loop.time() + 0.01) for _ in wires)
    for connection, wire in zip((greeted, silent), wires, strict=True):
        connection.opened(wire)
    greeted.fed(encode_hello(HELLO, THEIRS))
    async with asyncio.timeout(20):
        await wires[1].aborted.wait()
    # The timer of the link would have come first: it was made first, for an earlier moment.
    assert not wires[0].aborted.is_set()
    for connection in (greeted, silent):
        connection.lost(Evidence.CLOSED, "test over")


async def test_refused_connections_that_linger_are_few() -> None:
    bench = Bench(unauthenticated_max=1, close_timeout_ms=600_000)
    bench.connection.fed(b"garbage")
    assert bench.wire.finished
    assert not bench.wire.aborted.is_set()
    dialed, wire = Connection(bench.registry, "10.0.0.3:1", bench.registry.loop.time() + 60), PaperWire()
    dialed.opened(wire)
    assert not bench.wire.aborted.is_set()
    dialed.fed(b"garbage")
    assert bench.wire.aborted.is_set()
    for connection in (bench.connection, dialed):
        connection.lost(Evidence.CLOSED, "test over")
    await bench.registry.close()


async def test_a_connection_that_opens_after_the_transport_closed_ends_unheard() -> None:
    bench = Bench(dialed="10.0.0.2:1")
    bench.registry.closed = True
    late = Connection(bench.registry, "10.0.0.3:1", bench.registry.loop.time() + 60)
    wire = PaperWire()
    late.opened(wire)
    assert wire.aborted.is_set()
    late.lost(Evidence.CLOSED, "aborted")
    bench.connection.lost(Evidence.CLOSED, "test over")
    await bench.registry.close()
    assert bench.handler.heard == []


async def test_a_dial_that_ends_twice_fails_once() -> None:
    bench = Bench(dialed="10.0.0.2:1")
    bench.connection.ended()
    bench.connection.lost(Evidence.CLOSED, "again")
    assert len(bench.handler.all(DialFailed)) == 1
    assert bench.handler.all(Up) == []
    await bench.registry.close()
