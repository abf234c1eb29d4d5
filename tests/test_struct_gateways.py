"""Packets, sums and positions: raw bytes cut anywhere, absurd, unread; codes that a failover keeps."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tanist.config import load
from tanist.peer.gateways import echo, structs, tcp
from tanist.peer.gateways.structs import SUM, calculated
from tanist.peer.peer import Peer

DEADLINE_S = 20.0
GATEWAYS = ["packets=echo:0", "sums=struct:0", "positions=struct:0"]
SUMA = bytes.fromhex("0400000002000300") + b"SUMA"


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    given = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["packets", "sums", "positions"], **flags}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "gateway": GATEWAYS}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


class Raw:
    """A connection that sends and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readexactly(count)

    async def text(self, expected: str) -> None:
        assert (await self.read(len(expected.encode()))).decode() == expected

    async def ended(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()


@contextlib.asynccontextmanager
async def connected(peer: Peer, gateway: str) -> AsyncIterator[Raw]:
    host, _, port = peer.gateways[gateway].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def until_visitors(peer: Peer, app: str, count: int) -> list[int]:
    async with asyncio.timeout(DEADLINE_S):
        while len(found := peer.machine.query(app, "visitors")) != count:
            await asyncio.sleep(0.01)
    return [visitor["code"] for visitor in found]


async def test_bytes_come_back_as_they_were_and_visitors_are_listed(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        data = random.Random(1).randbytes(3_000_000)
        async with connected(peer, "packets=echo") as one, connected(peer, "packets=echo") as other:
            one.writer.write(data)
            other.writer.write(b"\x00")
            assert await one.read(len(data)) == data
            assert await other.read(1) == b"\x00"
            codes = await until_visitors(peer, "packets", 2)
            assert len(set(codes)) == 2
            assert all(10_000 <= code < 100_000 for code in codes)
        await until_visitors(peer, "packets", 0)


async def test_who_never_reads_delays_nobody(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as peer,
        connected(peer, "packets=echo") as deaf,
        connected(peer, "packets=echo") as well,
    ):
        deaf.writer.write(bytes(64 << 20))
        for i in range(50):
            well.writer.write(b"%02d" % i)
            assert await well.read(2) == b"%02d" % i
        deaf.writer.transport.abort()


@pytest.mark.slow
async def test_who_does_not_answer_is_closed_and_listed_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo, "QUIET_S", 2.0)
    monkeypatch.setattr(tcp, "STALL_S", 0.3)
    async with (
        running(tmp_path) as peer,
        connected(peer, "packets=echo") as silent,
        connected(peer, "packets=echo") as deaf,
        connected(peer, "packets=echo") as well,
    ):
        await until_visitors(peer, "packets", 3)
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
        deaf.writer.write(bytes(64 << 20))
        ends = [asyncio.create_task(silent.ended()), asyncio.create_task(until_visitors(peer, "packets", 1))]
        while not all(end.done() for end in ends):
            well.writer.write(b"here")
            assert await well.read(4) == b"here"
            await asyncio.sleep(0.02)
        assert await ends[0] == b""
        deaf.writer.transport.abort()


async def test_sums_cut_glued_and_byte_by_byte(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, connected(peer, "sums=struct") as raw:
        raw.writer.write(SUMA)
        await raw.text("El resultado de la operacion es 5")
        for byte in SUMA:
            raw.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await raw.text("El resultado de la operacion es 5")
        raw.writer.write(SUMA * 100 + SUMA[:5])
        await raw.text("El resultado de la operacion es 5" * 100)
        raw.writer.write(SUMA[5:])
        await raw.text("El resultado de la operacion es 5")
        for word, a, b, told in (
            (b"RESTA", 2, 3, "-1"),
            (b"MULTIPLICACION", -32768, 32767, "-1073709056"),
            (b"DIVISION", 7, 2, "3.5"),
            (b"DIVISION", 6, 2, "3.0"),
            (b"DIVISION", 6, 0, "False"),
            (b"NADA", 6, 0, "None"),
            (b"", 6, 0, "None"),
        ):
            raw.writer.write(SUM.pack(len(word), a, b) + word)
            await raw.text(f"El resultado de la operacion es {told}")


async def test_who_glues_thousands_of_requests_has_the_loop_for_one_at_a_time(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, connected(peer, "sums=struct") as raw:
        turns, count = 0, 3000

        async def turning() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        others = asyncio.create_task(turning())
        raw.writer.write(SUMA * count)
        await raw.read(len("El resultado de la operacion es 5") * count)
        others.cancel()
        assert turns >= count


async def test_an_absurd_length_cuts_that_client_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, connected(peer, "sums=struct") as well:
        for length in (65, 2**31, 2**32 - 1):
            async with connected(peer, "sums=struct") as bad:
                bad.writer.write(SUM.pack(length, 1, 1))
                assert await bad.ended() == b""
        well.writer.write(SUMA)
        await well.text("El resultado de la operacion es 5")


async def test_positions_reach_everybody_and_codes_survive_a_failover(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        one = await stack.enter_async_context(connected(b, "positions=struct"))
        two = await stack.enter_async_context(connected(b, "positions=struct"))
        one.writer.write(struct.pack("<hh", 1, -2))
        told = (await one.read(len("48544 (1, -2)"))).decode()
        code, _, place = told.partition(" ")
        assert place == "(1, -2)"
        assert len(code) == 5 and code.isdigit()
        await two.text(told)
        await a.stop(hand_over=False)
        for byte in struct.pack("<hh", 300, 4):
            two.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        other = (await one.read(len("48544 (300, 4)"))).decode()
        assert other.endswith(" (300, 4)")
        assert not other.startswith(code)
        one.writer.write(struct.pack("<hh", -32768, 32767))
        await one.text(f"{code} (-32768, 32767)")


async def test_who_only_looks_on_is_told_for_as_long_as_they_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(structs, "QUIET_S", 0.01)
    async with (
        running(tmp_path) as peer,
        connected(peer, "positions=struct") as looker,
        connected(peer, "positions=struct") as mover,
        connected(peer, "sums=struct") as quiet,
    ):
        assert await quiet.ended() == b"", "the time of whoever asks for sums is over"
        mover.writer.write(struct.pack("<hh", 1, -2))
        assert (await looker.read(len("48544 (1, -2)"))).endswith(b" (1, -2)")


@pytest.mark.parametrize(("word", "told"), [(b"SUMA", 3), (b"suma", None), (b"SUMA ", None), (b"\xff", None)])
def test_words_are_exact(word: bytes, told: object) -> None:
    assert calculated(word, 1, 2) == told
