"""A stand of three real peers: lanterns on raw sockets and in a terminal, calls, pages, and a server that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Self

import aiohttp
import msgspec
import pytest
from chromium import Page, browsing, in_a_browser

from system.cluster import Cluster
from system.process import TANIST
from tanist.peer.drills.launcher import die_with_parent, environment
from tanist.peer.drills.ports import Port
from tanist.peer.drills.process import PeerProcess
from tanist.peer.lantern.commands import Lantern, obey
from tanist.peer.lantern.frames import Frames

DEADLINE_S = 60.0
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
"""What `curl -d` says of its body."""
PROTOCOLS = ("tlv", "api", "page")


class Stands(Cluster):
    """Each peer has a stand, an API and a page."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, pace="lan", flags=("--app", "lantern"))
        self.ports: dict[tuple[str, str], Port] = {}

    def launch(self, name: str, *flags: str, peers: Iterable[str] = ()) -> PeerProcess:
        for protocol in PROTOCOLS:
            self.ports.setdefault((name, protocol), Port())
        gateways = [w for p in PROTOCOLS for w in ("--gateway", f"lantern={p}:{self.ports[name, p].address}")]
        return super().launch(name, *gateways, *flags, peers=peers)

    async def close(self) -> None:
        await super().close()
        for port in self.ports.values():
            port.release()


