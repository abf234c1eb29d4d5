"""Packets, sums and positions at three peers, three clients each, while the server dies: by hand, and as programs.

Of the clients at peers that live the connection stays: what they ask meanwhile is answered, late at worst.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any, Self

import pytest

from system.cluster import DEADLINE_S, Cluster
from system.process import TANIST
from tanist.peer.drills.launcher import die_with_parent, environment
from tanist.peer.drills.ports import Port
from tanist.peer.drills.process import PeerProcess
from tanist.peer.gateways.structs import POSITION, SUM

GATEWAYS = {"packets": "echo", "sums": "struct", "positions": "struct"}
ROUNDS = 30
"""What each client asks while the server dies."""
PLACES = ((n // 100, n % 100) for n in itertools.count())
TOLD = re.compile(rb"(\d{5}) \((-?\d+), (-?\d+)\)")


class Raw:
    """A connection in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.told: list[tuple[int, int, int]] = []
        """Codes and positions heard, in order."""
        self.at = (0, 0)
        """Where it is."""
        self._rest = b""

    @classmethod
    async def to(cls, port: Port) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port.number))

    async def ask(self, data: bytes, expected: bytes) -> None:
        """Send, and be answered exactly so."""
        self._writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            assert await self._reader.readexactly(len(expected)) == expected

    async def move(self) -> int:
        """Be somewhere where nobody was, and hear so; the code."""
        self.at = next(PLACES)
        await self.send(POSITION.pack(*self.at))
        async with asyncio.timeout(DEADLINE_S):
            while not (mine := [code for code, *at in self.told if tuple(at) == self.at]):
                await self._hear()
        assert len(mine) == 1, "heard twice"
        return mine[0]

    async def send(self, data: bytes) -> None:
        """Send, and wait for nothing but room."""
        self._writer.write(data)
        await self._writer.drain()

    async def until(self, told: tuple[int, int, int]) -> None:
        """Until this is heard."""
        async with asyncio.timeout(DEADLINE_S):
            while told not in self.told:
                await self._hear()

    async def _hear(self) -> None:
        data = await self._reader.read(4096)
        assert data, "the connection ended"
        self._rest += data
        while (match := TOLD.match(self._rest)) is not None:
            code, x, y = map(int, match.groups())
            self.told.append((code, x, y))
            self._rest = self._rest[match.end() :]

    async def close(self) -> None:
        """Leave; a peer that was killed may have ended the connection already."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class InRawBytes(Cluster):
    """Each peer has the three gateways."""

    def __init__(self, folder: Path, safety: str = "survivor") -> None:
        super().__init__(folder, safety=safety, pace="lan", flags=[w for app in GATEWAYS for w in ("--app", app)])
        # Who was at a peer that is gone is listed for so long, and not for 30 s.
        (folder / "soon.yaml").write_text("session: {timeout_s: 2}\n")
        self._flags += ["--config", str(folder / "soon.yaml")]
        self.ports: dict[tuple[str, str], Port] = {}

    def launch(self, name: str, *flags: str, peers: Iterable[str] = ()) -> PeerProcess:
        given = []
        for app, protocol in GATEWAYS.items():
            port = self.ports[name, app] = Port()
            given += ["--gateway", f"{app}={protocol}:{port.address}"]
        return super().launch(name, *given, *flags, peers=peers)

    async def close(self) -> None:
        await super().close()
        for port in self.ports.values():
            port.release()

    async def three_clients(self, leaving: contextlib.AsyncExitStack, app: str, server: str) -> list[Raw]:
        """Two at peers that live, and one at the server."""
        peers = [*(name for name in self.peers if name != server), server]
        clients = [await Raw.to(self.ports[name, app]) for name in peers]
        for client in clients:
            leaving.push_async_callback(client.close)
        return clients

    async def codes(self, peer: str, app: str, count: int) -> set[int]:
        """The codes of those who are listed, once these are so many."""
        async with asyncio.timeout(DEADLINE_S):
            while len(found := await self._visitors(peer, app)) != count:
                await asyncio.sleep(0.05)
        return found

    async def _visitors(self, peer: str, app: str) -> set[int]:
        visitors: Any = await self.query(peer, f"{app}/visitors")
        return {visitor["code"] for visitor in visitors}


async def packets(clients: list[Raw]) -> None:
    rng = Random(1)
    for client in clients:
        for _ in range(ROUNDS):
            data = rng.randbytes(rng.randint(1, 50_000))
            await client.ask(data, data)
            await asyncio.sleep(0)


async def sums(clients: list[Raw]) -> None:
    rng = Random(2)
    for n in range(ROUNDS):
        a, b = rng.randint(-32768, 32767), rng.randint(-32768, 32767)
        for client in clients:
            answer = f"El resultado de la operacion es {a + b if n % 2 else a - b}".encode()
            word = b"SUMA" if n % 2 else b"RESTA"
            await client.ask(SUM.pack(len(word), a, b) + word, answer)


async def positions(clients: list[Raw]) -> None:
    codes = [await client.move() for client in clients]
    begun = [(code, *client.at) for code, client in zip(codes, clients, strict=True)]
    for _ in range(ROUNDS):
        assert [await client.move() for client in clients] == codes, "a code stays"
    # Cut, while it is not sure who serves.
    for byte in POSITION.pack(-32768, 32767):
        await clients[1].send(bytes([byte]))
    heard = []
    for client in clients:
        await client.until((codes[1], -32768, 32767))
        # Since both are there: who came last heard nothing of what was before.
        heard.append([told for told in client.told[client.told.index(begun[1]) :] if told[0] in codes])
    assert heard[0] == heard[1], "all hear the same, in one order"
    assert len(heard[0]) == len(set(heard[0])) == 2 * ROUNDS + 2, "nothing is lost, or heard twice"


PLAYS: dict[str, Callable[[list[Raw]], Awaitable[None]]] = {p.__name__: p for p in (packets, sums, positions)}


@pytest.mark.slow
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_connections_and_codes_outlive_the_server(tmp_path: Path, safety: str) -> None:
    async with InRawBytes(tmp_path, safety) as cluster, contextlib.AsyncExitStack() as leaving:
        server = await cluster.found()
        one, two = (name for name in cluster.peers if name != server)
        clients = {app: await cluster.three_clients(leaving, app, server) for app in GATEWAYS}
        for raw in clients["positions"]:
            await raw.move()
        before = {app: await cluster.codes(one, app, 3) for app in GATEWAYS}
        await asyncio.gather(cluster.kill(server), *(play(clients[app][:2]) for app, play in PLAYS.items()))
        await cluster.settled()
        for app in GATEWAYS:
            after = await cluster.codes(two, app, 2)
            assert after < before[app], "who was at the server is gone, the others have their codes"
            anew = await Raw.to(cluster.ports[two, app])
            leaving.push_async_callback(anew.close)
            await PLAYS[app]([clients[app][0], anew])
            assert len(await cluster.codes(one, app, 3) - after) == 1, "who comes again has a code of its own"


@contextlib.asynccontextmanager
async def program(folder: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client that runs until it is told to end, and then ends well."""
    process = await asyncio.create_subprocess_exec(
        *TANIST,
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder),
        preexec_fn=die_with_parent,
    )
    try:
        yield process
        process.terminate()
        async with asyncio.timeout(DEADLINE_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until_said(stream: asyncio.StreamReader | None, said: str) -> list[str]:
    """The lines up to the one with this in it."""
    assert stream is not None
    lines: list[str] = []
    async with asyncio.timeout(DEADLINE_S):
        while not (lines and said in lines[-1]):
            lines.append((await stream.readline()).decode())
            assert lines[-1], f"it ended; it said {lines}"
    return lines


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_client_programs_say_that_their_server_is_gone_and_go_on_at_the_next(tmp_path: Path) -> None:
    async with InRawBytes(tmp_path) as cluster, contextlib.AsyncExitStack() as running:
        server = await cluster.found()
        one, two = (name for name in cluster.peers if name != server)
        programs: list[tuple[asyncio.subprocess.Process, str, str]] = []
        for app, peer in (("packets", server), ("sums", server), ("positions", server), ("packets", one)):
            first, then = (cluster.ports[name, app].address for name in (peer, two))
            process = await running.enter_async_context(program(tmp_path, app, first, then))
            await until_said(process.stderr, f"connected to {first}")
            await until_said(process.stdout, "< ")
            programs.append((process, first, then))
        await cluster.kill(server)
        for process, first, then in programs[:3]:
            await until_said(process.stderr, f"the connection to {first} is gone")
            await until_said(process.stderr, f"connected to {then}")
            await until_said(process.stdout, "< ")
        stays, _, _ = programs[3]
        await until_said(stays.stdout, "< packet 4")
        await cluster.settled()
        assert stays.returncode is None
