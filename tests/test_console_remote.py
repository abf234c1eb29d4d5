"""A console's client through the loss of its peers: it says so, goes on, and nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from tanist.config import load
from tanist.election import idempotency
from tanist.peer import calls
from tanist.peer.console import piped, remote
from tanist.peer.console.reaching import Unusable
from tanist.peer.console.remote import Remote, connected
from tanist.peer.console.typed import LINE_BYTES_MAX
from tanist.peer.peer import Peer

DEADLINE_S = 20.0


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["auth", "chat", "kv"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


class Heard:
    """A teller that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.told: list[str] = []

    def event(self, line: str) -> None:
        self.events.append(line)

    def news(self, text: str) -> None:
        self.told.append(text)


@contextlib.asynccontextmanager
async def console(address: str, app: str = "kv") -> AsyncIterator[tuple[Remote, Heard]]:
    heard = Heard()
    async with connected(address, app) as remote:
        keeping = asyncio.create_task(remote.keep(heard))
        try:
            yield remote, heard
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_console_goes_to_the_heir_when_its_peer_ends_and_hears_what_it_missed(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        c = await stack.enter_async_context(running(tmp_path, "c", peer=[a.address]))
        await until(lambda: len(a.status().fallbacks) == 2 and all(f.in_sync for f in a.status().fallbacks))
        chats, heard = await stack.enter_async_context(console(a.http_address, "chat"))
        counts, _ = await stack.enter_async_context(console(a.http_address))
        assert chats.place.name == "a" and chats.server == "a"
        assert (await chats.ask("REGISTER anna")).lines == ["OK"]
        heir = {p.status().id: p for p in (b, c)}[a.status().fallbacks[0].id]
        await a.stop(hand_over=False)
        assert [(await counts.ask("INCR n")).lines for _ in range(3)] == [["OK 1"], ["OK 2"], ["OK 3"]]
        await until(lambda: chats.place.address != a.http_address and chats.reached)
        assert chats.place.address == counts.place.address == heir.http_address
        assert "a at" in heard.told[0] and "is lost" in heard.told[0]
        assert any(f"now at {heir.status().name}" in text for text in heard.told)
        await until(lambda: any("serves now" in text for text in heard.told))
        await heir.call("chat", "register", "bob")
        await heir.call("chat", "msg", "are you there")
        await until(lambda: "[bob]: are you there" in heard.events)


async def test_a_line_without_an_answer_is_asked_again_and_done_once(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, cutting(peer.http_address) as (address, cut):
        async with console(address) as (remote, heard):
            cut.on("INCR")
            assert (await remote.ask("INCR n")).lines == ["OK 1"]
            assert (await remote.ask("INCR n")).lines == ["OK 2"]
            assert len([text for text in heard.told if "is lost" in text]) == 1
            assert (await remote.ask("GET n")).result == "2"
        async with console(address, "auth") as (remote, _):
            cut.on("REGISTER")
            assert (await remote.ask("REGISTER anna s3cret")).lines == ["OK"]
            assert (await remote.ask("LOGIN anna s3cret")).lines == ["OK"]


class Cut:
    """Cuts a connection when the answer to a certain line comes by."""

    def __init__(self) -> None:
        self.word = ""

    def on(self, word: str) -> None:
        self.word = word


@contextlib.asynccontextmanager
async def cutting(address: str) -> AsyncIterator[tuple[str, Cut]]:
    """A relay of TCP that loses the answer to a line, with the connection."""
    cut = Cut()
    host, _, port = address.rpartition(":")
    relays: set[asyncio.Task[Any]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relays.add(cast(asyncio.Task[Any], asyncio.current_task()))
        there_reader, there = await asyncio.open_connection(host, int(port))
        losing = False

        async def back() -> None:
            while data := await there_reader.read(1 << 16):
                # The answer to the line that is being lost has its number and a receipt; events have none.
                if losing and b'"receipt"' in data:
                    break
                writer.write(data)
            writer.transport.abort()

        backward = asyncio.create_task(back())
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(1 << 16):
                    if cut.word and cut.word.encode() in unmasked(data):
                        losing, cut.word = True, ""
                    there.write(data)
        finally:
            backward.cancel()
            there.transport.abort()
            writer.transport.abort()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        async with server:
            port_here = server.sockets[0].getsockname()[1]
            yield f"127.0.0.1:{port_here}", cut
    finally:
        for task in relays:
            task.cancel()
        await asyncio.wait(relays)


def unmasked(frame: bytes) -> bytes:
    """The text in a client's small WebSocket frame."""
    if len(frame) < 8 or frame[0] != 0x81:
        return b""
    start = {126: 4, 127: 10}.get(frame[1] & 0x7F, 2)
    mask, data = frame[start : start + 4], frame[start + 4 :]
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


async def test_who_is_no_use_is_said_plainly(tmp_path: Path, unused_tcp_port: int) -> None:
    with pytest.raises(Unusable, match="nothing listens there"):
        async with console(f"127.0.0.1:{unused_tcp_port}"):
            pass
    async with running(tmp_path) as peer:
        with pytest.raises(Unusable, match=r"no application 'nothing' .* there are: auth, chat, kv"):
            async with console(peer.http_address, "nothing"):
                pass
    for answer in ("x", "[]", "{}", json.dumps({"cluster": 5})):
        async with stranger(answer) as address:
            with pytest.raises(Unusable, match="is no tanist peer's page"):
                async with console(address):
                    pass


async def test_a_line_that_a_peer_takes_not_now_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "RETRY_S", 0.01)
    async with running(tmp_path) as peer, console(peer.http_address) as (client, _):
        with monkeypatch.context() as full:
            # As it is with a peer that is ending, until the connection ends.
            full.setattr(calls, "CALLS_MAX", 0)
            asking = asyncio.create_task(client.ask("INCR n"))
            await until(lambda: asking.done() or client._number > 2)
        assert (await asking).lines == ["OK 1"]


@contextlib.asynccontextmanager
async def stranger(text: str) -> AsyncIterator[str]:
    """A server that always says the same."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(text=text)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


async def test_a_peer_of_another_cluster_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "ANSWER_S", 0.3)
    monkeypatch.setattr(remote, "RETRY_S", 0.02)
    async with running(tmp_path, "a") as a, console(a.http_address) as (client, heard):
        address = a.http_address
        # Until then it shows nobody its empty state.
        await until(lambda: a.core.ready_to_read)
        assert (await client.ask("SIZE")).lines == ["OK 0"]
        await a.stop(hand_over=False)
        async with running(tmp_path, "b", http=address, cluster="other"):
            await until(lambda: any("nobody answers at" in text for text in heard.told))
            said = await client.ask("INCR n")
            assert (said.code, said.status) == ("unreachable", 4) and "not done" in said.text[0]
        async with running(tmp_path, "a", http=address):
            await until(lambda: client.reached)
            monkeypatch.setattr(remote, "ANSWER_S", DEADLINE_S)
            assert (await client.ask("INCR n")).lines == ["OK 1"]


async def test_a_pipe_gets_what_the_line_protocol_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as peer, console(peer.http_address) as (client, _):
        for given, said, status in (
            (b"SET k 1\nGET k\n\nKEYS\n", "OK\nOK 1\nOK\nk\n.\n", 0),
            (b"GET nothing\nGET k\r\n", "ERROR not found\nOK 1\n", 1),
            (b"GET nothing\nINCR\nGET k", None, 2),
            (b"\xff\nQUIT\nGET k\n", "ERROR lines are UTF-8\nOK\n", 2),
            (b"SET k " + b"x" * 3 * LINE_BYTES_MAX + b"\nGET k\n", "ERROR a line has at most 65536 bytes\nOK 1\n", 2),
        ):
            assert await piped.run(client, io.BytesIO(given)) == status
            out = capsys.readouterr().out
            assert said is None or out == said, given[:40]
        assert await piped.run(client, io.BytesIO(b"help\n")) == 0
        lines = capsys.readouterr().out.split("\n")
        assert lines[0] == "OK" and lines[-2:] == [".", ""] and any(line.startswith("GET key ") for line in lines)


@pytest.mark.slow
async def test_a_console_leaves_a_peer_whose_process_stands_still(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a:
        flags = f"--data {tmp_path / 'b'} --name b --listen 127.0.0.1:0 --http 127.0.0.1:0 --peer {a.address}"
        apps = "--app auth --app chat --app kv --pace fast"
        command = [sys.executable, "-m", "tanist.peer.cli", "up", *flags.split(), *apps.split()]
        process = await asyncio.create_subprocess_exec(*command)
        try:
            # Then it has the log, and knows of the other peer.
            await until(lambda: [f.in_sync for f in a.status().fallbacks] == [True])
            (b,) = (m.http for m in a.status().members if m.name == "b")
            async with console(b) as (client, heard):
                assert (await client.ask("INCR n")).lines == ["OK 1"]
                process.send_signal(signal.SIGSTOP)
                assert (await client.ask("INCR n")).lines == ["OK 2"]
                assert client.place.name == "a" and any("b at" in text for text in heard.told)
        finally:
            process.kill()
            await process.wait()


async def test_where_there_are_too_many_keys_a_line_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "KEYS_MAX", 1)
    async with running(tmp_path) as peer, console(peer.http_address) as (client, _):
        assert [(await client.ask("INCR n")).lines for _ in range(3)] == [["OK 1"], ["OK 2"], ["OK 3"]]
