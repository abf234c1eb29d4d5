"""A crash at every step of a heal, at either end or both, and a second split in the middle: nothing is lost."""

from __future__ import annotations

from random import Random

import pytest
from healing import Split, archived_commands, heals, part
from scenario import SETTLE_MS, cluster

from tanist.election import events
from tanist.election.ready import Ready
from tanist.election.records import SwitchRecord
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import VirtualPeer, World

HEAL_MS = 32
"""Longer than a heal takes here, from the moment the two servers meet: crashes are tried all along it."""


def met() -> Split:
    """Two sides with commands on each, at the moment when their servers begin to talk."""
    split = Split("a b c", side=0)
    split.write(old=3, new=4)
    world = split.world
    # A slow disk stretches each step, and jitter lets a crash keep any first part of what was being written.
    world.disk *= 20
    world.jitter = 0.01
    world.mend()
    world.run_until(
        lambda: bool(split.old.names_of(events.ClaimMade) or split.new.names_of(events.ClaimMade)), SETTLE_MS
    )
    return split


@pytest.mark.parametrize("after_ms", range(0, HEAL_MS, 2))
@pytest.mark.parametrize("who", ["old", "new", "both"])
def test_a_crash_at_any_step_of_a_heal(who: str, after_ms: int) -> None:
    split = met()
    world = split.world
    world.run(after_ms)
    victims = [split.old, split.new] if who == "both" else [getattr(split, who)]
    for victim in victims:
        world.kill(victim.name)
    world.run(after_ms)
    for victim in victims:
        world.start(victim.name)
    split.settled()
    (running, *_) = world.running()
    kept = {*running.commands(), *archived_commands(running.applied)}
    assert len(kept) == 3 + 4


def test_the_crashes_above_hit_every_step() -> None:
    """A heal that got faster or slower than HEAL_MS would leave steps untried."""
    split = met()
    steps: list[float] = []

    def note(peer: VirtualPeer, ready: Ready) -> None:
        if any(isinstance(record, SwitchRecord) for record in ready.persist):
            steps.append(world.now / 1e6)

    world = split.world
    world.watchers.append(note)
    begun = world.now / 1e6
    split.settled()
    assert steps, "somebody changed over"
    assert HEAL_MS / 4 < steps[-1] - begun < HEAL_MS / 2, "and its record needs as long again to be on disk"


@pytest.mark.parametrize("after_ms", range(0, HEAL_MS, 3))
def test_a_second_split_in_the_middle(after_ms: int) -> None:
    split = met()
    world = split.world
    world.run(after_ms)
    part(world, split.side)
    world.run(4000)
    for peer in (split.old, split.new):
        split.watch.submit(peer.name, b"again " + peer.name.encode())
    world.run(12_000)
    split.healed()


@pytest.mark.parametrize("after_ms", range(0, HEAL_MS, 4))
def test_a_second_split_that_runs_elsewhere(after_ms: int) -> None:
    """The third peer goes with the other side: entries that are being archived meet histories that have them live."""
    split = met()
    world = split.world
    world.run(after_ms)
    part(world, split.new.name)
    world.run(15_000)
    for peer in world.servers():
        split.watch.submit(peer.name, b"again " + peer.name.encode())
    world.run(1000)
    split.healed()


@pytest.mark.parametrize("order", ["ab bc", "ab ac", "bc ab", "bc ac", "ac ab", "ac bc"])
def test_three_pieces_heal_in_pairs_in_every_order(order: str) -> None:
    world = cluster("a b c", Safety.SURVIVOR, "lan")
    watch = Invariants(world, Safety.SURVIVOR)
    for pair in ("ab", "ac", "bc"):
        world.cut(*pair)
    world.run_until(lambda: len(world.servers()) == 3, SETTLE_MS)
    world.run(2 * PACES["lan"].sync_timeout_ms)
    for count, name in enumerate("abc", 1):
        watch.submit(name, *(b"%d of %a" % (i, name) for i in range(count)))
    world.run(500)
    for pair in order.split():
        world.mend((pair[0], pair[1]), (pair[1], pair[0]))
        world.run(15_000)
        for peer in world.servers():
            watch.submit(peer.name, b"after %a at %a" % (pair, peer.name))
        world.run(500)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    watch.final()
    (first, *_) = world.running()
    assert {*first.commands(), *archived_commands(first.applied)} == set(watch.submitted)


def test_a_heal_that_is_never_ended_is_ended_by_the_next_server() -> None:
    """The server dies right after it wrote a part of a heal: whoever has that part gives its entries their end."""
    split = Split("a b c", side=0)
    split.write(old=3, new=4)
    world = split.world
    world.mend()
    world.run_until(lambda: bool(split.new.names_of(events.HealStarted)), SETTLE_MS)
    world.run(0.3)
    world.kill(split.new.name)
    world.kill(split.old.name)
    world.run(10_000)
    world.start(split.new.name)
    world.start(split.old.name)
    split.settled()
    for peer in world.running():
        assert heals(peer)


def test_lives_with_a_world_that_splits_and_mends_all_the_time() -> None:
    for seed in range(12):
        rng = Random(f"splits {seed}")
        world = World(seed, latency_ms=1, disk_ms=2, jitter=1.0)
        watch = Invariants(world, Safety.SURVIVOR)
        world.cluster("a b c d", pace=PACES["fast"], snapshot_keep=0)
        count = 0
        for _ in range(20):
            side = rng.sample("abcd", rng.randint(1, 3))
            part(world, "".join(side))
            world.run(rng.expovariate(1 / 1500))
            for peer in world.running():
                count += 1
                watch.submit(peer.name, b"%d" % count)
            if rng.random() < 0.3:
                world.snapshot(rng.choice("abcd"))
            world.run(rng.expovariate(1 / 200))
            world.mend()
            world.run(rng.expovariate(1 / 300))
        world.jitter = 0.0
        world.mend()
        world.run_until(world.settled, SETTLE_MS)
        watch.final()
