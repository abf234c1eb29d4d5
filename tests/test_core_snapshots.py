"""Compaction and catching up by snapshot, forks before a snapshot included."""

from __future__ import annotations

import pytest
from scenario import BOTH, PACE, SETTLE_MS, all_applied, clients, cluster, heir, server
from test_core_split import part

from tanist.election import events
from tanist.election.entries import Kind
from tanist.election.messages import Message, SnapshotOffer, Stored
from tanist.election.records import SnapshotRecord
from tanist.election.settings import MS, PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import VirtualPeer

BODIES = [b"%d" % i for i in range(50)]


@BOTH
@PACE
def test_one_that_was_away_too_long_gets_a_snapshot(safety: Safety, pace: str) -> None:
    world = cluster("a b c", safety, pace, snapshot_keep=5, heal_keep=0)
    only, away = server(world), clients(world)[1]
    world.kill(away.name)
    world.run(100)
    for body in BODIES:
        world.submit(only.name, body)
        world.run(5)
    world.run(1000)
    world.snapshot(only.name)
    assert only.core is not None
    assert only.core.node.log.first > 40
    world.run(100)
    world.start(away.name)
    world.run_until(world.settled, SETTLE_MS)
    assert away.names_of(events.SnapshotInstalled)
    all_applied(world, *BODIES)
    world.kill(away.name)
    world.run(10)
    world.start(away.name)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, *BODIES)
    assert not away.archives, "it was only behind: nothing of its own was lost"


@BOTH
def test_one_that_is_a_little_behind_gets_entries(safety: Safety) -> None:
    world = cluster("a b c", safety, snapshot_keep=100)
    only, away = server(world), clients(world)[1]
    world.kill(away.name)
    for body in BODIES:
        world.submit(only.name, body)
    world.run(1000)
    world.snapshot(only.name)
    world.start(away.name)
    world.run_until(world.settled, SETTLE_MS)
    assert not away.names_of(events.SnapshotInstalled)
    all_applied(world, *BODIES)


@BOTH
def test_a_snapshot_is_acknowledged_only_when_its_record_is_on_disk(safety: Safety) -> None:
    """The invariants hold every `Stored` against the disk; here the disk takes its time over the record."""
    world = cluster("a b c", safety, snapshot_keep=0, heal_keep=0)
    only, away = server(world), clients(world)[1]
    world.kill(away.name)
    for body in BODIES:
        world.submit(only.name, body)
    world.run(1000)
    world.snapshot(only.name)
    world.disk *= 100
    world.start(away.name)
    told: list[int] = []
    world.watchers.append(
        lambda peer, ready: told.extend(m.match for _, m in ready.send if isinstance(m, Stored) and peer is away)
    )
    world.run_until(lambda: bool(away.names_of(events.SnapshotInstalled)), SETTLE_MS)
    installed = away.names_of(events.SnapshotInstalled)[0].index
    assert not [m for m in told if m >= installed]
    world.run_until(lambda: any(isinstance(r, SnapshotRecord) for r in away.disk), SETTLE_MS)
    world.run_until(lambda: any(m >= installed for m in told), SETTLE_MS)


@BOTH
def test_a_late_offer_of_what_is_held_already_changes_nothing(safety: Safety) -> None:
    world = cluster("a b", safety, snapshot_keep=0)
    for body in BODIES:
        world.submit(server(world).name, body)
    world.run(1000)
    only, other = server(world), clients(world)[0]
    world.snapshot(only.name)
    assert only.core is not None and only.core.node.snapshot is not None and other.core is not None
    world.network.send(only, other.id, SnapshotOffer(only.core.term, only.core.node.snapshot))
    world.run(100)
    assert not other.names_of(events.SnapshotInstalled)
    assert other.core.node.log.first == 1
    all_applied(world, *BODIES)


@BOTH
def test_a_server_that_dies_while_it_sends_a_snapshot(safety: Safety) -> None:
    world = cluster("a b c d", safety, snapshot_keep=0)
    only, away = server(world), clients(world)[2]
    world.kill(away.name)
    world.run(100)
    for body in BODIES:
        world.submit(only.name, body)
    world.run(1000)
    for peer in world.running():
        world.snapshot(peer.name)
    world.start(away.name)
    world.run(1.5)
    world.kill(only.name)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, *BODIES)


@pytest.mark.parametrize("keep", [0, 3, 1000])
def test_a_fork_before_a_snapshot_keeps_what_is_lost_with_the_snapshot(keep: int) -> None:
    world = cluster("a b c", Safety.SURVIVOR, snapshot_keep=keep, heal_keep=0)
    watch = Invariants(world, Safety.SURVIVOR)
    old = server(world)
    part(world, old.name)
    world.run(30_000)
    new = next(p for p in world.servers() if p is not old)
    watch.submit(old.name, *(b"old %d" % i for i in range(10)))
    watch.submit(new.name, *(b"new %d" % i for i in range(10)))
    world.run(1000)
    world.snapshot(old.name)
    world.run(100)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is new
    watch.final()
    (archive,) = old.archives
    bodies = [e.body for e in archive.entries if e.kind == Kind.COMMAND]
    if keep == 1000:
        assert bodies == [b"old %d" % i for i in range(10)]
        assert archive.snapshot is None
    else:
        assert archive.snapshot is not None
    world.kill(old.name)
    world.start(old.name)
    world.run_until(world.settled, SETTLE_MS)
    watch.final()


@BOTH
def test_all_off_with_snapshots_on_every_peer(safety: Safety) -> None:
    world = cluster("a b c", safety, snapshot_keep=0)
    for body in BODIES:
        world.submit(server(world).name, body)
    world.run(1000)
    for name in "abc":
        world.snapshot(name)
    world.run(10)
    for name in "abc":
        world.kill(name)
    for name in "cba":
        world.start(name)
        assert world.peers[name].commands() == BODIES
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, *BODIES)


@BOTH
def test_an_offer_that_got_lost_is_made_again(safety: Safety, monkeypatch: pytest.MonkeyPatch) -> None:
    world = cluster("a b c", safety, snapshot_keep=0, heal_keep=0)
    away = clients(world)[0]
    world.kill(away.name)
    world.run(PACES["classic"].heartbeat_timeout_ms * 2)
    world.submit(server(world).name, *(b"%d" % i for i in range(5)))
    world.run(100)
    world.snapshot(server(world).name)
    lost: list[Message] = []
    send = world.network.send

    def lossy(peer: VirtualPeer, to: str, message: Message) -> None:
        if isinstance(message, SnapshotOffer) and not lost:
            lost.append(message)
        else:
            send(peer, to, message)

    monkeypatch.setattr(world.network, "send", lossy)
    world.start(away.name)
    world.run_until(lambda: len(away.commands()) == 5, SETTLE_MS)
    assert lost


@BOTH
def test_log_time_goes_not_back_when_all_of_the_log_is_in_a_snapshot(safety: Safety) -> None:
    world = cluster("a b c", safety, snapshot_keep=0, heal_keep=0)
    old, next_one = server(world), heir(world)
    for body in BODIES:
        world.submit(old.name, body)
    world.run(1000)
    world.snapshot(next_one.name)
    assert next_one.core is not None and not next_one.core.node.log.entries
    world.leap(next_one.name, -3_600_000 * MS, wall=True)
    world.kill(old.name)
    world.run_until(lambda: next_one in world.servers(), SETTLE_MS)
    world.submit(next_one.name, b"after")
    world.run_until(lambda: b"after" in next_one.commands(), SETTLE_MS)
    times = [entry.time_ns for _, entry in next_one.applied]
    assert times == sorted(times)
