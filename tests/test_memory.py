"""The in-memory network goes wrong exactly as it is told to."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from tanist.election.evidence import Evidence
from tanist.election.messages import Support
from tanist.transport.hello import Hello
from tanist.transport.link import Link
from tanist.transport.memory import MemoryNetwork, MemoryTransport
from tanist.transport.settings import TransportSettings
from tanist.transport.testing import DialFailed, Down, RecordingHandler, Up

TIMEOUT_S = 10.0
SHORT_S = 0.02
ANYONE = Hello(cluster="home", safety="survivor", id="?", name="?", incarnation=(1, 1), address="?:1")


class Peer:
    """A memory transport that listens at port 1 of a host with its own name."""

    def __init__(self, network: MemoryNetwork, name: str, settings: TransportSettings) -> None:
        self.handler = RecordingHandler()
        self.address = f"{name}:1"
        hello = msgspec.structs.replace(ANYONE, id=name, name=name, address=self.address)
        self.errors: list[BaseException] = []
        self.transport = MemoryTransport(network, name, lambda: hello, self.handler, settings, self.errors.append)


class Pair:
    """Peers a and b on one network."""

    def __init__(self, settings: TransportSettings) -> None:
        self.network = MemoryNetwork()
        self.a = Peer(self.network, "a", settings)
        self.b = Peer(self.network, "b", settings)

    async def linked(self) -> tuple[Link, Link]:
        self.a.transport.dial(self.b.address, TIMEOUT_S)
        return (await self.a.handler.first(Up)).link, (await self.b.handler.first(Up)).link


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair(TransportSettings(close_timeout_ms=20, write_buffer_bytes_max=2000))
    for peer in (pair.a, pair.b):
        await peer.transport.listen(peer.address)
    yield pair
    for peer in (pair.a, pair.b):
        await peer.transport.close()
        assert peer.errors == []


async def settled() -> None:
    """Let the loop run until bytes that can move have moved: a link's way is a few turns long."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_refuse_and_accept(pair: Pair) -> None:
    pair.network.refuse("b:1")
    pair.a.transport.dial("b:1", TIMEOUT_S)
    assert (await pair.a.handler.first(DialFailed)).evidence == Evidence.REFUSED
    pair.network.accept("b:1")
    await pair.linked()


async def test_across_a_cut_nothing_passes_until_it_heals(pair: Pair) -> None:
    at_a, at_b = await pair.linked()
    pair.network.cut("b", "a")
    at_a.send(Support(1))
    at_b.send(Support(2))
    await settled()
    assert pair.b.handler.messages() == pair.a.handler.messages() == []
    assert pair.a.handler.all(Down) == []
    pair.network.heal("a", "b")
    await pair.b.handler.until(lambda: pair.b.handler.messages() == [Support(1)])
    await pair.a.handler.until(lambda: pair.a.handler.messages() == [Support(2)])


async def test_a_dial_across_a_cut_is_unreachable_at_its_deadline(pair: Pair) -> None:
    pair.network.cut("a", "b")
    pair.a.transport.dial("b:1", SHORT_S)
    await settled()
    assert pair.a.handler.heard == []
    assert (await pair.a.handler.first(DialFailed)).evidence == Evidence.UNREACHABLE


async def test_a_link_that_ended_across_a_cut_is_lost_when_it_heals(pair: Pair) -> None:
    at_a, _ = await pair.linked()
    pair.network.cut("a", "b")
    at_a.close("gone")
    assert (await pair.a.handler.first(Down)).detail == "gone"
    await settled()
    assert pair.b.handler.all(Down) == []
    pair.network.heal("a", "b")
    assert (await pair.b.handler.first(Down)).evidence == Evidence.CLOSED


async def test_a_frozen_host_accepts_and_says_nothing(pair: Pair) -> None:
    pair.network.silence("b")
    pair.a.transport.dial("b:1", SHORT_S)
    assert (await pair.a.handler.first(DialFailed)).evidence == Evidence.SILENT
    pair.network.wake("b")
    await settled()
    # It finds a connection that is over already.
    assert pair.b.handler.heard == []


async def test_a_host_that_wakes_in_time_is_linked(pair: Pair) -> None:
    pair.network.silence("b")
    pair.a.transport.dial("b:1", TIMEOUT_S)
    await settled()
    assert pair.a.handler.heard == []
    pair.network.wake("b")
    await pair.a.handler.first(Up)


async def test_a_frozen_host_that_is_sent_too_much_is_cut(pair: Pair) -> None:
    at_a, _ = await pair.linked()
    pair.network.silence("b")
    for _ in range(400):
        at_a.send(Support(1))
        await asyncio.sleep(0)
    down = await pair.a.handler.first(Down)
    assert down.evidence == Evidence.SILENT
    assert "reads too slowly" in down.detail


async def test_the_same_run_gives_the_same_calls() -> None:
    async def run() -> list[str]:
        heard: list[str] = []
        pair = Pair(TransportSettings())
        for peer in (pair.a, pair.b):
            await peer.transport.listen(peer.address)
        for _ in range(5):
            pair.a.transport.dial("b:1", TIMEOUT_S)
            pair.b.transport.dial("a:1", TIMEOUT_S)
        await pair.a.handler.until(lambda: len(pair.a.handler.all(Up)) == 10)
        for up in pair.a.handler.all(Up):
            up.link.send(Support(1))
        await pair.b.handler.until(lambda: len(pair.b.handler.messages()) == 10)
        for peer in (pair.a, pair.b):
            await peer.transport.close()
        order = {id(up.link): str(i) for p in (pair.a, pair.b) for i, up in enumerate(p.handler.all(Up))}
        for peer in (pair.a, pair.b):
            heard += [f"{type(h).__name__} {order[id(h[0])]} {h[1:]}" for h in peer.handler.heard]
        return heard

    assert await run() == await run()
