"""The turn game with reserve servers, as its own clients play it: by asking again and again, at whoever answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tanist.config import load
from tanist.peer.gateways import http_connections, small_http, turngame
from tanist.peer.peer import Peer
from tanist.transport.errors import ListenError

DEADLINE_S = 20.0
EMPTY = [[" "] * 3 for _ in range(3)]
JOIN = b'POST /join HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{"uid": "cut"}'


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["tictactoe"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "gateway": ["tictactoe=turngame:0"], **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


def state(peer: Peer) -> Any:
    return peer.applications["tictactoe"]


class Table:
    """The game at one server."""

    def __init__(self, http: aiohttp.ClientSession, peer: Peer) -> None:
        self.http = http
        self.url = f"http://{peer.gateways['tictactoe=turngame']}"

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.http.get(self.url + path) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.http.post(self.url + path, data=data) as answer:
            return answer.status, await answer.json()

    async def move(self, uid: str, row: int, col: int) -> Any:
        status, told = await self.post("/move", {"uid": uid, "row": row, "col": col})
        assert status == 200, told
        return told


@contextlib.asynccontextmanager
async def tables(*peers: Peer) -> AsyncIterator[list[Table]]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_S)) as http:
        yield [Table(http, peer) for peer in peers]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_whole_game_told_to_both_and_an_empty_table_soon(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, tables(peer) as (table,):
        assert (await table.get("/"))[0] == 200

        async def is_main() -> bool:
            return await table.get("/ping") == (200, {"url": table.url, "is_main": True})

        await until(is_main)
        assert await table.get("/status") == (200, {"player": "x", "is_game_start": False, "board": EMPTY})
        assert await table.post("/join", {"uid": "ann"}) == (200, {"player": "x", "token": "x", "board": EMPTY})
        assert (await table.post("/move", {"uid": "ann", "row": 0, "col": 0}))[0] == 400, "nobody to play with"
        assert (await table.post("/join", {"uid": "bob"}))[1]["token"] == "o"
        assert (await table.post("/join", {"uid": "ann"}))[1]["token"] == "x", "the same id gets its token again"
        assert (await table.post("/join", {"uid": "eve"}))[0] == 400, "a third"
        assert (await table.get("/status"))[1]["is_game_start"] is True
        assert (await table.post("/move", {"uid": "bob", "row": 0, "col": 0}))[0] == 400, "turns are checked"
        for uid, row, col in [("ann", 0, 0), ("bob", 1, 0), ("ann", 0, 1), ("bob", 1, 1)]:
            told = await table.move(uid, row, col)
            assert (told["winner"], told["draw"]) == (None, False)
        assert (await table.post("/move", {"uid": "ann", "row": 0, "col": 0}))[0] == 400, "the cell is taken"
        assert (await table.move("ann", 0, 2))["winner"] == "x"
        status, told = await table.get("/move")
        assert (status, told["winner"], told["draw"]) == (200, "x", False)
        assert told["board"] == [["x", "x", "x"], ["o", "o", " "], [" ", " ", " "]]

        async def empty() -> bool:
            return bool((await table.get("/status"))[1] == {"player": "x", "is_game_start": False, "board": EMPTY})

        await until(empty)


async def test_what_is_no_move_is_400_and_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, tables(peer) as (table,):
        for uid in ("ann", "bob"):
            await table.post("/join", {"uid": uid})
        values: list[object] = ["1", 1.0, -1, 3, 10**30, None, True, [1], {}]
        for row in values:
            for body in ({"uid": "ann", "row": row, "col": 0}, {"uid": "ann", "row": 0, "col": row}):
                status, told = await table.post("/move", body)
                assert status == 400 and told["error"], body
        no_objects: list[object] = [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 10_000]
        strangers: list[object] = [
            {"row": 0, "col": 0},
            {"uid": 5, "row": 0, "col": 0},
            {"uid": "eve", "row": 0, "col": 0},
        ]
        for given in [*no_objects, *strangers]:
            assert (await table.post("/move", given))[0] == 400
        no_uid: list[object] = [{}, {"uid": ""}, {"uid": "x" * 1000}, {"uid": None}]
        for given in [*no_objects, *no_uid]:
            assert (await table.post("/join", given))[0] == 400
        for path in ("/sync", "/nothing", "/join/x"):
            assert (await table.post(path, {"board": [["x"] * 3] * 3}))[0] == 400
            assert (await table.get(path))[0] == 400
        assert (await table.get("/status"))[1]["board"] == EMPTY


async def raw(table: Table, sent: bytes, *, end: bool = True) -> bytes:
    """What comes of bytes, until the server ends the connection; `end`: send that nothing more comes."""
    host, _, port = table.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        if end:
            writer.write_eof()
        async with asyncio.timeout(DEADLINE_S):
            return await reader.read()
    finally:
        writer.transport.abort()


async def test_whatever_comes_is_answered_400_in_the_games_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connections, "LINGER_S", 0.05)
    async with running(tmp_path) as peer, tables(peer) as (table,):
        long = b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"
        announced = b"POST /join HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        broken = b"POST /join HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        for sent in (b"hello\r\n\r\n", bytes(range(256)), long, announced, broken):
            head, _, body = (await raw(table, sent, end=False)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 "), sent[:40]
            assert isinstance(json.loads(body)["error"], str)
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
            async with table.http.request(method, table.url + "/move") as answer:
                assert answer.status == 400 and isinstance((await answer.json())["error"], str)
        for path in ("/", "/ping", "/status"):
            async with table.http.head(table.url + path) as answer:
                assert (answer.status, await answer.read()) == (200, b"")
        chunks = b'5\r\n{"uid\r\n8\r\n": "zed"\r\n1\r\n}\r\n0\r\n\r\n'
        cut = b"POST /join HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        assert b'"token":"x"' in await raw(table, cut), "one who says no more still hears the answer"


async def test_one_connection_too_many_is_told_so_in_the_games_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_http, "CONNECTIONS_MAX", 1)
    monkeypatch.setattr(http_connections, "GIVES_WAY_S", 3600.0)
    async with running(tmp_path) as peer, tables(peer, peer) as (table, other):
        await table.get("/ping")
        async with aiohttp.ClientSession() as http:
            other.http = http
            status, told = await other.get("/ping")
        assert status == 400 and "too many" in told["error"]
        assert (await table.get("/ping"))[0] == 200, "nobody else is harmed"


async def test_a_server_that_listens_everywhere_is_where_it_was_reached(tmp_path: Path) -> None:
    async with running(tmp_path, gateway=["tictactoe=turngame:0.0.0.0:0"]) as peer, tables(peer) as (table,):
        table.url = table.url.replace("0.0.0.0", "127.0.0.1")
        assert (await table.get("/ping"))[1]["url"] == table.url


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        taken = peer.gateways["tictactoe=turngame"]
        for gateway in (f"tictactoe=turngame:{taken}", f"tictactoe=line:{taken}"):
            with pytest.raises(ListenError, match=f"{taken}: the address is in use by another process"):
                async with running(tmp_path, "b", gateway=[gateway]):
                    pass


async def test_who_connects_and_says_nothing_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_http, "CONNECTIONS_MAX", 2)
    monkeypatch.setattr(http_connections, "GIVES_WAY_S", 0.0)
    async with running(tmp_path) as peer, tables(peer) as (table,):
        host, _, port = table.url.removeprefix("http://").rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        assert (await table.get("/ping"))[0] == 200
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(ConnectionError):
                assert await silent[0][0].read() == b"", "the oldest gave way"
        assert not silent[1][0].at_eof()
        for _, writer in silent:
            writer.transport.abort()


@pytest.mark.slow
async def test_who_asks_before_a_server_is_found_waits_for_it(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        quorum = {"safety": "quorum", "expect": 2}
        a = await stack.enter_async_context(running(tmp_path, "a", **quorum))
        (table,) = await stack.enter_async_context(tables(a))
        assert (await table.get("/ping"))[1]["is_main"] is False
        asked = asyncio.create_task(table.get("/status"))
        joined = asyncio.create_task(raw(table, JOIN))
        await stack.enter_async_context(running(tmp_path, "b", peer=[a.address], **quorum))
        assert (await asked)[1]["player"] == "x"
        assert b'"token":"x"' in await joined, "also one who said no more meanwhile"


async def test_who_waits_alone_and_asks_on_is_not_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turngame, "WAIT_EVERY_S", 0.0)
    async with running(tmp_path) as peer, tables(peer) as (table,):
        await table.post("/join", {"uid": "ann"})
        timers = {state(peer).timer}

        async def renewed() -> bool:
            await table.get("/status")
            timers.add(state(peer).timer)
            return len(timers) > 2

        await until(renewed)
        await table.post("/join", {"uid": "bob"})
        assert (await table.get("/status"))[1]["is_game_start"] is True


async def test_twenty_identical_moves_at_once_count_once(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, tables(peer) as (table,):
        for uid in ("ann", "bob"):
            await table.post("/join", {"uid": uid})
        told = await asyncio.gather(*(table.post("/move", {"uid": "ann", "row": 1, "col": 1}) for _ in range(20)))
        assert {status for status, _ in told} == {200}, "whoever lost the answer says the move again, and gets it"
        assert sum(cell != " " for row in told[0][1]["board"] for cell in row) == 1
        assert (await table.get("/move"))[1]["player"] == "o"


async def test_the_end_is_told_also_when_the_server_dies_right_after_the_winning_move(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        main, reserve = await stack.enter_async_context(tables(a, b))
        assert (await reserve.get("/ping"))[1]["is_main"] is False
        for uid in ("ann", "bob"):
            await main.post("/join", {"uid": uid})
        for uid, row, col in [("ann", 0, 0), ("bob", 1, 0), ("ann", 0, 1), ("bob", 1, 1)]:
            await main.move(uid, row, col)
        assert (await main.move("ann", 0, 2))["winner"] == "x"
        await a.stop(hand_over=False)

        async def told() -> bool:
            return bool((await reserve.get("/move"))[1]["winner"] == "x")

        assert await told()

        async def serves_an_empty_table() -> bool:
            is_main = (await reserve.get("/ping"))[1]["is_main"]
            return bool(is_main and (await reserve.get("/status"))[1]["board"] == EMPTY)

        await until(serves_an_empty_table)


@pytest.mark.parametrize("moves", [[(0, 0), (0, 1), (0, 2), (1, 1), (1, 0), (1, 2), (2, 1), (2, 0), (2, 2)]])
async def test_a_draw(tmp_path: Path, moves: list[tuple[int, int]]) -> None:
    async with running(tmp_path) as peer, tables(peer) as (table,):
        for uid in ("ann", "bob"):
            await table.post("/join", {"uid": uid})
        for turn, (row, col) in enumerate(moves):
            told = await table.move(("ann", "bob")[turn % 2], row, col)
        assert (told["winner"], told["draw"]) == (None, True)
        assert (await table.get("/move"))[1]["draw"] is True
