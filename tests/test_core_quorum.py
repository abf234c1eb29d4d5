"""Quorum mode: founding, majorities, learners; what one and two dead peers do to it."""

from __future__ import annotations

import itertools

import pytest
from scenario import PACE, SETTLE_MS, all_applied, clients, cluster, reign, server

from tanist.election import events
from tanist.election.records import BallotRecord, FoundingRecord
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import World

QUORUM = Safety.QUORUM


def founders(names: str, *, start: bool = True) -> World:
    """Peers that are told of each other and expect each other, not yet a cluster."""
    world = World(3)
    Invariants(world, QUORUM)
    every = names.split()
    for name in every:
        others = " ".join(n for n in every if n != name)
        world.add(name, peers=others, expect=len(every), safety=QUORUM, start=start)
    return world


@PACE
@pytest.mark.parametrize("names", ["a", "a b", "a b c", "a b c d e"])
def test_expected_peers_found_one_cluster(names: str, pace: str) -> None:
    world = cluster(names, QUORUM, pace)
    assert reign(world).node.log.roster.voters() == {f"id-{n}" for n in names.split()}


def test_nothing_is_founded_while_one_is_missing_and_it_says_for_whom_it_waits() -> None:
    world = founders("a b c", start=False)
    world.start("a")
    world.start("b")
    world.run(20_000)
    assert all(p.role is Role.SEEKING for p in world.running())
    assert not [r for p in world.running() for r in p.disk if isinstance(r, FoundingRecord | BallotRecord)]
    assert "2 of 3" in world.peers["a"].names_of(events.FoundingChanged)[-1].state
    world.start("c")
    world.run_until(world.settled, SETTLE_MS)


@pytest.mark.parametrize("names", ["a b", "a b c"])
@pytest.mark.parametrize("victim", ["a", "b"])
@pytest.mark.parametrize("step", range(24))
def test_a_crash_at_any_step_of_founding_founds_one_cluster_all_the_same(names: str, victim: str, step: int) -> None:
    world = founders(names)
    # Half a round trip, a disk write and a bit: every order of crash and message comes up.
    world.run(0.1 + step * 0.15)
    world.kill(victim)
    world.run(7000)
    world.start(victim)
    world.run_until(world.settled, SETTLE_MS)
    rosters = {p.core.node.log.roster_at(1).ids() for p in world.running() if p.core}
    assert rosters == {frozenset(f"id-{n}" for n in names.split())}


@pytest.mark.parametrize("step", range(12))
def test_all_crash_while_founding(step: int) -> None:
    world = founders("a b c")
    world.run(0.1 + step * 0.3)
    for name in "abc":
        world.kill(name)
    world.run(100)
    for name in "cab":
        world.start(name)
        world.run(300)
    world.run_until(world.settled, SETTLE_MS)


def test_an_acceptance_is_not_forgotten_for_the_refusal_of_another_attempt() -> None:
    world = founders("a b c", start=False)
    peer = world.peers["b"]
    names = founders("a b c").peers
    world.start("b")
    world.start("a")
    world.start("c")
    world.run_until(lambda: any(isinstance(r, FoundingRecord) for r in peer.disk), SETTLE_MS)
    (accepted,) = [r for r in peer.disk if isinstance(r, FoundingRecord)]
    assert accepted.accepted
    other = accepted.members.without(names["c"].id, for_good=False)
    peer.stored.take(FoundingRecord(2, other, False))
    assert peer.stored.founding == accepted
    peer.stored.take(FoundingRecord(accepted.number, accepted.members, False))
    assert peer.stored.founding is None


@PACE
def test_one_dead_of_three_stops_nothing(pace: str) -> None:
    world = cluster("a b c", QUORUM, pace)
    world.kill(clients(world)[0].name)
    world.submit(server(world).name, b"1")
    world.run(100)
    assert server(world).commands() == [b"1"]


