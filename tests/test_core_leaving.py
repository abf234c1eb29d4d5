"""Members that leave for good, and members that are forgotten for a while."""

from __future__ import annotations

import pytest
from scenario import BOTH, SETTLE_MS, all_applied, clients, cluster, heir, reign, server

from tanist.election import events
from tanist.election.commit import Durability
from tanist.election.roles import Role
from tanist.election.settings import Safety

FORGET_MS = 100_000.0


@BOTH
def test_a_peer_that_was_taken_out_is_told_and_ends(safety: Safety) -> None:
    world = cluster("a b c d", safety)
    world.ends_when_halted = True
    gone = heir(world)
    world.leave(clients(world)[2].name, gone.id)
    world.run_until(lambda: gone.core is None, 1000)
    assert "taken out of the cluster" in gone.halted
    assert gone.id not in reign(world).node.log.roster.ids()
    world.submit(server(world).name, b"1")
    world.run(5000)
    all_applied(world, b"1")
    assert reign(world).list.place(gone.id) is None


@BOTH
def test_one_that_was_taken_out_while_it_was_away_is_told_when_it_returns_and_never_joins_again(safety: Safety) -> None:
    world = cluster("a b c", safety)
    world.ends_when_halted = True
    gone = clients(world)[1]
    world.kill(gone.name)
    world.leave(server(world).name, gone.id)
    world.run(100)
    first = server(world)
    assert first.core is not None
    term = first.core.term
    for _ in range(2):
        world.start(gone.name)
        world.run_until(lambda: gone.core is None, SETTLE_MS)
        assert "new data directory" in gone.halted
    assert gone.id not in reign(world).node.log.roster.ids()
    assert first.core.term == term, "it disturbed those that stayed"
    # That it left outlives the server that took it out.
    world.add("d", peers="a b", safety=safety)
    world.run_until(world.settled, SETTLE_MS)
    world.run(2000)
    world.hand_over(first.name)
    world.run_until(lambda: world.settled() and server(world) is not first, SETTLE_MS)
    world.start(gone.name)
    world.run_until(lambda: gone.core is None, SETTLE_MS)


@BOTH
@pytest.mark.parametrize("by", ["server", "client"])
@pytest.mark.parametrize("names", ["a b", "a b c"])
def test_a_server_hands_over_before_it_leaves(safety: Safety, by: str, names: str) -> None:
    world = cluster(names, safety)
    world.ends_when_halted = True
    old, next_one = server(world), heir(world)
    world.submit(next_one.name, b"1")
    world.run(100)
    world.leave(old.name if by == "server" else next_one.name, old.id)
    world.run_until(lambda: server(world) is next_one if world.servers() else False, 1000)
    if by == "client":
        # It was told by its own flag, and asks the new server itself.
        assert old.names_of(events.HandoverEnded)[-1].outcome == "done"
    world.run_until(lambda: old.core is None, 1000)
    world.run_until(world.settled, SETTLE_MS)
    assert old.id not in reign(world).node.log.roster.ids()
    world.submit(next_one.name, b"2")
    world.run(100)
    all_applied(world, b"1", b"2")


def test_one_that_was_taken_out_unheard_counts_until_it_cannot_count_itself() -> None:
    """Its departure is committed without it: until then it would stand at once, whatever was acknowledged since."""
    world = cluster("a b c", Safety.SURVIVOR)
    only, gone = server(world), heir(world)
    other = next(p for p in clients(world) if p is not gone)
    world.cut(only.name, gone.name)
    world.run(gone.settings.pace.heartbeat_timeout_ms + 1000)
    assert gone.core is not None and gone.core.counts_now()
    world.leave(only.name, gone.id)
    world.run(100)
    assert gone.id not in reign(world).node.log.roster.ids()
    receipts: list[str] = []
    world.watchers.append(
        lambda peer, ready: receipts.append(ready.apply.durability) if peer is only and ready.apply else None
    )
    world.submit(only.name, b"1")
    world.run(100)
    assert receipts == [Durability.ALONE] and b"1" in other.commands()
    world.run(gone.settings.pace.sync_timeout_ms * 1.1)
    world.submit(only.name, b"2")
    world.run(100)
    assert receipts[-1] is not Durability.ALONE and not gone.core.counts_now()


