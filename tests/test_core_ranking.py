"""The ranking as a running cluster has it: what peers report and the server measures decides who is the heir."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scenario import BOTH, SETTLE_MS, clients, cluster, heir, reign, server

from tanist.election import events
from tanist.election.condition import Load, Power
from tanist.election.measuring import LOOK_EVERY_HEARTBEATS
from tanist.election.messages import Heartbeat
from tanist.election.ready import ConditionRead, Ready
from tanist.election.reign import Reign
from tanist.election.settings import MS, PACES, Safety
from tanist.election.simulation.peers import Link
from tanist.election.simulation.world import VirtualPeer, World

HEARTBEAT = PACES["classic"].heartbeat_every_ms
LOOK_MS = (LOOK_EVERY_HEARTBEATS + 2) * HEARTBEAT


def feel(world: World, name: str, power: Power = Power.MAINS, load: Load = Load.FREE) -> None:
    world.feed(world.peers[name], ConditionRead(power, load))


def lists(world: World) -> int:
    """How many lists the servers have published."""
    return sum(len(p.names_of(events.ListPublished)) for p in world.peers.values())


@BOTH
@pytest.mark.parametrize(
    ("power", "load", "why"),
    [
        (Power.BATTERY, Load.FREE, "power"),
        (Power.LOW_BATTERY, Load.FREE, "power"),
        (Power.MAINS, Load.OVERLOADED, "load"),
    ],
)
def test_a_heir_in_bad_condition_makes_room(safety: Safety, power: Power, load: Load, why: str) -> None:
    world = cluster("a b c", safety)
    first = heir(world)
    feel(world, first.name, power, load)
    world.run(LOOK_MS)
    assert heir(world) is not first
    assert [e.reason for e in reign(world).list.entries] == [f"better {why}", f"lower {why}"]
    feel(world, first.name)
    world.run(LOOK_MS)
    assert heir(world) is first


@BOTH
def test_priority_goes_before_power(safety: Safety) -> None:
    world = cluster("a b c", safety)
    late = world.add("d", peers="a", safety=safety, priority=1)
    world.run_until(world.settled, SETTLE_MS)
    feel(world, "d", Power.LOW_BATTERY)
    world.run(LOOK_MS)
    assert heir(world) is late


def test_a_condition_that_flutters_makes_few_lists() -> None:
    world = cluster("a b c", Safety.SURVIVOR)
    first, before = heir(world).name, lists(world)
    for i in range(100):
        feel(world, first, Power.BATTERY if i % 2 else Power.MAINS)
        world.run(HEARTBEAT)
    assert lists(world) - before <= 2 * 100 / LOOK_EVERY_HEARTBEATS


@BOTH
def test_who_just_started_is_ranked_behind_those_that_run_for_long(safety: Safety) -> None:
    world = cluster("a b c", safety)
    world.run(90_000)
    first = heir(world)
    world.kill(first.name)
    world.run(1000)
    world.start(first.name)
    world.run_until(world.settled, SETTLE_MS)
    world.run(LOOK_MS)
    assert heir(world) is not first
    assert reign(world).list.entries[1].reason == "lower stability"
    world.run(90_000)
    assert heir(world) is first


@BOTH
def test_one_that_is_lost_again_and_again_is_last_for_long(safety: Safety) -> None:
    world = cluster("a b c", safety)
    first = heir(world)
    for _ in range(3):
        world.kill(first.name)
        world.run(1000)
        world.start(first.name)
        world.run_until(world.settled, SETTLE_MS)
    world.run(10 * 60_000)
    assert heir(world) is not first
    world.run(60 * 60_000)
    assert heir(world) is first


@BOTH
def test_the_nearer_one_is_the_heir(safety: Safety) -> None:
    world = cluster("a b c", safety)
    first, only = heir(world), server(world)
    between = {first.name, only.name}
    transmit = world.network.transmit

    def transmit_far(link: Link, to: str, what: Callable[..., None], *args: Any) -> None:
        # The link between these two takes 50 ms each way.
        world.latency = int((50 if set(link.ends) == between else 0.2) * MS)
        transmit(link, to, what, *args)
        world.latency = int(0.2 * MS)

    world.network.transmit = transmit_far  # type: ignore[method-assign]
    world.run(3 * LOOK_MS)
    assert heir(world) is not first
    assert reign(world).list.entries[0].reason == "better link"


@BOTH
def test_every_heartbeat_names_only_peers_that_confirmed_one_in_time_and_never_the_server(safety: Safety) -> None:
    """Rule 4 of losing a server, over a life with deaths, pauses and a server that sleeps."""
    world = cluster("a b c d", safety, "fast")
    timeout = PACES["fast"].heartbeat_timeout_ms * MS
    seen: list[str] = []
    confirmed: dict[str, int] = {}

    def watch(peer: VirtualPeer, ready: Ready) -> None:
        assert peer.core is not None
        behaviour, now = peer.core.behaviour, peer.core.node.now
        if isinstance(behaviour, Reign):
            confirmed.update({p: c.heard_at for p, c in behaviour.replication.clients.items() if c.round})
        for _, message in ready.send:
            if isinstance(message, Heartbeat):
                named = [e.id for e in message.fallbacks.entries]
                seen.extend(f"{now} {n}" for n in named if n == peer.id or now >= confirmed.get(n, 0) + timeout)

    world.watchers.append(watch)
    names = [p.name for p in clients(world)]
    for i in range(12):
        name = names[i % len(names)]
        world.freeze(name)
        world.run(900)
        world.thaw(name)
        world.run(700)
        slept = server(world)
        world.freeze(slept.name)
        world.run(450)
        world.thaw(slept.name)
        world.run_until(world.settled, SETTLE_MS)
        world.run(200)
    assert seen == []
