"""Partitions: in survivor mode both sides serve and heal; in quorum mode only the majority does."""

from __future__ import annotations

import pytest
from scenario import PACE, SETTLE_MS, all_applied, cluster, heir, server

from tanist.election import events
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import VirtualPeer, World

SURVIVOR, QUORUM = Safety.SURVIVOR, Safety.QUORUM


def part(world: World, side: str) -> None:
    """Cut these peers off from the others."""
    for a in side:
        for b in set(world.peers) - set(side):
            world.cut(a, b)


def two_sides(names: str, pace: str, side: int) -> tuple[World, VirtualPeer, VirtualPeer]:
    """A survivor cluster in two parts that both serve: the old server with `side` others, and the rest."""
    world = cluster(names, SURVIVOR, pace)
    old, next_one = server(world), heir(world)
    others = [n for n in world.peers if n not in (old.name, next_one.name)]
    part(world, "".join([old.name, *others[:side]]))
    world.run_until(lambda: len(world.servers()) == 2, SETTLE_MS)
    world.run(2 * PACES[pace].sync_timeout_ms)
    assert next_one.role is Role.SERVER
    return world, old, next_one


@PACE
@pytest.mark.parametrize("names", ["a b", "a b c", "a b c d e"])
def test_both_sides_serve_and_the_one_with_commands_goes_on(names: str, pace: str) -> None:
    world, old, new = two_sides(names, pace, 0)
    world.submit(new.name, b"9")
    world.run(1000)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is new
    all_applied(world, b"9")
    assert not old.archives, "it had nothing of its own but its reigns" if old.archives else ""


@PACE
def test_commands_on_both_sides_more_holders_go_on_and_the_others_are_kept(pace: str) -> None:
    world, old, new = two_sides("a b c d e", pace, 1)
    world.submit(old.name, b"old 1", b"old 2", b"old 3")
    world.submit(new.name, b"new 1")
    world.run(1000)
    assert old.commands() == [b"old 1", b"old 2", b"old 3"]
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is new
    all_applied(world, b"new 1")
    kept = [e.body for a in old.archives for e in a.entries if e.body.startswith(b"old")]
    assert kept == [b"old 1", b"old 2", b"old 3"]
    (archive,) = old.archives
    assert archive.acknowledged_to == archive.first + len(archive.entries) - 1
    assert old.names_of(events.SuffixArchived)


@PACE
def test_the_old_server_goes_on_when_it_has_the_commands(pace: str) -> None:
    world, old, _ = two_sides("a b c", pace, 0)
    world.submit(old.name, b"1")
    world.run(1000)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is old
    all_applied(world, b"1")


def test_an_untouched_split_heals_too_and_nothing_is_lost() -> None:
    world, _, _ = two_sides("a b c d", "classic", 1)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world)


def test_three_pieces_end_in_one() -> None:
    world = cluster("a b c", SURVIVOR)
    for pair in ("ab", "ac", "bc"):
        world.cut(*pair)
    world.run_until(lambda: len(world.servers()) == 3, SETTLE_MS)
    world.run(1000)
    watch = Invariants(world, SURVIVOR)
    for name in "abc":
        watch.submit(name, name.encode())
    world.run(1000)
    assert len(watch.acknowledged) == 3
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    watch.final()


def test_a_second_split_in_the_middle_of_a_heal_loses_nothing() -> None:
    for after_ms in range(0, 2000, 100):
        world, old, new = two_sides("a b c", "lan", 0)
        watch = Invariants(world, SURVIVOR)
        watch.submit(old.name, b"1")
        watch.submit(new.name, b"2", b"3")
        world.run(500)
        world.mend()
        world.run(after_ms)
        part(world, old.name)
        world.run(5000)
        world.mend()
        world.run_until(world.settled, SETTLE_MS)
        watch.final()


def test_clusters_born_apart_become_one() -> None:
    world = World(3)
    watch = Invariants(world, SURVIVOR)
    world.add("a", pace=PACES["lan"])
    world.add("b", pace=PACES["lan"])
    world.run(100)
    watch.submit("a", b"1")
    watch.submit("b", b"2")
    world.run(100)
    world.add("c", peers="a b", pace=PACES["lan"])
    world.run_until(world.settled, SETTLE_MS)
    watch.final()


def test_a_restarted_peer_with_entries_the_server_lacks_keeps_them_in_a_file() -> None:
    world, old, new = two_sides("a b c", "classic", 0)
    watch = Invariants(world, SURVIVOR)
    watch.submit(old.name, b"mine")
    world.run(100)
    world.kill(old.name)
    world.submit(new.name, b"theirs")
    world.run(100)
    world.mend()
    world.start(old.name)
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is new
    assert [e.body for a in old.archives for e in a.entries if e.body] == [b"mine"]
    watch.final()


@PACE
def test_the_majority_goes_on_and_the_minority_truncates(pace: str) -> None:
    world = cluster("a b c", QUORUM, pace)
    world.submit(server(world).name, b"0")
    world.run(100)
    old = server(world)
    part(world, old.name)
    world.submit(old.name, b"never")
    world.run(30_000)
    assert old.role is not Role.SERVER
    assert old.commands() == [b"0"]
    (new,) = world.servers()
    world.submit(new.name, b"1")
    world.run(1000)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is new
    all_applied(world, b"0", b"1")
    assert not old.archives


def test_a_cut_off_client_does_not_disturb_the_majority() -> None:
    world = cluster("a b c", QUORUM)
    first = server(world)
    away = next(p for p in world.running() if p is not first)
    assert first.core is not None
    term = first.core.term
    part(world, away.name)
    world.run(60_000)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is first
    assert first.core.term == term, "the pre-vote must have kept its number where it was"


@pytest.mark.parametrize("safety", list(Safety), ids=str)
@pytest.mark.parametrize("towards", ["server", "client"])
def test_a_one_way_cut_ends_with_one_server_once_mended(safety: Safety, towards: str) -> None:
    world = cluster("a b c", safety)
    first, other = server(world), heir(world)
    pair = (other.name, first.name) if towards == "server" else (first.name, other.name)
    world.cut(*pair, one_way=True)
    world.run(60_000)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    world.submit(server(world).name, b"1")
    world.run(100)
    all_applied(world, b"1")
