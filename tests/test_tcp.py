"""What only sockets do: pieces, garbage, floods, readers that do not read, and hosts that do not answer."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest

from tanist.election.entries import Proposal
from tanist.election.evidence import Evidence
from tanist.election.messages import Goodbye, Propose, Support
from tanist.transport.address import parse_address
from tanist.transport.codec import encode_message
from tanist.transport.dialer import connect_first
from tanist.transport.errors import ListenError
from tanist.transport.frames import HEADER, FrameParser, encode_frame
from tanist.transport.hello import HELLO, HELLO_ANSWER, REFUSAL, Code, Hello, decode_refusal, encode_hello
from tanist.transport.resolver import SocketAddress
from tanist.transport.settings import TransportSettings
from tanist.transport.tcp import TcpTransport
from tanist.transport.testing import WAIT_S, DialFailed, Down, RecordingHandler, Rejected, Up

TIMEOUT_S = 10.0
SHORT_S = 0.05
RAW = Hello(cluster="home", safety="survivor", id="raw", name="raw", incarnation=(1, 1), address="127.0.0.1:9")
RAW_HELLO = encode_hello(HELLO, RAW)


class Peer:
    """A TCP transport with what it was made of."""

    def __init__(self, name: str, settings: TransportSettings) -> None:
        self.handler = RecordingHandler()
        self.errors: list[BaseException] = []
        self.hello = msgspec.structs.replace(RAW, id=name, name=name)
        self.transport = TcpTransport(lambda: self.hello, self.handler, settings, self.errors.append)
        self.address = ""

    async def listen(self) -> str:
        self.address = await self.transport.listen("127.0.0.1:0")
        return self.address


class Peers:
    """Makes peers and raw connections, and closes them all."""

    def __init__(self) -> None:
        self.all: list[Peer] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.sockets: list[socket.socket] = []

    def make(self, name: str, **settings: float) -> Peer:
        self.all.append(Peer(name, msgspec.convert(settings, TransportSettings)))
        return self.all[-1]

    async def raw(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*parse_address(address))
        self.writers.append(writer)
        return reader, writer

    def deaf_listener(self, backlog: int) -> tuple[socket.socket, str]:
        """A listening socket whose process never accepts."""
        sock = socket.socket()
        self.sockets.append(sock)
        sock.bind(("127.0.0.1", 0))
        sock.listen(backlog)
        return sock, f"127.0.0.1:{sock.getsockname()[1]}"

    def full_listener(self) -> str:
        """The address of a listening socket with a full queue: connecting gets no answer."""
        _, address = self.deaf_listener(0)
        for _ in range(4):
            filler = socket.socket()
            self.sockets.append(filler)
            filler.setblocking(False)
            assert filler.connect_ex(parse_address(address)) in (0, errno.EINPROGRESS)
        return address

    async def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        for writer in self.writers:
            writer.transport.abort()
        for peer in self.all:
            await peer.transport.close()
            assert peer.errors == []


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    peers = Peers()
    yield peers
    await peers.close()


async def frames_until_end(reader: asyncio.StreamReader) -> list[tuple[int, bytes]]:
    """All frames up to the end of the stream, however it ends."""
    data = b""
    async with asyncio.timeout(WAIT_S):
        try:
            while piece := await reader.read(65536):
                data += piece
        except ConnectionResetError:
            pass
    return list(FrameParser(1 << 20).feed(data))


async def test_hello_and_messages_byte_by_byte(peers: Peers) -> None:
    peer = peers.make("p")
    _, writer = await peers.raw(await peer.listen())
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in RAW_HELLO + encode_message(Support(1)) + encode_message(Support(2)):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    await peer.handler.until(lambda: peer.handler.messages() == [Support(1), Support(2)])
    assert (await peer.handler.first(Up)).link.remote == RAW


async def test_hello_and_messages_glued_in_one_piece(peers: Peers) -> None:
    peer = peers.make("p")
    reader, writer = await peers.raw(await peer.listen())
    unknown = encode_frame(111, b"from the future")
    writer.write(RAW_HELLO + encode_message(Support(1)) + unknown + encode_message(Support(2)))
    await peer.handler.until(lambda: peer.handler.messages() == [Support(1), Support(2)])
    assert (await reader.readexactly(1))[0] == HELLO_ANSWER


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        HEADER.pack(HELLO, 0xFFFFFFFF),
        HEADER.pack(HELLO, (16 << 10) + 1),
        HEADER.pack(34, 0xFFFFFFFF),
        encode_frame(HELLO, b"\xc1\xc1"),
        encode_frame(HELLO_ANSWER, RAW_HELLO[5:]),
        encode_message(Support(1)),
        os.urandom(5) + b"\xff" * 70_000,
    ],
    ids=["http", "4-gib-hello", "long-hello", "4-gib-message", "malformed", "answer", "no-hello", "noise"],
)
async def test_garbage_before_the_hello_ends_that_connection_only(peers: Peers, data: bytes) -> None:
    peer, other = peers.make("p"), peers.make("o")
    other.transport.dial(await peer.listen(), TIMEOUT_S)
    link = (await other.handler.first(Up)).link
    reader, writer = await peers.raw(peer.address)
    writer.write(data)
    for frame_type, value in await frames_until_end(reader):
        assert frame_type == REFUSAL
        assert decode_refusal(value).code == Code.PROTOCOL
    assert (await peer.handler.first(Rejected)).code == Code.PROTOCOL
    link.send(Support(1))
    await peer.handler.until(lambda: peer.handler.messages() == [Support(1)])
    assert len(peer.handler.all(Up)) == 1


@pytest.mark.parametrize(
    "data",
    [HEADER.pack(34, 0xFFFFFFFF), encode_frame(49, b"\xc1"), RAW_HELLO, encode_frame(HELLO_ANSWER, b"")],
    ids=["4-gib", "malformed", "second-hello", "answer"],
)
async def test_garbage_on_a_link_ends_it_as_rejected_after_what_came_before(peers: Peers, data: bytes) -> None:
    peer = peers.make("p")
    reader, writer = await peers.raw(await peer.listen())
    writer.write(RAW_HELLO + encode_message(Support(1)) + data + encode_message(Support(2)))
    down = await peer.handler.first(Down)
    assert down.evidence == Evidence.REJECTED
    assert down.detail.startswith("protocol: ")
    assert peer.handler.messages() == [Support(1)]
    writer.write_eof()
    assert [t for t, _ in await frames_until_end(reader)] == [HELLO_ANSWER, REFUSAL]


async def test_half_a_hello_and_then_silence_ends_at_the_deadline(peers: Peers) -> None:
    peer = peers.make("p", hello_timeout_ms=50)
    reader, writer = await peers.raw(await peer.listen())
    writer.write(RAW_HELLO[:10])
    assert await frames_until_end(reader) == []
    assert (await peer.handler.first(Rejected)).code == Code.NO_HELLO


@pytest.mark.parametrize("idle", [300, 1000])
async def test_a_real_peer_gets_in_past_idle_connections_and_they_stay_few(peers: Peers, idle: int) -> None:
    peer, real = peers.make("p", unauthenticated_max=16, hello_timeout_ms=600_000), peers.make("r")
    address = await peer.listen()
    readers = [(await peers.raw(address))[0] for _ in range(idle)]
    real.transport.dial(address, TIMEOUT_S)
    await real.handler.first(Up)
    # The oldest were dropped: their streams end. The newest are within the cap.
    for reader in readers[: idle - 16]:
        assert await frames_until_end(reader) == []
    assert not any(reader.at_eof() for reader in readers[-15:])
    crowded = peer.handler.all(Rejected)
    assert {r.code for r in crowded} == {Code.CROWDED}
    assert len(crowded) <= 2 * TransportSettings().rejected_notices_max + 2


async def test_a_link_is_not_dropped_for_idle_connections(peers: Peers) -> None:
    peer, real = peers.make("p", unauthenticated_max=2), peers.make("r")
    real.transport.dial(await peer.listen(), TIMEOUT_S)
    link = (await real.handler.first(Up)).link
    for _ in range(10):
        await peers.raw(peer.address)
    await peer.handler.until(lambda: len(peer.handler.all(Rejected)) == 8)
    link.send(Support(1))
    await peer.handler.until(lambda: peer.handler.messages() == [Support(1)])


async def test_one_who_never_reads_is_cut_with_bounded_memory_and_others_are_served(peers: Peers) -> None:
    limit = 200_000
    peer, other = peers.make("p", write_buffer_bytes_max=limit), peers.make("o")
    host, port = parse_address(await peer.listen())
    deaf = socket.create_connection((host, port))
    peers.sockets.append(deaf)
    deaf.sendall(RAW_HELLO)
    link = (await peer.handler.first(Up)).link
    frame = encode_message(Propose((Proposal(3, bytes(50_000)),)))
    async with asyncio.timeout(WAIT_S):
        while not peer.handler.all(Down):
            link.send_frame(frame)
            assert link._wire.buffered() <= limit  # type: ignore[attr-defined]
            await asyncio.sleep(0)
    [down] = peer.handler.all(Down)
    assert (down.link, down.evidence) == (link, Evidence.SILENT)
    assert "write_buffer_bytes_max is 200000" in down.detail
    other.transport.dial(peer.address, TIMEOUT_S)
    await other.handler.first(Up)


async def test_a_process_that_died_is_closed(peers: Peers) -> None:
    peer = peers.make("p")
    reader, writer = await peers.raw(await peer.listen())
    writer.write(RAW_HELLO)
    await reader.readexactly(1)
    writer.transport.abort()
    assert (await peer.handler.first(Down)).evidence == Evidence.CLOSED


async def test_a_host_that_accepts_and_says_nothing_is_silent(peers: Peers) -> None:
    peer = peers.make("p")
    _, address = peers.deaf_listener(8)
    peer.transport.dial(address, SHORT_S)
    failed = await peer.handler.first(DialFailed)
    assert (failed.address, failed.evidence) == (address, Evidence.SILENT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a full backlog drops connections on POSIX systems only")
async def test_a_host_that_does_not_answer_connecting_is_unreachable(peers: Peers) -> None:
    peer = peers.make("p")
    peer.transport.dial(peers.full_listener(), SHORT_S)
    failed = await peer.handler.first(DialFailed)
    assert (failed.evidence, failed.detail) == (Evidence.UNREACHABLE, "no answer to connecting in time")


async def test_closing_does_not_wait_for_a_dial(peers: Peers) -> None:
    peer = peers.make("p")
    peer.transport.dial(peers.full_listener(), 1000)
    await asyncio.sleep(0)
    async with asyncio.timeout(WAIT_S):
        await peer.transport.close()
    assert peer.handler.heard == []


async def test_a_closed_link_takes_in_what_still_comes_so_that_last_words_are_not_reset(peers: Peers) -> None:
    peer = peers.make("p")
    client = socket.create_connection(parse_address(await peer.listen()))
    peers.sockets.append(client)
    client.sendall(RAW_HELLO)
    link = (await peer.handler.first(Up)).link
    link.send(Goodbye("last words"))
    link.close("done")
    await peer.handler.first(Down)
    # Would the socket be closed by now, the first of these would bring a reset and the others fail on it.
    for _ in range(5):
        client.sendall(encode_message(Support(1)))
        await asyncio.sleep(0)
    client.shutdown(socket.SHUT_WR)
    client.settimeout(WAIT_S)
    data = b""
    while piece := client.recv(65536):
        data += piece
    assert data.endswith(encode_message(Goodbye("last words")))


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (b"", Evidence.CLOSED),
        (RAW_HELLO[:7], Evidence.CLOSED),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Evidence.REJECTED),
        (encode_frame(REFUSAL, b"\xc1"), Evidence.REJECTED),
        (RAW_HELLO, Evidence.REJECTED),
        (encode_message(Support(1)), Evidence.REJECTED),
    ],
    ids=["closed", "half", "http", "malformed-refusal", "dialers-hello", "message"],
)
async def test_what_may_answer_a_dial(peers: Peers, answer: bytes, evidence: Evidence) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(encode_hello(HELLO, peer.hello)))
        writer.write(answer)
        writer.close()

    peer = peers.make("p")
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    peer.transport.dial(address, TIMEOUT_S)
    failed = await peer.handler.first(DialFailed)
    assert (failed.address, failed.evidence) == (address, evidence)
    assert peer.handler.all(Up) == []
    server.close()
    await server.wait_closed()


async def test_more_dials_than_allowed_fail_and_the_others_go_on(peers: Peers) -> None:
    peer, other = peers.make("p", dials_max=2), peers.make("o")
    address = await other.listen()
    for _ in range(3):
        peer.transport.dial(address, TIMEOUT_S)
    assert "dials_max" in (await peer.handler.first(DialFailed)).detail
    await peer.handler.until(lambda: len(peer.handler.all(Up)) == 2)


async def test_a_name_is_dialed_and_listened_on(peers: Peers) -> None:
    peer, other = peers.make("p"), peers.make("o")
    address = await peer.transport.listen("localhost:0")
    assert address.startswith("127.0.0.1:")
    other.transport.dial("localhost:" + address.rpartition(":")[2], TIMEOUT_S)
    assert (await other.handler.first(Up)).dialed == "localhost:" + address.rpartition(":")[2]


async def test_ipv6(peers: Peers) -> None:
    peer, other = peers.make("p"), peers.make("o")
    try:
        address = await peer.transport.listen("[::1]:0")
    except ListenError as error:
        pytest.skip(str(error))
    assert address.startswith("[::1]:")
    other.transport.dial(address, TIMEOUT_S)
    await other.handler.first(Up)


async def test_a_port_that_another_program_listens_on_is_busy(peers: Peers) -> None:
    _, address = peers.deaf_listener(1)
    with pytest.raises(ListenError, match="in use by another process"):
        await peers.make("p").transport.listen(address)


async def test_a_name_that_is_not_known_cannot_be_listened_on(peers: Peers) -> None:
    with pytest.raises(ListenError, match="the host is not known"):
        await peers.make("p").transport.listen("no-such-host.invalid:0")


@pytest.mark.skipif(os.name != "posix", reason="file descriptors are limited in this way on POSIX systems only")
async def test_without_file_descriptors_the_oldest_stranger_makes_room_for_a_peer(peers: Peers) -> None:
    import resource

    peer = peers.make("p", accept_pause_ms=5, hello_timeout_ms=600_000)
    address = parse_address(await peer.listen())
    client = socket.socket()
    peers.sockets.append(client)
    client.setblocking(False)
    idle, _ = await peers.raw(peer.address)
    # One that came later and is linked already: the idle one has been accepted.
    _, linked = await peers.raw(peer.address)
    linked.write(RAW_HELLO)
    await peer.handler.first(Up)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # All descriptors below the limit are in use then, so that the one which is given up is the one that is taken.
    fillers = [os.dup(0) for _ in range(64)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(fillers) + 1, hard))
    try:
        await asyncio.get_running_loop().sock_connect(client, address)
        client.sendall(RAW_HELLO)
        await peer.handler.until(lambda: len(peer.handler.all(Up)) == 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)
    notices = peer.handler.all(Rejected)
    assert [n.code for n in notices] == [Code.NO_RESOURCES, Code.CROWDED]
    assert "ulimit -n" in notices[0].text
    assert await frames_until_end(idle) == []
    assert peer.handler.all(Down) == []


async def test_a_connection_that_met_itself_counts_as_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class FromThatPort(socket.socket):
        def __init__(self, family: int, kind: int) -> None:
            super().__init__(family, kind)
            self.bind(("127.0.0.1", port))

    monkeypatch.setattr(socket, "socket", FromThatPort)
    address = SocketAddress(socket.AF_INET, ("127.0.0.1", port))
    with pytest.raises(ConnectionRefusedError):
        await connect_first(asyncio.get_running_loop(), [address])


def test_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def exchange() -> None:
        peers = Peers()
        peer, other = peers.make("p", unauthenticated_max=4), peers.make("o")
        address = await peer.listen()
        for _ in range(20):
            await peers.raw(address)
        other.transport.dial(address, TIMEOUT_S)
        link = (await other.handler.first(Up)).link
        for number in range(100):
            link.send(Support(number))
        link.close("done")
        assert (await peer.handler.first(Down)).evidence == Evidence.CLOSED
        assert peer.handler.messages() == [Support(n) for n in range(100)]
        await peers.close()
        successor = peers.make("p")
        assert await successor.transport.listen(address) == address
        await successor.transport.close()

    uvloop.run(exchange())


@pytest.mark.parametrize("turns", range(12))
def test_closing_at_any_moment_of_a_dial_ends_on_uvloop(turns: int) -> None:
    uvloop = pytest.importorskip("uvloop")

    async def close_after_turns() -> None:
        peers = Peers()
        _, address = peers.deaf_listener(8)
        peer = peers.make("p")
        peer.transport.dial(address, TIMEOUT_S)
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(WAIT_S):
            await peers.close()

    uvloop.run(close_after_turns())
