"""Clients at a peer: a session for each, that ends with its connection, whoever serves, and after a crash too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tanist.config import load
from tanist.election.ready import Apply
from tanist.peer.apps import passwords
from tanist.peer.calls import Calls
from tanist.peer.clients import CLIENTS_MAX, Client
from tanist.peer.errors import CallError, KeyReused, NotFound, Overloaded, Refused
from tanist.peer.peer import Peer
from tanist.peer.status import Reply

DEADLINE_S = 20.0


@contextlib.asynccontextmanager
async def running(folder: Path, name: str, **flags: object) -> AsyncIterator[Peer]:
    given = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["chat", "counter"], **flags}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def sessions(peer: Peer) -> set[str]:
    return {session.id for session in peer.machine.sessions}


async def register(client: Client, nick: str) -> object:
    return (await client.call("chat", "register", [nick])).result


async def test_each_client_is_somebody_else_and_its_name_is_free_when_it_is_gone(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a, running(tmp_path, "b", peer=[a.address]) as b:
        anna, berta = b.open_client(), b.open_client()
        assert await register(anna, "anna") == "OK"
        with pytest.raises(Refused, match="taken"):
            await register(berta, "anna")
        assert await register(berta, "berta") == "OK"
        await until(lambda: a.machine.query("chat", "who") == ["anna", "berta"])
        anna.close("its connection ended")
        await until(lambda: a.machine.query("chat", "who") == ["berta"])
        assert await register(berta, "anna") == "OK"
        assert b.applications["chat"] is not a.applications["chat"]
        silent = b.open_client()
        before = sessions(a)
        silent.close("it never asked anything")
        assert sessions(a) == before


async def test_the_queries_of_a_peers_own_program_are_of_the_session_of_its_commands(tmp_path: Path) -> None:
    async with running(tmp_path, "a", app=["todo"]) as a:
        await a.call("todo", "login", "ada")
        await a.call("todo", "add", "buy milk")
        assert await a.query("todo", "list") == [{"number": 1, "text": "buy milk", "done": False}]


async def test_a_preparation_asks_with_the_session_of_its_command(tmp_path: Path) -> None:
    async with running(tmp_path, "a", app=["auth"]) as a:
        anna, berta = a.open_client(), a.open_client()
        for client, user in ((anna, "anna"), (berta, "berta")):
            await client.call("auth", "register", [user, f"word of {user}"])
            await client.call("auth", "login", [user, f"word of {user}"])
        assert (await berta.call("auth", "passwd", ["word of berta", "another"])).result == "OK"
        with pytest.raises(Refused, match="Wrong user or password"):
            await anna.call("auth", "passwd", ["another", "mine"])


async def test_a_prepared_command_that_is_repeated_under_its_key_gets_its_first_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "WORK", 2)
    async with running(tmp_path, "a", app=["auth"]) as a:

        async def call(command: str, *given: str) -> object:
            return (await a.call("auth", command, *given, idempotency_key=f"key of {command}")).result

        # The salt is another one each time, and the change of a password changes what its own check would need.
        for line in ("register anna word", "login anna word", "passwd word 0ther"):
            command, *given = line.split()
            assert await call(command, *given) == await call(command, *given)
            with pytest.raises(KeyReused):
                await call(command, *given[:-1], "different")
        snapshot = a.machine.snapshot()
        assert not [secret for secret in (b"word", b"0ther", b"different") if secret in snapshot]


async def test_the_time_of_a_preparation_is_not_its_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[float] = []

    def call(of: Calls, *given: Any, **digest: Any) -> asyncio.Future[Reply]:
        left.append(given[-1])
        return sent(of, *given, **digest)

    sent = Calls.call
    monkeypatch.setattr(Calls, "call", call)
    async with running(tmp_path, "a", app=["auth"]) as a:
        assert (await a.call("auth", "register", "anna", "word", timeout_s=9.0)).result == "OK"
    assert left == [9.0]


async def test_a_preparation_sees_what_was_told_at_another_peer_a_moment_ago(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, "a", app=["auth"]) as a, running(tmp_path, "b", app=["auth"], peer=[a.address]) as b:
        await until(lambda: b.status().server == a.status().server is not None)
        late: list[Apply] = []
        monkeypatch.setattr(b._replica, "apply", late.append)
        await a.call("auth", "register", "anna", "word")
        login = asyncio.create_task(b.call("auth", "login", "anna", "word"))
        await until(lambda: bool(b._replica._waiting))
        monkeypatch.undo()
        for committed in late:
            b._replica.apply(committed)
        assert (await login).result == "OK"


async def test_calls_of_many_clients_are_answered_to_each(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a:
        clients = [a.open_client() for _ in range(20)]
        replies = await asyncio.gather(
            *(c.call("counter", "add", [n]) for _ in range(5) for n, c in enumerate(clients))
        )
        assert a.machine.query("counter", "value") == 5 * sum(range(20))
        assert len({reply.receipt.index for reply in replies}) == 100
        with pytest.raises(NotFound, match="there are: chat, counter"):
            await clients[0].call("kv", "get", [])


async def test_a_client_that_left_while_nobody_served_is_gone_once_somebody_does(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as rest:
        a = await rest.enter_async_context(running(tmp_path, "a", safety="quorum", expect=2))
        b = await rest.enter_async_context(running(tmp_path, "b", safety="quorum", expect=2, peer=[a.address]))
        anna = a.open_client()
        assert await register(anna, "anna") == "OK"
        await until(lambda: b.machine.query("chat", "who") == ["anna"])
        await b.stop()
        await until(lambda: a.status().server is None)
        waiting = asyncio.ensure_future(anna.call("chat", "msg", ["hello"], timeout_s=60))
        await asyncio.sleep(0)
        anna.close("its connection ended")
        with pytest.raises(CallError):
            await waiting
        c = await rest.enter_async_context(running(tmp_path, "b", safety="quorum", expect=2, peer=[a.address]))
        await until(lambda: c.status().server is not None and c.machine.query("chat", "who") == [])


async def test_sessions_that_a_killed_start_left_end_when_the_peer_is_back(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a:
        async with running(tmp_path, "b", peer=[a.address]) as b:
            anna = b.open_client()
            assert await register(anna, "anna") == "OK"
            # As a crash: nothing is said to anybody, and no session ends.
            b._clients.closing = lambda: None  # type: ignore[method-assign]
        await until(lambda: len(a.status().members) == 2)
        assert a.machine.query("chat", "who") == ["anna"]
        async with running(tmp_path, "b", peer=[a.address]):
            await until(lambda: a.machine.query("chat", "who") == [])


async def test_too_many_clients_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a:
        clients = [a.open_client() for _ in range(CLIENTS_MAX)]
        with pytest.raises(Overloaded):
            a.open_client()
        clients.pop().close("")
        clients.append(a.open_client())
