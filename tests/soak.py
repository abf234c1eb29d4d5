"""One random life of a virtual cluster: faults for a while, then peace, in which it must settle with one server."""

from __future__ import annotations

import itertools
from random import Random
from typing import Any

from tanist.election.commit import Durability
from tanist.election.condition import Load, Power
from tanist.election.preempting import DOUBLINGS_MAX
from tanist.election.ready import ConditionRead
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety, Serve
from tanist.election.simulation.invariants import Broken, Invariants
from tanist.election.simulation.world import World

SETTLE_LIMIT_MS = {"classic": 90_000, "lan": 40_000, "fast": 30_000}
"""How long peace may take until all follow one server: the longest waits of a pace, a few times over."""
PREEMPT_AFTER_TIMEOUTS = (1, 2, 5)
"""How many heartbeat time-outs a better one waits, in lives with ranks."""


class Life:
    """What happens to a cluster, from one seed."""

    def __init__(
        self,
        seed: int,
        safety: Safety,
        *,
        pace: str | None = None,
        length_ms: float = 60_000,
        snapshots: bool = True,
    ) -> None:
        self.rng = Random(f"life {seed} {safety}")
        rng = self.rng
        self.seed = seed
        self.safety = safety
        self.pace = pace or rng.choice(["classic", "classic", "lan", "fast"])
        self.length_ms = length_ms
        self.snapshots = snapshots
        self.world = World(seed, latency_ms=rng.choice([0.2, 1, 5]), disk_ms=rng.choice([0.5, 3, 10]), jitter=3.0)
        self.watch = Invariants(self.world, safety)
        self.commands = 0
        self.names = "abcde"[: rng.randint(2, 5)]
        self.told: list[str] = []

    def run(self) -> None:
        """Found the cluster, live, and come to rest."""
        self._found()
        end = self.world.now + int(self.length_ms * 1e6)
        while self.world.now < end:
            self._something()
            self.world.run(self.rng.expovariate(1 / self._gap_ms()))
        self._peace()
        self.world.run_until(self.world.settled, SETTLE_LIMIT_MS[self.pace])
        self.watch.final()
        self._still_serves()

    def _settings(self) -> dict[str, Any]:
        """More settings of a peer."""
        return {}

    def _gap_ms(self) -> float:
        return PACES[self.pace].retry_interval_ms * 0.5

    def _found(self) -> None:
        rng, world = self.rng, self.world
        keep = rng.choice([0, 5, 50])
        for name in self.names:
            others = " ".join(n for n in self.names if n != name)
            serve = Serve.NEVER if name != "a" and rng.random() < 0.1 else Serve.AUTO
            world.add(
                name,
                peers=others,
                safety=self.safety,
                pace=PACES[self.pace],
                expect=len(self.names) if self.safety is Safety.QUORUM else 0,
                snapshot_keep=keep,
                serve=serve,
                priority=rng.choice([0, 0, 0, 1]),
                sync_successors=rng.choice([1, 1, 2]),
                sync_strict=rng.random() < 0.2,
                heal_keep=rng.choice([0, 20, 100_000]),
                **self._settings(),
            )
            if rng.random() < 0.5:
                world.run(rng.random() * self._gap_ms())
        if rng.random() < 0.7:
            world.run_until(world.settled, SETTLE_LIMIT_MS[self.pace])

    def _something(self) -> None:
        """One thing happens: mostly work, often a fault, sometimes a repair."""
        rng, world = self.rng, self.world
        name = rng.choice(self.names)
        peer = world.peers[name]
        other = rng.choice([n for n in self.names if n != name])
        chance = rng.random()
        done = ""
        if chance < 0.4:
            self._submit(name)
        elif chance < 0.5:
            if peer.core is not None:
                done = "kill"
                world.kill(name, silent=rng.random() < 0.2)
        elif chance < 0.64:
            if peer.core is None:
                done = "start"
                world.start(name)
        elif chance < 0.69:
            if self.snapshots and peer.core is not None and not peer.frozen and peer.core.node.applied:
                done = "snapshot"
                world.snapshot(name)
        elif chance < 0.73:
            if peer.core is not None and not peer.frozen:
                done = "hand over"
                world.hand_over(name)
        elif chance < 0.75:
            if peer.core is not None and not peer.frozen and not peer.broken:
                done = "fail disk"
                world.fail_disk(name)
        elif chance < 0.8:
            if peer.core is not None and not peer.frozen:
                self.watch.read(name)
        else:
            done = self._network(name, other)
        if done:
            self.told.append(f"{world.now / 1e6:12.3f} {done} {name} {other}")

    def _network(self, name: str, other: str) -> str:
        rng, world = self.rng, self.world
        peer = world.peers[name]
        match rng.choice(["freeze", "thaw", "thaw", "cut", "one-way", "mend", "mend", "reset", "part"]):
            case "freeze" if peer.core is not None and not peer.frozen:
                world.freeze(name)
                return "freeze"
            case "thaw" if peer.frozen:
                world.thaw(name)
                return "thaw"
            case "cut":
                world.cut(name, other)
                return "cut"
            case "one-way":
                world.cut(name, other, one_way=True)
                return "one-way cut"
            case "mend" if world.cuts:
                world.mend()
                return "mend"
            case "reset":
                world.reset(name, other)
                return "reset"
            case "part":
                side = set(rng.sample(self.names, rng.randint(1, len(self.names) - 1)))
                for a in side:
                    for b in set(self.names) - side:
                        world.cut(a, b)
                return f"part {''.join(sorted(side))}"
        return ""

    def _submit(self, name: str) -> None:
        peer = self.world.peers[name]
        if peer.core is None or peer.frozen:
            return
        for _ in range(self.rng.randint(1, 3)):
            self.commands += 1
            self.watch.submit(name, b"%d" % self.commands)

    def _peace(self) -> None:
        world = self.world
        self.told.append(f"{world.now / 1e6:12.3f} peace")
        # No more spikes longer than a pace allows for: they would be faults.
        world.jitter = 0.0
        world.mend()
        for name, peer in world.peers.items():
            if peer.broken and peer.core is not None:
                world.kill(name)
            if peer.core is None:
                world.start(name)
            elif peer.frozen:
                world.thaw(name)

    def _still_serves(self) -> None:
        """After peace: a command from every peer is applied by all, and the server stays the same."""
        world = self.world
        # What was under way when peace began (a hand-over, a time-out nearly over) may still have its effect.
        world.run(2 * SETTLE_LIMIT_MS[self.pace] / 9)
        world.run_until(world.settled, SETTLE_LIMIT_MS[self.pace])
        server = world.servers()[0].id
        for name in self.names:
            self._submit(name)
        world.run(5 * PACES[self.pace].heartbeat_every_ms)
        world.run_until(world.settled, SETTLE_LIMIT_MS[self.pace])
        self.watch.final()
        for body, name in self.watch.submitted.items():
            if int(body) > self.commands - len(self.names):
                assert body in world.peers[name].commands(), f"{body!r} of {name} was never applied"
        serving = [p.id for p in world.running() if p.role is Role.SERVER]
        assert serving == [server], "the server changed in peace"


