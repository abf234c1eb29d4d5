"""What befalls a cluster next, drawn with an eye on its state: faults that can be survived, and repairs.

Every act that is drawn is recorded, so that a run is repeated from its acts, whatever would be drawn a second time.
"""

from __future__ import annotations

from random import Random

from tanist.election.condition import Load, Power
from tanist.election.roles import Role
from tanist.election.settings import Safety, Serve
from tanist.election.simulation import steps
from tanist.election.simulation.outcome import Setup
from tanist.election.simulation.peers import Port, VirtualPeer
from tanist.election.simulation.steps import Act
from tanist.election.simulation.world import World

Drawn = list[tuple[float, Act]]
"""Acts, each with how many milliseconds from now."""

REPAIR_CHANCE = 0.45
"""How often something broken is repaired instead of something else broken."""
AIM_CHANCE = 0.5
"""How often a fault is aimed at the server or its heir instead of at anyone."""


class Drawer:
    """Draws acts for one world from the chance of its faults."""

    def __init__(self, world: World, setup: Setup, rng: Random) -> None:
        self.world = world
        self.setup = setup
        self.rng = rng
        self.kinds = [kind for kind, _ in setup.faults]
        self.weights = [weight for _, weight in setup.faults]
        self.names = list(world.peers)
        self.taken_out = 0
        """Members that a person took out: like lost disks they count for nothing any more."""
        self.round_ms = setup.peers[0][1].pace.retry_interval_ms * (setup.peers[0][1].pace.retry_attempts + 1)

    def draw(self) -> Drawn:
        """One fault or one repair; nothing when what was drawn makes no sense now."""
        rng = self.rng
        if rng.random() < REPAIR_CHANCE:
            repairs = self._repairs()
            if repairs:
                return [(0.0, rng.choice(repairs))]
        if not self.kinds:
            return []
        (kind,) = rng.choices(self.kinds, self.weights)
        drawn = getattr(self, f"_{kind}")()
        return [(0.0, drawn)] if isinstance(drawn, Act) else drawn

    # Whom, and for how long

    def _aimed(self) -> VirtualPeer | None:
        """A running peer: often the server, or the one that stands or ranks next."""
        rng, running = self.rng, [p for p in self.world.running() if not p.frozen]
        if not running:
            return None
        if rng.random() < AIM_CHANCE:
            server = next((p for p in running if p.role is Role.SERVER), None)
            standing = next((p for p in running if p.role is Role.CANDIDATE), None)
            heir = None
            if server is not None and server.core is not None:
                first = server.core.node.fallbacks.heir
                heir = self.world.by_id.get(first.id) if first is not None else None
            aims = [p for p in (server, server, standing, heir) if p is not None and p.core is not None]
            if aims:
                return rng.choice(aims)
        return rng.choice(running)

    def _pair(self) -> tuple[str, str] | None:
        one = self._aimed()
        others = [n for n in self.names if one is not None and n != one.name]
        if one is None or not others:
            return None
        pair = (one.name, self.rng.choice(others))
        return pair if self.rng.random() < 0.5 else (pair[1], pair[0])

    def _while(self) -> float:
        """How long something lasts: mostly near the time-outs, at times far longer."""
        return round(self.rng.choice([0.1, 0.3, 1.0, 1.0, 3.0]) * self.round_ms * self.rng.uniform(0.3, 1.2), 3)

    def _expendable(self, peer: VirtualPeer) -> bool:
        """Whether the cluster may lose this disk: never every copy, in quorum mode never half of them."""
        if self.setup.beyond:
            return True
        lost = 1 + self.taken_out + sum(p.lost for p in self.world.peers.values())
        count = len(self.names)
        others = [p for p in self.world.peers.values() if p is not peer and p.sound and p.stored.last]
        if not any(p.settings.serve is not Serve.NEVER for p in others):
            # Nobody could serve who knows anything.
            return False
        if self.setup.safety is Safety.SURVIVOR:
            return lost <= count - 1
        # Founding is unanimous: who loses its disk before that can never be replaced.
        return lost <= (count - 1) // 2 and all(p.roster().members for p in self.world.peers.values())

    # Repairs

    def _repairs(self) -> list[Act]:
        found: list[Act] = []
        for peer in self.world.peers.values():
            name = peer.name
            if peer.core is None:
                found.append(steps.Start(name))
            elif peer.frozen:
                found.append(steps.Resume(name))
            elif peer.broken:
                found.append(steps.Kill(name))
            elif peer.hung or peer.slow != 1.0:
                found.append(steps.DiskWell(name))
            elif peer.port is not Port.OPEN:
                found.append(steps.Listens(name, "open"))
        if self.world.cuts:
            a, b = self.rng.choice(sorted(self.world.cuts))
            found += [steps.Mend(), steps.Mend(a, b)]
        if self.world.network.loss > self.setup.loss:
            found.append(steps.Loss(self.setup.loss))
        return found

    # The network

    def _cut(self) -> Act | Drawn:
        pair = self._pair()
        return steps.CutBoth(*pair) if pair else []

    def _one_way(self) -> Act | Drawn:
        pair = self._pair()
        return steps.Cut(*pair) if pair else []

    def _part(self) -> Act | Drawn:
        if len(self.names) < 2:
            return []
        side = self.rng.sample(self.names, self.rng.randint(1, len(self.names) - 1))
        rest = [n for n in self.names if n not in side]
        if len(self.names) > 2 and self.rng.random() < 0.2:
            # One that bridges both sides.
            rest.append(self.rng.choice(side))
        return steps.Part((tuple(sorted(side)), tuple(sorted(rest))))

    def _flap(self) -> Drawn:
        pair = self._pair()
        if pair is None:
            return []
        drawn: Drawn = []
        at = 0.0
        for _ in range(self.rng.randint(2, 8)):
            drawn.append((at, steps.CutBoth(*pair)))
            at += self._while() * self.rng.choice([0.1, 0.5])
            drawn.append((at, steps.Mend(*pair)))
            at += self._while() * self.rng.choice([0.1, 0.5])
        return drawn

    def _reset(self) -> Act | Drawn:
        pair = self._pair()
        return steps.Reset(*pair) if pair else []

    def _clog(self) -> Act | Drawn:
        pair = self._pair()
        return steps.Clog(*pair, self._while()) if pair else []

    def _stall(self) -> Act | Drawn:
        pair = self._pair()
        return steps.Stall(*pair, self._while()) if pair else []

    def _delay(self) -> Act | Drawn:
        pair = self._pair()
        longest = self.round_ms / 4
        return steps.Delay(*pair, self.rng.choice([0.0, round(longest * self.rng.random(), 3)])) if pair else []

    def _port(self) -> Act | Drawn:
        peer = self._aimed()
        states = [s for s in Port if s is not Port.OPEN]
        return steps.Listens(peer.name, str(self.rng.choice(states))) if peer else []

    def _loss(self) -> Act:
        return steps.Loss(self.rng.choice([0.01, 0.1, 0.3]))

    # Processes

    def _kill(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.Kill(peer.name) if peer else []

    def _host_gone(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.HostGone(peer.name) if peer else []

    def _kill_all(self) -> Drawn:
        """Everything goes down, and comes back in some order."""
        if self.rng.random() < 0.7:
            return []
        running = [p.name for p in self.world.running()]
        drawn: Drawn = [(round(self.rng.random() * self.round_ms, 3), steps.Kill(n)) for n in running]
        self.rng.shuffle(running)
        begin = self._while() + self.round_ms
        return drawn + [(round(begin + self.rng.random() * self.round_ms, 3), steps.Start(n)) for n in running]

    def _pause(self) -> Drawn:
        peer = self._aimed()
        if peer is None:
            return []
        drawn: Drawn = [(0.0, steps.Pause(peer.name))]
        if self.rng.random() < 0.7:
            drawn.append((self._while(), steps.Resume(peer.name)))
        return drawn

    def _drift(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.Drift(peer.name, self.rng.choice([0.99, 1.0, 1.01])) if peer else []

    def _leap(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.Leap(peer.name, self._while()) if peer else []

    def _wall(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.Clock(peer.name, self.rng.choice([-3_600_000.0, -1000.0, 1000.0, 3_600_000.0])) if peer else []

    def _goodbye(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.Goodbye(peer.name) if peer else []

    def _handover(self) -> Act | Drawn:
        peer = self._aimed()
        if peer is None:
            return []
        return steps.HandOver(peer.name, self.rng.choice(self.names) if self.rng.random() < 0.3 else "")

    # People

    def _leave(self) -> Act | Drawn:
        """Rarely: whoever was taken out takes no part any more."""
        peer, at = self._aimed(), self._aimed()
        if peer is None or at is None or self.rng.random() < 0.8 or not self._expendable(peer):
            return []
        self.taken_out += 1
        return steps.Leave(peer.name, at.name)

    def _machine(self) -> Act | Drawn:
        peer = self._aimed()
        power, load = self.rng.choice(list(Power)), self.rng.choice(list(Load))
        return steps.Machine(peer.name, power.name, load.name) if peer else []

    def _abandon(self) -> Act | Drawn:
        """Only while somebody that a founding waits for is down and has not accepted it: else it may have been opened
        already, and two clusters that were founded apart never come together."""
        peer = self._aimed()
        core = peer.core if peer is not None else None
        founded = any(p.roster().members for p in self.world.peers.values())
        if peer is None or core is None or self.setup.safety is Safety.SURVIVOR or founded:
            return []
        attempt = core.node.founding
        for member in attempt.members.members if attempt is not None else ():
            other = self.world.by_id.get(member.id)
            if other is None or (other.core is None and other.stored.founding is None):
                return steps.Abandon(peer.name)
        return []

    # Disks

    def _power_loss(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.PowerLoss(peer.name, self.rng.choice([0, 0, 1, 2, 5])) if peer else []

    def _disk_full(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.DiskFull(peer.name) if peer and not peer.broken else []

    def _disk_slow(self) -> Act | Drawn:
        peer = self._aimed()
        return steps.DiskSlow(peer.name, self._while() * self.rng.choice([0.05, 0.5])) if peer else []

    def _disk_hung(self) -> Drawn:
        peer = self._aimed()
        if peer is None:
            return []
        drawn: Drawn = [(0.0, steps.DiskHung(peer.name))]
        if self.rng.random() < 0.5:
            drawn.append((self._while(), steps.DiskWell(peer.name)))
        return drawn

    def _flip(self) -> Drawn:
        peer = self._aimed()
        if peer is None or not self._expendable(peer):
            return []
        return [(0.0, steps.Kill(peer.name)), (0.0, steps.Flip(peer.name)), (self._while(), steps.Start(peer.name))]

    def _wipe(self) -> Drawn:
        peer = self._aimed()
        if peer is None or not self._expendable(peer):
            return []
        return [(0.0, steps.Kill(peer.name)), (0.0, steps.Wipe(peer.name)), (self._while(), steps.Start(peer.name))]


__all__ = ["Drawer", "Drawn"]
