"""Hostile bytes on the gateways of a running server: that client's only, bounded memory, and others go on."""

import asyncio
import contextlib
import secrets
import socket
from pathlib import Path

import psutil
import pytest

from system.cluster import DEADLINE_S, Cluster
from tanist.peer.drills.ports import Port

CROWD = 20
"""Clients of each kind at each gateway."""
NOISE_BYTES = 256 << 10
"""Bytes that a client sends which nobody can read."""
VALUE_BYTES = 400_000
"""Bytes of an answer that is not read."""
GROWTH_BYTES_MAX = 150 << 20
"""How much a server's memory may grow: each of the crowd may have a mebibyte to read, and one that it began to send."""

LINE_ATTACKS = (
    b"x" * NOISE_BYTES,  # A line without an end.
    b"SET k \xff\xfe\x00\n" * 1000,
    b"HELP\n" * 20_000,  # Far more to read than it will.
    b"SET half",
)
RESP_ATTACKS = (
    b"*1\r\n$99999999999\r\n",
    b"*9\r\n$1048576\r\n" + bytes(1 << 20),  # The rest never comes.
    b"*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n" * 100,  # 40 MB to read.
    b"PING " * NOISE_BYTES,
)


@pytest.mark.slow
async def test_hostile_clients_cost_little_memory_and_no_other_notices(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as leaving:
        line, resp = Port(), Port()
        for port in (line, resp):
            leaving.callback(port.release)
        cluster = await leaving.enter_async_context(Cluster(tmp_path))
        cluster.launch("a", "--gateway", f"kv=line:{line.address}", "--gateway", f"kv=resp:{resp.address}")
        await cluster.until_serves("a")
        process = psutil.Process(cluster["a"].pid)

        async def attack(port: Port, data: bytes) -> None:
            """Send all that is taken, read nothing, and stay."""
            client = leaving.enter_context(socket.socket())
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, ("127.0.0.1", port.number))
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await loop.sock_sendall(client, data)

        reader, writer = await asyncio.open_connection("127.0.0.1", line.number)
        leaving.callback(writer.close)

        async def well(words: bytes, answer: bytes) -> None:
            writer.write(words + b"\n")
            async with asyncio.timeout(DEADLINE_S):
                assert await reader.readline() == answer + b"\n"

        await cluster.call("a", "kv/set", key="big", value="x" * VALUE_BYTES)
        await well(b"SET k 1", b"OK")
        before = highest = process.memory_info().rss
        noise = secrets.token_bytes(NOISE_BYTES)
        attacks = [attack(line, data) for data in (*LINE_ATTACKS, noise) * CROWD]
        attacks += [attack(resp, data) for data in (*RESP_ATTACKS, noise) * CROWD]
        attacking, done = asyncio.gather(*attacks), 0
        while not attacking.done():
            done += 1
            await well(b"INCR n", b"OK %d" % done)
            highest = max(highest, process.memory_info().rss)
        attacking.result()
        await well(b"GET k", b"OK 1")
        assert highest - before < GROWTH_BYTES_MAX