class RankedLife(Life):
    """A life in which machines change their condition, better ones take over, and members are forgotten."""

    def __init__(self, seed: int, safety: Safety) -> None:
        super().__init__(seed, safety)
        self.ranks = Random(f"ranks {seed} {safety}")

    def _settings(self) -> dict[str, Any]:
        pace = PACES[self.pace]
        return {
            "preempt": "idle",
            "preempt_after_ms": self.ranks.choice(PREEMPT_AFTER_TIMEOUTS) * pace.heartbeat_timeout_ms,
            "forget_after_ms": self.ranks.choice([0, 3, 10]) * pace.sync_timeout_ms,
        }

    def _something(self) -> None:
        if self.ranks.random() < 0.2:
            peer = self.world.peers[self.ranks.choice(self.names)]
            if peer.core is not None and not peer.frozen:
                self.world.feed(peer, ConditionRead(self.ranks.choice(list(Power)), self.ranks.choice(list(Load))))
        else:
            super()._something()

    def _still_serves(self) -> None:
        # Whoever is better takes over in peace too: in the end nobody is.
        self.world.run(max(PREEMPT_AFTER_TIMEOUTS) * PACES[self.pace].heartbeat_timeout_ms * 2**DOUBLINGS_MAX)
        super()._still_serves()


