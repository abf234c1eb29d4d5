"""Clients over WebSockets: a session each, calls by name and by line, what is for them alone, and what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tanist.config import load
from tanist.peer.gateways import http_clients, http_requests
from tanist.peer.gateways.http_clients import UNDER_WAY_MAX
from tanist.peer.peer import Peer

DEADLINE_S = 20.0


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    apps = ["chat", "direct", "kv", "tictactoe"]
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": apps}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


class Console:
    """One client."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.hello: dict[str, Any] = {}

    async def message(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            said: dict[str, Any] = await self.socket.receive_json()
            return said

    async def answer(self, number: object) -> dict[str, Any]:
        while "id" not in (said := await self.message()) or said["id"] != number:
            self.events.append(said)
        return said

    async def ask(self, **message: object) -> dict[str, Any]:
        await self.socket.send_json({"id": "x", **message})
        return await self.answer("x")

    async def line(self, app: str, line: str) -> Any:
        said = await self.ask(app=app, line=line)
        return said.get("lines") or said.get("result") if "error" not in said else said["error"]["code"]

    async def event(self, kind: str) -> dict[str, Any]:
        for said in self.events:
            if said["event"] == kind:
                self.events.remove(said)
                return said
        while (said := await self.message())["event"] != kind:
            self.events.append(said)
        return said


@contextlib.asynccontextmanager
async def consoles(*peers: Peer) -> AsyncIterator[list[Console]]:
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        found = []
        for peer in peers:
            found.append(
                Console(await stack.enter_async_context(http.ws_connect(f"http://{peer.http_address}/client")))
            )
            found[-1].hello = await found[-1].message()
        yield found


async def test_each_client_is_somebody_and_hears_what_is_for_it(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, consoles(peer, peer, peer) as (anna, berta, clara):
        assert anna.hello["peer"] == "a"
        assert len({console.hello["session"] for console in (anna, berta, clara)}) == 3
        said = await anna.ask(app="direct", name="register", arguments={"nick": "anna"})
        assert (said["result"], said["receipt"]["durability"]) == ("OK", "alone")
        assert await berta.line("direct", "REGISTER berta") == "OK"
        assert await clara.line("direct", "register anna") == "nickname_taken"
        assert await anna.line("direct", "SEND berta how are you") == "OK"
        told = await berta.event("sent")
        assert told["line"] == "[anna]: how are you"
        assert (told["app"], told["fields"]["text"]) == ("direct", "how are you")
        await clara.line("direct", "register clara")
        assert not [said for said in clara.events if said.get("app") == "direct"]
        assert await anna.line("tictactoe", "create room") == "OK"
        board = await anna.line("tictactoe", "board")
        assert isinstance(board, list) and board[0].split() == ["1", "2", "3"]
        await berta.socket.close()
        async with asyncio.timeout(DEADLINE_S):
            while await clara.line("direct", "SEND berta hello") == "OK":
                await asyncio.sleep(0.01)


async def test_many_calls_are_under_way_at_once_and_each_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, consoles(peer) as (console,):
        for number in range(3 * UNDER_WAY_MAX):
            await console.socket.send_json({"id": number, "app": "kv", "name": "incr", "arguments": ["n"]})
        async with asyncio.timeout(DEADLINE_S):
            got = [said async for said in _answers(console, 3 * UNDER_WAY_MAX)]
        assert {said["id"] for said in got} == set(range(3 * UNDER_WAY_MAX))
        assert sorted(said["result"] for said in got) == list(range(1, 3 * UNDER_WAY_MAX + 1))


async def _answers(console: Console, count: int) -> AsyncIterator[dict[str, Any]]:
    while count:
        said = await console.message()
        if "id" in said:
            count -= 1
            yield said


async def test_who_reads_nothing_is_not_heard_either_and_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_clients, "SEND_S", 0.5)
    async with running(tmp_path) as peer, consoles(peer) as (other,):
        large = "x" * 500_000
        assert (await other.ask(app="kv", name="set", arguments=["k", large]))["result"] == "OK"
        host, _, port = peer.http_address.rpartition(":")
        _reader, writer = await asyncio.open_connection(host, int(port), limit=1)
        writer.write(HANDSHAKE + text_frame(b'{"id": 1, "app": "kv", "name": "get", "arguments": ["k"]}') * 1000)
        most = 0
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE_S):
                # Only looked at, never read: its end is seen by writing.
                while True:
                    writer.write(text_frame(b"{}"))
                    await writer.drain()
                    assert await other.line("kv", "SIZE") == 1
                    most = max(most, sum(under_way(task) for task in asyncio.all_tasks()))
        assert 0 < most <= UNDER_WAY_MAX
        writer.close()