@PACE
def test_two_dead_of_three_stop_everything_until_one_is_back(pace: str) -> None:
    world = cluster("a b c", QUORUM, pace)
    old = server(world)
    for peer in clients(world):
        world.kill(peer.name)
    begin = world.now
    world.submit(old.name, b"1")
    world.run_until(lambda: old.role is not Role.SERVER, SETTLE_MS)
    # Nothing acknowledged after one heartbeat time-out without a majority, and no longer.
    assert (world.now - begin) / 1e6 <= PACES[pace].heartbeat_timeout_ms + 1
    world.run(20_000)
    assert old.commands() == []
    assert not world.servers()
    number = old.core.node.number if old.core else 0
    assert number == 1, "a peer without a majority must not raise its number"
    world.start(next(n for n in "abc" if world.peers[n].core is None))
    world.run_until(world.settled, SETTLE_MS)
    # It was written, and nobody was there to contradict it.
    all_applied(world, b"1")


@PACE
def test_a_higher_number_at_one_peer_moves_the_server_above_it(pace: str) -> None:
    world = cluster("a b c", QUORUM, pace)
    other = clients(world)[0]
    world.kill(other.name)
    world.disks.keep(other, [BallotRecord(40, other.id)])
    world.run(100)
    world.start(other.name)
    world.run_until(lambda: world.settled() and reign(world).term.number > 40, SETTLE_MS)
    world.submit(other.name, b"1")
    world.run(100)
    all_applied(world, b"1")


def test_a_newcomer_is_a_learner_until_it_has_caught_up() -> None:
    world = cluster("a b c", QUORUM)
    for i in range(50):
        world.submit(server(world).name, b"%d" % i)
    world.run(100)
    world.disk *= 200
    late = world.add("d", peers="a b c", safety=QUORUM)
    world.run_until(lambda: any(m.id == late.id for m in reign(world).node.log.roster.members), SETTLE_MS)
    member = reign(world).node.log.roster.get(late.id)
    assert member is not None and not member.voter
    assert late.core is not None and not late.core.node.able
    world.disk //= 200
    world.run_until(lambda: late.id in reign(world).node.log.roster.voters(), SETTLE_MS)
    world.run_until(world.settled, SETTLE_MS)
    changes = [e.change for e in server(world).names_of(events.MemberChanged) if e.peer == late.id]
    assert changes == ["joined as learner", "votes now"]


def test_a_promoted_learner_counts() -> None:
    world = cluster("a b", QUORUM)
    late = world.add("c", peers="a b", safety=QUORUM)
    world.run_until(lambda: late.id in reign(world).node.log.roster.voters() and world.settled(), SETTLE_MS)
    world.kill(next(p for p in clients(world) if p is not late).name)
    world.submit(server(world).name, b"1")
    world.run(100)
    assert server(world).commands() == [b"1"]
    old = server(world)
    world.start(next(n for n in "ab" if world.peers[n].core is None))
    world.run_until(world.settled, SETTLE_MS)
    world.kill(old.name)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"1")


@pytest.mark.parametrize("order", list(itertools.permutations("abcde", 2)))
def test_any_two_of_five_may_die_together(order: tuple[str, str]) -> None:
    world = cluster("a b c d e", QUORUM, "lan")
    world.submit("d", b"1")
    world.run(100)
    for name in order:
        world.kill(name)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"1")


def test_a_vote_is_on_disk_before_its_peer_serves() -> None:
    """Restarted before its own vote was on disk, a server could serve in one number twice, with other entries."""
    world = cluster("a b c", QUORUM)
    first = reign(world).list.heir
    assert first is not None
    next_one = world.by_id[first.id]
    world.kill(server(world).name)
    world.run(4400)
    # Its disk is slow, the others' are not: their votes are there long before its own.
    next_one.written_at = world.now + 400_000_000
    number = next_one.core.node.number if next_one.core else 0
    world.run(300)
    assert next_one.role is Role.CANDIDATE
    assert next_one.stored.number == number
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is next_one


def test_nobody_acknowledges_to_a_number_below_its_own() -> None:
    """A heir dies after it got a vote: whoever voted may not work for the old server before that has a new number."""
    world = cluster("a b c", QUORUM)
    old = server(world)
    assert old.core is not None
    term = old.core.term
    first = reign(world).list.heir
    assert first is not None
    world.hand_over(old.name)
    world.run_until(lambda: bool(world.by_id[first.id].names_of(events.RoleChanged)[-1].role == "candidate"), 100)
    world.run(0.3)
    world.kill(world.by_id[first.id].name)
    world.run_until(world.settled, SETTLE_MS)
    assert reign(world).term.number > term.number
