"""Reports of foreign hosts, word for word, and the faults that such a server was known for."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tanist.config import load
from tanist.peer.apps import hosts
from tanist.peer.gateways import report as module
from tanist.peer.gateways import tcp
from tanist.peer.peer import Peer

DEADLINE_S = 20.0
FIGURES = ("12.5", "2048", "95.5", "210", "8192")
"""CPU %, RAM used MB, free bandwidth MB, free disk GB, RAM in all MB."""
LONG_AGO = "1999-12-31 23:59:59"


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["hosts"]}
    given |= {"gateway": ["hosts=report:0"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


def report(id: str = "No-Id", ip: str = "No-Ip", name: str = "laptop", figures: tuple[str, ...] = FIGURES) -> bytes:
    cpu, ram, bandwidth, disk, total = figures
    return "\n".join([id, ip, name, cpu, ram, bandwidth, disk, total, LONG_AGO]).encode()


async def said(peer: Peer, data: bytes) -> str:
    """All that is answered to a host that sends, half-closes, and reads to the end."""
    host, _, port = peer.gateways["hosts=report"].rpartition(":")
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(data)
        writer.write_eof()
        answered = await reader.read()
        writer.close()
    return answered.decode()


async def enrolled(peer: Peer, ip: str = "No-Ip", name: str = "laptop") -> str:
    """A host that has been given its id."""
    match = re.search(r"^Id: (.*)$", await said(peer, report(ip=ip, name=name)), re.MULTILINE)
    assert match is not None
    return match[1]


def ok(id: str, fallback: str) -> str:
    return f"State: OK\nSwitch-To-Server: false\nNew-Server: None\nFallback-Server: {fallback}\nId: {id}"


def table(peer: Peer) -> dict[str, str]:
    return {row["name"]: row["status"] for row in peer.machine.query("hosts", "table")["clients"]}


async def until_table(peer: Peer, expected: dict[str, str]) -> None:
    """Until the table says this of these machines."""
    async with asyncio.timeout(DEADLINE_S):
        while not expected.items() <= table(peer).items():
            await asyncio.sleep(0.01)


async def test_first_contact_and_all_after_it_word_for_word(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        first = await said(peer, report())
        match = re.fullmatch(
            r"State: Unauthorized\nSwitch-To-Server: false\nNew-Server: None\nFallback-Server: None\n"
            r"Id: ([0-9a-f-]{36})\nIp: 127\.0\.0\.1",
            first,
        )
        assert match is not None, first
        assert uuid.UUID(match[1]).version == 4
        assert await said(peer, report(match[1], "127.0.0.1")) == ok(match[1], "127.0.0.1")
        assert await said(peer, report(match[1], "No-Ip") + b"\n") == ok(match[1], "127.0.0.1")
        assert await said(peer, report(match[1]).replace(b"\n", b"\r\n")) == ok(match[1], "127.0.0.1")
        await until_table(peer, {"a": "server", "laptop": "host"})
        stranger = await said(peer, report(str(uuid.uuid4()), name="stranger"))
        assert stranger.startswith("State: Unauthorized\n")
        assert table(peer) == {"a": "server", "laptop": "host"}


async def test_a_report_may_come_in_pieces_or_without_a_half_close(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, asyncio.timeout(DEADLINE_S):
        host, _, port = peer.gateways["hosts=report"].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        for byte in report() + b"\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await reader.readline()) == b"State: Unauthorized\n"
        writer.write(b"and more that nobody asked for\n" * 1000)
        assert b"Ip: 127.0.0.1" in await reader.read(), "the answer is whole though not all was read"
        writer.transport.abort()


async def test_the_answer_comes_whole_however_often(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        id = await enrolled(peer)
        for _ in range(20):
            assert await said(peer, report(id) + b"\ntrailing\nlines\n") == ok(id, "127.0.0.1")


BAD = [
    (report(figures=("101", *FIGURES[1:])), "CPU is in percent"),
    (report(figures=("nan", *FIGURES[1:])), "'nan' is no number"),
    (report(figures=("", *FIGURES[1:])), "'' is no number"),
    (report(figures=("12,5", *FIGURES[1:])), "'12,5' is no number"),
    (report(figures=("1_0", *FIGURES[1:])), "'1_0' is no number"),
    (report(figures=("5", "9000", *FIGURES[2:])), "RAM in use is from 0"),
    (report(figures=(*FIGURES[:3], "1e999", FIGURES[4])), "Free bandwidth and disk"),
    (report(ip="10.0.0.300"), "That is no IP address"),
    (report(name=""), "A name has 1 to 253 characters"),
    (b"", "A report has 9 lines"),
    (b"No-Id\nNo-Ip\nlaptop\n", "A report has 9 lines"),
    (b"\xff" + report(), "short lines of UTF-8"),
    (b"x" * 70_000 + report(), "short lines of UTF-8"),
]


async def test_what_is_no_report_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    refused = "State: Refused\nSwitch-To-Server: false\nNew-Server: None\nFallback-Server: None\nId: "
    async with running(tmp_path) as peer:
        await until_table(peer, {"a": "server"})
        for data, why in BAD:
            answered = await said(peer, data)
            assert answered.startswith(refused), answered
            assert why in answered.splitlines()[-1], answered
        assert table(peer) == {"a": "server"}


async def test_a_silent_connection_blocks_nobody_and_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE_S", 0.3)
    async with running(tmp_path) as peer, asyncio.timeout(DEADLINE_S):
        host, _, port = peer.gateways["hosts=report"].rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
        assert (await said(peer, report())).startswith("State: Unauthorized")
        for reader, writer in silent:
            assert b"A report comes within" in await reader.read()
            writer.close()


async def test_who_breaks_off_or_finds_no_room_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as peer, asyncio.timeout(DEADLINE_S):
        host, _, port = peer.gateways["hosts=report"].rpartition(":")
        (gateway,) = peer._gateways._running
        assert isinstance(gateway, module.ReportGateway)
        for data in (b"", b"half", report() + b"\nmore"):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            while not gateway._connections:
                await asyncio.sleep(0.005)
            # Not an end but a reset.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            while gateway._connections:
                await asyncio.sleep(0.005)
        monkeypatch.setattr(tcp, "CONNECTIONS_MAX", 0)
        reader, writer = await asyncio.open_connection(host, int(port))
        assert (await reader.read()).endswith(b"Reason: 0 are connected here already")
        writer.close()
    assert "failed" not in caplog.text


async def test_a_peer_that_ends_says_so_to_whom_it_has_not_answered(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        alone = await stack.enter_async_context(running(tmp_path, safety="quorum", expect=3))
        waiting = [asyncio.create_task(said(alone, data)) for data in (report(), report(str(uuid.uuid4())))]
        (gateway,) = alone._gateways._running
        assert isinstance(gateway, module.ReportGateway)
        async with asyncio.timeout(DEADLINE_S):
            while len(gateway._connections) < 2:
                await asyncio.sleep(0.01)
            await gateway.stop()
        for task in waiting:
            answered = await task
            assert answered.startswith("State: Refused\n"), answered
            assert answered.endswith("Reason: This peer ends; another one takes reports")


async def test_a_dead_host_is_no_fallback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "PULSE_S", 0.3)
    async with running(tmp_path) as peer:
        dead, live = await enrolled(peer, "10.0.0.1", "dead"), await enrolled(peer, "10.0.0.2", "live")
        await said(peer, report(dead, "10.0.0.1", "dead"))
        assert await said(peer, report(live, "10.0.0.2", "live")) == ok(live, "10.0.0.1")
        await until_table(peer, {"dead": "silent", "live": "silent"})
        assert await said(peer, report(live, "10.0.0.2", "live")) == ok(live, "10.0.0.2")


@pytest.mark.slow
async def test_reports_go_on_when_the_server_is_gone(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        id = await enrolled(b)
        await until_table(b, {"a": "server", "b": "client"})
        assert await said(a, report(id)) == ok(id, "127.0.0.1")
        await a.stop(hand_over=False)
        assert await said(b, report(id)) == ok(id, "127.0.0.1"), "the id is known to whoever serves"
        await until_table(b, {"b": "server", "laptop": "host"})
