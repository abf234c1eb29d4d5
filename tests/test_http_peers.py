"""HTTP at three running peers, over real sockets and disks: at clients, through a failover, and while nobody serves."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tanist.config import load
from tanist.peer import Peer
from tanist.peer.status import Status

DEADLINE_S = 20.0
STATUS_FIELDS = {
    "cluster", "id", "name", "address", "http", "role", "safety", "term", "server", "fallbacks", "members", "commit",
    "applied", "durability", "reach", "since", "version", "apps", "problem", "heals", "settings_differ",
}  # fmt: skip


class Cluster:
    """Three peers, the first of them serving, and somebody who asks them."""

    def __init__(self, directory: Path, flags: dict[str, object]) -> None:
        self.directory = directory
        self.flags = flags
        self.peers: list[Peer] = []
        self.session = aiohttp.ClientSession()

    async def start(self, name: str) -> Peer:
        """Start a peer that knows those before it."""
        given: dict[str, object] = {"name": name, "data": str(self.directory / name), "pace": "fast", **self.flags}
        given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "app": ["kv", "counter", "chat"]}
        given["peer"] = [peer.address for peer in self.peers]
        peer = Peer(load(None, {}, given).config)
        await peer.start()
        self.peers.append(peer)
        return peer

    async def ask(self, peer: Peer, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        async with self.session.request(method, f"http://{peer.http_address}{path}", **options) as answer:
            return answer.status, json.loads(await answer.read())

    async def add(self, peer: Peer, n: int, key: str) -> tuple[int, Any]:
        """Add to the counter, with a key."""
        return await self.ask(peer, "POST", "/apps/counter/add", json={"n": n}, headers={"Idempotency-Key": key})


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the loop makes true, with a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


def settled(status: Status) -> bool:
    """Whether the fallback list is complete, and acknowledgements wait for the heir: before, they are `alone`."""
    fallbacks = status.fallbacks
    return len(fallbacks) == 2 and all(f.in_sync for f in fallbacks) and fallbacks[0].counts


@contextlib.asynccontextmanager
async def running(directory: Path, **flags: object) -> AsyncIterator[Cluster]:
    cluster = Cluster(directory, flags)
    try:
        for name in ("anna", "bert", "carla"):
            await cluster.start(name)
        await until(lambda: all(len(p.status().members) == 3 and p.status().server for p in cluster.peers))
        await until(lambda: all(settled(p.status()) for p in cluster.peers))
        yield cluster
    finally:
        await cluster.session.close()
        for peer in reversed(cluster.peers):
            await peer.stop(hand_over=False)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with running(tmp_path) as cluster:
        yield cluster


async def test_every_peer_says_the_same_of_the_cluster_and_only_the_server_is_the_leader(cluster: Cluster) -> None:
    anna, bert, carla = cluster.peers
    for peer, role, leader in ((anna, "server", 200), (bert, "client", 503), (carla, "client", 503)):
        code, status = await cluster.ask(peer, "GET", "/status")
        assert (code, set(status), status["role"]) == (200, STATUS_FIELDS, role)
        assert status["server"] == {"id": anna.status().id, "name": "anna", "address": anna.address}
        assert {f["name"] for f in status["fallbacks"]} == {"bert", "carla"}
        assert all(f["in_sync"] and f["reason"] for f in status["fallbacks"])
        assert {m["name"]: m["state"] for m in status["members"]} == dict.fromkeys(("anna", "bert", "carla"), "live")
        # So a console that loses one peer knows where the others are.
        pages = {m["name"]: m["http"] for m in status["members"] if m["name"] in (peer.status().name, "anna")}
        assert pages == {p.status().name: p.http_address for p in (peer, anna)}
        assert (await cluster.ask(peer, "GET", "/leader"))[0] == leader
        assert (await cluster.ask(peer, "GET", "/readyz"))[0] == 200
        assert (await cluster.ask(peer, "GET", "/history"))[1]["reigns"][0]["name"] == "anna"


async def test_a_command_at_a_client_is_done_everywhere(cluster: Cluster) -> None:
    _, bert, carla = cluster.peers
    value = "日本 \0 😀"
    code, said = await cluster.ask(bert, "POST", "/apps/kv/set", json={"key": "Ключ ☂", "value": value})
    assert (code, said["result"], said["receipt"]["members"]) == (200, "OK", 3)
    assert said["receipt"]["durability"] in ("heir", "majority", "all")
    for read in ("server", "linearizable"):
        asked = {"key": "Ключ ☂", "read": read}
        assert await cluster.ask(carla, "GET", "/apps/kv/get", params=asked) == (200, {"result": value})
    odd = {"base64": "gIGC/w=="}
    assert (await cluster.ask(carla, "POST", "/apps/kv/set", json={"key": "k", "value": odd}))[0] == 200
    assert await cluster.ask(bert, "GET", "/apps/kv/get?key=k&read=server") == (200, {"result": odd})


async def test_a_refusal_of_the_application_is_409_with_its_code(cluster: Cluster) -> None:
    _, bert, carla = cluster.peers
    assert (await cluster.ask(bert, "POST", "/apps/chat/register", json={"nick": "ada"}))[0] == 200
    code, said = await cluster.ask(carla, "POST", "/apps/chat/register", json={"nick": "ada"})
    assert (code, said["error"]["code"]) == (409, "nickname_taken")


async def test_a_key_means_one_command_at_any_peer_and_through_a_failover(cluster: Cluster) -> None:
    anna, bert, carla = cluster.peers
    assert (await cluster.add(bert, 5, "once"))[1]["result"] == 5
    assert (await cluster.add(carla, 5, "once"))[1]["result"] == 5
    code, said = await cluster.add(carla, 6, "once")
    assert (code, said["error"]["code"]) == (409, "key_reused")
    await anna.stop(hand_over=False)
    again, other = await asyncio.gather(cluster.add(carla, 5, "once"), cluster.add(bert, 1, "twice"))
    assert (again[0], again[1]["result"]) == (200, 5)
    assert (other[0], other[1]["result"], other[1]["receipt"]["term"]["number"] > 1) == (200, 6, True)
    assert (await cluster.add(carla, 6, "once"))[0] == 409
    assert await cluster.ask(carla, "GET", "/apps/counter/value?read=server") == (200, {"result": 6})


async def test_planned_moves(cluster: Cluster) -> None:
    anna, bert, carla = cluster.peers
    code, said = await cluster.ask(bert, "POST", "/cluster/handover")
    assert (code, said["error"]["code"], "anna" in said["error"]["message"]) == (409, "not_server", True)
    code, said = await cluster.ask(anna, "POST", "/cluster/handover", json={"to": "zed"})
    assert (code, said["error"]["code"]) == (409, "handover_failed")
    assert await cluster.ask(anna, "POST", "/cluster/handover", json={"to": "carla"}) == (200, {"server": "carla"})
    await until(lambda: carla.status().role == "server" and bert.status().server is not None)
    code, said = await cluster.ask(bert, "POST", "/cluster/leave", json={"peer": "zed"})
    assert (code, said["error"]["code"]) == (404, "not_found")
    assert await cluster.ask(bert, "POST", "/cluster/leave", json={"peer": "anna"}) == (200, {"left": "anna"})
    await until(lambda: {m.name for m in carla.status().members} == {"bert", "carla"})


async def test_events_name_peers_and_resume_at_another_peer(cluster: Cluster) -> None:
    # On a slow machine the first one need not be the server any more.
    server, bert, carla = sorted(cluster.peers, key=lambda peer: peer.status().role != "server")
    lost: dict[str, Any] = {}
    async with cluster.session.ws_connect(f"http://{bert.http_address}/events") as socket:
        assert (await cluster.ask(carla, "POST", "/apps/chat/register", json={"nick": "ada"}))[0] == 200
        assert (await cluster.ask(carla, "POST", "/apps/chat/msg", json={"text": "one"}))[0] == 200
        first = await socket.receive_json(timeout=DEADLINE_S)
        assert (first["type"], first["app"], first["line"]) == ("application", "chat", "[ada]: one")
        await server.stop(hand_over=False)
        async with asyncio.timeout(DEADLINE_S):
            while lost.get("event") not in ("server_lost", "server_followed", "reign_began"):
                lost = await socket.receive_json()
    assert lost["type"] == "cluster"
    assert "anna" in lost["line"] or "bert" in lost["line"] or "carla" in lost["line"]
    assert (await cluster.ask(carla, "POST", "/apps/chat/msg", json={"text": "two"}))[0] == 200
    async with cluster.session.ws_connect(f"http://{carla.http_address}/events?after={first['position']}") as socket:
        async with asyncio.timeout(DEADLINE_S):
            while (next_one := await socket.receive_json())["type"] != "application":
                pass
    assert next_one["line"] == "[ada]: two", "the first was sent again, or this one was not"
    async with cluster.session.ws_connect(f"http://{carla.http_address}/events?after=999999.0") as socket:
        said = await socket.receive_json(timeout=DEADLINE_S)
    assert said["error"]["code"] == "position_unknown"


async def test_without_a_majority_nothing_is_done_and_every_answer_says_so(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, {"safety": "quorum", "expect": 3})
    try:
        anna = await cluster.start("anna")
        for method, path in (("POST", "/apps/counter/add"), ("GET", "/apps/counter/value")):
            code, said = await cluster.ask(anna, method, f"{path}?timeout=0.05")
            assert (code, said["error"]["code"]) == (503, "no_server")
        code, said = await cluster.ask(anna, "GET", "/readyz")
        assert (code, "1 of 3" in said["reason"]) == (503, True)
        assert (await cluster.ask(anna, "GET", "/leader"))[0] == 503
        code, status = await cluster.ask(anna, "GET", "/status")
        assert (code, status["server"], "1 of 3" in status["problem"]) == (200, None, True)
        assert (await cluster.ask(anna, "GET", "/healthz"))[0] == 200
        waiting = asyncio.create_task(cluster.ask(anna, "POST", "/apps/counter/add"))
        await cluster.start("bert")
        await cluster.start("carla")
        code, said = await waiting
        assert (code, said.get("result")) == (200, 1), "what waited is done once somebody serves"
    finally:
        await cluster.session.close()
        for peer in reversed(cluster.peers):
            await peer.stop(hand_over=False)