class Raw:
    """A lantern on a raw socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def at(cls, port: Port) -> Self:
        return cls(*await port.dialed())

    async def gets(self, frames: str) -> None:
        """These bytes come next."""
        wanted = bytes.fromhex(frames)
        async with asyncio.timeout(DEADLINE_S):
            assert await self.reader.readexactly(len(wanted)) == wanted


class Hung:
    """`tanist lantern`, which is told by a pipe where the stand is."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def at(cls, port: Port, folder: Path) -> Self:
        process = await asyncio.create_subprocess_exec(
            *TANIST,
            "lantern",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(folder),
            preexec_fn=die_with_parent,
        )
        assert process.stdin is not None
        process.stdin.write(port.address.encode() + b"\n")
        await process.stdin.drain()
        return cls(process)

    async def says(self, words: str) -> None:
        """Wait for a line that begins so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while not (line := await self._process.stdout.readline()).decode().startswith(words):
                assert line, f"it ended before it said {words!r}"

    async def end(self) -> None:
        """SIGTERM: it ends cleanly."""
        self._process.terminate()
        await self.says("The lantern is taken down.")
        async with asyncio.timeout(DEADLINE_S):
            assert await self._process.wait() == 0


@contextlib.asynccontextmanager
async def stands(folder: Path) -> AsyncIterator[tuple[Stands, str, list[str], aiohttp.ClientSession]]:
    """Three, the one that serves, the others, and somebody who calls."""
    async with Stands(folder) as cluster, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(DEADLINE_S)) as http:
        server = await cluster.found()
        for port in cluster.ports.values():
            _, writer = await port.dialed()
            writer.close()
        yield cluster, server, [name for name in cluster.peers if name != server], http


async def call(http: aiohttp.ClientSession, port: Port, command: str, **value: str) -> int:
    body = json.dumps({"method": "message", "params": {"command": command, **value}})
    async with http.post(f"http://localhost:{port.number}", data=body, headers=FORM) as answer:
        return answer.status


@pytest.mark.slow
async def test_three_lanterns_are_told_the_same_while_their_server_dies(tmp_path: Path) -> None:
    async with stands(tmp_path) as (cluster, server, others, http):
        ports = cluster.ports
        raw = [await Raw.at(ports[name, "tlv"]) for name in (*others, server)]
        hung = await Hung.at(ports[server, "tlv"], tmp_path)
        for lantern in raw:
            await lantern.gets("20 0003 ffffff 13 0000")
        assert await call(http, ports[server, "api"], "COLOR", value="ff0000") == 200
        assert await call(http, ports[others[0], "api"], "ON") == 200
        for lantern in raw:
            await lantern.gets("20 0003 ff0000 12 0000")
        await hung.says("on, #ff0000: at the stand")

        colors = [f"{n:06x}" for n in range(1, 21)]

        async def switch() -> None:
            for color in colors:
                assert await call(http, ports[others[0], "api"], "COLOR", value=color) == 200
                assert await call(http, ports[others[0], "api"], "COLOR", value="red") == 409

        await asyncio.gather(switch(), cluster.kill(server))
        for lantern in raw[:2]:
            for color in colors:
                await lantern.gets(f"20 0003 {color}")
        await hung.says("on, #ff0000: no stand at")
        late = await Raw.at(ports[others[1], "tlv"])
        await late.gets(f"20 0003 {colors[-1]} 12 0000")

        await cluster.start(server)
        await hung.says(f"on, #{colors[-1]}: at the stand")
        await hung.end()
        await cluster.settled()
        assert await call(http, ports[server, "api"], "OFF") == 200
        for lantern in (*raw[:2], late):
            await lantern.gets("13 0000")
            lantern.writer.close()
        raw[2].writer.close()


@pytest.mark.slow
async def test_lanterns_of_two_clusters_that_become_one_shine_alike(tmp_path: Path) -> None:
    async with Stands(tmp_path) as cluster, aiohttp.ClientSession() as http:
        hung = {}
        for name, command in ("a", {"command": "ON"}), ("b", {"command": "COLOR", "value": "0000ff"}):
            cluster.launch(name)
            await cluster.until_serves(name)
            hung[name] = await Raw.at(cluster.ports[name, "tlv"])
            assert await call(http, cluster.ports[name, "api"], **command) == 200
        cluster.launch("c", peers=["a", "b"])
        server = await cluster.settled(3)
        async with http.get(f"{cluster[server].url}/apps/lantern/lantern") as answer:
            present = msgspec.convert((await answer.json())["result"], Lantern)
        for raw in hung.values():
            frames, lantern = Frames(), Lantern(True, "123456")
            async with asyncio.timeout(DEADLINE_S):
                while lantern != present:
                    for kind, value in frames.feed(await raw.reader.read(1)):
                        obey(lantern, kind, value)
            raw.writer.close()


@pytest.mark.slow
@in_a_browser
async def test_two_pages_follow_a_failover(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        cluster, server, others, http = await stack.enter_async_context(stands(tmp_path))
        pages = [await stack.enter_async_context(browsing(tmp_path / f"browser {i}")) for i in range(2)]

        async def until(page: Page, element: str, text: str) -> None:
            async with asyncio.timeout(DEADLINE_S):
                while await page.value(f"document.getElementById('{element}').textContent") != text:
                    await asyncio.sleep(0.02)

        for page, name in zip(pages, (server, others[0]), strict=True):
            await page.open(f"http://localhost:{cluster.ports[name, 'page'].number}/")
        await pages[0].click_on("#on")
        for page in pages:
            await until(page, "how", "The lantern shines, #ffffff")
        # Of another origin, and with a type for which a browser asks first.
        api, body = cluster.ports[others[1], "api"].number, '{"method": "message", "params": {"command": "COLOR"}}'
        call_it = f"fetch('http://localhost:{api}/', {{method: 'POST', headers: {{'Content-Type': 'application/json'}}"
        said = await pages[0].value(call_it + f", body: {body!r}}}).then(answer => answer.json())")
        assert "six hex digits" in said["error"]
        await cluster.kill(server)
        assert await call(http, cluster.ports[others[1], "api"], "COLOR", value="00ff00") == 200
        await until(pages[1], "how", "The lantern shines, #00ff00")
        await until(pages[0], "said", "Looking for the stand…")
        await pages[1].click_on("#off")
        await until(pages[1], "how", "The lantern is dark")
        await cluster.start(server)
        await until(pages[0], "said", "")
        await until(pages[0], "how", "The lantern is dark")
        await pages[0].click_on("#on")
        for page in pages:
            await until(page, "how", "The lantern shines, #00ff00")
        refused = ("WebSocket", "ERR_CONNECTION", "409")
        assert not [c for page in pages for c in page.complaints if not any(word in c for word in refused)]
