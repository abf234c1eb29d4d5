"""The turn game from its own files: servers started at once, three clients, a server killed at the worst moments."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from system.process import TANIST
from tanist.config.turngame import PEER_PORT_OFFSET
from tanist.peer.drills.launcher import die_with_parent, environment
from tanist.peer.drills.ports import Port, is_free

DEADLINE_S = 60.0
EMPTY = [[" "] * 3 for _ in range(3)]
WON = [["x", "x", "x"], ["o", "o", " "], [" ", " ", " "]]
GAME = [("ann", 0, 0), ("bob", 1, 0), ("ann", 0, 1), ("bob", 1, 1), ("ann", 0, 2)]


class Server:
    """One server of the game, started with nothing but its file."""

    def __init__(self, folder: Path, http: aiohttp.ClientSession) -> None:
        while not is_free((port := Port()).number + PEER_PORT_OFFSET):
            port.release()
        self.port = port
        self.url = f"http://{port.address}"
        self.file = folder / f"{port.number}.json"
        self._folder = folder
        self._http = http
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *reserve: Server) -> None:
        """Start it, the first time with these as its reserve."""
        if not self.file.exists():
            others = [server.port.address for server in reserve]
            self.file.write_text(json.dumps({"host": "127.0.0.1", "port": str(self.port.number), "reserve": others}))
        with self.file.with_suffix(".out").open("ab") as out:
            self._process = subprocess.Popen(
                [*TANIST, "up", "--config", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment(self._folder),
                preexec_fn=die_with_parent,
            )

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Freeze it, or let it go on."""
        assert self._process is not None
        self._process.send_signal(number)

    async def end(self) -> None:
        """SIGTERM: it ends with status 0."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            assert await asyncio.to_thread(self._process.wait, DEADLINE_S) == 0
        self.port.release()

    async def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """GET, or POST with a body; (0, None) where nobody answers."""
        method, data = ("GET", None) if body is None else ("POST", json.dumps(body))
        try:
            async with self._http.request(method, self.url + path, data=data) as answer:
                return answer.status, await answer.json()
        except aiohttp.ClientConnectionError:
            return 0, None

    async def is_main(self) -> bool:
        """Whether it serves."""
        return bool((await self.ask("/ping"))[1] == {"url": self.url, "is_main": True})

    async def move(self, uid: str, row: int, col: int) -> Any:
        """Make a move, and again while no server is there for it, as a player does."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                status, told = await self.ask("/move", {"uid": uid, "row": row, "col": col})
                assert status in (0, 200, 400), told
                if status == 200:
                    return told
                assert status == 0 or "server" in told["error"], told


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.02)


async def main_of(servers: list[Server]) -> Server:
    """The one that serves, once exactly one does."""
    found: list[Server] = []

    async def one() -> bool:
        found[:] = [server for server in servers if await server.is_main()]
        return len(found) == 1

    await until(one)
    return found[0]


@contextlib.asynccontextmanager
async def servers(folder: Path, count: int) -> AsyncIterator[list[Server]]:
    """So many servers, started at once in any order, each with all others in reserve."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_S)) as http:
        every = [Server(folder, http) for _ in range(count)]
        try:
            for server in random.sample(every, count):
                server.start(*(other for other in every if other is not server))
            yield every
            for server in every:
                said = server.file.with_suffix(".out").read_text()
                assert "no effect" not in said and "Traceback" not in said, said
        except BaseException as error:
            for server in every:
                error.add_note(server.file.with_suffix(".out").read_text())
            raise
        finally:
            await asyncio.gather(*(server.end() for server in every))


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
async def test_a_game_outlives_its_server_in_the_middle_and_at_its_end(tmp_path: Path, count: int) -> None:
    async with servers(tmp_path, count) as every:
        main = await main_of(every)
        reserve = next(server for server in every if server is not main)
        assert (await main.ask("/join", {"uid": "ann"}))[1] == {"player": "x", "token": "x", "board": EMPTY}
        assert (await reserve.ask("/join", {"uid": "bob"}))[1]["token"] == "o"
        assert (await every[-1].ask("/join", {"uid": "eve"}))[0] == 400, "a third"
        for server, (uid, row, col) in zip((reserve, main), GAME, strict=False):
            await server.move(uid, row, col)

        main.kill()
        third = await reserve.move(*GAME[2])
        assert third == {"board": [["x", "x", " "], ["o", " ", " "], [" "] * 3], "winner": None, "draw": False}
        status, told = await reserve.ask("/move", {"uid": "ann", "row": 2, "col": 2})
        assert (status, told) == (400, {"error": "It is not your turn"})
        assert (await reserve.ask("/join", {"uid": "ann"}))[1]["token"] == "x"

        main.start()

        async def back() -> bool:
            status, told = await main.ask("/status")
            assert status == 0 or told["board"] == third["board"], "nothing is shown of before"
            return status == 200

        await until(back)
        main = await main_of(every)
        other = next(server for server in every if server is not main)
        same = {"uid": "bob", "row": 1, "col": 1}
        answers = await asyncio.gather(*(server.ask("/move", same) for server in (main, other) for _ in range(10)))
        assert sum(cell == "o" for row in answers[0][1]["board"] for cell in row) == 2
        assert (await main.move(*GAME[4]))["winner"] == "x"

        main.kill()
        assert await other.ask("/move") == (200, {"player": "x", "board": WON, "winner": "x", "draw": False})
        heir = await main_of([server for server in every if server is not main])

        async def empty() -> bool:
            return bool((await heir.ask("/status"))[1] == {"player": "x", "is_game_start": False, "board": EMPTY})

        await until(empty)


@pytest.mark.slow
async def test_a_server_that_hangs_is_a_delay_and_makes_no_second_game(tmp_path: Path) -> None:
    async with servers(tmp_path, 2) as every:
        main = await main_of(every)
        (reserve,) = (server for server in every if server is not main)
        for uid in ("ann", "bob"):
            await main.ask("/join", {"uid": uid})
        await main.move(*GAME[0])
        main.signal(signal.SIGSTOP)
        try:
            status, told = await reserve.ask("/move", {"uid": "bob", "row": 1, "col": 0})
        finally:
            main.signal(signal.SIGCONT)
        assert (status, told["board"]) == (200, [["x", " ", " "], ["o", " ", " "], [" "] * 3])
        await main_of(every)

        async def alike() -> bool:
            boards = [(await server.ask("/status"))[1]["board"] for server in every]
            return all(board == told["board"] for board in boards)

        await until(alike)
        assert (await main.move(*GAME[2]))["board"][0] == ["x", "x", " "]
