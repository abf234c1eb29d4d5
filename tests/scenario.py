"""What the scenario tests of the core share: clusters that are watched, and a few questions about them."""

from __future__ import annotations

from typing import Any

import pytest

from tanist.election.reign import Reign
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import VirtualPeer, World

BOTH = pytest.mark.parametrize("safety", list(Safety), ids=str)
PACE = pytest.mark.parametrize("pace", ["classic", "fast"])
SETTLE_MS = 60_000


def cluster(names: str, safety: Safety, pace: str = "classic", **settings: Any) -> World:
    """A settled cluster, every step of which is checked against the invariants."""
    world = World(3)
    Invariants(world, safety)
    world.cluster(names, safety=safety, pace=PACES[pace], **settings)
    return world


def server(world: World) -> VirtualPeer:
    """The one server."""
    (only,) = world.servers()
    return only


def reign(world: World) -> Reign:
    """The one server's reign."""
    core = server(world).core
    assert core is not None and isinstance(core.behaviour, Reign)
    return core.behaviour


def heir(world: World) -> VirtualPeer:
    """The first of the server's list."""
    first = reign(world).list.heir
    assert first is not None
    return world.by_id[first.id]


def clients(world: World) -> list[VirtualPeer]:
    """All running peers but the server."""
    only = server(world)
    return [p for p in world.running() if p is not only]


def all_applied(world: World, *bodies: bytes) -> None:
    """Every running peer applied exactly these commands, in whatever order, but all in the same."""
    orders = [p.commands() for p in world.running()]
    assert all(order == orders[0] for order in orders), orders
    assert sorted(orders[0]) == sorted(bodies)
