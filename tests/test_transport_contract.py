"""What every transport promises, asked of TCP and of its in-memory twin."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
import pytest

from tanist.election.entries import Proposal
from tanist.election.evidence import Evidence
from tanist.election.messages import Goodbye, Message, Propose, Support
from tanist.transport.codec import encode_message
from tanist.transport.errors import ListenError, MisuseError
from tanist.transport.hello import Code, Hello
from tanist.transport.link import Link, Transport
from tanist.transport.memory import MemoryNetwork, MemoryTransport
from tanist.transport.settings import TransportSettings
from tanist.transport.tcp import TcpTransport
from tanist.transport.testing import DialFailed, Down, Received, RecordingHandler, Rejected, Up

TIMEOUT_S = 10.0
DEFAULTS = TransportSettings()


class Peer:
    """A transport with everything it was made of."""

    def __init__(self, name: str, host: str, settings: TransportSettings) -> None:
        self.handler = RecordingHandler()
        self.errors: list[BaseException] = []
        self.settings = settings
        self.host = host
        self.address = f"{host}:1"
        self.hello = Hello(
            cluster="home", safety="survivor", id=f"id-{name}", name=name, incarnation=(1, 1), address=self.address
        )
        self.transport: Transport

    def say(self) -> Hello:
        return msgspec.structs.replace(self.hello, address=self.address)

    async def listen(self) -> str:
        self.address = await self.transport.listen(f"{self.host}:0")
        return self.address


class World(Protocol):
    """Makes peers that can reach each other."""

    def peer(self, name: str, settings: TransportSettings = ...) -> Peer: ...

    def nobody(self) -> str: ...

    def unknown(self) -> str: ...


class TcpWorld:
    def __init__(self) -> None:
        self.peers: list[Peer] = []

    def peer(self, name: str, settings: TransportSettings = DEFAULTS) -> Peer:
        peer = Peer(name, "127.0.0.1", settings)
        peer.transport = TcpTransport(lambda: peer.say(), peer.handler, settings, peer.errors.append)
        self.peers.append(peer)
        return peer

    def nobody(self) -> str:
        return "127.0.0.1:1"

    def unknown(self) -> str:
        return "no-such-host.invalid:7400"


class MemoryWorld:
    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.network = MemoryNetwork()

    def peer(self, name: str, settings: TransportSettings = DEFAULTS) -> Peer:
        peer = Peer(name, f"host-{name}", settings)
        peer.transport = MemoryTransport(
            self.network, peer.host, lambda: peer.say(), peer.handler, settings, peer.errors.append
        )
        self.peers.append(peer)
        return peer

    def nobody(self) -> str:
        return f"{self.peers[0].host}:1"

    def unknown(self) -> str:
        return "no-such-host.invalid:7400"


@pytest.fixture(params=[TcpWorld, MemoryWorld], ids=["tcp", "memory"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    world = request.param()
    yield world
    for peer in world.peers:
        await peer.transport.close()
        # No test here has a handler that fails, but the one that takes its errors out again.
        assert peer.errors == []


async def linked(a: Peer, b: Peer) -> tuple[Link, Link]:
    """A link between two peers, dialed by the first: both ends."""
    address = await b.listen()
    if a.address.endswith(":1"):
        await a.listen()
    a.transport.dial(address, TIMEOUT_S)
    return (await a.handler.first(Up)).link, (await b.handler.first(Up)).link


def supports(*numbers: int) -> list[Message]:
    return [Support(n) for n in numbers]


async def test_both_ends_learn_who_is_there(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    at_a, at_b = await linked(a, b)
    assert (at_a.remote, at_b.remote) == (b.say(), a.say())
    assert a.handler.heard == [Up(at_a, b.address)]
    assert b.handler.heard == [Up(at_b, None)]


async def test_messages_arrive_in_order_both_ways(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    at_a, at_b = await linked(a, b)
    for message in supports(*range(100)):
        at_a.send(message)
    at_b.send_frame(encode_message(Support(-1)))
    await b.handler.until(lambda: len(b.handler.messages()) == 100)
    await a.handler.until(lambda: len(a.handler.messages()) == 1)
    assert b.handler.messages() == supports(*range(100))
    assert a.handler.messages() == supports(-1)


async def test_what_is_sent_in_one_turn_is_received_in_one_call(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    at_a, _ = await linked(a, b)
    for message in supports(1, 2, 3):
        at_a.send(message)
    assert (await b.handler.first(Received)).messages == supports(1, 2, 3)


async def test_a_message_of_many_megabytes(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    at_a, _ = await linked(a, b)
    message = Propose((Proposal(3, bytes(range(256)) * 40_000),))
    at_a.send(message)
    assert (await b.handler.first(Received)).messages == [message]


async def test_a_message_above_the_limit_is_a_local_bug(world: World) -> None:
    settings = TransportSettings(frame_bytes_max=1000)
    a, b = world.peer("a", settings), world.peer("b")
    at_a, _ = await linked(a, b)
    with pytest.raises(MisuseError, match="frame_bytes_max"):
        at_a.send(Propose((Proposal(3, bytes(1000)),)))
    at_a.send(Support(1))
    assert (await b.handler.first(Received)).messages == supports(1)


async def test_a_frame_above_the_limit_of_the_reader_ends_the_link_after_what_came_before(world: World) -> None:
    a, b = world.peer("a"), world.peer("b", TransportSettings(frame_bytes_max=1000))
    at_a, at_b = await linked(a, b)
    at_a.send(Support(1))
    at_a.send(Propose((Proposal(3, bytes(1000)),)))
    at_a.send(Support(2))
    down = await b.handler.first(Down)
    assert (down.link, down.evidence) == (at_b, Evidence.REJECTED)
    assert "1000 are allowed" in down.detail
    assert b.handler.messages() == supports(1)
    # The offender is told, so that its log explains the end of the link.
    told = await a.handler.first(Down)
    assert told.evidence == Evidence.REJECTED
    assert told.detail.startswith("protocol: ")


async def test_closing_hands_over_what_was_sent_and_tells_both_once(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    at_a, at_b = await linked(a, b)
    big = Propose((Proposal(3, bytes(3_000_000)),))
    at_a.send(big)
    at_a.send(Goodbye("done"))
    at_a.close("shutting down")
    at_a.close("again")
    at_a.send(Support(1))
    down_at_a, down_at_b = await a.handler.first(Down), await b.handler.first(Down)
    assert down_at_a == Down(at_a, Evidence.CLOSED, "shutting down")
    assert (down_at_b.link, down_at_b.evidence) == (at_b, Evidence.CLOSED)
    assert b.handler.messages() == [big, Goodbye("done")]
    await a.transport.close()
    await b.transport.close()
    assert len(a.handler.all(Down)) == len(b.handler.all(Down)) == 1


async def test_last_words_arrive_although_the_other_side_is_sending(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    at_a, at_b = await linked(a, b)
    for _ in range(50):
        at_b.send(Propose((Proposal(3, bytes(50_000)),)))
    at_a.send(Goodbye("last words"))
    at_a.close("shutting down")
    await b.handler.first(Down)
    assert b.handler.messages() == [Goodbye("last words")]


async def test_no_callback_comes_from_inside_send_or_close(world: World) -> None:
    a, b = world.peer("a", TransportSettings(write_buffer_bytes_max=1000)), world.peer("b")
    at_a, _ = await linked(a, b)
    heard = len(a.handler.heard)
    at_a.send(Propose((Proposal(3, bytes(2000)),)))
    at_a.send(Support(1))
    at_a.close("too late")
    assert len(a.handler.heard) == heard
    down = await a.handler.first(Down)
    assert down.evidence == Evidence.SILENT
    assert "reads too slowly" in down.detail
    assert (await b.handler.first(Down)).evidence == Evidence.CLOSED
    assert b.handler.messages() == []


async def test_nothing_is_received_after_closing(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    at_a, at_b = await linked(a, b)
    at_b.send(Support(1))
    at_a.close("enough")
    await b.handler.first(Down)
    assert a.handler.messages() == []


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"cluster": "work"}, Code.CLUSTER, "is of cluster 'work'"),
        ({"safety": "quorum"}, Code.SAFETY, "keeps safety mode 'quorum'"),
        ({"id": "id-b"}, Code.MYSELF, "dialed itself"),
        ({"id": "id-b", "incarnation": (2, 7)}, Code.CLONE, "a data directory was copied"),
        ({"name": "a\nb"}, Code.NAME, "name must be"),
        ({"protocol": 99}, Code.PROTOCOL, "protocol version 99"),
    ],
)
async def test_a_refused_peer_is_told_why_and_so_is_the_log_of_the_other(
    world: World, changes: dict[str, object], code: Code, words: str
) -> None:
    a, b = world.peer("a"), world.peer("b")
    a.hello = msgspec.structs.replace(a.hello, **changes)
    address = await b.listen()
    a.transport.dial(address, TIMEOUT_S)
    failed = await a.handler.first(DialFailed)
    evidence = Evidence.CLONE if code == Code.CLONE else Evidence.REJECTED
    assert (failed.address, failed.evidence) == (address, evidence)
    assert failed.detail.startswith(f"{code}: ")
    assert words in failed.detail
    rejected = await b.handler.first(Rejected)
    assert rejected.code == code
    assert words in rejected.text
    assert a.handler.all(Up) == b.handler.all(Up) == []


async def test_a_dialer_that_refuses_ends_the_link_of_the_listener_with_its_reason(world: World) -> None:
    # The listener accepts whoever comes; only the dialer has all its links in use.
    a, b, c = world.peer("a", TransportSettings(links_max=1)), world.peer("b"), world.peer("c")
    await linked(a, b)
    a.transport.dial(await c.listen(), TIMEOUT_S)
    failed = await a.handler.first(DialFailed)
    assert failed.evidence == Evidence.REJECTED
    assert failed.detail.startswith("full: ")
    down = await c.handler.first(Down)
    assert down.evidence == Evidence.REJECTED
    assert down.detail.startswith("full: ")


async def test_a_full_listener_refuses_and_takes_the_next_when_a_link_ended(world: World) -> None:
    a, b, c = world.peer("a"), world.peer("b", TransportSettings(links_max=1)), world.peer("c")
    at_a, _ = await linked(a, b)
    c.transport.dial(b.address, TIMEOUT_S)
    assert (await c.handler.first(DialFailed)).detail.startswith("full: peer 'b' has all its 1 links in use")
    at_a.close("room for others")
    await b.handler.first(Down)
    c.transport.dial(b.address, TIMEOUT_S)
    await c.handler.first(Up)


async def test_dialing_where_nobody_listens_is_refused(world: World) -> None:
    a = world.peer("a")
    address = world.nobody()
    a.transport.dial(address, TIMEOUT_S)
    failed = await a.handler.first(DialFailed)
    assert (failed.address, failed.evidence) == (address, Evidence.REFUSED)
    assert failed.detail


@pytest.mark.parametrize("text", ["nonsense", "host:99999", "", "::1:7400"])
async def test_dialing_what_is_no_address_fails_like_any_dial(world: World, text: str) -> None:
    a = world.peer("a")
    a.transport.dial(text, TIMEOUT_S)
    assert a.handler.heard == []
    failed = await a.handler.first(DialFailed)
    assert (failed.address, failed.evidence) == (text, Evidence.UNREACHABLE)


async def test_a_name_that_does_not_resolve_is_unreachable(world: World) -> None:
    a = world.peer("a")
    a.transport.dial(world.unknown(), TIMEOUT_S)
    assert (await a.handler.first(DialFailed)).evidence == Evidence.UNREACHABLE


async def test_two_peers_that_dial_each_other_get_two_links(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    await a.listen()
    await b.listen()
    a.transport.dial(b.address, TIMEOUT_S)
    b.transport.dial(a.address, TIMEOUT_S)
    await a.handler.until(lambda: len(a.handler.all(Up)) == 2)
    await b.handler.until(lambda: len(b.handler.all(Up)) == 2)
    for peer, other in ((a, b), (b, a)):
        assert {up.dialed for up in peer.handler.all(Up)} == {None, other.address}


async def test_a_busy_address_is_an_error_that_names_it(world: World) -> None:
    a = world.peer("a")
    address = await a.listen()
    with pytest.raises(ListenError, match="in use by another") as raised:
        await a.transport.listen(address)
    assert raised.value.address == address
    assert address in str(raised.value)


@pytest.mark.parametrize("text", ["nonsense", "203.0.113.77:7400"])
async def test_an_address_of_somebody_else_or_none_at_all_cannot_be_listened_on(world: World, text: str) -> None:
    a = world.peer("a")
    with pytest.raises(ListenError) as raised:
        await a.transport.listen(text)
    assert raised.value.address == text
    assert raised.value.reason


async def test_closing_frees_the_port_at_once_and_ends_the_links(world: World) -> None:
    a, b, successor = world.peer("a"), world.peer("b"), world.peer("b")
    _, at_b = await linked(a, b)
    at_b.send(Goodbye("leaving"))
    await b.transport.close()
    assert [down.link for down in b.handler.all(Down)] == [at_b]
    down = await a.handler.first(Down)
    assert down.evidence == Evidence.CLOSED
    assert a.handler.messages() == [Goodbye("leaving")]
    assert await successor.transport.listen(b.address) == b.address


async def test_last_words_reach_more_peers_than_may_linger(world: World) -> None:
    server = world.peer("s", TransportSettings(unauthenticated_max=1))
    address = await server.listen()
    peers = [world.peer(f"p{i}") for i in range(4)]
    for peer in peers:
        peer.transport.dial(address, TIMEOUT_S)
        await peer.handler.first(Up)
    await server.handler.until(lambda: len(server.handler.all(Up)) == len(peers))
    for up in server.handler.all(Up):
        up.link.send(Goodbye("leaving"))
    await server.transport.close()
    for peer in peers:
        await peer.handler.first(Down)
        assert peer.handler.messages() == [Goodbye("leaving")]


async def test_after_closing_nothing_is_heard_any_more(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    await b.listen()
    a.transport.dial(b.address, TIMEOUT_S)
    await a.transport.close()
    a.transport.dial(b.address, TIMEOUT_S)
    await a.transport.close()
    assert a.handler.heard == []


async def test_a_handler_that_raises_is_reported_and_not_swallowed(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    failed = asyncio.Event()

    def raising(link: Link, messages: list[Message]) -> None:
        failed.set()
        raise KeyError("a bug")

    b.handler.received = raising  # type: ignore[method-assign]
    at_a, _ = await linked(a, b)
    at_a.send(Support(1))
    await failed.wait()
    [error] = b.errors
    assert isinstance(error, KeyError)
    b.errors.clear()


async def test_a_hello_that_cannot_be_said_is_reported(world: World) -> None:
    a, b = world.peer("a"), world.peer("b")
    await b.listen()
    asked = asyncio.Event()

    def say() -> Hello:
        asked.set()
        raise RuntimeError("no hello yet")

    a.say = say  # type: ignore[method-assign]
    a.transport.dial(b.address, TIMEOUT_S)
    await asked.wait()
    [error] = a.errors
    assert isinstance(error, RuntimeError)
    a.errors.clear()
