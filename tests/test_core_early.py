"""Peers that come to the fallback before it is done counting, and servers that come back inside the retries."""

from __future__ import annotations

import itertools

import pytest
from scenario import BOTH, PACE, SETTLE_MS, all_applied, clients, cluster, heir, server

from tanist.election import events
from tanist.election.messages import NotYet
from tanist.election.ready import Ready
from tanist.election.roles import Role
from tanist.election.settings import MS, PACES, Safety
from tanist.election.simulation.world import VirtualPeer, World


def round_ms(pace: str) -> float:
    return (PACES[pace].retry_attempts + 1) * PACES[pace].retry_interval_ms


def third(world: World) -> VirtualPeer:
    """The client that is not the heir."""
    first = heir(world)
    (only,) = [p for p in clients(world) if p is not first]
    return only


@BOTH
@PACE
@pytest.mark.parametrize("intervals", [0.5, 1.5, 2.5, 3.4])
def test_who_comes_early_is_told_when_and_waits_for_the_heir(safety: Safety, pace: str, intervals: float) -> None:
    """One client loses the server sooner: the heir, still counting, holds it off, and then serves."""
    world = cluster("a b c", safety, pace)
    old, first, early = server(world), heir(world), third(world)
    told: list[float] = []

    def watch(peer: VirtualPeer, ready: Ready) -> None:
        if peer is first:
            told.extend(m.wait_ms for to, m in ready.send if to == early.id and isinstance(m, NotYet))

    world.watchers.append(watch)
    world.cut(old.name, early.name)
    world.reset(old.name, early.name)
    world.run(PACES[pace].retry_interval_ms * intervals)
    world.kill(old.name)
    took = world.run_until(world.settled, SETTLE_MS)
    assert server(world) is first
    assert took <= round_ms(pace) + 3 * PACES[pace].ballot_ms
    assert told
    assert all(0 <= ms <= round_ms(pace) for ms in told), "a hold names its end, at most one round"
    assert not [e for e in early.names_of(events.FallbackStruck) if e.peer == first.id]
    assert len([p for p in world.peers.values() if p.names_of(events.ReignBegan)]) == 2


@BOTH
@PACE
def test_a_heir_that_still_follows_points_back_to_its_server(safety: Safety, pace: str) -> None:
    """The server lives, only one client lost it for a moment: it finds back, and nobody else notices."""
    world = cluster("a b c", safety, pace)
    old, early = server(world), third(world)
    assert old.core is not None
    term = old.core.term
    world.reset(old.name, early.name)
    world.run_until(lambda: early.role is Role.SEEKING, 1000)
    took = world.run_until(world.settled, SETTLE_MS)
    assert took <= 2 * PACES[pace].retry_interval_ms
    assert server(world) is old
    assert old.core.term == term


@BOTH
@PACE
def test_a_heir_that_does_not_stand_is_struck_off_after_one_round(safety: Safety, pace: str) -> None:
    """It answers, and then hangs: whoever holds for it goes on after one retry round, and not later."""
    world = cluster("a b c d", safety, pace)
    old, first = server(world), heir(world)
    others = [p for p in clients(world) if p is not first]
    world.kill(old.name)
    world.run_until(lambda: any(first.id == e.peer for e in others[0].names_of(events.FallbackChosen)), SETTLE_MS)
    world.freeze(first.name)
    begun = world.now
    if safety is Safety.QUORUM:
        # Two of four are no majority: the old server comes back as a voter.
        world.start(old.name)
    world.run_until(lambda: any(p is not first for p in world.servers()), SETTLE_MS)
    took = (world.now - begun) / MS
    assert took <= round_ms(pace) + PACES[pace].start_wait_ms + 6 * PACES[pace].ballot_ms
    world.thaw(first.name)
    world.run_until(world.settled, SETTLE_MS)


@BOTH
@PACE
@pytest.mark.parametrize("refused", list(itertools.product([0, 1, 2, 3], repeat=2)), ids=lambda r: f"{r[0]}{r[1]}")
def test_a_server_back_inside_unequal_counts_is_no_second_server(
    safety: Safety, pace: str, refused: tuple[int, int]
) -> None:
    """P13: each of two clients has counted another number of refusals when the old server starts again."""
    world = cluster("a b c", safety, pace)
    world.submit("b", b"0")
    world.run(100)
    old, (one, other) = server(world), clients(world)
    assert old.core is not None
    term = old.core.term
    late, early = (one, other) if refused[0] < refused[1] else (other, one)
    apart = abs(refused[0] - refused[1])
    interval = PACES[pace].retry_interval_ms
    # The link of the early one breaks so many intervals before the server dies, and cannot be made anew.
    world.cut(old.name, early.name)
    world.reset(old.name, early.name)
    world.run(apart * interval)
    world.kill(old.name)
    world.mend()
    world.run(min(refused) * interval + interval / 10)
    world.start(old.name)
    world.run_until(world.settled, SETTLE_MS)
    now = server(world).core
    assert now is not None
    assert now.term.number > term.number, "it continued its reign"
    assert late.core is not None
    all_applied(world, b"0")
    first = server(world)
    world.run(10 * PACES[pace].heartbeat_timeout_ms)
    assert server(world) is first
