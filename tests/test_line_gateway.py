"""The line protocol as `nc` speaks it: words, answers, events, a session a connection, and input meant to harm."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self, cast

import aiohttp
import pytest

from tanist.config import load
from tanist.peer.application.loading import load_application
from tanist.peer.errors import BadRequest, NoServer, NotFound
from tanist.peer.gateways import tcp, words
from tanist.peer.gateways.line import answer, error
from tanist.peer.gateways.tcp import CONNECTIONS_MAX, READ_BYTES_MAX, Connection
from tanist.peer.peer import Peer

DEADLINE_S = 20.0
FLOOD = 500
"""Lines that come at once."""


class Nc:
    """A connection of a client, line by line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, address: str) -> Self:
        host, _, port = address.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port), limit=1 << 20))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def line(self) -> str:
        async with asyncio.timeout(DEADLINE_S):
            return (await self.reader.readline()).decode()

    async def ask(self, line: str) -> str:
        self.write(line.encode() + b"\n")
        return (await self.line()).removesuffix("\n")

    async def several(self, line: str) -> list[str]:
        assert await self.ask(line) == "OK"
        lines = []
        while (got := (await self.line()).removesuffix("\n")) != ".":
            lines.append(got)
        return lines

    async def ended(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    apps = ["chat", "calculator", "kv", "poll"]
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": apps}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "gateway": [f"{app}=line:0" for app in apps], **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


async def test_a_chat_over_lines(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        anna, berta = [await Nc.to(peer.gateways["chat=line"]) for _ in range(2)]
        assert await anna.ask("REGISTER anna") == "OK"
        assert await berta.ask("register anna") == "ERROR Nickname is taken"
        assert await berta.ask('REGISTER "Берта О"') == "OK"
        assert await anna.ask("MSG hello,   you  there") == "OK"
        assert await berta.line() == "[anna]: hello,   you  there\n"
        berta.write(b"MSG \xd1\x87\xd1\x82\xd0\xbe?\r\n")
        assert await berta.line() == "OK\n"
        assert await anna.line() == "[Берта О]: что?\n"
        assert await anna.several("WHO") == ["anna", "Берта О"]
        berta.close()
        clara = await Nc.to(peer.gateways["chat=line"])
        async with asyncio.timeout(DEADLINE_S):
            while await clara.several("WHO") != ["anna"]:
                await asyncio.sleep(0)
        assert await anna.ask("QUIT") == "OK"
        assert await anna.ended() == b""
        assert "REGISTER nick" in "\n".join(await clara.several("HELP"))
        for nc in (anna, clara):
            nc.close()


async def test_answers_of_one_line_of_several_and_of_none(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        calculator, kv, poll = [await Nc.to(peer.gateways[f"{app}=line"]) for app in ("calculator", "kv", "poll")]
        assert await calculator.ask("2 + 3") == "OK 5"
        assert await calculator.ask("-1.5 * 4") == "OK -6"
        assert (await calculator.ask("1 / 0")).startswith("ERROR ")
        assert await calculator.several("history") == ["2 + 3 = 5", "-1.5 * 4 = -6"]
        assert await kv.ask("SET greeting hello world") == "OK"
        assert await kv.ask("GET greeting") == "OK hello world"
        assert await kv.ask("GET nothing") == "ERROR not found"
        assert await kv.several("KEYS") == ["greeting"]
        assert await kv.several("KEYS nothing-begins-so") == []
        assert await kv.ask("SET dots .") == "OK"
        assert await kv.ask("SET OK OK") == "OK"
        assert await kv.ask("GET OK") == "OK OK"
        assert await kv.several("KEYS OK") == ["OK"]
        assert (await kv.ask("FLY away")).startswith("ERROR there is no FLY; there are: SET, ")
        assert await kv.ask("INCR") == "ERROR key is missing; write INCR key [by]"
        assert await kv.ask("GET a b") == "ERROR not found", "the last text takes the rest of the line"
        assert (await kv.ask("INCR n five")).startswith("ERROR by: ")
        assert (await kv.several("help PUT"))[0].startswith("PUT key value [ttl_ms] [any|new|old] [keep]  Give a key")
        assert (await kv.ask("HELP fly")).startswith("ERROR there is no FLY; there are: SET, ")
        assert await poll.ask("VOTE 9") == "ERROR Options are 1 to 4"
        assert await poll.ask("VOTE " + "9" * 30) == "ERROR whole numbers are from -2**63 to 2**64 - 1"
        assert (await poll.several("POLL"))[1].startswith("1. ")
        for nc in (calculator, kv, poll):
            nc.close()


async def test_the_answer_comes_before_what_the_command_made_happen(tmp_path: Path) -> None:
    async with running(tmp_path, app=["rps"], gateway=["rps=line:0"]) as peer:
        one, two = [await Nc.to(peer.gateways["rps=line"]) for _ in range(2)]
        assert await one.ask("MOVE rock") == "OK"
        assert await two.ask("MOVE paper") == "OK"
        assert [await one.line(), await two.line()] == ["lose\n", "win\n"]
        for _ in range(20):
            assert await two.ask("MOVE paper") == "OK"
            assert [await one.line(), await one.ask("MOVE paper")] == ["Your opponent has moved\n", "OK"]
            assert [await one.line(), await two.line()] == ["draw\n", "draw\n"]
        for nc in (one, two):
            nc.close()


async def test_a_failover_is_a_delay_and_the_connection_stays(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a, running(tmp_path, "b", peer=[a.address]) as b:
        nc = await Nc.to(b.gateways["chat=line"])
        assert await nc.ask("REGISTER anna") == "OK"
        waiting = asyncio.ensure_future(a.stop(hand_over=False))
        for i in range(50):
            assert await nc.ask(f"MSG {i}") == "OK"
        await waiting
        assert [said["text"] for said in b.machine.query("chat", "history", [100])] == [str(i) for i in range(50)]
        assert await nc.several("WHO") == ["anna"], "its session is the same"
        nc.close()


async def test_input_meant_to_harm_ends_its_own_connection_at_most(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        address = peer.gateways["chat=line"]
        well = await Nc.to(address)
        assert await well.ask("REGISTER well") == "OK"
        cut, binary, long, flood, deaf = [await Nc.to(address) for _ in range(5)]
        for byte in b"REGISTER b":
            cut.write(bytes([byte]))
            await asyncio.sleep(0)
        assert await cut.ask("it") == "OK"
        binary.write(bytes(range(256)) + b"\n")
        answers = [await binary.line(), await binary.line()]
        assert all(line.startswith("ERROR ") for line in answers)
        long.write(b"MSG " + b"x" * (2 * READ_BYTES_MAX))
        assert (await long.line()) == f"ERROR a line has at most {READ_BYTES_MAX} bytes\n"
        assert await long.ended() == b""
        flood.write(b"WHO\n" * 5000)
        assert [await flood.line() for _ in range(3 * 5000)][:1] == ["OK\n"]
        # It never reads: what it is owed is bounded, and then it is gone.
        deaf.write(b"HELP\n" * 60_000)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE_S):
                await deaf.writer.drain()
        assert await well.ask("MSG still here") == "OK"
        for nc in (well, cut, binary, long, flood, deaf):
            nc.close()


async def test_a_flood_lets_others_have_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "TURN_S", 0.0)
    async with running(tmp_path, gateway=["kv=line:0", "kv=resp:0"]) as peer:
        for protocol, asked, answer in (("line", b"SIZE\n", "OK 0\n"), ("resp", b"DBSIZE\n", ":0\r\n")):
            nc = await Nc.to(peer.gateways[f"kv={protocol}"])
            assert await nc.ask(asked.decode().strip()) == answer.strip("\n")
            turns = 0

            async def others() -> None:
                nonlocal turns
                while True:
                    await asyncio.sleep(0)
                    turns += 1

            other = asyncio.create_task(others())
            nc.write(asked * FLOOD)
            assert [await nc.line() for _ in range(FLOOD)] == [answer] * FLOOD
            other.cancel()
            assert turns >= FLOOD, "what has come already is not answered all at once"
            nc.close()


async def test_half_a_command_is_not_done(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        cut, well = [await Nc.to(peer.gateways["kv=line"]) for _ in range(2)]
        cut.write(b"SET whole 1\nSET half 2")
        cut.writer.write_eof()
        assert await cut.ended() == b"OK\nERROR the last line was cut off and is not done: lines end with LF\n"
        assert await well.several("KEYS") == ["whole"]
        for nc in (cut, well):
            nc.close()


async def test_one_that_says_nothing_is_ended_and_one_that_has_said_something_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as peer:
        well = await Nc.to(peer.gateways["chat=line"])
        assert await well.ask("REGISTER well") == "OK"
        monkeypatch.setattr(tcp, "SILENT_S", 0.05)
        silent = await Nc.to(peer.gateways["chat=line"])
        assert await silent.ended() == b""
        assert await well.ask("MSG still here") == "OK"
        for nc in (silent, well):
            nc.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such options")
async def test_the_system_notices_a_machine_that_is_gone(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer.gateways["chat=line"])
        assert await nc.ask("REGISTER anna") == "OK"
        (connection,) = (c for gateway in peer._gateways._running for c in gateway.connections)  # type: ignore[attr-defined]
        accepted = connection._writer.get_extra_info("socket")
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, every, count, unheard_ms = (
            accepted.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        )
        assert idle + every * count == unheard_ms / 1000 == tcp.GONE_S
        nc.close()


class GoneWriter:
    """What is left of a client that was reset, as uvloop has it."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        raise RuntimeError("the handler is closed")


async def test_nothing_is_said_to_one_who_is_gone() -> None:
    connection = Connection("chat", cast(Any, None), asyncio.StreamReader(), cast(Any, GoneWriter()))
    connection.send(b"an event\n")
    await connection.send_all(b"an answer\n")


async def test_more_connections_than_there_is_room_for_are_told_so(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        address = peer.gateways["chat=line"]
        crowd = [await Nc.to(address) for _ in range(CONNECTIONS_MAX)]
        one_more = await Nc.to(address)
        assert (await one_more.line()).startswith("ERROR ")
        for nc in [*crowd, one_more]:
            nc.close()


async def test_every_client_sees_the_end_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer.gateways["chat=line"])
        assert await nc.ask("REGISTER anna") == "OK"
        address = peer.gateways["chat=line"]
    assert await nc.ended() == b""
    with pytest.raises(ConnectionError):
        await Nc.to(address)
    nc.close()


def test_words_become_arguments_by_their_types() -> None:
    _, chat = load_application("chat")
    _, kv = load_application("kv")

    def read(line: str) -> tuple[str, list[object]]:
        operation, given = words.read(kv, line)
        return operation.name, given

    assert read("set k v w") == ("set", ["k", "v w"])
    assert read('SET "a b" "v w"') == ("set", ["a b", "v w"])
    assert read(r'SET "say \"hi\"" x') == ("set", ['say "hi"', "x"])
    assert read('SET k "v" w') == ("set", ["k", '"v" w']), "only a text that is quoted as a whole loses its quotes"
    assert read("INCR n -5") == ("incr", ["n", -5])
    assert read("keys") == ("keys", [])
    for wrong in ("INCR n 1 2", "INCR n x", "SET k"):
        with pytest.raises(BadRequest):
            words.read(kv, wrong)
    for unknown in ("", "   ", "no such", "ſet k v"):
        with pytest.raises(NotFound):
            words.read(chat, unknown)


def test_no_text_forges_a_line() -> None:
    assert answer(["a\nb", ".", "..c"], several=True) == b"OK\na b\n..\n...c\n.\n"
    assert answer(["\x1b[31mred\x9b\r\n"], several=False) == b"OK  [31mred   \n"
    assert error("no\nOK 5") == b"ERROR no OK 5\n"
    assert answer(["\udcff"], several=False) == b"OK ?\n"


@pytest.mark.slow
async def test_who_comes_to_a_peer_that_has_just_started_is_shown_no_empty_state(tmp_path: Path) -> None:
    quorum = {"safety": "quorum", "expect": 2}
    async with contextlib.AsyncExitStack() as stack:
        a = await stack.enter_async_context(running(tmp_path, "a", **quorum))
        b = await stack.enter_async_context(running(tmp_path, "b", peer=[a.address], **quorum))
        nc = await Nc.to(b.gateways["kv=line"])
        assert await nc.ask("SET k v") == "OK"
        nc.close()
        for peer in (b, a):
            await peer.stop()
        a = await stack.enter_async_context(running(tmp_path, "a", **quorum))
        nc = await Nc.to(a.gateways["kv=line"])
        asked = asyncio.create_task(nc.ask("GET k"))
        with pytest.raises(NoServer):
            a.open_client().query("kv", "get", ["k"])
        http = await stack.enter_async_context(aiohttp.ClientSession())
        page = await stack.enter_async_context(http.ws_connect(f"http://{a.http_address}/client"))
        await page.send_json({"id": 1, "app": "kv", "name": "get", "arguments": ["k"]})
        await stack.enter_async_context(running(tmp_path, "b", peer=[a.address], **quorum))
        assert await asked == "OK v"
        async with asyncio.timeout(DEADLINE_S):
            while (said := await page.receive_json()).get("id") != 1:
                pass
        assert said["result"] == "v"
        nc.close()
