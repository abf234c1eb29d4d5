"""What the tests of healing share: clusters in two parts, and questions about what a heal left in the logs."""

from __future__ import annotations

from typing import Any

from scenario import SETTLE_MS, cluster, heir, server

from tanist.election.archived import ArchivedEntry, HealBegun, HealEnded, archived_entry, heal_begun, heal_ended
from tanist.election.entries import Entry, Kind
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.archive_checks import archived_commands
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import VirtualPeer, World


def part(world: World, side: str) -> None:
    """Cut these peers off from the others."""
    for a in side:
        for b in set(world.peers) - set(side):
            world.cut(a, b)


class Split:
    """A survivor cluster in two parts that both serve: the old server with `side` others, and the rest."""

    def __init__(self, names: str = "a b c", pace: str = "lan", side: int = 0, **settings: Any) -> None:
        self.world = world = cluster(names, Safety.SURVIVOR, pace, **settings)
        self.watch = Invariants(world, Safety.SURVIVOR)
        self.old, self.new = server(world), heir(world)
        others = [n for n in world.peers if n not in (self.old.name, self.new.name)]
        self.side = "".join([self.old.name, *others[:side]])
        part(world, self.side)
        world.run_until(lambda: len(world.servers()) == 2, SETTLE_MS)
        world.run(2 * PACES[pace].sync_timeout_ms)
        assert self.new.role is Role.SERVER

    def write(self, old: int = 0, new: int = 0) -> None:
        """So many commands on each side, all acknowledged."""
        self.watch.submit(self.old.name, *(b"old %d" % i for i in range(old)))
        self.watch.submit(self.new.name, *(b"new %d" % i for i in range(new)))
        self.world.run(500)

    def healed(self) -> None:
        """Mend, and come to rest with one server, one log, and nothing gone."""
        self.world.mend()
        self.settled()

    def settled(self) -> None:
        """At rest, with every invariant of a heal."""
        self.world.run_until(self.world.settled, SETTLE_MS)
        self.watch.final()


def archives_in(entries: list[Entry]) -> list[ArchivedEntry]:
    """What is archived among entries, in order."""
    return [archived_entry(e) for e in entries if e.kind == Kind.ARCHIVED]


def archived(peer: VirtualPeer) -> list[ArchivedEntry]:
    """What is archived in the log that a peer applied."""
    return archives_in([e for _, e in peer.applied])


def heals(peer: VirtualPeer) -> list[tuple[HealBegun, HealEnded]]:
    """The heals in the log that a peer applied, each with its end."""
    begun = {b.heal: b for b in (heal_begun(e) for _, e in peer.applied if e.kind == Kind.HEAL)}
    return [(begun[end.heal], end) for end in (heal_ended(e) for _, e in peer.applied if e.kind == Kind.HEALED)]


__all__ = ["Split", "archived", "archived_commands", "archives_in", "heals", "part"]
