"""Disks that lost what was on them: such a peer neither stands nor votes nor counts until a server has repaired it."""

from __future__ import annotations

from random import Random

import pytest
from scenario import BOTH, SETTLE_MS, all_applied, clients, cluster, heir, reign, server

from tanist.election.events import DamageFound, DamageRepaired, OlderData, RepairAwaited, VoteCast
from tanist.election.messages import Stored, Support, Vote
from tanist.election.ready import LossAccepted, Ready
from tanist.election.records import BallotRecord, EntriesRecord
from tanist.election.roles import Role
from tanist.election.settings import Safety
from tanist.election.simulation.marks import Marks
from tanist.election.simulation.world import VirtualPeer, World


def damage(world: World, name: str, part: float) -> None:
    """Kill a peer and damage its disk: of what is on it only a first part is sound."""
    peer = world.peers[name]
    if peer.core is not None:
        world.kill(name)
    world.damage(name, int(part * len(peer.disk)))


def repaired(peer: VirtualPeer) -> bool:
    return peer.core is not None and peer.core.node.damage is None and bool(peer.names_of(DamageRepaired))


PARTS = pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.95])


@BOTH
@PARTS
def test_a_damaged_client_is_repaired_from_the_server_and_counts_again(safety: Safety, part: float) -> None:
    world = cluster("a b c", safety)
    one = heir(world)
    world.submit(server(world).name, b"1", b"2")
    world.run(2000)
    damage(world, one.name, part)
    world.submit(server(world).name, b"3")
    world.run(3000)
    world.start(one.name)
    one.given = ("a:7400", "b:7400", "c:7400")
    world.run_until(lambda: repaired(one), SETTLE_MS)
    world.run_until(world.settled, SETTLE_MS)
    world.submit(server(world).name, b"4")
    world.run(5000)
    all_applied(world, b"1", b"2", b"3", b"4")
    assert one.core is not None and one.core.node.able
    me = reign(world).node.log.roster.get(one.id)
    assert me is not None and me.voter and me.damaged
    assert one.id in [e.id for e in reign(world).list.entries]
    # It is a full member: the server may die now.
    world.kill(server(world).name)
    world.run_until(lambda: bool(world.servers()), SETTLE_MS)
    world.submit(server(world).name, b"5")
    world.run_until(lambda: all(b"5" in p.commands() for p in world.running()), SETTLE_MS)


@BOTH
def test_a_damaged_peer_neither_stands_nor_votes(safety: Safety) -> None:
    world = cluster("a b c", safety)
    one, other = clients(world)
    old = server(world)
    world.submit(old.name, b"1")
    world.run(2000)
    damage(world, one.name, 0.5)
    world.kill(old.name)
    began = world.now
    world.start(one.name)
    world.run(60_000)
    assert not [e for at, e in one.events if at > began and isinstance(e, VoteCast) and e.granted]
    assert one.role is not Role.SERVER
    if safety is Safety.QUORUM:
        assert not world.servers(), "one sound disk of three is no majority"
        world.start(old.name)
    else:
        assert world.servers() == [other], "the sound one serves"
    world.run_until(lambda: repaired(one), SETTLE_MS)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"1")


@BOTH
def test_with_nobody_to_repair_from_it_waits_and_says_so(safety: Safety) -> None:
    world = cluster("a b", safety)
    world.submit("a", b"1")
    world.run(2000)
    world.kill("b")
    damage(world, "a", 0.6)
    one = world.peers["a"]
    world.start("a")
    world.run(120_000)
    assert one.role is Role.SEEKING and not one.halted
    assert len(one.names_of(DamageFound)) == 1 and len(one.names_of(RepairAwaited)) == 1
    world.start("b")
    if safety is Safety.SURVIVOR:
        world.run_until(lambda: repaired(one), SETTLE_MS)
        all_applied(world, b"1")
    else:
        world.run(30_000)
        assert not world.servers(), "b alone is no majority of two"


