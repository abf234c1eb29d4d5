"""Peers that run already, as a drill's target: they hurt themselves on request, and only where that undoes itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from tanist.election.simulation import steps
from tanist.election.simulation.steps import Act
from tanist.peer.drills import asking, words
from tanist.peer.drills.asking import Status
from tanist.peer.drills.control import Control
from tanist.peer.drills.target import DISK_KINDS, CannotPerform, Disk
from tanist.peer.drills.waiting import until

AWAY_MS = 6000.0
"""How long a peer is away that was killed, ended or paused without saying for how long: it comes back by itself then,
since nobody can start it from here. Long enough for every pace but classic to replace it."""
RESET_S = 0.3
"""How long links break: every connection says something in this time, heartbeats if nothing else."""
BACK_S = 20.0
"""How long beyond that a peer may take to answer again."""


class RemoteTarget:
    """Running peers by name, known by the addresses of their pages. Every fault ends by itself, whatever happens."""

    def __init__(self, http: aiohttp.ClientSession, urls: Mapping[str, str]) -> None:
        self._http = http
        self._urls = dict(urls)
        self._control = Control(http, self._url)
        self._links: dict[tuple[str, str], dict[str, Any]] = {}
        self._everywhere: dict[str, float] = {}
        self._away_until: dict[str, float] = {}
        self._offsets: dict[str, float] = {}
        self._clock = asyncio.get_running_loop().time

    @property
    def names(self) -> list[str]:
        """All peers that were named."""
        return list(self._urls)

    @staticmethod
    def refuses(act: Act) -> str:
        """Why an act cannot be performed on peers that run already."""
        match act:
            case words.Newcomer():
                return "a peer cannot be started from here"
            case steps.Leave():
                return "a peer that left for good would not come back"
            case words.DiskFull() | words.DiskReadOnly() | words.DiskFailing():
                return "a peer ends when its disk fails, and cannot be started from here"
            case _:
                return ""

    async def allowed(self) -> None:
        """Raises `CannotPerform` with every peer that was not started with `--allow-drills`, or does not answer."""
        found = await asyncio.gather(*(self._control.allowed(name) for name in self._urls), return_exceptions=True)
        if told := [str(error) for error in found if isinstance(error, CannotPerform)]:
            raise CannotPerform("\n".join(told))

    def running(self, name: str) -> bool:
        """Whether it should be there: it was not told to be away."""
        return self._clock() >= self._away_until.get(name, 0.0)

    async def statuses(self) -> dict[str, Status | None]:
        """What each peer says of itself that was not told to be away."""
        here = self.present()
        found = await asyncio.gather(*(asking.status_of(self._http, self._urls[name]) for name in here))
        return dict(zip(here, found, strict=True))

    # For the judge

    def present(self) -> list[str]:
        """Those that were not told to be away."""
        return [name for name in self._urls if self.running(name)]

    async def query(self, at: str, query: str, /, **arguments: str) -> Any:
        """The result of a query of a peer's own copy; None where it cannot answer yet."""
        try:
            status, answer = await asking.query(self._http, self._url(at), query, arguments)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
        return answer["result"] if status == 200 else None

    async def state(self, name: str) -> tuple[int, str] | None:
        """How many entries a peer has applied, and the hash of its state; None while it does not answer."""
        return await asking.state_of(self._http, self._url(name))

    async def archived_unknown(self, name: str, app: str, command: str) -> int:
        """How many of these commands are in the archive alone, and nobody knows whether they were acknowledged."""
        return await asking.archived_unknown(self._http, self._url(name), app, command)

    # Processes

    async def kill(self, names: Sequence[str]) -> None:
        """Each ends as by a kill, and its program starts again by itself later."""
        await asyncio.gather(*(self._send_away(name, "crash", AWAY_MS) for name in names))

    async def terminate(self, name: str) -> None:
        """It hands over and ends, and its program starts again by itself later."""
        await self._send_away(name, "restart", AWAY_MS)

    async def pause(self, name: str, for_ms: float) -> None:
        """SIGSTOP, for so long."""
        await self._send_away(name, "pause", for_ms or AWAY_MS)

    async def _send_away(self, name: str, kind: str, for_ms: float) -> None:
        await self._control.put(name, "process", kind, for_ms=for_ms)
        if kind != "pause":
            self._control.gone(name)
        self._away_until[name] = self._clock() + for_ms / 1000

    async def start(self, names: Sequence[str]) -> None:
        """Wait until they are back: nobody can start them from here."""
        for name in names:
            await self.resume(name)

    async def resume(self, name: str) -> None:
        """Wait until it is back."""
        await asyncio.sleep(max(0.0, self._away_until.pop(name, 0.0) - self._clock()))

        async def answers() -> bool:
            return await asking.status_of(self._http, self._url(name)) is not None

        if not await until(answers, BACK_S):
            raise CannotPerform(f"{name} did not come back within {BACK_S:g} s")

    # Members

    async def add(self, name: str) -> None:
        """Refused."""
        raise CannotPerform(self.refuses(words.Newcomer(name)))

    async def leave(self, name: str) -> None:
        """Refused."""
        raise CannotPerform(self.refuses(steps.Leave(name)))

    async def hand_over(self, server: str, to: str) -> None:
        """Ask the server."""
        await self._control.move(server, "handover", **({"to": to} if to else {}))

    # Links

    async def cut(self, links: Sequence[tuple[str, str]]) -> None:
        """Both ends let nothing pass."""
        for a, b in links:
            await self._suffer(a, b, blackhole=True)

    async def mend(self, a: str = "", b: str = "") -> None:
        """One link is well both ways, or all of them."""
        if not a:
            self._everywhere = {}
        for one, other in list(self._links):
            if not a or {one, other} == {a, b}:
                if self.running(one):
                    await self._put(one, other, {})
                del self._links[one, other]

    async def reset(self, a: str, b: str) -> None:
        """What is open between a and b breaks."""
        before = self._links.get((a, b), {})
        await self._suffer(a, b, reset_after=0)
        await asyncio.sleep(RESET_S)
        await self._put(a, b, before)

    async def weather(self, *, loss: float | None = None, duplication: float | None = None) -> None:
        """At every peer, on all that it sends."""
        for name, part in (("loss", loss), ("duplicate", duplication)):
            if part is not None:
                self._everywhere[name] = part
        for a in self.names:
            for b in self.names:
                if a != b:
                    await self._suffer(a, b)

    async def delay(self, a: str, b: str, ms: float) -> None:
        """What goes from a to b takes longer."""
        await self._suffer(a, b, delay_ms=ms)

    async def _suffer(self, a: str, b: str, **changed: object) -> None:
        await self._put(a, b, {**self._links.get((a, b), {}), **changed})

    async def _put(self, a: str, b: str, conditions: dict[str, Any]) -> None:
        """What a sends to b meets these: the sender alone applies them, or else they would count twice."""
        self._links[a, b] = conditions
        suffered = {**self._everywhere, **conditions}
        if suffered:
            await self._control.put(a, f"{a}>{b}", "link", peer=b, way="out", conditions=suffered)
        else:
            await self._control.drop(a, f"{a}>{b}")

    # Disks and clocks

    async def disk(self, name: str, kind: Disk | None, ms: float = 0.0) -> None:
        """Inside the peer's process."""
        if kind is not None:
            await self._control.put(name, "disk", DISK_KINDS[kind], **({"ms": ms} if kind == "slow" else {}))
        elif self.running(name):
            await self._control.drop(name, "disk")

    async def clock(self, name: str, ms: float) -> None:
        """The offset of its wall clock."""
        offset_ms = self._offsets[name] = self._offsets.get(name, 0.0) + ms
        await self._control.put(name, "clock", "clock_offset", offset_ms=offset_ms)

    async def undo(self) -> None:
        """End every fault, and wait for those that are away."""
        await self.start(self.names)
        await self.end_faults()

    async def end_faults(self) -> None:
        """End what would else last a little longer, at those that are not away."""
        self._links.clear()
        self._offsets.clear()
        for name in self.present():
            await self._control.drop(name)

    def _url(self, name: str) -> str:
        if name not in self._urls:
            raise CannotPerform(f"{name} was not named: give the address of its page with --at")
        return self._urls[name]


__all__ = ["AWAY_MS", "RemoteTarget"]
