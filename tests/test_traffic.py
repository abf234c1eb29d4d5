"""Clients that generate traffic, and the agent: what they send and show, and that they find their servers again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tanist.config import load
from tanist.peer.cli.traffic import run_agent, run_traffic
from tanist.peer.cli.verbs import run
from tanist.peer.machine import Figures
from tanist.peer.peer import Peer
from tanist.peer.traffic import agent, client, redialing
from tanist.peer.traffic.agent import keep_reporting
from tanist.peer.traffic.client import make_traffic
from tanist.peer.traffic.kinds import KINDS, Packets, Positions, Sums

DEADLINE_S = 20.0
APPS = ["packets", "sums", "positions", "monitor"]
GATEWAYS = {"packets": "packets=echo", "sums": "sums=struct", "positions": "positions=struct"}


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    gateways = [*(f"{gateway}:0" for gateway in GATEWAYS.values()), "monitor=line:0"]
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": APPS}
    given |= {"gateway": gateways, "listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


@contextlib.asynccontextmanager
async def at_work(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """While a client runs, that is then told to end."""
    task = asyncio.create_task(work)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def until_heard(shown: list[str], count: int) -> None:
    """Until so many answers were shown."""
    await until(lambda: sum(line.startswith("<") for line in shown) >= count)


def at(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def test_they_send_as_often_as_they_should() -> None:
    assert {name: kind.every_s for name, kind in KINDS.items()} == {"packets": 1, "sums": 10, "positions": 5}


@pytest.mark.parametrize(("kind", "answer"), [(Packets, b"packet 7\n"), (Positions, b"48544 (1, -2)")])
def test_answers_are_found_however_they_are_cut(kind: type[Packets | Positions], answer: bytes) -> None:
    line = answer.decode().strip()
    for size in range(1, 2 * len(answer)):
        traffic, heard = kind(Random(1)), []
        data = answer * 3
        for start in range(0, len(data), size):
            heard += traffic.heard(data[start : start + size])
        assert heard == [line] * 3
    assert kind(Random(1)).heard(b"x" * 100_000) == []


def test_positions_stay_where_positions_can_be() -> None:
    traffic = Positions(Random(3))
    for _ in range(2000):
        said, data = traffic.next()
        assert len(data) == 4, said


async def test_each_client_shows_what_it_sends_and_what_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in KINDS.values():
        monkeypatch.setattr(kind, "every_s", 0.05)
    async with running(tmp_path) as peer:
        for name, kind in KINDS.items():
            shown: list[str] = []
            told: list[str] = []
            where = at(peer.gateways[GATEWAYS[name]])
            async with at_work(make_traffic(kind, [where], shown.append, told.append, Random(5))):
                await until_heard(shown, 3)
            assert told == [f"connected to 127.0.0.1:{where[1]}"]
            if name == "packets":
                assert shown[:2] == ["> packet 1", "< packet 1"]
            elif name == "sums":
                word, a, b = shown[0].removeprefix("> ").split()
                expected = {"SUMA": int(a) + int(b), "RESTA": int(a) - int(b), "MULTIPLICACION": int(a) * int(b)}
                assert shown[1] == f"< El resultado de la operacion es {expected.get(word, int(a) / int(b))}"
            else:
                assert shown[1].endswith(shown[0].removeprefix("> at"))


async def test_a_server_that_is_gone_is_looked_for_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Packets, "every_s", 0.05)
    monkeypatch.setattr(redialing, "REDIAL_S", 0.05)
    shown: list[str] = []
    told: list[str] = []
    async with contextlib.AsyncExitStack() as stack:
        peer = await stack.enter_async_context(running(tmp_path))
        address = peer.gateways["packets=echo"]
        await stack.enter_async_context(at_work(make_traffic(Packets, [at(address)], shown.append, told.append)))
        await until(lambda: "< packet 2" in shown)
        await peer.stop()
        await until(lambda: any("nobody at" in line for line in told))
        shown.clear()
        await stack.enter_async_context(running(tmp_path, gateway=[f"packets=echo:{address}"]))
        await until(lambda: "< packet 2" in shown)
        assert told == [
            f"connected to {address}",
            f"the connection to {address} is gone (it ended); trying again",
            f"nobody at {address} (connection refused); trying again",
            f"connected to {address}",
        ]


async def test_a_server_that_says_nothing_any_more_counts_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packets, "every_s", 0.01)
    monkeypatch.setattr(client, "PATIENCE_S", 0.05)
    monkeypatch.setattr(agent, "ANSWER_S", 0.05)
    monkeypatch.setattr(redialing, "REDIAL_S", 0.0)
    figures = Figures(12.5, 2048.0, 8192.0, 100.0, 50.0, 66.6)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        where = frozen.getsockname()[:2]
        gone = f"the connection to {where[0]}:{where[1]} is gone (no answer); trying again"
        shown: list[str] = []
        one: list[str] = []
        other: list[str] = []
        async with (
            at_work(make_traffic(Packets, [where], shown.append, one.append)),
            at_work(keep_reporting([where], "laptop", 1.0, lambda: figures, other.append)),
        ):
            await until(lambda: gone in one and gone in other)


@pytest.mark.parametrize("way", ["lines", "http"])
async def test_the_agent_reports_over_lines_and_http_and_goes_on_at_the_next_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(redialing, "REDIAL_S", 0.05)
    figures = Figures(12.5, 2048.0, 8192.0, 100.0, 50.0, 66.6)
    told: list[str] = []

    def rows(peer: Peer) -> dict[str, tuple[float, float, float]]:
        machines = peer.machine.query("monitor", "report")["machines"]
        return {row["name"]: (row["cpu"], row["ram"], row["disk"]) for row in machines}

    def server(peer: Peer) -> tuple[str, int]:
        return at(peer.gateways["monitor=line"] if way == "lines" else peer.http_address)

    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a"))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address]))
        name = 'my "own" laptop'
        await stack.enter_async_context(
            at_work(keep_reporting([server(a), server(b)], name, 0.05, lambda: figures, told.append))
        )
        await until(lambda: name in rows(b))
        assert rows(b) == {name: (12.5, 25.0, 66.6)}
        await a.stop(hand_over=False)
        await until(lambda: told[-1] == f"{name} reports to 127.0.0.1:{server(b)[1]}")
    assert told[:2] == [f"connected to 127.0.0.1:{server(a)[1]}", f"{name} reports to 127.0.0.1:{server(a)[1]}"]


@pytest.mark.parametrize("way", ["monitor=line", "http"])
async def test_the_agent_says_why_it_is_refused(tmp_path: Path, way: str) -> None:
    figures = Figures(12.5, 2048.0, 8192.0, 100.0, 50.0, 166.6)
    told: list[str] = []
    async with running(tmp_path) as peer:
        where = at(peer.http_address if way == "http" else peer.gateways[way])
        async with at_work(keep_reporting([where], "laptop", 0.02, lambda: figures, told.append)):
            await until(lambda: len(told) > 1)
    assert told[1] == f"refused at 127.0.0.1:{where[1]}: disk is in percent, from 0 to 100"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    "verb",
    [
        "packets",
        "agent",
        pytest.param("sums", marks=pytest.mark.slow),
        pytest.param("positions", marks=pytest.mark.slow),
    ],
)
async def test_sigterm_ends_each_cleanly_connected_or_not(tmp_path: Path, verb: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TANIST_")}
    # One that is connected to somebody who never answers, and one that finds nobody.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        for address, news in ((f"127.0.0.1:{deaf.getsockname()[1]}", b"connected"), ("127.0.0.1:1", b"nobody")):
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tanist.peer.cli", verb, address),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
            )
            assert program.stderr is not None
            async with asyncio.timeout(DEADLINE_S):
                assert news in await program.stderr.readline()
                program.send_signal(signal.SIGTERM)
                assert await program.wait() == 0
                assert b"Traceback" not in await program.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["packets"], "where is the server?"),
        (["sums", "nowhere"], "write host:port"),
        (["agent", "127.0.0.1:1", "--every", "0.01"], "--every is 0.5 to 3600 seconds"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert why in capsys.readouterr().err


def test_verbs_and_kinds_are_the_same() -> None:
    assert set(KINDS) == {"packets", "sums", "positions"}
    assert callable(run_agent) and callable(run_traffic)
    assert Sums(Random(1)).heard(b"El resultado") == ["El resultado"]