async def test_large_messages_have_bounded_memory_and_small_ones_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = {"app": "kv", "name": "set", "arguments": ["k", "x" * 60_000]}
    async with running(tmp_path) as peer, consoles(peer) as (console,):
        with monkeypatch.context() as full:
            # As if others had the rest of the room.
            full.setattr(http_requests, "BODIES_BYTES_MAX", 100_000)
            for _ in range(3):
                assert (await console.ask(**large))["result"] == "OK"
            full.setattr(http_requests, "BODIES_BYTES_MAX", 50_000)
            assert (await console.ask(**large))["error"]["code"] == "overloaded"
            assert await console.line("kv", "SIZE") == 1
        assert (await console.ask(**large))["result"] == "OK"


HANDSHAKE = (
    b"GET /client HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def text_frame(text: bytes) -> bytes:
    """A frame of a client, whose mask is of zeros."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


def under_way(task: asyncio.Task[Any]) -> bool:
    """Whether it is a call of a client, answered or not."""
    return getattr(task.get_coro(), "__qualname__", "") == "OneClient._answer"


async def test_arguments_may_be_texts_and_a_key_makes_a_repetition_safe(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, consoles(peer, peer) as (console, later):
        said = await console.ask(app="kv", name="incr", texts={"key": "n", "by": "40"}, key="once")
        assert said["result"] == 40
        # Another client, as a page is that has come back: done before.
        said = await later.ask(app="kv", name="incr", texts={"key": "n", "by": "40"}, key="once")
        assert said["result"] == 40
        assert (await later.ask(app="kv", line="INCR n 2", key="twice"))["result"] == 42
        assert (await later.ask(app="kv", name="incr", arguments={"key": "n"}, key="once"))["error"][
            "code"
        ] == "key_reused"
        assert (await later.ask(app="kv", name="remove", texts={"keys": '["n"]'}))["result"] == 1
        assert (await later.ask(app="kv", name="put", texts={"key": "k", "value": "v", "keep": "true"}))[
            "result"
        ] is True
        assert (await later.ask(app="kv", name="get", texts={"key": "k"}))["result"] == "v"
        for wrong in ({"by": "many", "key": "n"}, {"by": "2"}, {"key": "n", "fly": "x"}, {"key": 5}, ["n"], "n"):
            said = await console.ask(app="kv", name="incr", texts=wrong)
            assert said["error"]["code"] == "bad_request", wrong
        for key in (5, "x" * 257, "a\nb"):
            said = await console.ask(app="kv", name="incr", texts={"key": "n"}, key=key)
            assert said["error"]["code"] == "bad_request", key
        said = await console.ask(app="kv", name="incr", texts={"key": "n"}, arguments={"key": "n"})
        assert said["error"]["code"] == "bad_request"


async def test_what_is_wrong_is_said_and_harms_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, consoles(peer) as (console,):
        for message, code in (
            ({"app": "none", "line": "x"}, "not_found"),
            ({"app": "kv", "line": "FLY"}, "not_found"),
            ({"app": "kv", "name": "set", "arguments": {"key": 5, "value": "x"}}, "bad_request"),
            ({"app": "kv", "name": "set", "arguments": {"key": "k"}}, "bad_request"),
            ({"app": "kv", "name": "set", "arguments": "k"}, "bad_request"),
            ({"app": "kv", "name": "lapse", "arguments": ["k", 1]}, "not_found"),
            ({"app": "kv", "name": "incr", "arguments": ["n"], "more": 1}, "bad_request"),
            ({"app": 5, "line": "x"}, "bad_request"),
            ({}, "bad_request"),
            ({"ping": False}, "bad_request"),
        ):
            said = await console.ask(**message)
            assert said["error"]["code"] == code, message
        for text in ("", "{", "[]", "5", "[" * 10_000, json.dumps({"id": {"any": ["thing"]}})):
            await console.socket.send_str(text)
            said = await console.answer({"any": ["thing"]} if "any" in text else None)
            assert said["error"]["code"] == "bad_request"
        await console.socket.send_bytes(b"{}")
        assert (await console.answer(None))["error"]["message"] == "messages are text, not binary"
        assert (await console.ask(app="kv", line="help"))["answer"][1].startswith("SET key value")
        assert len((await console.ask(app="kv", line="HELP size"))["answer"]) == len(("OK", "SIZE …", "."))
        assert (await console.ask(app="kv", line="HELP fly"))["error"]["code"] == "not_found"
        assert await console.line("kv", "SET k v") == "OK"
        assert (await console.ask(ping=True)).keys() == {"id"}


async def test_a_failover_is_a_delay_and_the_end_of_a_peer_is_told(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        (console,) = await stack.enter_async_context(consoles(b))
        assert await console.line("kv", "INCR n") == 1
        await a.stop(hand_over=False)
        assert await console.line("kv", "INCR n") == 2
        assert (await console.event("server_lost"))["fields"]["server"]
        await b.stop()
        async with asyncio.timeout(DEADLINE_S):
            while (await console.socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
                pass


async def test_what_a_client_held_at_a_peer_that_it_lost_is_free_for_it(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        (anna, clara) = await stack.enter_async_context(consoles(b, a))
        assert await anna.line("chat", "REGISTER anna") == await clara.line("chat", "REGISTER clara") == "OK"
        http = await stack.enter_async_context(aiohttp.ClientSession())
        url = f"http://{a.http_address}/client?instead="
        for wrong in ("", "nobody", "%ff"):
            async with http.ws_connect(url + wrong):
                pass
        # The connection to the other peer is still open, as one is that leads to a machine which was switched off.
        async with http.ws_connect(url + anna.hello["session"]) as socket:
            again = Console(socket)
            await again.message()
            assert await again.line("chat", "REGISTER anna") == "OK"
            assert (await again.ask(app="chat", line="WHO"))["answer"] == ["OK", "anna", "clara", "."]
            assert await clara.line("chat", "MSG hello") == "OK"
        # So is one to this very peer, which has not noticed yet that the client behind it is gone.
        async with http.ws_connect(url + clara.hello["session"]) as socket:
            again = Console(socket)
            await again.message()
            assert await again.line("chat", "REGISTER clara") == "OK"
            async with asyncio.timeout(DEADLINE_S):
                while (await clara.socket.receive()).type not in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                    pass


async def test_a_client_goes_on_elsewhere_where_its_connection_broke(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, aiohttp.ClientSession() as http, consoles(peer) as (clara,):
        async with http.ws_connect(f"http://{peer.http_address}/client") as socket:
            anna = Console(socket)
            first = await anna.message()
            assert (await anna.ask(app="kv", line="INCR n", key="k1"))["answer"] == ["OK 1"]
        assert await clara.line("chat", "REGISTER clara") == "OK"
        assert await clara.line("chat", "MSG meanwhile") == "OK"
        async with http.ws_connect(f"http://{peer.http_address}/client?after={first['position']}") as socket:
            anna = Console(socket)
            await anna.message()
            assert (await anna.event("said"))["line"] == "[clara]: meanwhile"
            assert (await anna.ask(app="kv", line="INCR n", key="k1"))["result"] == 1
            assert (await anna.ask(app="kv", line="SET n x", key="k1"))["answer"][0].startswith(
                "ERROR this idempotency"
            )
            assert (await anna.ask(app="kv", line="GET none"))["answer"] == ["ERROR not found"]
            for key in (5, "x" * 257, "\n"):
                assert (await anna.ask(app="kv", line="GET n", key=key))["error"]["code"] == "bad_request"
        async with http.ws_connect(f"http://{peer.http_address}/client?after=99999.0") as socket:
            anna = Console(socket)
            await anna.message()
            assert (await anna.message())["error"]["code"] == "position_unknown"
            assert (await anna.ask(app="chat", line="WHO"))["answer"] == ["OK", "clara", "."]
            assert await clara.line("chat", "MSG now") == "OK"
            assert (await anna.event("said"))["line"] == "[clara]: now"


async def test_a_client_that_goes_on_hears_what_was_for_it_and_not_what_it_said_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, consoles(peer, peer) as (anna, clara):
        for app in ("chat", "direct"):
            assert await anna.line(app, "REGISTER anna") == await clara.line(app, "REGISTER clara") == "OK"
        assert await anna.line("chat", "MSG mine") == await clara.line("direct", "SEND anna for anna") == "OK"
        assert await anna.line("direct", "SEND clara for clara") == await clara.line("chat", "MSG last") == "OK"
        before = f"after={anna.hello['position']}&instead={anna.hello['session']}"
        async with aiohttp.ClientSession() as http:
            for query, heard in (
                (before, ["[clara]: for anna", "[clara]: last"]),
                (f"after={anna.hello['position']}", ["[anna]: mine", "[clara]: last"]),
            ):
                async with http.ws_connect(f"http://{peer.http_address}/client?{query}") as socket:
                    again = Console(socket)
                    await again.message()
                    lines: list[str] = []
                    while "[clara]: last" not in lines:
                        said = await again.message()
                        lines += [said["line"]] * (said.get("app") in ("chat", "direct"))
                    assert lines == heard
