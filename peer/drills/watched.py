"""A cluster as it is looked at, waited for and asked: by its peers' names, over HTTP and in their election logs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

import aiohttp

from tanist.peer.drills import asking, waiting
from tanist.peer.drills.asking import CALL_S, Status
from tanist.peer.drills.conditions import agreed, one_server, told
from tanist.peer.drills.process import ClusterError, PeerProcess

DEADLINE_S = 20.0
"""How long a condition may take to come true, unless said otherwise."""


class Watched:
    """Peers by name, each a process of this machine. What is asked of one that is not there raises `ClusterError`."""

    peers: dict[str, PeerProcess]
    http: aiohttp.ClientSession

    def __getitem__(self, name: str) -> PeerProcess:
        peer = self.peers.get(name)
        if peer is None:
            raise ClusterError(f"there is no peer {name!r}; there are: {', '.join(self.peers) or 'none'}")
        return peer

    def present(self) -> list[str]:
        """The names of those whose process runs and is not paused."""
        return [name for name, peer in self.peers.items() if peer.running and not self.is_paused(name)]

    def is_paused(self, name: str) -> bool:
        """Whether a peer's process is stopped for now."""
        return False

    # Looking

    async def status(self, name: str) -> Status | None:
        """What a peer says of itself; None while it does not answer."""
        return await asking.status_of(self.http, self[name].url)

    async def statuses(self) -> list[Status | None]:
        """What each peer that is present says of itself."""
        return list(await asyncio.gather(*(self.status(name) for name in self.present())))

    async def state(self, name: str) -> tuple[int, str] | None:
        """How many entries a peer has applied, and the hash of its state; None while it does not answer."""
        return await asking.state_of(self.http, self[name].url)

    async def archived_unknown(self, name: str, app: str, command: str) -> int:
        """How many of these commands are in the archive alone, and nobody knows whether they were acknowledged."""
        return await asking.archived_unknown(self.http, self[name].url, app, command)

    async def serves(self, name: str) -> bool:
        """Whether a peer serves, as it says itself."""
        status = await self.status(name)
        return status is not None and status["role"] == "server"

    async def servers(self) -> list[str]:
        """The names of all present that say they serve."""
        return [s["name"] for s in await self.statuses() if s is not None and s["role"] == "server"]

    async def server(self) -> str:
        """The one server's name; waits until there is exactly one."""
        found: list[str] = []

        async def one() -> bool:
            found[:] = await self.servers()
            return len(found) == 1

        await self.wait_for(one, told(one_server))
        return found[0]

    async def heir(self) -> str:
        """The first of the server's fallback list; waits until there is one."""
        found: list[str] = []

        async def listed() -> bool:
            status = await self.status(await self.server())
            found[:] = [entry["name"] for entry in status["fallbacks"]] if status else []
            return bool(found)

        await self.wait_for(listed, "the server has a fallback")
        return found[0]

    async def bystander(self) -> str:
        """A peer that is present and neither serves nor is the heir: it sees nothing of a failover but the delay."""
        server, heir = await self.server(), await self.heir()
        others = [name for name in self.present() if name not in (server, heir)]
        if not others:
            raise ClusterError("nobody is left beside the server and its heir")
        return others[0]

    # Waiting

    async def until(self, condition: Callable[[Self], Awaitable[bool]], deadline_s: float = DEADLINE_S) -> None:
        """Wait until a condition holds (conditions.py, or your own); fails when the deadline comes first."""
        await self.wait_for(lambda: condition(self), told(condition), deadline_s)

    async def wait_for(self, check: Callable[[], Awaitable[object]], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a check gives something true; fails with `what` when the deadline comes first."""
        if not await waiting.until(check, deadline_s):
            raise ClusterError(f"not within {deadline_s:g} s: {what}")

    async def until_serves(self, name: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a peer says it serves; fails at once when its process ends instead."""

        async def serving() -> bool:
            self._must_run(name)
            return await self.serves(name)

        await self.wait_for(serving, f"{name} serves", deadline_s)

    async def until_answers(self, name: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a peer answers, whatever its role; fails at once when its process ends instead."""

        async def answers() -> bool:
            self._must_run(name)
            return await self.status(name) is not None

        await self.wait_for(answers, f"{name} answers", deadline_s)

    def _must_run(self, name: str) -> None:
        if not self[name].running:
            raise ClusterError(f"{name} ended instead of coming up:\n{self[name].story()}")

    async def until_logged(self, name: str, event: str, deadline_s: float = DEADLINE_S, after: int = 0) -> None:
        """Wait until a peer's election log has an event, from its line `after` on."""

        async def logged() -> bool:
            return bool(self[name].events(event, after=after))

        await self.wait_for(logged, f"{name}'s election log has {event}", deadline_s)

    async def settled(self, members: int | None = None, deadline_s: float = DEADLINE_S) -> str:
        """Wait until one serves, the rest that is present follows it, and all these count; gives the server's name.

        `members`: how many the roster must have.
        """
        named: list[str] = []

        async def calm() -> bool:
            named[:] = [agreed(await self.statuses(), members)]
            return bool(named[0])

        await self.wait_for(calm, f"one serves and all others follow it, {members or 'any'} members", deadline_s)
        return named[0]

    # Asking

    async def call(
        self, at: str, command: str, idempotency: str = "", timeout_s: float = CALL_S, /, **arguments: object
    ) -> tuple[int, dict[str, Any]]:
        """Have a command ("kv/set") done at a peer; gives the HTTP status and the answer."""
        return await asking.call(self.http, self[at].url, command, arguments, idempotency, timeout_s)

    async def ask(
        self, at: str, query: str, arguments: Mapping[str, str], read: str = "local"
    ) -> tuple[int, dict[str, Any]]:
        """Ask a peer a query ("kv/get"), to be read locally, at the server or linearizably; as `call` otherwise."""
        return await asking.query(self.http, self[at].url, query, arguments, read)

    async def query(self, at: str, query: str, /, **arguments: str) -> Any:
        """Ask a peer's own copy ("kv/get"); gives the result, None where it cannot answer yet."""
        try:
            status, answer = await self.ask(at, query, arguments)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
        return answer["result"] if status == 200 else None

    async def until_everywhere(self, key: str, value: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until every peer that is present has this value under this key of `kv`, in its own copy."""
        seen: dict[str, Any] = {}

        async def same() -> bool:
            seen.clear()
            for name in self.present():
                seen[name] = await self.query(name, "kv/get", key=key)
            return all(value == here for here in seen.values())

        try:
            await self.wait_for(same, "", deadline_s)
        except ClusterError:
            raise ClusterError(f"{key} should be {value} everywhere, and is {seen}") from None
