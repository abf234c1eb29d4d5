"""Every application over HTTP, a client's WebSocket, and in a console, while the server is killed under them.

Connections to peers that live stay, and what is asked is answered, late at worst; a console of the server goes on at
the next peer.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import pytest

from tanist.peer.application.loading import BUILT_IN
from tanist.peer.console.remote import Remote, connected
from tanist.peer.testing import one_server
from tanist.peer.testing.face import Cluster

DEADLINE_S = 30.0
"""For everything that answers: a failover takes a second, and the machine may be busy."""

COUNTS = 50
"""What each connection counts to while the server dies."""

ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "auction": ("join", {"name": "{who}"}),
    "auth": ("register", {"user": "{who}", "password": "a password of {who}"}),
    "board": ("post", {"text": "from {who}"}),
    "booking": ("book", {"n": 1}),
    "calculator": ("calculate", {"expression": "2 + 3"}),
    "chat": ("register", {"nick": "{who}"}),
    "counter": ("add", {"n": 2}),
    "direct": ("register", {"nick": "{who}"}),
    "files": ("import", {}),
    "guess": ("start", {}),
    "hosts": ("table", {}),
    "kv": ("incr", {"key": "{who}"}),
    "lantern": ("message", {"command": "ON"}),
    "logs": ("log", {"level": "INFO", "text": "from {who}"}),
    "monitor": ("push", {"name": "{who}", "cpu": 1, "ram": 2, "disk": 3}),
    "notifications": ("admin", {"password": "the same for all"}),
    "packets": ("arrive", {}),
    "poll": ("results", {}),
    "positions": ("move", {"x": 1, "y": -2}),
    "presence": ("heartbeat", {"name": "{who}"}),
    "quiz": ("join", {"name": "{who}"}),
    "rps": ("move", {"hand": "rock"}),
    "sums": ("arrive", {}),
    "tictactoe": ("create", {"room": "of {who}"}),
    "todo": ("login", {"name": "{who}"}),
    "upload": ("list", {}),
}
"""Something that each application answers; it may refuse what was done already, but it must say so."""
QUERIES = {"hosts", "poll", "upload"}


def filled(app: str, who: str) -> dict[str, Any]:
    """The arguments, for somebody."""
    return {name: v.format(who=who) if isinstance(v, str) else v for name, v in ASKED[app][1].items()}


async def over_http(http: aiohttp.ClientSession, url: str, app: str, who: str) -> None:
    """Ask over the one connection; an answer is 200, or what the application refuses."""
    name, _ = ASKED[app]
    method, body = ("GET", None) if app in QUERIES else ("POST", filled(app, who))
    async with http.request(method, f"{url}/apps/{app}/{name}", json=body) as answer:
        said = await answer.json()
        assert answer.status in (200, 409) and ("result" in said or said["error"]["code"] != "failed"), (app, said)


async def over_socket(socket: aiohttp.ClientWebSocketResponse, app: str, who: str) -> None:
    """Ask as a client; what happens comes between."""
    message = {"id": app, "app": app, "name": ASKED[app][0], "arguments": filled(app, who)}
    await socket.send_json(message)
    while (said := await socket.receive_json()).get("id") != app:
        pass
    assert "result" in said or said["error"]["code"] not in ("failed", "no_server", "unknown_outcome"), said


async def counted(
    http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, url: str, begun: asyncio.Event
) -> None:
    """Count on over both connections."""
    for number in range(COUNTS):
        async with http.post(f"{url}/apps/kv/incr", json={"key": "http"}) as answer:
            assert (await answer.json())["result"] == number + 1
        await socket.send_json({"id": number, "app": "kv", "line": "INCR socket"})
        while (said := await socket.receive_json()).get("id", -1) != number:
            pass
        assert said["answer"] == [f"OK {number + 1}"]
        begun.set()


class _Silent:
    """Who hears nothing."""

    def event(self, line: str) -> None:
        """Not of interest."""

    def news(self, text: str) -> None:
        """Not of interest."""


async def _console(stack: contextlib.AsyncExitStack, address: str, app: str) -> Remote:
    remote = await stack.enter_async_context(connected(address, app))
    keeping = asyncio.create_task(remote.keep(_Silent()))
    stack.callback(keeping.cancel)
    return remote


async def _play(cluster: Cluster) -> None:
    server, client = cluster.server, cluster.clients[0]
    async with contextlib.AsyncExitStack() as stack:
        one = aiohttp.TCPConnector(limit=1)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=one))
        sockets = await stack.enter_async_context(aiohttp.ClientSession())
        socket = await stack.enter_async_context(sockets.ws_connect(f"{client.url}/client"))
        consoles = [await _console(stack, server.url.removeprefix("http://"), app) for app in BUILT_IN]
        async with asyncio.timeout(DEADLINE_S):
            while any(len(remote._book.order()) < len(cluster.peers) for remote in consoles):
                await asyncio.sleep(0.01)
            for app in BUILT_IN:
                await over_http(http, client.url, app, "h")
                await over_socket(socket, app, "s")
        (before,) = [protocol for waiting in one._conns.values() for protocol, _ in waiting]
        async with asyncio.timeout(DEADLINE_S):
            begun = asyncio.Event()
            counting = asyncio.create_task(counted(http, socket, client.url, begun))
            await begun.wait()
            server.kill()
            answers = await asyncio.gather(
                *(remote.ask(f"{ASKED[remote.place.app][0]} a b c d") for remote in consoles)
            )
            await counting
        bad = {"failed", "no_server", "unknown_outcome", "unreachable"}
        assert not [answer for answer in answers if answer.code in bad]
        assert all(remote.place.name != server.name for remote in consoles)
        async with asyncio.timeout(DEADLINE_S):
            for app in BUILT_IN:
                await over_http(http, client.url, app, "h")
                await over_socket(socket, app, "s")
        assert [protocol for waiting in one._conns.values() for protocol, _ in waiting] == [before], "it broke"


def test_every_application_is_asked() -> None:
    assert ASKED.keys() == BUILT_IN.keys()


@pytest.mark.slow
@pytest.mark.tanist(app=list(BUILT_IN), clients=0, judge=False)
def test_connections_stay_and_consoles_go_on_when_the_server_of_all_applications_dies(cluster: Cluster) -> None:
    asyncio.run(_play(cluster))
    cluster.until(one_server)
