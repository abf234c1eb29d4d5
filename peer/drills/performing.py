"""Perform a drill on a target: its steps in order, each done or waited for, and what was never to be so."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from tanist.election.settings import PACES, Pace, Safety
from tanist.election.simulation import steps
from tanist.election.simulation.conditions import Condition
from tanist.election.simulation.forms import Line, places, write
from tanist.election.simulation.steps import Act
from tanist.peer.drills import words
from tanist.peer.drills.conditions import LISTED_MAX, agreed
from tanist.peer.drills.drill import Block, Drill, Expectation, Step
from tanist.peer.drills.facts import CannotTell, Facts
from tanist.peer.drills.roles import Cast
from tanist.peer.drills.target import CannotPerform, Disk, Target
from tanist.peer.drills.waiting import POLL_S, until

CAST_S = 15.0
"""How long a cluster may take to have a server and a list of all others, when roles are given."""
AGREE_S = 3.0
"""How long is waited first until all have heard the same list."""
BASE = PACES["lan"]
"""Times in drills are written for this pace; another one stretches them."""
DISKS: dict[type[Act], Disk] = {
    words.DiskFull: "full",
    words.DiskSlow: "slow",
    words.DiskReadOnly: "read-only",
    words.DiskFailing: "failing",
}

_Line = TypeVar("_Line", bound=Line)


class Failed(Exception):
    """The drill did not go as it says: the message names the step, and what was so instead."""


class Result(msgspec.Struct, frozen=True):
    """Something that the drill says must be so, or never: whether it was as it says, and what was so."""

    text: str
    where: str
    passed: bool
    told: str


def stretch(pace: Pace) -> float:
    """By how much a pace is more patient than the one that times are written for."""
    return pace.heartbeat_timeout_ms / BASE.heartbeat_timeout_ms


class Performer:
    """One performance of a drill."""

    def __init__(
        self, drill: Drill, target: Target, facts: Facts, safety: Safety, pace: Pace, tell: Callable[[str], None]
    ) -> None:
        """`tell` hears of each step when it begins, with the peers' names in the place of roles."""
        self.never: list[Result] = []
        """What was never to be so: looked at while the drill goes on."""
        self.done = 0
        """Steps that were done, repetitions counted."""
        self._drill = drill
        self._target = target
        self._facts = facts
        self._safety = safety
        self._stretch = stretch(pace)
        self._tell = tell
        self._cast = Cast(())
        self._forbidden: list[Condition] = []
        self._began_s = 0.0

    async def perform(self) -> None:
        """All steps. Raises `Failed` at the first that cannot be done, or that was waited for in vain."""
        self._began_s = time.monotonic()
        watching = asyncio.create_task(self._watch())
        try:
            await self._all(self._drill.steps, "")
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def expectations(self) -> list[Result]:
        """What the drill expects in the end, in this mode, and whether it is so."""
        return [await self._expected(e) for e in self._drill.expects if e.only in (None, self._safety)]

    async def _expected(self, expectation: Expectation) -> Result:
        fact = _with_names(expectation.fact, self._cast)
        passed = await self._facts.holds(fact)
        return Result(_told(fact, expectation.text), expectation.where, passed, await self._facts.told(fact))

    # Steps

    async def _all(self, steps_: Iterable[Step | Block], here: str) -> None:
        for step in steps_:
            if isinstance(step, Step):
                await self._step(step, here)
            elif step.only in (None, self._safety):
                await self._cast_if_needed()
                for _ in range(step.repeat):
                    # Whom a group means is asked each time: roles may be given anew in between.
                    for name in self._cast.peers(step.each) if step.each else (here,):
                        await self._all(step.steps, name)

    async def _step(self, step: Step, here: str) -> None:
        if step.at_ms is not None:
            due_s = self._began_s + step.at_ms * self._stretch / 1000
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        if not isinstance(step.act, steps.Run):
            await self._cast_if_needed()
        cast = self._cast.within(here)
        act = _with_names(step.act, cast)
        told = _told(act, step.text)
        self._tell(told)
        try:
            await self._perform(act, told, step.where, cast)
        except (CannotPerform, CannotTell) as error:
            raise Failed(f"{step.where}: {told}: {error}") from None
        self.done += 1

    async def _perform(self, act: Act, told: str, where: str, cast: Cast) -> None:
        match act:
            case steps.Run(ms):
                await asyncio.sleep(ms * self._stretch / 1000)
            case words.Wait(fact, ms):
                await self._wait(fact, ms * max(1.0, self._stretch), f"{where}: {told}")
            case words.Expect(fact):
                if not await self._facts.holds(fact):
                    raise Failed(f"{where}: {told}: {await self._facts.told(fact)}")
            case words.Never(fact):
                self._forbidden.append(fact)
                self.never.append(Result(told, where, True, "it never was"))
            case words.Recast():
                await self._recast()
            case _:
                await self._do(act, cast)

    async def _wait(self, fact: Condition, ms: float, told: str) -> None:
        self._facts.waiting_begins()
        if not await until(lambda: self._facts.holds(fact), ms / 1000):
            raise Failed(f"{told}: in vain; {await self._facts.told(fact)}")

    async def _watch(self) -> None:
        """Look at what was never to be so, again and again, until cancelled."""
        while True:
            for number, fact in enumerate(self._forbidden):
                found = self.never[number]
                if found.passed and await self._facts.holds(fact):
                    told = await self._facts.told(fact)
                    self.never[number] = Result(found.text, found.where, False, f"it was: {told}")
            await asyncio.sleep(POLL_S)

    async def _do(self, act: Act, cast: Cast) -> None:
        """What is done to peers or links. Groups are done as a whole where that matters, else one after the other."""
        target, peers = self._target, cast.peers
        match act:
            case steps.Kill(peer):
                await target.kill(peers(peer))
            case steps.Start(peer):
                await target.start(peers(peer))
            case words.Newcomer(peer):
                await target.add(peer)
            case steps.HandOver(peer, to):
                await target.hand_over(*peers(peer), *(peers(to) if to else ("",)))
            case words.Loss(part):
                await target.weather(loss=part)
            case steps.Duplication(part):
                await target.weather(duplication=part)
            case steps.Cut() | steps.CutBoth() | steps.Part() | steps.Mend() | steps.Reset() | steps.Delay():
                await self._links(act, cast)
            case _:
                for name in peers(getattr(act, "member", "") or getattr(act, "peer", "")):
                    await self._one(act, name)

    async def _one(self, act: Act, name: str) -> None:
        target = self._target
        match act:
            case words.Terminate():
                await target.terminate(name)
            case steps.Pause(_, ms):
                await target.pause(name, ms * self._stretch)
            case steps.Resume():
                await target.resume(name)
            case steps.Leave():
                await target.leave(name)
            case steps.Clock(_, ms):
                await target.clock(name, ms)
            case words.DiskWell():
                await target.disk(name, None)
            case _:
                await target.disk(name, DISKS[type(act)], getattr(act, "ms", 0.0))

    async def _links(self, act: Act, cast: Cast) -> None:
        target = self._target
        match act:
            case steps.Cut(a, b):
                await target.cut(_pairs(cast, a, b))
            case steps.CutBoth(a, b):
                await target.cut([*_pairs(cast, a, b), *_pairs(cast, b, a)])
            case steps.Part(groups):
                sides = [cast.many(group) for group in groups]
                every = tuple(dict.fromkeys(name for side in sides for name in side))
                apart = ((a, b) for a in every for b in every if not any(a in side and b in side for side in sides))
                await target.cut(list(apart))
            case steps.Mend("", ""):
                await target.mend()
            case steps.Mend(a, b):
                for one, other in _pairs(cast, a, b):
                    await target.mend(one, other)
            case steps.Reset(a, b):
                for one, other in _pairs(cast, a, b):
                    await target.reset(one, other)
            case steps.Delay(a, b, ms):
                for one, other in _pairs(cast, a, b):
                    await target.delay(one, other, ms)

    # Roles

    async def _cast_if_needed(self) -> None:
        """Roles are given late: just after a cluster has come together the list still changes."""
        if not self._cast.order:
            await self._recast()

    async def _recast(self) -> None:
        """Give the roles to whoever has them now. Raises `Failed` when there is no one server."""

        async def all_agree() -> bool:
            return bool(agreed(list((await self._target.statuses()).values())))

        async def cast() -> bool:
            self._cast = Cast(await self._order())
            return bool(self._cast.order)

        patience = max(1.0, self._stretch)
        # Clients go by the list as they heard it last. In the middle of faults they may never all have heard the same.
        await until(all_agree, AGREE_S * patience)
        if not await until(cast, CAST_S * patience):
            raise Failed(f"no server with a list of all others: {await self._facts.seen()}")

    async def _order(self) -> tuple[str, ...]:
        """The server, its fallback list, and the rest; nothing while not all that run are on the list."""
        statuses = await self._target.statuses()
        servers = [status for status in statuses.values() if status is not None and status["role"] == "server"]
        if len(servers) != 1:
            return ()
        listed = [str(entry["name"]) for entry in servers[0]["fallbacks"]]
        order = (str(servers[0]["name"]), *listed)
        if not {*statuses} <= {*order} and len(listed) < min(len(statuses) - 1, LISTED_MAX):
            return ()
        return (*order, *(name for name in self._target.names if name not in order))


def _pairs(cast: Cast, a: str, b: str) -> list[tuple[str, str]]:
    """Every link from one that the first word means to one that the second does."""
    return [(one, other) for one in cast.peers(a) for other in cast.peers(b) if one != other]


def _with_names(line: _Line, cast: Cast) -> _Line:
    """The same, with names for roles; a group that stands where one peer is meant stays as it is."""
    changed: dict[str, object] = {}
    for field, kind in dict(place for form in line.forms for place in places(form)).items():
        value = getattr(line, field)
        match kind:
            case "peer" | "any":
                if len(named := cast.peers(value)) == 1:
                    changed[field] = named[0]
            case "peers":
                changed[field] = cast.many(value)
            case "groups":
                changed[field] = tuple(cast.many(group) for group in value)
            case "fact":
                changed[field] = _with_names(value, cast)
    return msgspec.structs.replace(line, **changed)


def _told(line: Line, otherwise: str) -> str:
    """A line as it is written; `otherwise` where a peer has a name that the language has no form for."""
    try:
        return write(line)
    except ValueError:
        return otherwise


__all__ = ["Failed", "Performer", "Result", "stretch"]
