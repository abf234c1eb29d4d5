"""What listeners hear over a WebSocket at a peer that outlives its server, and a chat over two peers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from system.cluster import DEADLINE_S, Cluster

Heard = dict[str, Any]


class Listener:
    """A WebSocket at one peer and all it heard."""

    def __init__(self, cluster: Cluster, at: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.heard: list[Heard] = []
        self._cluster = cluster
        self._at = at
        self._socket = socket

    async def listen(self) -> None:
        """Take in what comes, for ever; cancel to end."""
        while True:
            self.heard.append(await self._socket.receive_json())

    def of(self, kind: str, event: str) -> list[Heard]:
        """The events of a type and name."""
        return [heard for heard in self.heard if (heard["type"], heard["event"]) == (kind, event)]

    def lines(self) -> list[str]:
        """What was said in the chat."""
        return [heard["line"] for heard in self.of("application", "said")]

    async def until_lines(self, *lines: str) -> None:
        """Wait until just this was said, in this order."""

        async def said() -> bool:
            return len(self.lines()) >= len(lines)

        await self._cluster.wait_for(said, f"{lines} at {self._at}; heard {self.heard}", DEADLINE_S)
        assert self.lines() == list(lines)


@contextlib.asynccontextmanager
async def listening(cluster: Cluster, at: str, after: str = "") -> AsyncIterator[Listener]:
    """Listen at a peer, behind a position or from now on."""
    url = f"{cluster[at].url}/events" + (f"?after={after}" if after else "")
    async with cluster.http.ws_connect(url) as socket:
        listener = Listener(cluster, at, socket)
        task = asyncio.create_task(listener.listen())
        try:
            yield listener
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def say(cluster: Cluster, at: str, text: str) -> None:
    """Say something in the chat, through a peer."""
    assert (await cluster.call(at, "chat/msg", text=text))[0] == 200


async def test_a_listener_hears_the_applications_and_the_cluster_across_a_failover(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found()
        server, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        assert (await cluster.call(heir, "chat/register", nick="ann"))[0] == 200
        async with listening(cluster, other) as listener:
            await say(cluster, heir, "before")
            await listener.until_lines("[ann]: before")
            cluster[server].kill()
            await say(cluster, heir, "after")
            await listener.until_lines("[ann]: before", "[ann]: after")
            await cluster.settled()
            (lost,) = listener.of("cluster", "server_lost")
            (followed,) = listener.of("cluster", "server_followed")
            assert lost["fields"]["server"] == cluster[server].id
            assert followed["fields"]["server"] == cluster[heir].id
        positions = [tuple(map(int, heard["position"].split("."))) for heard in listener.heard]
        assert positions == sorted(positions)
        # Whoever was away resumes behind the last position it knows, at any peer: nothing is missing, nothing twice.
        (before, _) = listener.of("application", "said")
        async with listening(cluster, heir, after=before["position"]) as resumed:
            await resumed.until_lines("[ann]: after")


async def test_people_on_two_peers_chat(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found("ab")
        one, two = cluster.peers
        async with listening(cluster, one) as at_one, listening(cluster, two) as at_two:
            assert (await cluster.call(one, "chat/register", nick="ann"))[0] == 200
            status, answer = await cluster.call(two, "chat/register", nick="ann")
            assert (status, answer["error"]["code"]) == (409, "nickname_taken")
            assert (await cluster.call(two, "chat/register", nick="ben"))[0] == 200
            await say(cluster, one, "hello ben")
            await say(cluster, two, "hello ann")
            for listener in (at_one, at_two):
                await listener.until_lines("[ann]: hello ben", "[ben]: hello ann")
        for name in cluster.peers:
            assert await cluster.query(name, "chat/who") == ["ann", "ben"]
