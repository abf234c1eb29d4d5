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
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import aiohttp

from tanist.peer.drills.asking import CALL_S
from tanist.peer.drills.clients import Clients
from tanist.peer.drills.network import CUT, Network
from tanist.peer.drills.process import ENDED_S, ClusterError, PeerProcess
from tanist.peer.drills.watched import DEADLINE_S, Watched
from tanist.peer.faults import Conditions, Pause, pause
from tanist.peer.faults.processes import PAUSE_S_MAX

SIZE_MAX = 9
"""Peers of one cluster: as many as one machine may be asked to run beside a test."""
NAMES = "abcdefghi"
"""What peers are called, where nobody names them."""


class RealCluster(Watched):
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

    def is_paused(self, name: str) -> bool:
        """See `Watched.is_paused`."""
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

    def clients(self, count: int = 3, seed: int = 0) -> Clients:
        """Clients that write to and read from `kv` at all peers; to be started and stopped."""
        urls = lambda: {name: peer.url for name, peer in self.peers.items() if peer.flags}  # noqa: E731
        return Clients(self.http, urls, count=count, linearizable=self.safety == "quorum", seed=seed)


def now() -> float:
    """A steady clock, in seconds."""
    return time.monotonic()
