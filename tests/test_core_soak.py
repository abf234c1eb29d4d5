"""Random lives without a workload of sessions, and deaths one after another; the swarm lives the others."""

from __future__ import annotations

import traceback

import pytest
from soak import AilingLife, Life, RankedLife, deaths

from tanist.election.messages import Stored, Vote
from tanist.election.settings import Safety
from tanist.election.simulation.invariants import Broken, Invariants
from tanist.election.simulation.world import World

LIVES_A_TEST = 10
"""Seeds of one test: the swarm (test_simulation_life.py, and thousands of seeds in .ci/run) lives far more."""


def live(seeds: range, safety: Safety, kind: type[Life] = Life) -> None:
    """Run lives; the first that fails is told with its seed and what happened last."""
    for seed in seeds:
        life = kind(seed, safety)
        try:
            life.run()
        except Exception as error:
            story = life.world.story(life.world.now / 1e6 - 2000).splitlines()[-60:]
            told = "\n".join([*life.told[-20:], *story])
            where = "".join(traceback.format_exception(error)[-2:])
            pytest.fail(
                f"{kind.__name__}({seed}, Safety.{safety.name}) at {life.world.now / 1e6:.1f} ms\n{told}\n{where}"
            )


@pytest.mark.slow
@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_faults_then_peace(safety: Safety) -> None:
    live(range(LIVES_A_TEST), safety)


@pytest.mark.slow
@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_faults_then_peace_while_ranks_change(safety: Safety) -> None:
    live(range(LIVES_A_TEST), safety, RankedLife)


@pytest.mark.slow
@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_faults_then_peace_with_disks_that_ail(safety: Safety) -> None:
    live(range(LIVES_A_TEST), safety, AilingLife)


@pytest.mark.parametrize("block", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))])
def test_what_was_promised_survives_one_death_after_another(block: int) -> None:
    for seed in range(block * 20, (block + 1) * 20):
        try:
            deaths(seed)
        except AssertionError as error:
            pytest.fail(f"deaths({seed}): {error}")


# The watchers themselves must be able to see a breach.


def watched() -> tuple[World, Invariants]:
    world = World(1)
    watch = Invariants(world, Safety.QUORUM)
    world.cluster("a b c", safety=Safety.QUORUM)
    return world, watch


def test_an_acknowledgement_of_what_is_not_on_disk_is_seen() -> None:
    world, _ = watched()
    peer = world.peers["b"]
    assert peer.core is not None
    peer.core.node.send("id-a", Stored(peer.core.term, 99))
    with pytest.raises(Broken, match="acknowledged 99"):
        world._carry_out(peer, peer.core.node.out)


def test_a_vote_that_is_not_on_disk_is_seen() -> None:
    world, _ = watched()
    peer = world.peers["b"]
    assert peer.core is not None
    peer.core.node.send("id-a", Vote(9, True, "", 9))
    with pytest.raises(Broken, match="before it was on disk"):
        world._carry_out(peer, peer.core.node.out)


def test_a_lost_acknowledgement_is_seen() -> None:
    _, watch = watched()
    watch.acknowledged[b"never written"] = "majority"
    with pytest.raises(Broken, match="never written"):
        watch.final()


def test_a_second_server_of_one_number_is_seen() -> None:
    world, watch = watched()
    (server,) = world.servers()
    assert server.core is not None
    watch.reached(server).servers[server.core.term.number] = "id-x"
    with pytest.raises(Broken, match="two servers"):
        world.run(5000)