@BOTH
def test_a_restart_in_the_middle_of_a_repair_still_knows(safety: Safety) -> None:
    world = cluster("a b c", safety)
    one = clients(world)[0]
    world.submit(server(world).name, *(b"%d" % i for i in range(20)))
    world.run(2000)
    damage(world, one.name, 0.2)
    for _ in range(6):
        world.start(one.name)
        world.run(Random(world.now).uniform(1, 40))
        if repaired(one):
            break
        assert one.core is not None and one.core.node.damage is not None
        world.kill(one.name)
    if one.core is None:
        world.start(one.name)
    world.run_until(lambda: repaired(one), SETTLE_MS)
    world.run_until(world.settled, SETTLE_MS)
    world.run(1000)
    before = len(one.names_of(DamageFound))
    world.kill(one.name)
    world.start(one.name)
    world.run_until(world.settled, SETTLE_MS)
    assert len(one.names_of(DamageFound)) == before, "repaired is repaired"


def test_a_forgotten_vote_elects_nobody_twice() -> None:
    """It voted for b, lost that vote, and hears from the old server again: what it holds counts for nothing there."""
    world = cluster("a b c", Safety.QUORUM)
    old = server(world)
    one, other = clients(world)
    world.cut(old.name, one.name)
    world.cut(old.name, other.name)
    world.submit(old.name, b"lost")
    world.run_until(lambda: any(p is not old for p in world.servers()), SETTLE_MS)
    new = next(p for p in world.servers() if p is not old)
    voter = other if new is one else one
    world.submit(new.name, b"kept")
    world.run_until(lambda: b"kept" in new.commands(), SETTLE_MS)
    # What comes after its last ballot is lost, and the ballot with it.
    ballots = [i for i, record in enumerate(voter.disk) if isinstance(record, BallotRecord)]
    world.kill(voter.name)
    world.damage(voter.name, ballots[-1])
    world.mend()
    world.cut(new.name, voter.name)
    world.cut(new.name, old.name)
    world.start(voter.name)
    world.run(60_000)
    assert old.commands() == [] and not [c for c in voter.commands() if c == b"lost"]
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    assert new.commands() == voter.commands() == old.commands() == [b"kept"]


def test_a_damaged_peer_says_no_promise_before_it_is_repaired() -> None:
    """While it is a voter in the roster in force, nothing that it holds is counted."""
    world = cluster("a b c", Safety.QUORUM)
    one = clients(world)[0]
    world.submit(server(world).name, b"1")
    world.run(2000)
    damage(world, one.name, 0.5)
    seen: list[tuple[bool, bool]] = []

    def watch(peer: VirtualPeer, ready: Ready) -> None:
        if peer is one and peer.core is not None and peer.core.node.damage is not None:
            for _, message in ready.send:
                assert not isinstance(message, Support)
                assert not (isinstance(message, Vote) and message.granted)
                if isinstance(message, Stored):
                    me = reign(world).node.log.roster.get(one.id)
                    assert me is not None
                    seen.append((me.voter, me.damaged == peer.core.node.damage.start))

    world.watchers.append(watch)
    world.start(one.name)
    world.run_until(lambda: repaired(one), SETTLE_MS)
    assert seen and all(now for _, now in seen), "it was demoted for this damage before it said what it holds"


def test_a_damaged_peer_lends_what_it_still_has() -> None:
    """The server was alone for a while; what is sound of its log is not lost for its damage."""
    world = cluster("a b", Safety.SURVIVOR)
    alone, away = server(world), clients(world)[0]
    world.kill(away.name)
    world.submit(alone.name, b"1")
    world.run(10_000)
    world.submit(alone.name, b"2")
    world.run(10_000)
    records = alone.disk
    last = max(i for i, r in enumerate(records) if isinstance(r, EntriesRecord))
    world.kill(alone.name)
    world.damage(alone.name, last)
    world.start(alone.name)
    world.run(1000)
    world.start(away.name)
    world.run_until(lambda: repaired(alone), SETTLE_MS)
    assert server(world) is away
    all_applied(world, b"1")


