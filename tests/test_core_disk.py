"""Disks that hang: a reign ends in bounded time, nobody waits for such a disk, and all is well once it answers."""

from __future__ import annotations

from scenario import BOTH, SETTLE_MS, all_applied, clients, cluster, heir, reign, server

from tanist.election.events import DiskAnswered, DiskStalled
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import World

TIMEOUT_MS = PACES["classic"].disk_timeout_ms
BALLOT_MS = 4 * PACES["classic"].ballot_ms


@BOTH
def test_a_server_whose_disk_hangs_gives_up_its_reign_in_bounded_time(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old, next_one = server(world), heir(world)
    world.submit(old.name, b"before")
    world.run(1000)
    world.disks.hang(old.name)
    world.submit(old.name, b"hangs")
    took = world.run_until(lambda: old.role is not Role.SERVER and bool(world.servers()), TIMEOUT_MS + BALLOT_MS)
    assert took >= TIMEOUT_MS, "a slow write is no hung disk"
    assert server(world) is next_one, "the heir serves on"
    assert old.names_of(DiskStalled)[0].role == Role.SERVER
    world.submit(next_one.name, b"after")
    world.run_until(lambda: b"after" in next_one.commands(), 15_000)
    world.disks.recover(old.name)
    world.run_until(world.settled, SETTLE_MS)
    assert old.names_of(DiskAnswered)
    assert [c for c in old.commands() if c != b"hangs"] == [b"before", b"after"]


@BOTH
def test_a_slow_disk_ends_no_reign(safety: Safety) -> None:
    world = cluster("a b c", safety)
    only = server(world)
    only.slow = 0.8 * TIMEOUT_MS * 1_000_000 / world.disk
    world.submit(only.name, b"x")
    world.run_until(lambda: all(p.commands() == [b"x"] for p in world.running()), 2 * TIMEOUT_MS)
    assert server(world) is only and not only.names_of(DiskStalled)


def test_nobody_waits_for_a_heir_whose_disk_hangs() -> None:
    world = cluster("a b c", Safety.SURVIVOR, sync_strict=True)
    hung = heir(world)
    world.disks.hang(hung.name)
    only = server(world)
    world.submit(only.name, b"x")
    world.run(TIMEOUT_MS / 2)
    assert only.commands() == [], "the heir counts as long as it does not say otherwise"
    world.run_until(lambda: only.commands() == [b"x"], TIMEOUT_MS)
    assert hung.id not in reign(world).commit_set.waited_for()
    assert hung.core is not None and not hung.core.counts_now()
    assert not [e for e in reign(world).list.entries if e.id == hung.id and e.in_sync]
    world.disks.recover(hung.name)
    world.run_until(lambda: hung.id in [e.id for e in reign(world).list.entries if e.in_sync], 10_000)
    world.submit(only.name, b"y")
    world.run(1000)
    all_applied(world, b"x", b"y")


@BOTH
def test_a_peer_whose_disk_hangs_does_not_stand(safety: Safety) -> None:
    """The heir's disk hangs, then the server dies: the next one serves."""
    world = cluster("a b c", safety)
    hung, old = heir(world), server(world)
    world.disks.hang(hung.name)
    world.submit(old.name, b"x")
    world.run_until(lambda: bool(hung.names_of(DiskStalled)), 2 * TIMEOUT_MS)
    world.run(2000)
    world.kill(old.name)
    if safety is Safety.QUORUM:
        world.run(30_000)
        assert not world.servers(), "one of three disks is no majority"
        world.disks.recover(hung.name)
    world.run_until(lambda: bool(world.servers()), SETTLE_MS)
    if safety is Safety.SURVIVOR:
        assert server(world) is not hung
        world.disks.recover(hung.name)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"x")


def test_a_server_alone_serves_on_once_its_disk_answers() -> None:
    world = World(3)
    Invariants(world, Safety.SURVIVOR)
    world.add("a")
    world.run(1000)
    only = server(world)
    world.disks.hang("a")
    world.submit("a", b"x")
    world.run_until(lambda: only.role is not Role.SERVER, TIMEOUT_MS + 100)
    world.run(20_000)
    assert only.role is Role.SEEKING, "it stands for nothing while its disk hangs"
    world.disks.recover("a")
    world.run_until(lambda: only.commands() == [b"x"], BALLOT_MS)
    assert world.servers() == [only]


@BOTH
def test_a_pause_is_no_hung_disk(safety: Safety) -> None:
    """What the disk did meanwhile has not been heard of yet."""
    world = cluster("a b c", safety)
    one = clients(world)[0]
    world.submit(server(world).name, b"x")
    world.run(0.6)
    world.freeze(one.name)
    world.run(3 * TIMEOUT_MS)
    world.thaw(one.name)
    world.run_until(world.settled, SETTLE_MS)
    assert not one.names_of(DiskStalled)


def test_a_disk_that_recovers_is_not_slow_for_what_was_asked_before() -> None:
    world = cluster("a b c", Safety.QUORUM)
    client = next(p for p in world.running() if p is not server(world))
    client.slow = 100 * TIMEOUT_MS * 1_000_000 / world.disk
    world.submit(client.name, b"x")
    world.run(TIMEOUT_MS / 2)
    assert client.writes
    world.disks.recover(client.name)
    world.run(1)
    assert not client.writes
    world.submit(client.name, b"y")
    world.run_until(lambda: client.commands() == [b"x", b"y"] and not client.writes, 5_000)
