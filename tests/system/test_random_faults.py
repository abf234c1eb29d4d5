"""Lives of real clusters under random faults of every kind, one after another and at once; then all must be well."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import aiohttp
import pytest

from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.judging import judge
from tanist.peer.faults import Conditions

LIFE_S = 20.0
"""How long faults are injected: some thirty of them, several at once."""
HEALED_S = 60.0
"""How long a cluster may take to be whole again on a busy machine, once nothing is wrong any more."""
BAD_LINKS = [
    Conditions(delay_ms=20, jitter_ms=20),
    Conditions(delay_ms=200, jitter_ms=100),
    Conditions(delay_ms=1500),
    Conditions(loss=0.05),
    Conditions(loss=0.3),
    Conditions(duplicate=0.3),
    Conditions(bandwidth=2_000),
    Conditions(bandwidth=50_000),
    Conditions(blackhole=True),
    Conditions(blackhole=True, down_ms=400, up_ms=500),
    Conditions(refuse=True),
    Conditions(reset_after=0),
    Conditions(reset_after=50),
    Conditions(reset_after=5_000),
]
INSIDE: list[dict[str, object]] = [
    {"kind": "disk_slow", "ms": 20},
    {"kind": "disk_slow", "ms": 400},
    {"kind": "clock_offset", "offset_ms": 3_600_000},
    {"kind": "clock_offset", "offset_ms": -86_400_000},
    {"kind": "stall"},
    {"kind": "pause"},
    {"kind": "crash"},
    {"kind": "link", "conditions": {"blackhole": True}},
    {"kind": "link", "way": "out", "conditions": {"delay_ms": 300, "loss": 0.1}},
    {"kind": "fsync_fails"},
    {"kind": "disk_full"},
]


class Life:
    """What befalls one cluster; `told` has it in order, for whoever looks into a failure."""

    def __init__(self, cluster: RealCluster, chance: Random) -> None:
        self.cluster = cluster
        self.chance = chance
        self.told: list[str] = []
        self._kinds: list[tuple[int, Callable[[], Awaitable[str]]]] = [
            (8, self.link),
            (3, self.partition),
            (3, self.pause),
            (2, self.kill),
            (5, self.inside),
        ]

    async def step(self) -> None:
        """One more fault, and some of those that are down start again."""
        weights, acts = zip(*self._kinds, strict=True)
        (act,) = self.chance.choices(acts, weights)
        self.told.append(await act())
        for name in self.down():
            if self.chance.random() < 0.4:
                self.cluster[name].start()
                self.told.append(f"start {name}")
        await asyncio.sleep(self.chance.uniform(0.1, 1.0))

    def down(self) -> list[str]:
        return [name for name in self.cluster.names if not self.cluster[name].running]

    def anyone(self) -> str:
        return self.chance.choice(self.cluster.names)

    def for_s(self) -> float:
        return self.chance.uniform(0.2, 3.0)

    def may_fall(self, name: str) -> bool:
        """Never so many at once that no majority is left: that is another test."""
        return self.cluster[name].running and len(self.down()) < (len(self.cluster.names) - 1) // 2

    async def link(self) -> str:
        source, target = self.chance.sample(self.cluster.names, 2)
        bad, for_s = self.chance.choice(BAD_LINKS), self.for_s()
        self.cluster.link(source, target, bad, for_s)
        if both := self.chance.random() < 0.5:
            self.cluster.link(target, source, bad, for_s)
        return f"{source} {'<' * both}> {target}: {bad} for {for_s:.1f} s"

    async def partition(self) -> str:
        names = self.chance.sample(self.cluster.names, len(self.cluster.names))
        at, for_s = self.chance.randrange(1, len(names)), self.for_s()
        self.cluster.partition(names[:at], names[at:], for_s=for_s)
        return f"partition {names[:at]} {names[at:]} for {for_s:.1f} s"

    async def pause(self) -> str:
        name, for_s = self.anyone(), self.for_s()
        if self.cluster[name].running:
            await self.cluster.pause(name, for_s)
        return f"pause {name} for {for_s:.1f} s"

    async def kill(self) -> str:
        name = self.anyone()
        if self.may_fall(name):
            await self.cluster.kill(name)
        return f"kill {name}"

    async def inside(self) -> str:
        """A fault that a peer injects into itself; one that does not answer now is spared."""
        name, fault = self.anyone(), {**self.chance.choice(INSIDE), "for_ms": round(self.for_s() * 1000)}
        if fault["kind"] in ("fsync_fails", "disk_full") and not self.may_fall(name):
            return f"{name} is spared"
        try:
            async with (
                asyncio.timeout(1),
                self.cluster.http.post(f"{self.cluster[name].url}/drills/fault", json=fault) as answer,
            ):
                assert answer.status == 200, await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return f"{name} does not answer"
        return f"{name}: {fault}"

    async def end(self) -> None:
        """All faults are over, and everyone runs."""
        self.cluster.heal()
        for name in self.cluster.names:
            await self.cluster.resume(name)
        # Full disks end their peers, and those that crashed on request come back by themselves.
        for name in self.down():
            await self.cluster.start(name)
        await self.cluster.settled(len(self.cluster.names), HEALED_S)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("safety", "size", "seed"), [("survivor", 3, 1), ("quorum", 3, 2), ("quorum", 5, 3)])
async def test_a_life_under_random_faults(tmp_path: Path, safety: str, size: int, seed: int) -> None:
    async with RealCluster(tmp_path, size, safety=safety, pace="lan", seed=seed) as cluster:
        clients = cluster.clients(4, seed)
        life = Life(cluster, Random(seed))
        clients.start()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            while loop.time() - begun < LIFE_S:
                await life.step()
            await life.end()
        finally:
            print("\n".join(life.told))
        await clients.stop()
        failed = [check for check in await judge(cluster, clients, HEALED_S) if not check.passed]
        assert not failed, failed
        assert clients.history.acknowledged > 100