class AilingLife(Life):
    """A life in which disks hang and lose what was on them, one disk at a time."""

    def __init__(self, seed: int, safety: Safety) -> None:
        super().__init__(seed, safety)
        self.ills = Random(f"ills {seed} {safety}")
        if safety is Safety.QUORUM and len(self.names) < 3:
            # Of two voters neither can be spared.
            self.names = "abc"
        self.damages = 0

    def _something(self) -> None:
        name = self.ills.choice(self.names)
        peer = self.world.peers[name]
        chance = self.ills.random()
        done = ""
        if chance < 0.04 and peer.core is not None and not peer.broken:
            self.world.disks.hang(name)
            done = "hang"
        elif chance < 0.1 and peer.hung:
            self.world.disks.recover(name)
            done = "recover"
        elif chance < 0.13 and peer.core is None and peer.disk and self._may_lose(name):
            self.world.damage(name, self.ills.randint(0, len(peer.disk)))
            self.damages += 1
            done = "damage"
            if self.safety is Safety.SURVIVOR:
                # What only this disk had is gone, however it was acknowledged.
                self.watch.acknowledged.clear()
        else:
            super()._something()
        if done:
            self.told.append(f"{self.world.now / 1e6:12.3f} {done} {name}")

    def _may_lose(self, name: str) -> bool:
        """Whether this disk can be spared: no other one ails, and another peer may serve to repair it."""
        others = [p for p in self.world.peers.values() if p.name != name]
        # Before there is a cluster nobody can repair what it had promised to found.
        founded = self.world.peers[name].stored.last > 0
        return founded and not self._ailing() and any(p.settings.serve is Serve.AUTO for p in others)

    def _ailing(self) -> bool:
        """Whether a disk lost something that is not repaired yet: a second one may be the last copy."""
        return any(p.damaged or p.stored.damage is not None for p in self.world.peers.values())

    def _peace(self) -> None:
        for name, peer in self.world.peers.items():
            if peer.hung:
                self.world.disks.recover(name)
        super()._peace()
        self.world.run_until(lambda: not self._ailing(), SETTLE_LIMIT_MS[self.pace])


def deaths(seed: int) -> None:
    """Survivor mode, one death after another, settled in between: what was acknowledged as `heir` or more stays.

    The dead never come back, with their disks; in some lives one that died is started again before the next dies.
    """
    rng = Random(f"deaths {seed}")
    world = World(seed, latency_ms=rng.choice([0.2, 2]), disk_ms=rng.choice([0.5, 5]), jitter=rng.choice([0, 2.0]))
    watch = Invariants(world, Safety.SURVIVOR)
    names = list("abcde"[: rng.randint(2, 5)])
    pace = rng.choice(["classic", "lan"])
    world.cluster(" ".join(names), pace=PACES[pace], sync_successors=rng.choice([1, 1, 2]))
    count = itertools.count()
    come_back = rng.random() < 0.5
    for _ in range(len(names) * 2 if come_back else len(names) - 1):
        for _ in range(rng.randint(1, 30)):
            alive = [p for p in world.running() if not p.frozen]
            watch.submit(rng.choice(alive).name, b"%d" % next(count))
            world.run(rng.choice([0, 0.3, 1, 5, 30]))
        victim = world.servers()[0] if rng.random() < 0.7 else rng.choice(world.running())
        world.kill(victim.name, silent=rng.random() < 0.2)
        promised = [b for b, durability in watch.acknowledged.items() if durability != Durability.ALONE]
        world.run(rng.expovariate(1 / 2000))
        world.run_until(world.settled, SETTLE_LIMIT_MS[pace])
        kept = {c for p in world.running() for c in p.commands()}
        lost = [b for b in promised if b not in kept]
        if lost:
            raise Broken("promise", f"promised and gone after the death of {victim.name}: {lost}")
        if come_back:
            world.start(victim.name)
            world.run(rng.expovariate(1 / 2000))
            world.run_until(world.settled, SETTLE_LIMIT_MS[pace])
        world.run(3 * PACES[pace].heartbeat_every_ms)
