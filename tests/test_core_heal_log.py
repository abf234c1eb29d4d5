"""What a heal leaves in the log that goes on, at every peer, by whatever path the conflict was found."""

from __future__ import annotations

import pytest
from healing import Split, archived, archived_commands, heals, part
from scenario import SETTLE_MS, all_applied, cluster, reign, server

from tanist.election import beside, events, replication
from tanist.election.entries import Kind
from tanist.election.settings import PACES, Safety, Serve
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import World

OLD = [b"old 0", b"old 1", b"old 2"]


def test_the_side_that_gives_way_is_archived_at_every_peer_in_order_and_once() -> None:
    split = Split("a b c d e", side=1)
    split.write(old=3, new=1)
    fork = min(i for i, e in split.old.applied if e.body == b"old 0") - 1
    last_term = split.old.core.term  # type: ignore[union-attr]
    split.healed()
    assert server(split.world) is split.new
    for peer in split.world.running():
        assert archived_commands(peer.applied) == OLD
        assert peer.commands() == [b"new 0"]
        assert [k.entry.term for k in archived(peer)] == [last_term] * 3
        assert all(k.acknowledged for k in archived(peer))
        ((begun, end),) = heals(peer)
        assert begun.theirs == last_term
        assert begun.fork <= fork
        assert set(begun.members) <= {split.world.peers[name].id for name in split.side}
        assert (end.archived, end.missing) == (3, 0)


def test_what_nobody_was_told_of_is_archived_as_unknown() -> None:
    split = Split(sync_strict=True)
    split.write(old=1, new=3)
    world = split.world
    # Its disk takes nothing in time: the entry is in its log, and nobody knows of it.
    world.disk *= 1000
    world.submit(split.old.name, b"unknown")
    world.run(1)
    world.disk //= 1000
    split.healed()
    told = {k.entry.body: k.acknowledged for k in archived(split.new)}
    assert told == {b"old 0": True, b"unknown": False}


def test_what_was_acknowledged_before_a_restart_is_known_after_it_up_to_the_last_write() -> None:
    split = Split()
    for i in range(4):
        split.watch.submit(split.old.name, b"old %d" % i)
        split.world.run(100)
    split.write(new=6)
    split.world.kill(split.old.name)
    split.world.start(split.old.name)
    split.healed()
    told = [k.acknowledged for k in archived(split.new)]
    assert told[:3] == [True, True, True]


def test_a_side_that_did_nothing_of_its_own_leaves_no_heal() -> None:
    split = Split("a b c d", side=1)
    split.write(new=2)
    split.healed()
    assert not heals(split.new)
    assert not split.old.archives
    all_applied(split.world, b"new 0", b"new 1")


def test_archived_commands_count_as_commands_of_the_history() -> None:
    split = Split()
    split.write(old=4, new=1)
    split.world.submit(split.new.name, b"more holders")
    split.healed()
    assert split.new.core is not None
    assert split.new.core.node.log.commands == 4 + 1 + 1
    for peer in split.world.running():
        assert peer.core is not None
        assert peer.core.node.log.history() == split.new.core.node.log.history()


def test_clusters_born_apart_fork_at_nothing() -> None:
    world = World(3)
    watch = Invariants(world, Safety.SURVIVOR)
    world.add("a", pace=PACES["lan"])
    world.add("b", pace=PACES["lan"])
    world.run(100)
    watch.submit("a", b"1")
    watch.submit("b", b"2", b"3")
    world.run(100)
    world.add("c", peers="a b", pace=PACES["lan"])
    world.run_until(world.settled, SETTLE_MS)
    watch.final()
    for peer in world.running():
        ((begun, end),) = heals(peer)
        assert (begun.fork, end.archived) == (0, 1)
        assert sorted([*peer.commands(), *archived_commands(peer.applied)]) == [b"1", b"2", b"3"]


def test_a_client_goes_on_looking_for_the_piece_that_it_was_told_of_and_never_reached() -> None:
    world = World(3)
    watch = Invariants(world, Safety.SURVIVOR)
    for name in "ab":
        world.add(name, pace=PACES["lan"])
    world.run(100)
    watch.submit("a", b"1")
    watch.submit("b", b"2")
    world.run(100)
    world.add("c", peers="a b", pace=PACES["lan"], start=False)
    world.cut("a", "c")
    world.start("c")
    world.run(10_000)
    assert len(world.servers()) == 2
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    watch.final()


