"""Clients of the key-value store at real peers: redis clients over a failover, and the end that every client sees."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from system.cluster import DEADLINE_S, Cluster
from tanist.peer.drills.ports import Port, is_free
from tanist.peer.drills.process import PeerProcess

PROTOCOLS = ("line", "resp")
WRITES = 50
"""Commands of one kind by one client, while the server dies."""
DEPTH = 16
"""Commands in one pipeline."""
END_S = 2.0
"""What clients are promised: so soon they see the end of a peer that is told to end."""
LOAD_S = 1.0
"""Room for a machine that has other work."""


class WithGateways(Cluster):
    """Each peer speaks lines and RESP for the store."""

    def __init__(self, folder: Path, safety: str = "survivor") -> None:
        super().__init__(folder, safety=safety, pace="lan")
        self.ports: dict[tuple[str, str], Port] = {}

    def launch(self, name: str, *flags: str, peers: Iterable[str] = ()) -> PeerProcess:
        self.ports |= {(name, protocol): Port() for protocol in PROTOCOLS}
        gateways = [w for p in PROTOCOLS for w in ("--gateway", f"kv={p}:{self.ports[name, p].address}")]
        return super().launch(name, *gateways, *flags, peers=peers)

    def redis(self, name: str) -> Redis:
        """A client that tries again, at one peer for ever."""
        retry = Retry(ConstantBackoff(0.1), int(DEADLINE_S / 0.1))
        return Redis(host="127.0.0.1", port=self.ports[name, "resp"].number, retry=retry)

    async def close(self) -> None:
        await super().close()
        for port in self.ports.values():
            port.release()


@pytest.mark.slow
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_redis_clients_ride_through_a_failover(tmp_path: Path, safety: str) -> None:
    async with WithGateways(tmp_path, safety) as cluster:
        server = await cluster.found()
        one, two = (name for name in cluster.peers if name != server)
        async with cluster.redis(one) as a, cluster.redis(two) as b, cluster.redis(server) as c, b.pubsub() as hearing:
            await hearing.subscribe("news")
            assert (await hearing.get_message(timeout=DEADLINE_S) or {})["data"] == 1
            assert await c.set("before", b"\x00\xff")
            assert await c.wait(1, 1000) >= 1

            async def count(redis: Redis) -> list[int]:
                counts = []
                for n in range(WRITES):
                    counts.append(await redis.incr("n"))
                    pipeline = redis.pipeline(transaction=False)
                    for _ in range(DEPTH):
                        pipeline.incr("many")
                    many = await pipeline.execute()
                    assert many == sorted(set(many))
                    if redis is a:
                        await redis.publish("news", n)
                return counts

            async def write(redis: Redis) -> None:
                for n in range(WRITES):
                    assert await redis.set(f"key {n}", n)

            counting = asyncio.gather(count(a), count(b), write(c))
            await cluster.kill(server)
            await cluster.start(server)
            of_a, of_b, _ = await counting
            assert sorted(of_a + of_b) == list(range(1, 2 * WRITES + 1)), "each was done once"
            told = [(await hearing.get_message(timeout=DEADLINE_S) or {})["data"] for _ in range(WRITES)]
            assert told == [b"%d" % n for n in range(WRITES)], "each was heard once, in order"
            await cluster.settled()
            for redis in (a, b, c):
                assert await redis.get("before") == b"\x00\xff"
                assert await redis.get("many") == b"%d" % (2 * WRITES * DEPTH)
                assert await redis.mget([f"key {n}" for n in range(WRITES)]) == [b"%d" % n for n in range(WRITES)]


@contextlib.asynccontextmanager
async def streams(addresses: list[str]) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    async with contextlib.AsyncExitStack() as leaving:
        opened = []
        for address in addresses:
            host, _, port = address.rpartition(":")
            opened.append(await asyncio.open_connection(host, int(port)))
            leaving.callback(opened[-1][1].transport.abort)
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True], ids=["its heir hangs", "nobody is left to answer"])
async def test_every_client_sees_the_end_in_time(tmp_path: Path, alone: bool) -> None:
    async with WithGateways(tmp_path, "quorum" if alone else "survivor") as cluster:
        server = await cluster.found()
        others = [name for name in cluster.peers if name != server]
        if alone:
            await cluster.kill(*others)
        else:
            await cluster.pause(await cluster.heir())
        ports = [cluster.ports[server, protocol].number for protocol in PROTOCOLS]
        ports.append(int(cluster[server].http.rpartition(":")[2]))
        body = b'{"key": "n"}'
        post = b"POST /apps/kv/incr HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        asked = b"INCR n\n", b"INCR n\r\n", post + b"Content-Length: %d\r\n\r\n" % len(body) + body, b""
        async with streams([f"127.0.0.1:{port}" for port in [*ports, ports[0]]]) as clients:
            for (_, writer), data in zip(clients, asked, strict=True):
                writer.write(data)
            began = time.monotonic()
            cluster[server].signal(signal.SIGTERM)
            async with asyncio.timeout(DEADLINE_S):
                for reader, _ in clients:
                    with contextlib.suppress(ConnectionError):
                        await reader.read()
            assert time.monotonic() - began <= END_S + LOAD_S
            assert await cluster[server].ended() == 0
            assert all(is_free(port) for port in ports)
        if not alone:
            for name in others:
                await cluster.resume(name)
            await cluster.settled()
