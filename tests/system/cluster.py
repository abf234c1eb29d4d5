"""A cluster of real processes: started, looked at, hurt, and ended, whatever happens in between."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec

from system.process import PeerProcess, last_words
from tanist.peer.electionlog.catalogue import CATALOGUE

POLL_S = 0.02
"""Between two looks at a condition: well below what is measured, and little work for the peers."""
DEADLINE_S = 20.0
"""How long a condition may take to come true, unless said otherwise."""
ANSWER_S = 3.0
"""How long one look at a peer may take: a stopped one accepts and never answers."""

Status = dict[str, Any]
Condition = Callable[[], Awaitable[object]]


class Cluster:
    """Peers of one cluster. `async with`, so that nothing outlives the test."""

    def __init__(self, folder: Path, *, pace: str = "fast", safety: str = "survivor", flags: Iterable[str] = ()):
        """`folder` takes all data and output. `flags` go to every peer."""
        self.folder = folder
        self.safety = safety
        self.peers: dict[str, PeerProcess] = {}
        self._flags = ["--app", "kv", "--app", "chat", "--pace", pace, "--safety", safety, *flags]
        folder.mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), connector=self.connector())
        return self

    def connector(self) -> aiohttp.TCPConnector | None:
        """What makes connections to the peers' HTTP; None is the usual one."""
        return None

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Whatever fails here, the rest is done all the same: no process may be left.
        async with contextlib.AsyncExitStack() as ending:
            for peer in self.peers.values():
                ending.callback(peer.release)
            ending.push_async_callback(self.http.close)
            if kind is not None:
                print(last_words(list(self.peers.values())))
        if kind is None:
            self._must_be_clean()

    def _must_be_clean(self) -> None:
        """A traceback on stderr is a failure, even where everything else went well; so is an event nobody knows."""
        for peer in self.peers.values():
            assert "Traceback" not in peer.stderr, f"{peer.name} wrote a traceback:\n{peer.stderr}"
            for event in peer.events():
                known = CATALOGUE.get(event["event"])
                assert known is not None, f"{peer.name} told of {event['event']}, which is not in the catalogue"
                msgspec.convert(event["fields"], known)

    def __getitem__(self, name: str) -> PeerProcess:
        return self.peers[name]

    # Starting

    def add(self, name: str) -> PeerProcess:
        """A peer that is not started yet."""
        peer = self.peers[name] = PeerProcess(name, self.folder)
        return peer

    def start(self, name: str, *flags: str, peers: Iterable[str] = ()) -> PeerProcess:
        """Start a peer for the first time, told of these others."""
        peer = self.peers.get(name) or self.add(name)
        told = [word for other in peers for word in ("--peer", self.peers[other].address)]
        peer.start(*self._flags, *told, *flags)
        return peer

    async def found(self, names: str = "a b c") -> str:
        """Start peers and wait until all are in sync; gives the server's name."""
        every = names.split()
        for name in every:
            self.add(name)
        if self.safety == "quorum":
            for name in every:
                self.start(name, "--expect", str(len(every)), peers=[n for n in every if n != name])
        else:
            self.start(every[0])
            # The others could find nobody there yet, and would each begin a cluster of its own.
            await self.until_serves(every[0])
            for name in every[1:]:
                self.start(name, peers=every[:1])
        for name in every:
            await self.until_answers(name)
        return await self.settled(len(every))

    def kill_all(self) -> None:
        """SIGKILL to all at the same moment, and wait until they are gone."""
        for peer in self.peers.values():
            if peer.running:
                peer.signal(signal.SIGKILL)
        for peer in self.peers.values():
            peer.kill()

    # Looking

    async def status(self, name: str) -> Status | None:
        """What a peer says of itself; None while it does not answer."""
        try:
            async with asyncio.timeout(ANSWER_S), self.http.get(f"{self[name].url}/status") as answer:
                return await answer.json() if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def serves(self, name: str) -> bool:
        """Whether a peer serves, as it says itself."""
        status = await self.status(name)
        return status is not None and status["role"] == "server"

    async def until_serves(self, name: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a peer says it serves; fails at once when its process ends instead."""

        async def serving() -> bool:
            assert self[name].running, f"{name} ended instead of serving"
            return await self.serves(name)

        await self.until(serving, f"{name} serves", deadline_s)

    async def until_answers(self, name: str) -> None:
        """Wait until a peer answers, whatever its role; fails at once when its process ends instead."""

        async def answers() -> bool:
            assert self[name].running, f"{name} ended instead of coming up"
            return await self.status(name) is not None

        await self.until(answers, f"{name} answers")

    async def servers(self) -> list[str]:
        """The names of all that say they serve, of those whose process runs."""
        return [name for name, peer in self.peers.items() if peer.running and await self.serves(name)]

    async def server(self) -> str:
        """The one server's name; waits until there is exactly one."""
        await self.until(lambda: self._one_server(), "exactly one peer serves")
        return (await self.servers())[0]

    async def _one_server(self) -> bool:
        return len(await self.servers()) == 1

    async def heir(self) -> str:
        """The first of the server's fallback list."""
        status = await self.status(await self.server())
        assert status is not None and status["fallbacks"], "the server has no fallback"
        return str(status["fallbacks"][0]["name"])

    async def bystander(self) -> str:
        """A running peer that neither serves nor is the heir: a client there sees nothing but the delay."""
        server, heir = await self.server(), await self.heir()
        return next(name for name, peer in self.peers.items() if peer.running and name not in (server, heir))

    async def until(self, condition: Condition, what: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a condition holds; fails with `what` when the deadline comes first."""
        try:
            async with asyncio.timeout(deadline_s):
                while not await condition():
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"not within {deadline_s:g} s: {what}") from None

    async def until_logged(self, name: str, event: str, deadline_s: float = DEADLINE_S, after: int = 0) -> None:
        """Wait until a peer's election log has an event."""

        async def logged() -> bool:
            return bool(self[name].events(event, after=after))

        await self.until(logged, f"{name}'s election log has {event}", deadline_s)

    async def settled(self, members: int | None = None, deadline_s: float = DEADLINE_S) -> str:
        """Wait until one serves, the rest that run follow it, and all these count; gives the server's name.

        `members`: how many the roster must have.
        """
        named: list[str] = []

        async def calm() -> bool:
            running = [name for name, peer in self.peers.items() if peer.running]
            named[:] = _agreed([await self.status(name) for name in running], members)
            return bool(named)

        await self.until(calm, f"one serves and all others follow it, {members or 'any'} members", deadline_s)
        return named[0]

    # Data

    async def call(
        self, at: str, command: str, idempotency: str = "", timeout_s: float = 30, /, **arguments: object
    ) -> tuple[int, dict[str, Any]]:
        """Have a command ("kv/set") done at a peer; gives the HTTP status and the answer."""
        headers = {"Idempotency-Key": idempotency} if idempotency else {}
        url = f"{self[at].url}/apps/{command}?timeout={timeout_s:g}"
        async with self.http.post(url, json=arguments, headers=headers) as answer:
            return answer.status, await answer.json()

    async def query(self, at: str, query: str, /, **arguments: str) -> Any:
        """Ask a peer ("kv/get"); gives the result, None where it cannot answer yet."""
        try:
            async with self.http.get(f"{self[at].url}/apps/{query}", params=arguments) as answer:
                return (await answer.json())["result"] if answer.status == 200 else None
        except (aiohttp.ClientError, OSError):
            return None

    async def until_everywhere(self, key: str, value: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until every running peer has this value under this key, in its own copy."""
        seen: dict[str, Any] = {}

        async def same() -> bool:
            for name, peer in self.peers.items():
                if peer.running:
                    seen[name] = await self.query(name, "kv/get", key=key)
            return all(value == here for name, here in seen.items() if self[name].running)

        try:
            await self.until(same, "", deadline_s)
        except AssertionError:
            raise AssertionError(f"{key} should be {value} everywhere, and is {seen}") from None


def _agreed(seen: list[Status | None], members: int | None) -> list[str]:
    """The name of the one server, when all agree on it and the others are ready to serve on; else nothing."""
    known = [status for status in seen if status is not None]
    servers = [status for status in known if status["role"] == "server"]
    if len(known) < len(seen) or len(servers) != 1:
        return []
    server = servers[0]
    if any(s["server"] is None or s["server"]["id"] != server["id"] or s["term"] != server["term"] for s in known):
        return []
    if members is not None and any(len(s["members"]) != members for s in known):
        return []
    live = {m["id"] for m in server["members"] if m["state"] == "live"}
    ready = {f["id"] for f in server["fallbacks"] if f["in_sync"]}
    following = {s["id"] for s in known} - {server["id"]}
    counting = server["safety"] == "quorum" or not following or any(f["counts"] for f in server["fallbacks"])
    if not (following <= live and following <= ready and counting):
        return []
    # A client knows its place only from a heartbeat: before that it could not follow the list.
    return [server["name"]] if all(s["fallbacks"] == server["fallbacks"] for s in known if not _lags(s)) else []


def _lags(status: Status) -> bool:
    """Whether a status cannot be compared: entries are on their way, and lags differ by the moment."""
    return any(f["lag"] for f in status["fallbacks"])


def now() -> float:
    """A steady clock, in seconds."""
    return time.monotonic()
