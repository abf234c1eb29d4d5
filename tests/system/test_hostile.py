"""Hostile bytes on both ports of a running server: it stays small, says so, and its clients notice nothing."""

import asyncio
import contextlib
import resource
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from system.cluster import Cluster
from system.writer import Writer

IDLE = 1000
"""Idle connections on each port."""
FILES_SPARE = 200
"""Files that this process needs besides those connections."""
GROWTH_BYTES_MAX = 60 << 20
"""How much a server's memory may grow under all of it."""
STRANGERS = 20
"""Connections that send bytes nobody can read, on each port."""
NOISE_BYTES = 256 << 10
"""Bytes that each of them sends."""
LENGTH_4_GIB = b"\x01\xff\xff\xff\xff"
"""A frame's type and length: the largest that four bytes can say."""
HUGE_POST = (
    b"POST /apps/kv/set HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 4294967296\r\n\r\n"
)
SLOW_BYTES = 3
"""Bytes that a slow sender sends, one a second: its hello is late after two."""


def host_and_port(address: str) -> tuple[str, int]:
    """Both parts of an address."""
    host, _, port = address.rpartition(":")
    return host, int(port)


@contextlib.asynccontextmanager
async def connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is closed at the end, whatever the other side did to it."""
    reader, writer = await asyncio.open_connection(*host_and_port(address))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def send(address: str, *parts: bytes) -> None:
    """Send bytes, for as long as the other side takes them."""
    async with connected(address) as (_, writer):
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()


async def send_slowly(address: str, data: bytes) -> None:
    """Send one byte a second, until all is sent or the other side ends it."""
    async with connected(address) as (reader, writer):
        for at in range(len(data)):
            writer.write(data[at : at + 1])
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(1):
                    await reader.read(1)


def files_for(idle: int) -> None:
    """See to it that this process may open so many files, or skip."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = idle + FILES_SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            pytest.skip(f"{wanted} files are needed for {idle} connections, ulimit -n allows {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.mark.slow
async def test_hostile_bytes_cost_little_memory_and_no_client_notices(tmp_path: Path) -> None:
    files_for(2 * IDLE)
    async with Cluster(tmp_path) as cluster:
        await cluster.found()
        server, other = await cluster.server(), await cluster.bystander()
        target = cluster[server]
        ports = (target.address, target.http)
        process = psutil.Process(target.pid)
        async with Writer(cluster, other) as writer, contextlib.AsyncExitStack() as idle:
            await writer.more(200)
            before = highest = process.memory_info().rss
            mark = target.mark()
            for port in ports:
                for _ in range(IDLE):
                    await idle.enter_async_context(connected(port))
            highest = max(highest, process.memory_info().rss)
            attacks = [send_slowly(target.address, LENGTH_4_GIB[:SLOW_BYTES]), send_slowly(target.http, b"GET")]
            for port in ports:
                attacks += [send(port, secrets.token_bytes(NOISE_BYTES)) for _ in range(STRANGERS)]
            attacks += [
                send(target.address, LENGTH_4_GIB, bytes(NOISE_BYTES)),
                send(target.http, HUGE_POST, bytes(NOISE_BYTES)),
            ]
            attacking = asyncio.gather(*attacks)
            while not attacking.done():
                highest = max(highest, process.memory_info().rss)
                await asyncio.wait({attacking}, timeout=0.05)
            attacking.result()
            await writer.more(100)
            highest = max(highest, process.memory_info().rss)
            # All of it still hangs on: a new peer must get in.
            cluster.launch("d", peers=[server])
            assert await cluster.settled(4) == server
        assert writer.errors == []
        assert writer.longest_gap_s() < 1
        assert highest - before < GROWTH_BYTES_MAX
        told = {event["fields"]["code"] for event in target.events("connection_rejected", after=mark)}
        assert told >= {"protocol", "crowded"}
        assert any("bytes" in e["fields"]["text"] for e in target.events("connection_rejected", after=mark))
        await writer.must_be_everywhere()