@BOTH
def test_the_last_member_that_leaves_just_ends(safety: Safety) -> None:
    world = cluster("a", safety)
    world.ends_when_halted = True
    world.leave("a", "id-a")
    world.run(1)
    assert world.peers["a"].core is None
    assert "last member" in world.peers["a"].halted


def test_a_server_whose_others_are_away_does_not_leave_and_goes_on() -> None:
    world = cluster("a b", Safety.SURVIVOR)
    other = clients(world)[0]
    world.kill(other.name)
    world.run(1000)
    world.leave("a", "id-a")
    world.run(1000)
    only = server(world)
    assert "nobody to hand over to" in only.names_of(events.HandoverEnded)[-1].outcome
    world.start(other.name)
    world.run_until(world.settled, SETTLE_MS)
    world.run(30_000)
    assert server(world) is only, "no flag stays behind"
    assert reign(world).node.log.roster.ids() == {"id-a", "id-b"}


@BOTH
def test_who_asks_to_leave_while_nobody_serves_leaves_when_somebody_does(safety: Safety) -> None:
    world = cluster("a b c", safety)
    world.ends_when_halted = True
    first, second = clients(world)
    dead = server(world)
    world.kill(dead.name)
    world.run(1000)
    assert second.role is Role.SEEKING
    world.leave(second.name, second.id)
    world.run(30_000)
    if safety is Safety.QUORUM:
        assert second.core is not None, "the one that stays has no majority without it while another is away"
        assert server(world).commands() == []
        world.start(dead.name)
    world.run_until(lambda: second.core is None, SETTLE_MS)
    assert "taken out" in second.halted
    assert server(world) is first


def test_a_member_that_was_away_for_long_is_dropped_and_joins_again_when_it_returns() -> None:
    world = cluster("a b c", Safety.SURVIVOR, forget_after_ms=FORGET_MS)
    gone = clients(world)[1]
    world.kill(gone.name)
    world.run(FORGET_MS * 0.9)
    assert gone.id in reign(world).node.log.roster.ids()
    world.run(FORGET_MS * 0.2)
    assert gone.id not in reign(world).node.log.roster.ids()
    (told,) = server(world).names_of(events.MemberForgotten)
    assert told.peer == gone.id
    world.submit("a", b"1")
    world.start(gone.name)
    world.run_until(world.settled, SETTLE_MS)
    assert gone.id in reign(world).node.log.roster.ids()
    world.run(100)
    all_applied(world, b"1")


def test_what_a_forgotten_member_did_alone_heals_like_any_other_split() -> None:
    world = cluster("a b c", Safety.SURVIVOR, forget_after_ms=FORGET_MS)
    gone = clients(world)[1]
    for name in ("a", "b", "c"):
        if name != gone.name:
            world.cut(name, gone.name)
    world.submit("a", b"here")
    world.run_until(lambda: gone.role is Role.SERVER, SETTLE_MS)
    world.submit(gone.name, b"there")
    world.run(2 * FORGET_MS)
    assert gone.id not in world.peers["a"].core.node.log.roster.ids()  # type: ignore[union-attr]
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    kept = {e.body for p in world.peers.values() for a in p.archives for e in a.entries}
    assert {b"here", b"there"} <= kept | set(server(world).commands())


@BOTH
def test_members_that_are_there_or_come_back_in_time_are_never_dropped(safety: Safety) -> None:
    world = cluster("a b c", safety, forget_after_ms=FORGET_MS)
    gone = clients(world)[1]
    for _ in range(3):
        world.kill(gone.name)
        world.run(FORGET_MS * 0.6)
        world.start(gone.name)
        world.run_until(world.settled, SETTLE_MS)
        world.run(FORGET_MS * 0.6)
    if safety is Safety.QUORUM:
        world.kill(gone.name)
        world.run(3 * FORGET_MS)
    assert not server(world).names_of(events.MemberForgotten)
    assert gone.id in reign(world).node.log.roster.ids()