@pytest.mark.parametrize("after_ms", [0.5, 1, 2, 4, 8])
def test_a_piece_that_died_before_it_joined_is_looked_for_again(after_ms: float) -> None:
    world = World(3, disk_ms=2)
    watch = Invariants(world, Safety.SURVIVOR)
    for name in "ab":
        world.add(name, pace=PACES["lan"])
    world.run(100)
    watch.submit("a", b"1", b"2")
    watch.submit("b", b"3")
    world.run(100)
    world.add("c", peers="a b", pace=PACES["lan"])
    world.run(after_ms)
    world.kill("b")
    world.run(5000)
    world.start("b")
    world.run_until(world.settled, SETTLE_MS)
    watch.final()


@pytest.mark.parametrize("serve", list(Serve), ids=str)
def test_a_restarted_peer_brings_what_only_it_has(serve: Serve) -> None:
    world = cluster("a b c", Safety.SURVIVOR, "lan")
    watch = Invariants(world, Safety.SURVIVOR)
    old = server(world)
    part(world, old.name)
    world.run(20_000)
    watch.submit(old.name, b"mine")
    new = next(p for p in world.servers() if p is not old)
    watch.submit(new.name, b"theirs", b"theirs 2")
    world.run(100)
    world.kill(old.name)
    old.settings = type(old.settings)(pace=old.settings.pace, serve=serve)
    world.mend()
    world.start(old.name)
    world.run_until(world.settled, SETTLE_MS)
    watch.final()
    assert archived_commands(new.applied) == [b"mine"]
    ((_, end),) = heals(new)
    assert end.archived == 1


def test_the_archived_entries_are_in_a_file_at_the_peer_that_had_them() -> None:
    split = Split()
    split.write(old=3, new=4)
    split.healed()
    (archive,) = split.old.archives
    assert [e.body for e in archive.entries if e.kind == Kind.COMMAND] == OLD
    assert archive.acknowledged_to == archive.first + len(archive.entries) - 1
    assert split.old.names_of(events.SuffixArchived)


def test_what_is_archived_stays_known_across_snapshots_and_restarts() -> None:
    split = Split(heal_keep=0, snapshot_keep=0)
    split.write(old=3, new=4)
    split.healed()
    world = split.world
    for peer in world.running():
        world.snapshot(peer.name)
    world.run(100)
    # The third peer never heard of the heal but by its snapshot; the server that comes next knows of it too.
    for name in world.peers:
        world.kill(name)
        world.start(name)
    split.settled()
    for peer in world.running():
        assert peer.core is not None
        for kept in archived(peer):
            assert peer.core.node.log.holds(kept.key)


def test_a_long_suffix_and_a_long_copy_go_in_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "APPEND_ENTRIES_MAX", 3)
    monkeypatch.setattr(replication, "APPEND_ENTRIES_MAX", 5)
    monkeypatch.setattr(replication, "IN_FLIGHT_ENTRIES_MAX", 10)
    split = Split()
    split.write(old=40, new=60)
    split.healed()
    assert archived_commands(split.new.applied) == [b"old %d" % i for i in range(40)]
    assert len(heals(split.new)) == 1


def test_a_client_beside_its_log_counts_for_nothing_until_it_has_changed_over() -> None:
    split = Split("a b")
    split.write(old=2, new=5)
    world = split.world
    world.disk *= 40
    world.mend()
    world.run_until(lambda: bool(split.old.names_of(events.CopyTookPlace)), SETTLE_MS)
    fork = split.old.archives[0].first - 1
    world.run(2)
    progress = reign(world).replication.clients[split.old.id]
    assert progress.copied > fork
    assert progress.match <= fork, "the copy is whole, and counts when the change is on disk"
    split.settled()
    world.run(100)
    assert reign(world).replication.clients[split.old.id].match > fork


@pytest.mark.parametrize("keep", [0, 1000])
def test_what_was_compacted_is_reported_and_within_heal_keep_nothing_is(keep: int) -> None:
    split = Split(snapshot_keep=0, heal_keep=keep)
    split.write(old=10, new=12)
    split.world.snapshot(split.old.name)
    split.world.snapshot(split.new.name)
    split.world.run(100)
    split.healed()
    assert server(split.world) is split.new
    ((_, end),) = heals(split.new)
    assert (end.archived, end.missing) == ((10, 0) if keep else (0, 10))
    (archive,) = split.old.archives
    assert (archive.snapshot is None) is bool(keep)
    split.world.kill(split.old.name)
    split.world.start(split.old.name)
    split.settled()


def test_a_restart_keeps_what_an_absent_member_has_not_confirmed() -> None:
    split = Split(snapshot_keep=0)
    split.write(old=10, new=12)
    split.world.snapshot(split.old.name)
    split.world.run(100)
    split.world.kill(split.old.name)
    split.world.start(split.old.name)
    split.world.run(15_000)
    split.healed()
    assert archived_commands(split.new.applied) == [b"old %d" % i for i in range(10)]
