"""One HTTP connection, and all of a gateway's: garbage, floods, slow readers, clients that close one half."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import HttpVersion11
from http_fake import Web, raw, serving

from tanist.peer.gateways import http_connections, http_events
from tanist.peer.gateways.http_answers import json_answer
from tanist.peer.gateways.http_connections import BoundedServer

BODY = b'{"key":"k","value":"v"}'
POST = b"POST /apps/notes/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LISTEN = (
    b"GET /events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
EMPTY_PING = b"\x89\x80\0\0\0\0"


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving() as web:
        yield web


@pytest.mark.parametrize(
    ("request_bytes", "named"),
    [
        (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + b"x" * 200, "HTTPS"),
        (b"HELO there\r\n\r\n", "no HTTP request"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", "Host"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: evil.example\r\n\r\n", "Host"),
        (b"POST /apps/notes/put HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", "Content-Length"),
        (b"POST /apps/notes/put HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", "chunk"),
        (POST.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n", 1), "Transfer-Encoding"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "no HTTP request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: x\r\n" * 100 + b"\r\n", "headers"),
    ],
)
async def test_garbage_is_400_as_json_and_ends_the_connection_without_a_line_in_the_log(
    web: Web, request_bytes: bytes, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    head, _, body = (await raw(web, request_bytes)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in head
    error = json.loads(body)["error"]
    assert (error["code"], named in error["message"]) == ("bad_request", True)
    assert not caplog.records
    assert web.peer.calls == []


async def test_a_chunk_that_breaks_off_later_is_400(web: Web) -> None:
    head = b"POST /apps/notes/put HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await raw(web, head + b'5\r\n{"key\r\n5\r\nabcdefghij\r\n')
    assert b" 400 " in answer
    assert web.peer.calls == []


async def test_a_client_that_closes_its_half_still_gets_all_its_answers(web: Web) -> None:
    assert (await raw(web, POST, ends=True)).count(b"HTTP/1.1 200") == 1
    assert (await raw(web, GET * 300 + POST, ends=True)).count(b"HTTP/1.1 200") == 301
    web.peer.gate.clear()
    web.peer.entered.clear()
    asked = asyncio.create_task(raw(web, POST, ends=True))
    await web.peer.entered.wait()
    web.peer.gate.set()
    assert (await asked).count(b"HTTP/1.1 200") == 1


async def test_a_client_that_closes_its_half_before_the_end_of_its_request_is_let_go(web: Web) -> None:
    for request in (b"", b"GET /hea", POST[:-4]):
        assert b" 200 " not in await raw(web, request, ends=True)
    assert web.peer.calls == []


async def test_old_clients_are_served(web: Web) -> None:
    assert b'{"ok":true}' in await raw(web, b"GET /healthz HTTP/1.0\r\n\r\n")
    kept = b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answer = await raw(web, kept + b"GET /healthz HTTP/1.0\r\n\r\n")
    assert (answer.count(b"Connection: keep-alive"), answer.count(b"Connection: close")) == (1, 1)


async def test_a_head_without_end_is_cut_off_and_a_large_body_is_not_taken_for_one(web: Web) -> None:
    headers = b"".join(b"A%d: %b\r\n" % (i, b"x" * 8000) for i in range(20))
    with contextlib.suppress(ConnectionResetError):
        assert await raw(web, b"GET / HTTP/1.1\r\nHost: x\r\n" + headers) == b""
    value = b'{"key":"k","value":"' + b"v" * 900_000 + b'"}'
    head = b"POST /apps/notes/put HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(value)
    answer = await raw(web, (head + value) * 3, ends=True)
    assert answer.count(b"HTTP/1.1 200") == 3


async def test_who_sends_no_whole_request_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connections, "IDLE_S", 0.1)
    async with serving() as web:
        for request in (b"", b"GET /status HTT", GET, GET + b"GET /"):
            assert (await raw(web, request)).count(b"HTTP/1.1 200") == request.count(GET)


async def test_a_listener_that_floods_is_cut_off_before_it_costs_time(web: Web) -> None:
    reader, writer = await asyncio.open_connection(*web.address.split(":"))
    writer.write(LISTEN)
    await reader.readuntil(b"\r\n\r\n")
    writer.write(EMPTY_PING * 5000)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b"", "it was answered"
    writer.close()
    await asyncio.wait_for(web.peer.listener_gone.wait(), 10)


async def test_a_flood_that_comes_with_the_handshake_is_400(web: Web) -> None:
    answer = await raw(web, LISTEN + EMPTY_PING * 5000)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert web.peer.asked_after == []


async def test_a_listener_may_ping_for_longer_than_one_allowance(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_events, "HEARD_BYTES_MAX", len(EMPTY_PING) * 3)
    monkeypatch.setattr(http_events, "HEARD_EVERY_S", 0.01)
    reader, writer = await asyncio.open_connection(*web.address.split(":"))
    writer.write(LISTEN)
    await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(10):
        for _ in range(6):
            writer.write(EMPTY_PING * 2)
            assert await reader.readexactly(4) == b"\x8a\x00\x8a\x00"
            await asyncio.sleep(0.03)  # Longer than an allowance lasts: what is tested is the passing of time.
    writer.close()
    await asyncio.wait_for(web.peer.listener_gone.wait(), 10)


async def test_a_listener_that_closes_its_half_is_gone(web: Web) -> None:
    assert (await raw(web, LISTEN, ends=True)).startswith(b"HTTP/1.1 101 ")
    await asyncio.wait_for(web.peer.listener_gone.wait(), 10)


async def test_a_handshake_that_is_none_is_400(web: Web) -> None:
    broken = LISTEN.replace(b"Sec-WebSocket-Version: 13\r\n", b"")
    reader, writer = await asyncio.open_connection(*web.address.split(":"))
    writer.write(broken)
    assert b" 400 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()


async def test_requests_without_reading_are_held_back(web: Web) -> None:
    _, writer = await asyncio.open_connection(*web.address.split(":"), limit=1024)
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    writer.write(GET.replace(b"healthz", b"status") * 500_000)
    await asyncio.wait_for(web.ask("POST", "/apps/notes/put", json={"key": "k", "value": "v"}), 10)
    assert writer.transport.get_write_buffer_size() > 0, "all was taken: nothing held this client back"
    writer.transport.abort()


async def test_too_many_connections_are_told_so_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_connections, "CONNECTIONS_MAX", 20)
    monkeypatch.setattr(http_connections, "GIVES_WAY_S", 3600.0)
    async with serving() as web:
        assert (await web.ask("GET", "/healthz"))[0] == 200
        idle = [await asyncio.open_connection(*web.address.split(":")) for _ in range(19)]
        reader, writer = await asyncio.open_connection(*web.address.split(":"))
        assert b" 503 " in await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert (await web.ask("GET", "/healthz"))[0] == 200
        for _, idle_writer in idle:
            idle_writer.close()
    assert not caplog.records or "Task exception" not in caplog.text


async def test_idle_connections_do_not_disturb(web: Web) -> None:
    idle = [await asyncio.open_connection(*web.address.split(":")) for _ in range(200)]
    for _, writer in idle:
        writer.write(b"GET /status HTT")
    async with asyncio.timeout(5):
        assert (await web.ask("POST", "/apps/notes/put", json={"key": "k", "value": "v"}))[0] == 200
    for _, writer in idle:
        writer.close()


class StalledTransport:
    """A transport whose reader takes nothing."""

    def __init__(self) -> None:
        self.waiting = 1000
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def get_extra_info(self, name: str) -> str:
        return name

    def abort(self) -> None:
        self.aborted = True


async def test_a_reader_that_takes_nothing_of_its_answer_is_disconnected() -> None:
    async def never(request: Any) -> Any:
        raise AssertionError

    server = BoundedServer(never, 10)
    transport: Any = StalledTransport()
    handler = server()
    server.connection_made(handler, transport)
    assert server.disconnect_stalled(0.0) == 0
    transport.waiting = 900
    assert server.disconnect_stalled(19.0) == 0
    assert server.disconnect_stalled(38.0) == 0, "it took something 19 s ago"
    assert server.disconnect_stalled(39.5) == 1
    assert transport.aborted


async def test_an_answer_waits_for_a_reader_that_is_behind() -> None:
    room, written = asyncio.Event(), bytearray()
    transport = SimpleNamespace(write=written.extend)
    writer = SimpleNamespace(drain=room.wait)
    request: Any = SimpleNamespace(
        method="GET", keep_alive=True, version=HttpVersion11, transport=transport, writer=writer
    )
    answer = json_answer({"ok": True})
    await answer.prepare(request)
    sending = asyncio.create_task(answer.write_eof())
    await asyncio.sleep(0)
    assert bytes(written).endswith(b'\r\n\r\n{"ok":true}\n')
    assert not sending.done(), "the next request on this connection would be taken at once"
    room.set()
    await sending


async def test_a_request_that_ends_in_the_turn_in_which_the_stop_gives_up_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """aiohttp's `shutdown` is given up, which cancels its waiter, and before it runs again the request ends."""
    loop, begun, let_go = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    async def answer(request: Any) -> Any:
        request.protocol.begun(request)
        begun.set()
        await let_go.wait()
        return json_answer({})

    server = BoundedServer(answer, 10)
    listener = await loop.create_server(server, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    writer.write(GET)
    await begun.wait()
    (connection,) = server.connections
    stopping = asyncio.create_task(connection.shutdown(60))
    while connection._handler_waiter is None:
        await asyncio.sleep(0)
    # The request is woken first, so that it ends before the stop can forget its waiter, which is cancelled now.
    let_go.set()
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping
    writer.close()
    listener.close()
    await server.shutdown(1)
    assert not caplog.records
