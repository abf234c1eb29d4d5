"""A cluster that a drill started itself, as its target: everything can be done to it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import aiohttp
import msgspec

from tanist.peer.drills.asking import Status
from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.control import FAULT_MS, Control
from tanist.peer.drills.process import ClusterError
from tanist.peer.drills.target import DISK_KINDS, CannotPerform, Disk
from tanist.peer.faults.conditions import CLEAR, Conditions

RESET_AFTER_BYTES = 10
"""A link breaks within the next frame: a header and a little of it pass."""
RESET_S = 0.3
"""How long links break so: every connection says something in this time, heartbeats if nothing else."""
KILLED_MS = 1000.0
"""How long a kill is told to last: the log of the dead peer goes on only when it is started."""

ENDING_S = 5.0
"""How long a peer may take to end that does not answer any more."""

_T = TypeVar("_T")


class LocalTarget:
    """The peers of a `RealCluster`."""

    def __init__(self, cluster: RealCluster) -> None:
        self._cluster = cluster
        self.folders = {name: peer.data for name, peer in cluster.peers.items()}
        """The data directories of all peers, of those too that left."""
        self._left: set[str] = set()
        self._links: dict[tuple[str, str], Conditions] = {}
        self._everywhere = CLEAR
        """What every link suffers, beside what one does alone."""
        self._control = Control(cluster.http, lambda name: cluster[name].url)
        self._offsets: dict[str, float] = {}
        """By how many milliseconds each wall clock is off."""

    @property
    def names(self) -> list[str]:
        """All peers, also those that do not run, but for those that left."""
        return [name for name in self._cluster.peers if name not in self._left]

    def running(self, name: str) -> bool:
        """Whether its process runs, paused or not."""
        return self._cluster[name].running

    async def statuses(self) -> dict[str, Status | None]:
        """What each peer says of itself that runs and is not paused."""
        present = self._cluster.present()
        found = await asyncio.gather(*(self._cluster.status(name) for name in present))
        return dict(zip(present, found, strict=True))

    # Processes

    async def kill(self, names: Sequence[str]) -> None:
        """SIGKILL to all at the same moment."""
        dead = [name for name in names if not self.running(name)]
        if dead:
            raise CannotPerform(f"{', '.join(dead)} does not run")
        for name in names:
            await self._note(name, "process", "killed", KILLED_MS)
            self._ended(name)
        await self._cluster.kill(*names)

    async def terminate(self, name: str) -> None:
        """SIGTERM, and wait until it has ended."""
        if self.running(name):
            self._ended(name)
            await self._try(self._cluster.terminate(name))

    async def start(self, names: Sequence[str]) -> None:
        """Start them again; those that run already go on."""
        dead = [name for name in names if not self.running(name)]
        for name in dead:
            # It may have ended by itself, because of a fault inside it.
            self._ended(name)
        await self._try(asyncio.gather(*map(self._cluster.start, dead)))

    async def pause(self, name: str, for_ms: float) -> None:
        """SIGSTOP, for so long."""
        await self._note(name, "process", "paused", for_ms or FAULT_MS)
        await self._try(self._cluster.pause(name, (for_ms or FAULT_MS) / 1000))

    async def resume(self, name: str) -> None:
        """SIGCONT."""
        await self._try(self._cluster.resume(name))
        await self._drop(name, "process")

    def _ended(self, name: str) -> None:
        """Its process is at its end, and what was injected into it."""
        self._control.gone(name)
        self._offsets.pop(name, None)

    # Members

    async def add(self, name: str) -> None:
        """Start one more peer, told of the others."""
        await self._try(self._cluster.join(name))
        self.folders[name] = self._cluster[name].data

    async def leave(self, name: str) -> None:
        """Take a peer out for good; its process ends."""
        await self._try(self._cluster.leave(name))
        self._ended(name)
        self._left.add(name)

    async def hand_over(self, server: str, to: str) -> None:
        """Ask the server."""
        await self._control.move(server, "handover", **({"to": to} if to else {}))

    async def _try(self, doing: Awaitable[_T]) -> _T:
        try:
            return await doing
        except (ClusterError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise CannotPerform(str(error) or type(error).__name__) from None

    # Links

    async def cut(self, links: Sequence[tuple[str, str]]) -> None:
        """Nothing passes from the first to the second of each pair, and nothing is dialed anew that way."""
        for name in self.names:
            to = [b for a, b in links if a == name]
            of = [a for a, b in links if b == name]
            words = [f"nothing passes to {', '.join(to)}"] * bool(to) + [f"nothing comes from {', '.join(of)}"] * bool(
                of
            )
            if words:
                await self._note(name, "links", "; ".join(words))
        for a, b in links:
            self._suffer(a, b, blackhole=True)

    async def mend(self, a: str = "", b: str = "") -> None:
        """One link is well both ways, or all of them."""
        if not a:
            self._everywhere = CLEAR
            self._links.clear()
            self._cluster.heal()
        for one, other in ((a, b), (b, a)) if a else ():
            self._links.pop((one, other), None)
            self._cluster.link(one, other, self._everywhere)
        for name in (a, b) if a else self.names:
            await self._drop(name, "links")

    async def reset(self, a: str, b: str) -> None:
        """What is open between a and b breaks in mid-frame; connections made after that are well."""
        before = self._links.get((a, b), self._everywhere)
        self._cluster.link(a, b, msgspec.structs.replace(before, reset_after=RESET_AFTER_BYTES))
        await asyncio.sleep(RESET_S)
        self._cluster.link(a, b, before)

    async def weather(self, *, loss: float | None = None, duplication: float | None = None) -> None:
        """On all links, beside what each of them suffers alone."""
        given = {"loss": loss, "duplicate": duplication}
        changed = {name: part for name, part in given.items() if part is not None}
        self._everywhere = msgspec.structs.replace(self._everywhere, **changed)
        for name in self.names:
            await self._note(name, "links", ", ".join(f"{what} {part:.0%}" for what, part in changed.items()))
        for a in self.names:
            for b in self.names:
                if a != b:
                    self._suffer(a, b, **changed)

    async def delay(self, a: str, b: str, ms: float) -> None:
        """What goes from a to b takes longer."""
        for name in (a, b):
            await self._note(name, "links", f"{a} to {b}: {ms:g} ms late")
        self._suffer(a, b, delay_ms=ms)

    def _suffer(self, a: str, b: str, **changed: object) -> None:
        made = self._links[a, b] = msgspec.structs.replace(self._links.get((a, b), self._everywhere), **changed)
        self._cluster.link(a, b, made)

    # Disks and clocks

    async def disk(self, name: str, kind: Disk | None, ms: float = 0.0) -> None:
        """Inside the peer's process, so that it ends with that."""
        if kind is not None:
            await self._control.put(name, "disk", DISK_KINDS[kind], **({"ms": ms} if kind == "slow" else {}))
        else:
            await self._drop(name, "disk")

    async def clock(self, name: str, ms: float) -> None:
        """The offset of its wall clock, which ends with its process."""
        offset_ms = self._offsets[name] = self._offsets.get(name, 0.0) + ms
        await self._control.put(name, "clock", "clock_offset", offset_ms=offset_ms)

    async def undo(self) -> None:
        """End every fault: links, disks and clocks are well, the paused go on, the dead are started."""
        for name in self.names:
            if self.running(name):
                await self._try(self._cluster.resume(name))
        await self.mend()
        for name in self.names:
            await self._drop(name)
        self._offsets.clear()
        await self.start(self.names)

    async def _drop(self, name: str, key: str = "") -> None:
        """End a fault inside a peer, or all; one whose process ended, or is about to because of it, has none."""
        try:
            if self.running(name):
                await self._control.drop(name, key)
        except CannotPerform:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await self._cluster[name].ended(ENDING_S)
            if self.running(name):
                raise
        if not self.running(name):
            self._ended(name)

    # For the election logs

    async def _note(self, name: str, key: str, what: str, for_ms: float = FAULT_MS) -> None:
        """Have a peer write down what is done to it from outside, so that its log, and a timeline, tell of it."""
        if self.running(name) and name in self._cluster.present():
            await self._control.put(name, key, "noted", what=what, for_ms=for_ms)
