"""A real cluster on this machine: peers as processes, that can be hurt, asked and waited for.

async with RealCluster(folder, 3) as cluster:
    await cluster.kill(await cluster.server())
    await cluster.until(one_server)
"""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from tanist.peer.drills import asking
from tanist.peer.drills.asking import CALL_S, Status
from tanist.peer.drills.clients import Clients
from tanist.peer.drills.conditions import Condition, agreed, one_server, told
from tanist.peer.drills.network import CUT, Network
from tanist.peer.drills.process import ENDED_S, ClusterError, PeerProcess
from tanist.peer.faults import Conditions, Pause, pause
from tanist.peer.faults.processes import PAUSE_S_MAX

POLL_S = 0.02
"""Between two looks at a condition: well below what is measured, and little work for the peers."""
DEADLINE_S = 20.0
"""How long a condition may take to come true, unless said otherwise."""
SIZE_MAX = 9
"""Peers of one cluster: as many as one machine may be asked to run beside a test."""
NAMES = "abcdefghi"
"""What peers are called, where nobody names them."""


class RealCluster:
    """Peers of one cluster. `async with`, which founds it, and in the end leaves no process behind.

    Peers are named; what is asked of one that does not run, or was never started, raises `ClusterError`.
    """

    def __init__(
        self,
        folder: Path,
        size: int = 3,
        *,
        names: Iterable[str] | None = None,
        safety: str = "survivor",
        pace: str = "lan",
        apps: Iterable[str] = ("kv",),
        seed: int = 0,
        flags: Iterable[str] = (),
        links: bool = True,
        fresh: bool = False,
    ) -> None:
        """`folder` takes all data and output. `names` instead of a size; none: nobody is started yet.

        `apps` as `tanist up --app` has them; `flags` go to every peer. The chance in faults comes from `seed`.
        `links`: a proxy stands before each peer, which lets links be hurt; the peers allow drills too.
        `fresh`: each process a new Python (see `launcher.launch`).
        """
        self.names = list(NAMES[:size] if names is None else names)
        if not 0 <= len(self.names) <= SIZE_MAX or (names is None and size != len(self.names)):
            raise ValueError(f"a cluster of {size if names is None else len(self.names)} peers: at most {SIZE_MAX}")
        self.folder = folder
        self.safety = safety
        self.pace = pace
        self.peers: dict[str, PeerProcess] = {}
        self.random = random.Random(seed)
        self.network = Network(self.random) if links else None
        self._fresh = fresh
        self._flags = [word for app in apps for word in ("--app", app)]
        self._flags += ["--pace", pace, "--safety", safety, "--no-discovery", *flags]
        if links:
            self._flags += ["--allow-drills"]
        self._left: set[str] = set()
        self._pauses: dict[str, Pause] = {}

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_S), connector=self.connector())
        if self.names:
            try:
                await self.found(self.names)
            except BaseException:
                await self.close()
                raise
        return self

    def connector(self) -> aiohttp.TCPConnector | None:
        """What makes connections to the peers' HTTP; None is the usual one."""
        return None

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all peers, whatever they do. Their data, output and election logs stay in the folder."""
        # Whatever fails here, the rest is done all the same: no process may be left.
        async with contextlib.AsyncExitStack() as ending:
            for peer in self.peers.values():
                ending.callback(peer.release)
            ending.push_async_callback(self.http.close)
            if self.network is not None:
                ending.push_async_callback(self.network.close)
            for pause in self._pauses.values():
                ending.push_async_callback(pause.end)
            for peer in self.peers.values():
                if peer.running:
                    peer.signal(signal.SIGKILL)

    def __getitem__(self, name: str) -> PeerProcess:
        peer = self.peers.get(name)
        if peer is None:
            raise ClusterError(f"there is no peer {name!r}; there are: {', '.join(self.peers) or 'none'}")
        return peer

    def present(self) -> list[str]:
        """The names of those whose process runs and is not paused."""
        return [name for name, peer in self.peers.items() if peer.running and not self._is_paused(name)]

    def _is_paused(self, name: str) -> bool:
        pause = self._pauses.get(name)
        return pause is not None and not pause.over

    # Starting

    def add(self, name: str) -> PeerProcess:
        """A peer that is not started yet."""
        peer = PeerProcess(name, self.folder, fronted=self.network is not None, fresh=self._fresh)
        self.peers[name] = peer
        return peer

    def launch(self, name: str, *flags: str, peers: Iterable[str] = ()) -> PeerProcess:
        """Start a peer for the first time, told of these others."""
        peer = self.peers.get(name) or self.add(name)
        told_of = [word for other in peers for word in ("--peer", self[other].address)]
        peer.start(*self._flags, *told_of, *flags)
        return peer

    async def found(self, names: Iterable[str] = NAMES[:3]) -> str:
        """Start peers and wait until all are in sync; gives the server's name."""
        every = list(names)
        for name in every:
            await self._prepare(name)
        if self.safety == "quorum":
            for name in every:
                self.launch(name, "--expect", str(len(every)), peers=[n for n in every if n != name])
        else:
            self.launch(every[0])
            # The others could find nobody there yet, and would each begin a cluster of its own.
            await self.until_serves(every[0])
            for name in every[1:]:
                self.launch(name, peers=every[:1])
        await asyncio.gather(*(self.until_answers(name) for name in every))
        return await self.settled(len(every))

    async def _prepare(self, name: str) -> None:
        peer = self.add(name)
        if self.network is not None:
            await self.network.put_before(name, peer.listens, peer.address)

    async def join(self, name: str) -> None:
        """Start one more peer, told of all others, and wait until it answers."""
        others = list(self.peers)
        await self._prepare(name)
        self.launch(name, peers=others)
        await self.until_answers(name)

    async def start(self, name: str) -> None:
        """Start a peer again that was killed or ended, and wait until it answers."""
        self[name].start()
        await self.until_answers(name)

    # Hurting

    async def kill(self, *names: str) -> None:
        """SIGKILL to peers at the same moment, and wait until they are gone."""
        for name in names:
            self[name].signal(signal.SIGKILL)
        for name in names:
            await self[name].ended()

    async def terminate(self, name: str, deadline_s: float = ENDED_S) -> int:
        """Tell a peer to end, which hands over if it serves, and wait until it has; gives its exit status."""
        self[name].signal(signal.SIGTERM)
        return await self[name].ended(deadline_s)

    async def leave(self, name: str, deadline_s: float = DEADLINE_S) -> None:
        """Take a peer out of the cluster for good, and wait until its process has ended."""
        async with self.http.post(f"{self[name].url}/cluster/leave", json={}) as answer:
            if answer.status != 200:
                raise ClusterError(f"{name} cannot leave: {(await answer.json())['error']['message']}")
        await self[name].ended(deadline_s)
        self._left.add(name)

    async def restart(self, name: str) -> None:
        """Kill a peer and start it again at once."""
        await self.kill(name)
        await self.start(name)

    async def pause(self, name: str, for_s: float = PAUSE_S_MAX) -> None:
        """Stop a peer's process where it is (SIGSTOP), for so many seconds or until `resume`.

        It keeps its memory and its connections, and goes on also when this program is killed.
        """
        await self.resume(name)
        self._pauses[name] = await pause(self[name].pid, for_s)

    async def resume(self, name: str) -> None:
        """Let a paused peer go on; nothing happens when it is not paused."""
        if (paused := self._pauses.pop(name, None)) is not None:
            await paused.end()

    def partition(self, *sides: Iterable[str], for_s: float | None = None) -> None:
        """Nothing arrives between any two of these sides, for so many seconds or until `heal`."""
        self._links().partition(*sides, for_s=for_s)

    def cut(self, source: str, target: str, for_s: float | None = None) -> None:
        """Nothing of what one peer sends arrives at the other, for so many seconds or until `heal`."""
        self._links().link(source, target, CUT, for_s)

    def link(self, source: str, target: str, conditions: Conditions, for_s: float | None = None) -> None:
        """What one peer sends to another meets these conditions, for so many seconds or until `heal`."""
        self._links().link(source, target, conditions, for_s)

    def heal(self) -> None:
        """All links are good again."""
        self._links().heal()

    async def mend(self) -> None:
        """Undo what was done: links are good, the paused go on, the dead are started; who left stays away."""
        if self.network is not None:
            self.network.heal()
        for name in list(self._pauses):
            await self.resume(name)
        away = [name for name, peer in self.peers.items() if peer.flags and name not in self._left]
        await asyncio.gather(*(self._bring_back(name) for name in away))

    async def _bring_back(self, name: str) -> None:
        """See that a peer runs and answers; one that was told to end, and has not yet, is started once more."""
        if self[name].running:
            try:
                await self.until_answers(name)
                return
            except ClusterError:
                if self[name].running:
                    raise
        await self.start(name)

    def _links(self) -> Network:
        if self.network is None:
            raise ClusterError("this cluster was made with links=False: nothing stands between its peers")
        return self.network

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

    async def until(self, condition: Condition, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a condition holds (conditions.py, or your own); fails when the deadline comes first."""
        await self.wait_for(lambda: condition(self), told(condition), deadline_s)

    async def wait_for(self, check: Callable[[], Awaitable[object]], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Wait until a check gives something true; fails with `what` when the deadline comes first."""
        try:
            async with asyncio.timeout(deadline_s):
                while not await check():  # noqa: ASYNC110 (peers are other processes: nothing here can tell an event)
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise ClusterError(f"not within {deadline_s:g} s: {what}") from None

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

    # Data

    def clients(self, count: int = 3, seed: int = 0) -> Clients:
        """Clients that write to and read from `kv` at all peers; to be started and stopped."""
        urls = lambda: {name: peer.url for name, peer in self.peers.items() if peer.flags}  # noqa: E731
        return Clients(self.http, urls, count=count, linearizable=self.safety == "quorum", seed=seed)

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


def now() -> float:
    """A steady clock, in seconds."""
    return time.monotonic()