# Older data


@BOTH
def test_a_restored_backup_is_told_and_repaired(safety: Safety) -> None:
    world = cluster("a b c", safety)
    one = clients(world)[0]
    world.kill(one.name)
    world.disks.back_up(one)
    world.start(one.name)
    world.run_until(world.settled, SETTLE_MS)
    world.submit(server(world).name, b"1", b"2")
    world.run(2000)
    world.kill(one.name)
    world.disks.restore(one)
    marks = Marks()
    world.watchers.append(lambda peer, ready: marks.note(ready))
    world.start(one.name)
    world.run_until(lambda: repaired(one), SETTLE_MS)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"1", b"2")
    assert {"event OlderData", "message Outdated"} <= marks.named()
    # From now on its starts count above those of before.
    world.run(1000)
    world.kill(one.name)
    world.start(one.name)
    world.run(1000)
    assert one.core is not None and one.core.node.damage is None
    world.run_until(world.settled, SETTLE_MS)
    assert len(one.names_of(DamageRepaired)) == 1


@BOTH
def test_a_backup_of_a_running_peer_is_known_by_what_it_acknowledged(safety: Safety) -> None:
    """Restored, it counts one start more, as after any crash; but it lacks what it had said that it holds."""
    world = cluster("a b c", safety)
    one = clients(world)[0]
    world.submit(server(world).name, b"1")
    world.run(2000)
    world.disks.back_up(one)
    world.submit(server(world).name, b"2")
    world.run(2000)
    world.kill(one.name)
    world.disks.restore(one)
    world.start(one.name)
    world.run_until(lambda: repaired(one), SETTLE_MS)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"1", b"2")


@BOTH
def test_peers_that_restarted_know_the_starts_of_others_still(safety: Safety) -> None:
    world = cluster("a b c", safety)
    one = clients(world)[0]
    world.kill(one.name)
    world.disks.back_up(one)
    for _ in range(2):
        world.start(one.name)
        world.run_until(world.settled, SETTLE_MS)
        world.kill(one.name)
    for name in "abc":
        if name != one.name:
            world.kill(name)
    world.disks.restore(one)
    for name in "abc":
        world.start(name)
    world.run_until(lambda: repaired(one), 2 * SETTLE_MS)
    world.run_until(world.settled, SETTLE_MS)


@BOTH
def test_a_restart_is_no_older_copy(safety: Safety) -> None:
    world = cluster("a b c", safety)
    for _ in range(3):
        for name in "abc":
            world.kill(name)
            world.run(3000)
            world.start(name)
            world.run_until(world.settled, SETTLE_MS)
    assert not [e for p in world.peers.values() for e in p.names_of(OlderData) + p.names_of(DamageFound)]


def test_a_person_may_go_on_from_what_is_sound_when_no_other_copy_is_left() -> None:
    world = cluster("a b", Safety.SURVIVOR)
    one = server(world)
    world.submit(one.name, b"1")
    world.run(2000)
    for name in "ab":
        world.kill(name)
    world.damage(one.name, len(one.disk) - 1)
    world.start(one.name)
    world.run(30_000)
    assert one.role is Role.SEEKING
    world.feed(one, LossAccepted())
    world.run_until(lambda: world.servers() == [one], SETTLE_MS)
    world.run(1000)
    world.kill(one.name)
    world.start(one.name)
    assert one.core is not None and one.core.node.damage is None


def test_in_quorum_mode_no_person_can_vote_for_a_disk() -> None:
    world = cluster("a b", Safety.QUORUM)
    world.kill("b")
    damage(world, "a", 0.9)
    world.start("a")
    world.run(5000)
    world.feed(world.peers["a"], LossAccepted())
    core = world.peers["a"].core
    assert core is not None and core.node.damage is not None and not core.node.able
