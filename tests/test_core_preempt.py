"""`preempt: idle`: the better one serves in the end, when nobody notices, and never in a loop."""

from __future__ import annotations

from typing import Any

import pytest
from scenario import BOTH, SETTLE_MS, all_applied, cluster, server

from tanist.election import events
from tanist.election.condition import Load, Power
from tanist.election.node import UP_AFTER_NS
from tanist.election.preempting import IDLE_HEARTBEATS, WAITS_MAX
from tanist.election.ready import ConditionRead
from tanist.election.roles import Role
from tanist.election.settings import MS, PACES, Safety
from tanist.election.simulation.world import VirtualPeer, World

AFTER_MS = 60_000.0
HEARTBEAT = PACES["classic"].heartbeat_every_ms
UP_MS = UP_AFTER_NS / MS


def with_better_one(safety: Safety, **settings: Any) -> tuple[World, VirtualPeer]:
    """A settled cluster that is joined by one of higher priority."""
    world = cluster("a b c", safety, preempt="idle", **settings)
    better = world.add("z", peers="a b c", safety=safety, preempt="idle", priority=5, **settings)
    world.run_until(world.settled, SETTLE_MS)
    return world, better


def reigns(world: World) -> int:
    return sum(len(p.names_of(events.ReignBegan)) for p in world.peers.values())


@BOTH
def test_the_better_one_takes_over_after_its_time_by_a_hand_over(safety: Safety) -> None:
    world, better = with_better_one(safety)
    old = server(world)
    world.submit("b", b"1")
    steady = world.run_until(lambda: bool(old.names_of(events.BetterRanked)), UP_MS + 15 * HEARTBEAT)
    took = world.run_until(lambda: server(world) is better if world.servers() else False, 5 * AFTER_MS)
    assert AFTER_MS <= took <= AFTER_MS + 15 * HEARTBEAT, steady
    assert [e.outcome for e in old.names_of(events.HandoverEnded)] == ["done"]
    assert old.names_of(events.BetterRanked)[-1].why == "priority"
    assert better.names_of(events.ReignBegan)[-1].without_ms <= 10
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"1")
    world.run(20 * AFTER_MS)
    assert server(world) is better
    assert reigns(world) == 2


@BOTH
def test_by_default_nobody_takes_over(safety: Safety) -> None:
    world = cluster("a b c", safety)
    first = server(world)
    world.add("z", peers="a b c", safety=safety, priority=5)
    world.run(20 * AFTER_MS)
    assert server(world) is first
    assert reigns(world) == 1


def busy(world: World, for_ms: float, every: int = IDLE_HEARTBEATS - 1) -> list[bytes]:
    """A command every so many heartbeats, for so long or until somebody else serves; all of them."""
    first, end = server(world), world.now + int(for_ms * MS)
    said: list[bytes] = []
    while world.now < end and world.servers() == [first]:
        said.append(b"%d" % len(said))
        world.submit("b", said[-1])
        world.run(HEARTBEAT * every)
    return said


def test_who_is_busy_is_not_interrupted() -> None:
    world, better = with_better_one(Safety.SURVIVOR)
    first = server(world)
    busy(world, UP_MS + (AFTER_MS + WAITS_MAX * AFTER_MS) / 2)
    assert server(world) is first
    world.run(HEARTBEAT * (IDLE_HEARTBEATS + 2))
    assert server(world) is better


@pytest.mark.parametrize("safety", [Safety.SURVIVOR, pytest.param(Safety.QUORUM, marks=pytest.mark.slow)])
def test_steady_traffic_puts_it_off_for_twice_its_time_and_not_for_ever(safety: Safety) -> None:
    world, better = with_better_one(safety)
    old = server(world)
    begun = world.now
    said = busy(world, 10 * AFTER_MS)
    assert WAITS_MAX * AFTER_MS <= (world.now - begun) / MS <= UP_MS + WAITS_MAX * AFTER_MS + 15 * HEARTBEAT
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is better
    assert [e.outcome for e in old.names_of(events.HandoverEnded)] == ["done"]
    # The last one may have come while it was handed over: then it was held, and is its sender's to say again.
    kept = len(better.commands())
    assert kept >= len(said) - 1
    all_applied(world, *said[:kept])
    world.run(20 * AFTER_MS)
    assert reigns(world) == 2


@pytest.mark.parametrize("load", list(Load))
def test_load_and_links_are_no_reason(load: Load) -> None:
    world = cluster("a b c", Safety.SURVIVOR, preempt="idle")
    first = server(world)
    world.feed(first, ConditionRead(Power.MAINS, load))
    world.run(20 * AFTER_MS)
    assert server(world) is first


def test_a_server_that_loses_its_mains_hands_over_and_does_not_take_it_back() -> None:
    world = cluster("a b c", Safety.SURVIVOR, preempt="idle")
    first = server(world)
    world.feed(first, ConditionRead(Power.BATTERY, Load.FREE))
    world.run(AFTER_MS / 2)
    world.feed(first, ConditionRead(Power.MAINS, Load.FREE))
    world.run(UP_MS + 2 * AFTER_MS)
    assert server(world) is first, "it was back on mains in time"
    world.feed(first, ConditionRead(Power.BATTERY, Load.FREE))
    world.run(2 * AFTER_MS)
    second = server(world)
    assert second is not first
    world.feed(first, ConditionRead(Power.MAINS, Load.FREE))
    world.run(20 * AFTER_MS)
    assert server(world) is second
    assert reigns(world) == 2


def test_one_that_does_not_catch_up_does_not_take_over() -> None:
    world, better = with_better_one(Safety.SURVIVOR)
    first = server(world)
    # A write takes two seconds: it is always behind.
    better.slow = 4000.0
    busy(world, 10 * AFTER_MS, every=1)
    assert server(world) is first
    better.slow = 1.0
    world.run_until(lambda: world.settled() and server(world) is better, 5 * AFTER_MS)


@BOTH
def test_one_that_dies_whenever_it_serves_takes_over_ever_more_rarely(safety: Safety) -> None:
    """The preempt loop: the better one returns, takes over, dies again."""
    world = cluster("a b", safety, preempt="idle")
    better = world.add("z", peers="a b", safety=safety, preempt="idle", priority=5)
    taken: list[int] = []
    end = world.now + int(2 * 3600 * 1000 * MS)
    while world.now < end:
        world.run(10_000)
        if better.core is not None and better.role is Role.SERVER:
            taken.append(world.now)
            world.kill(better.name)
            world.run(20_000)
            world.start(better.name)
    assert 2 <= len(taken) <= 2 * 6, [at // MS for at in taken]
    for i in range(len(taken) - 6):
        assert taken[i + 6] - taken[i] >= 3600 * 1000 * MS * 0.75
