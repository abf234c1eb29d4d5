"""The key-value store as redis clients see it: redis-py with default settings, pipelines, channels, a failover."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from tanist.config import load
from tanist.peer.gateways import resp
from tanist.peer.gateways.resp import RespClient
from tanist.peer.gateways.tcp import Connection
from tanist.peer.peer import Peer

DEADLINE_S = 20.0


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    given = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["kv"], "gateway": ["kv=resp:0"], **flags}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


def client(peer: Peer, **options: Any) -> Redis:
    host, _, port = peer.gateways["kv=resp"].rpartition(":")
    return Redis(host=host, port=int(port), **options)


@contextlib.asynccontextmanager
async def stream(peer: Peer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = peer.gateways["kv=resp"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("protocol", [2, 3])
async def test_redis_py_finds_what_it_knows(tmp_path: Path, protocol: int) -> None:
    async with running(tmp_path) as peer, client(peer, protocol=protocol) as redis:
        assert await redis.ping()
        assert await redis.set("a", "1") is True
        assert await redis.get("a") == b"1"
        assert await redis.get("none") is None
        assert await redis.set("a", "2", nx=True) is None
        assert await redis.set("b", b"\x00\xff\r\n", xx=True) is None
        assert await redis.set("b", b"\x00\xff\r\n", px=100_000) is True
        assert await redis.get("b") == b"\x00\xff\r\n"
        assert 99 <= await redis.ttl("b") <= 100
        assert await redis.ttl("a") == -1
        assert await redis.ttl("none") == -2
        assert await redis.expire("a", 100)
        assert await redis.incr("n") == 1
        assert await redis.incrby("n", 41) == 42
        assert await redis.exists("a", "n", "none") == 2
        assert await redis.set(b"\xff\xfe", "odd") is True
        assert sorted(await redis.keys("*")) == [b"a", b"b", b"n", b"\xff\xfe"]
        assert await redis.keys("[ab]") == [b"a", b"b"]
        assert await redis.keys(r"\a") == [b"a"]
        assert await redis.mget("a", "none") == [b"1", None]
        assert await redis.dbsize() == 4
        assert await redis.delete("a", "b", "none") == 2
        with pytest.raises(ResponseError, match="not an integer"):
            await redis.set("s", "text")
            await redis.incr("s")
        with pytest.raises(ResponseError, match="unknown command 'LPUSH'"):
            await redis.lpush("list", "x")
        with pytest.raises(ResponseError, match="wrong number of arguments"):
            await redis.execute_command("GET")  # type: ignore[no-untyped-call]
        with pytest.raises(ResponseError, match="DB index"):
            await redis.select(1)
        assert (await redis.config_get("sav*"))["save"] in ("", b"")
        assert (await redis.info())["role"] == "master"
        assert await redis.wait(0, 10) == 0
        assert await redis.flushall() is True
        assert await redis.keys("*") == []


async def test_a_key_lapses_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, client(peer) as redis:
        await redis.set("short", "1", px=50)
        async with asyncio.timeout(DEADLINE_S):
            while await redis.get("short") is not None:
                await asyncio.sleep(0.01)
        assert await redis.ttl("short") == -2


async def test_a_pipeline_is_answered_in_order_and_reads_see_the_writes_before_them(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, client(peer) as redis:
        pipeline = redis.pipeline(transaction=False)
        for i in range(300):
            pipeline.set("k", i)
            pipeline.get("k")
        answers = await pipeline.execute()
        assert answers[::2] == [True] * 300
        assert answers[1::2] == [b"%d" % i for i in range(300)]
        pipeline = redis.pipeline(transaction=False)
        for _ in range(3000):
            pipeline.incr("n")
        assert await pipeline.execute() == list(range(1, 3001))


async def test_a_transaction_is_done_at_one_moment_or_not_at_all(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, client(peer) as redis, client(peer) as other:
        pipeline = redis.pipeline()
        pipeline.set("a", b"\xff")
        pipeline.get("a")
        pipeline.set("b", "x", nx=True, ex=100)
        pipeline.incr("b")
        pipeline.incrby("n", 41)
        pipeline.incr("n")
        pipeline.mget("a", "none", "n")
        pipeline.exists("a", "b", "c")
        pipeline.delete("a")
        pipeline.dbsize()
        pipeline.ttl("b")
        answers = await pipeline.execute(raise_on_error=False)
        assert 0 < answers.pop() <= 100
        refused = answers.pop(3)
        assert isinstance(refused, ResponseError) and "not an integer" in str(refused)
        assert answers == [True, b"\xff", True, 41, 42, [b"\xff", None, b"42"], 2, 1, 2]

        async def add_up(redis: Redis) -> list[list[int]]:
            seen = []
            for _ in range(20):
                pipeline = redis.pipeline()
                for key in ("x", "y", "x"):
                    pipeline.incr(key)
                seen.append(await pipeline.execute())
            return seen

        one, two = await asyncio.gather(add_up(redis), add_up(other))
        assert sorted(one + two) == [[2 * n - 1, n, 2 * n] for n in range(1, 41)], "nobody's came in between"


async def test_what_cannot_be_queued_undoes_its_transaction(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, stream(peer) as (reader, writer):

        async def said(*lines: str) -> list[bytes]:
            writer.write("".join(f"{line}\r\n" for line in lines).encode())
            return [(await reader.readline()).rstrip() for _ in lines]

        begin = [b"+OK", b"+QUEUED"]
        assert await said("EXEC", "DISCARD") == [b"-ERR EXEC without MULTI", b"-ERR DISCARD without MULTI"]
        assert await said("MULTI", "SET a 1", "DISCARD", "GET a") == [*begin, b"+OK", b"$-1"]
        answers = await said("MULTI", "SET a 1", "MULTI", "INCR", "SUBSCRIBE news", "EXEC", "GET a")
        assert answers[:2] == begin and answers[2].startswith(b"-ERR MULTI calls")
        assert answers[3].startswith(b"-ERR wrong number") and answers[4].startswith(b"-ERR SUBSCRIBE is not done")
        assert answers[5].startswith(b"-EXECABORT") and answers[6] == b"$-1"
        assert await said("MULTI", "EXEC", "PING") == [b"+OK", b"*0", b"+PONG"]
        writer.write(b"MULTI\r\n" + b"SET a %b\r\n" % (b"x" * 60_000) * 20 + b"EXEC\r\nDBSIZE\r\n")
        answers = [(await reader.readline()).rstrip() for _ in range(23)]
        assert answers[17] == b"+QUEUED" and b"bytes at most" in answers[20]
        assert answers[21].startswith(b"-EXECABORT") and answers[22] == b":0"


async def test_messages_on_channels_reach_listeners_at_every_peer(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        async with client(a) as sender, client(b) as other, other.pubsub() as listener:
            await listener.subscribe("news", "sport")
            told = [await listener.get_message(timeout=DEADLINE_S) for _ in range(2)]
            assert [t["data"] for t in told if t] == [1, 2]
            await sender.publish("weather", "rain")
            assert await sender.publish("news", b"\xffhello") == 0, "those at other peers are not counted"
            message = await listener.get_message(timeout=DEADLINE_S)
            assert message is not None
            assert (message["channel"], message["data"]) == (b"news", b"\xffhello")
            assert await other.publish("news", "to one here") == 1


async def test_one_that_says_nothing_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as peer:
        monkeypatch.setattr(resp, "SILENT_S", 0.05)
        async with stream(peer) as (reader, _):
            assert await reader.read() == b""


async def test_a_client_with_retries_rides_through_a_failover(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a, running(tmp_path, "b", peer=[a.address]) as b:
        retry = Retry(ConstantBackoff(0.05), 100)
        async with client(b, retry=retry, retry_on_error=[RedisConnectionError]) as redis:
            ending = None
            for i in range(1, 61):
                if i == 20:
                    ending = asyncio.ensure_future(a.stop(hand_over=False))
                assert await redis.set(f"k{i}", i)
            assert ending is not None
            await ending
            assert await redis.dbsize() == 60


async def test_a_failover_halves_no_transaction(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a, running(tmp_path, "b", peer=[a.address]) as b, client(b) as redis:
        done, ending = [], None
        for i in range(60):
            if i == 20:
                ending = asyncio.ensure_future(a.stop(hand_over=False))
            pipeline = redis.pipeline()
            for key in ("x", "y", "x"):
                pipeline.incr(key)
            done.append(await pipeline.execute())
        assert ending is not None
        await ending
        assert done == [[2 * n - 1, n, 2 * n] for n in range(1, 61)]
        assert await redis.mget("x", "y") == [b"120", b"60"]


class Unanswered:
    """A connection whose commands are never answered, since nobody serves."""

    async def call(self, command: str, *given: Any) -> Any:
        await asyncio.get_running_loop().create_future()


async def test_what_waits_for_a_server_is_bounded() -> None:
    client = RespClient(cast(Connection, Unanswered()), 1, lambda channel: 0)
    value, taken = b"x" * 500_000, 0
    while True:
        taking = asyncio.create_task(client.take([b"SET", b"k", value]))
        await asyncio.sleep(0)
        if not taking.done():
            break
        taken += 1
    taking.cancel()
    client.close()
    assert resp.ASKED_BYTES_MAX <= taken * len(value) <= resp.ASKED_BYTES_MAX + len(value)


async def test_hostile_bytes_end_their_own_connection_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, client(peer) as well:
        await well.set("a", "1")
        async with stream(peer) as (reader, writer):
            for byte in b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n":
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            assert await reader.readuntil(b"1\r\n1\r\n") == b"$1\r\n1\r\n"
            writer.write(b"*1\r\n$99999999999\r\n")
            assert (await reader.read()).startswith(b"-ERR Protocol error")
        async with stream(peer) as (reader, writer):
            writer.write(b"PING\r\nQUIT\r\nPING\r\n")
            assert await reader.read() == b"+PONG\r\n+OK\r\n"
        assert await well.get("a") == b"1"


async def test_a_client_that_reads_slowly_gets_all_of_a_large_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, client(peer) as redis:
        value = b"\x00" * 400_000
        await redis.set("large", value)
        async with stream(peer) as (reader, writer):
            writer.write(b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n" * 20)
            for _ in range(20):
                assert await reader.readexactly(9 + len(value) + 2) == b"$400000\r\n" + value + b"\r\n"


@pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-cli is not installed")
async def test_redis_cli_and_redis_benchmark(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        port = peer.gateways["kv=resp"].rpartition(":")[2]

        def run(*words: str) -> str:
            return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout

        cli = "redis-cli", "-p", port
        assert (await asyncio.to_thread(run, *cli, "set", "greeting", "hello world")).strip() == "OK"
        assert (await asyncio.to_thread(run, *cli, "-3", "get", "greeting")).strip() == "hello world"
        for depth in ("1", "16"):
            rest = ("-t", "set,get,incr", "-n", "400", "-c", "5", "-P", depth, "--csv")
            out = await asyncio.to_thread(run, "redis-benchmark", "-p", port, *rest)
            assert [line.split(",")[0] for line in out.splitlines()[1:]] == ['"SET"', '"GET"', '"INCR"']
