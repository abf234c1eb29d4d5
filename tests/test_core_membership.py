"""Members join, move and leave, one change at a time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from scenario import BOTH, SETTLE_MS, all_applied, clients, cluster, heir, reign, server

from tanist.election import events
from tanist.election.entries import Kind
from tanist.election.ready import AddressChanged, Ready
from tanist.election.records import EntriesRecord
from tanist.election.roles import Role
from tanist.election.settings import Safety
from tanist.election.simulation.world import VirtualPeer


@BOTH
def test_a_newcomer_joins_by_any_member_and_gets_everything(safety: Safety) -> None:
    world = cluster("a b c", safety)
    world.submit(server(world).name, b"1")
    contact = clients(world)[0].name
    late = world.add("d", peers=contact, safety=safety)
    world.run_until(lambda: late.id in reign(world).node.log.roster.voters() and world.settled(), SETTLE_MS)
    all_applied(world, b"1")
    assert "joined" in server(world).names_of(events.MemberChanged)[-2 if safety is Safety.QUORUM else -1].change


@BOTH
def test_many_join_at_once_each_change_committed_before_the_next(safety: Safety) -> None:
    world = cluster("a b c", safety)
    open_changes: list[int] = []

    def watch(peer: VirtualPeer, ready: Ready) -> None:
        assert peer.core is not None
        log = peer.core.node.log
        for record in ready.persist:
            if peer.role is Role.SERVER and isinstance(record, EntriesRecord):
                rosters = [i for i, e in enumerate(record.entries, record.first) if e.kind == Kind.ROSTER]
                open_changes.extend(i for i in rosters if before[0] > peer.core.node.commit)
                before[0] = max([before[0], *rosters])
        assert log.last >= before[0] or peer.role is not Role.SERVER

    before = [0]
    world.watchers.append(watch)
    for name in "defgh":
        world.add(name, peers="a", safety=safety)
    world.run_until(lambda: len(reign(world).node.log.roster.voters()) == 8 and world.settled(), SETTLE_MS)
    assert open_changes == [], "a change was written before the one before it was committed"
    ids: list[frozenset[str]] = []
    voters: list[frozenset[str]] = []
    log = reign(world).node.log
    for index in range(1, log.last + 1):
        if log.entries[index - 1].kind == Kind.ROSTER:
            ids.append(log.roster_at(index).ids())
            voters.append(log.roster_at(index).voters())
    start = 0 if safety is Safety.SURVIVOR else 1
    for history in (ids[start:], voters[start:]):
        assert all(len(a ^ b) <= 1 for a, b in pairwise(history))


@BOTH
def test_a_member_that_leaves_is_out_of_the_roster_and_the_list(safety: Safety) -> None:
    world = cluster("a b c d", safety)
    gone = heir(world)
    world.leave(gone.name, gone.id)
    world.run(100)
    world.kill(gone.name)
    world.run_until(world.settled, SETTLE_MS)
    world.run(3000)
    assert gone.id not in reign(world).node.log.roster.ids()
    assert reign(world).list.place(gone.id) is None
    world.submit(server(world).name, b"1")
    world.run(100)
    all_applied(world, b"1")


@BOTH
def test_an_absent_member_is_taken_out_by_another(safety: Safety) -> None:
    world = cluster("a b c", safety)
    gone = clients(world)[1]
    world.kill(gone.name)
    world.run(100)
    world.leave(clients(world)[0].name, gone.id)
    world.run(100)
    assert gone.id not in reign(world).node.log.roster.ids()


def test_after_a_member_left_two_of_three_are_enough_where_two_of_four_were_not() -> None:
    world = cluster("a b c d", Safety.QUORUM)
    first, second, third = clients(world)
    world.leave(third.name, third.id)
    world.run(100)
    world.kill(third.name)
    world.kill(second.name)
    world.submit(first.name, b"1")
    world.run(100)
    assert server(world).commands() == [b"1"]


@BOTH
def test_a_live_name_is_refused_to_another_id(safety: Safety) -> None:
    world = cluster("a b", safety)
    twin = VirtualPeer(world, "b2", "id-b2", world.peers["b"].settings, ("a:7400",))
    world.peers["b2"] = world.by_id["id-b2"] = twin
    world.start("b2")
    twin.core.node.me = type(twin.core.node.me)("id-b2", "b", "b2:7400", ("a:7400",)) if twin.core else None  # type: ignore[union-attr]
    world.run(1000)
    assert "the name 'b' is taken" in twin.halted
    assert "id-b2" not in reign(world).node.log.roster.ids()


@BOTH
def test_a_peer_that_comes_back_at_another_address_has_moved(safety: Safety) -> None:
    world = cluster("a b c", safety)
    peer = clients(world)[0]
    world.kill(peer.name)
    peer.host = "elsewhere"
    world.start(peer.name)
    world.run_until(world.settled, SETTLE_MS)
    member = reign(world).node.log.roster.get(peer.id)
    assert member is not None and member.address == "elsewhere:7400"
    assert server(world).names_of(events.MemberChanged)[-1].change == "moved"


@BOTH
@pytest.mark.parametrize("serves", [False, True], ids=["client", "server"])
def test_a_peer_whose_address_changes_while_it_runs_has_moved(safety: Safety, serves: bool) -> None:
    world = cluster("a b c", safety)
    first = server(world)
    peer, other = (first, clients(world)[0]) if serves else (clients(world)[0], first)
    peer.host = "elsewhere"
    world.feed(peer, AddressChanged("elsewhere:7400"))
    world.reset(peer.name, other.name)
    world.run_until(world.settled, SETTLE_MS)
    world.run(SETTLE_MS)
    assert server(world) is first
    for one in world.peers.values():
        assert one.core is not None
        member = one.core.node.log.roster.get(peer.id)
        assert member is not None and member.address == "elsewhere:7400"
    assert first.names_of(events.MemberChanged)[-1].change == "moved"


@pytest.mark.parametrize("safety", [Safety.SURVIVOR])
def test_a_wiped_peer_comes_back_under_a_new_id(safety: Safety) -> None:
    world = cluster("a b c", safety)
    world.submit(server(world).name, b"1")
    world.run(100)
    gone = clients(world)[0]
    world.kill(gone.name)
    late = world.add("new", peers="a b c", safety=safety)
    world.run_until(world.settled, SETTLE_MS)
    assert late.commands() == [b"1"]
