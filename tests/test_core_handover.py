"""Planned moves of the reign: quick, complete, and without a trace when they fail."""

from __future__ import annotations

import pytest
from scenario import BOTH, PACE, SETTLE_MS, all_applied, clients, cluster, heir, reign, server

from tanist.election import events
from tanist.election.entries import Kind, Proposal
from tanist.election.messages import HandOver, Propose
from tanist.election.ready import GoodbyeAsked, Received
from tanist.election.settings import PACES, Safety, Serve


@BOTH
@PACE
def test_the_heir_takes_over_in_a_few_round_trips(safety: Safety, pace: str) -> None:
    world = cluster("a b c", safety, pace)
    world.submit("c", b"1")
    world.run(100)
    old, next_one = server(world), heir(world)
    world.hand_over(old.name)
    took = world.run_until(lambda: world.settled() and server(world) is next_one, SETTLE_MS)
    assert took <= 10
    assert [e.outcome for e in old.names_of(events.HandoverEnded)] == ["done"]
    all_applied(world, b"1")


@BOTH
@pytest.mark.parametrize("by", ["id", "name"])
def test_a_named_peer_takes_over_though_it_is_not_the_heir(safety: Safety, by: str) -> None:
    world = cluster("a b c d", safety)
    old, first = server(world), heir(world)
    to = next(p for p in clients(world) if p is not first)
    world.hand_over(old.name, to.id if by == "id" else to.name)
    world.run_until(lambda: world.settled() and server(world) is to, SETTLE_MS)


@BOTH
def test_what_was_on_its_way_reaches_the_heir_before_it_stands(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old = server(world)
    bodies = [b"%d" % i for i in range(200)]
    for body in bodies:
        world.submit(old.name, body)
    world.hand_over(old.name)
    world.run_until(lambda: world.settled() and server(world) is not old, SETTLE_MS)
    all_applied(world, *bodies)


@BOTH
def test_nobody_to_hand_over_to_is_said_and_changes_nothing(safety: Safety) -> None:
    world = cluster("a", safety)
    world.hand_over("a")
    world.run(10)
    assert "nobody" in world.peers["a"].names_of(events.HandoverEnded)[-1].outcome
    world.submit("a", b"1")
    world.run(10)
    all_applied(world, b"1")


@BOTH
def test_a_peer_that_does_not_serve_cannot_hand_over(safety: Safety) -> None:
    world = cluster("a b", safety)
    other = clients(world)[0]
    world.hand_over(other.name)
    assert "does not serve" in other.names_of(events.HandoverEnded)[-1].outcome


@BOTH
def test_an_unknown_heir_is_refused(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old = server(world)
    world.hand_over(old.name, "nobody-of-that-name")
    assert "nobody-of-that-name" in old.names_of(events.HandoverEnded)[-1].outcome
    assert reign(world).handover is None


@BOTH
def test_a_heir_that_dies_before_it_is_up_to_date_costs_the_server_nothing(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old, next_one = server(world), heir(world)
    world.submit(old.name, b"1")
    world.hand_over(old.name)
    world.submit(old.name, b"2")
    world.kill(next_one.name)
    world.run_until(world.settled, SETTLE_MS)
    world.run(PACES["classic"].sync_timeout_ms)
    assert server(world) is old
    assert reign(world).handover is None
    # What was held meanwhile was written after all: no flag stayed behind.
    all_applied(world, b"1", b"2")


@BOTH
def test_a_heir_that_freezes_after_it_was_told_leaves_nobody_without_a_server(safety: Safety) -> None:
    world = cluster("a b c", safety)
    next_one = heir(world)
    world.freeze(next_one.name)
    world.hand_over(server(world).name)
    world.run_until(world.settled, SETTLE_MS)
    world.thaw(next_one.name)
    world.run_until(world.settled, SETTLE_MS)


@BOTH
def test_a_goodbye_ends_the_retries_at_once(safety: Safety) -> None:
    world = cluster("a b c", safety)
    world.submit("c", b"1")
    world.run(100)
    old, next_one = server(world), heir(world)
    world.feed(old, GoodbyeAsked("it was asked to stop"))
    world.run(1)
    world.kill(old.name)
    took = world.run_until(world.settled, SETTLE_MS)
    assert took <= PACES["classic"].retry_interval_ms
    assert server(world) is next_one
    assert next_one.names_of(events.ServerLost)[-1].evidence == "goodbye"
    all_applied(world, b"1")


def test_a_peer_that_never_serves_is_in_no_list_and_takes_nothing_over() -> None:
    world = cluster("a b", Safety.SURVIVOR)
    light = world.add("z", peers="a", serve=Serve.NEVER)
    world.run_until(world.settled, SETTLE_MS)
    world.run(3000)
    assert reign(world).list.place(light.id) is None
    old = server(world)
    world.hand_over(old.name, "z")
    assert "not among the fallbacks" in old.names_of(events.HandoverEnded)[-1].outcome


@BOTH
def test_proposals_that_only_a_server_may_make_are_not_let_in_by_a_hand_over(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old, next_one = server(world), heir(world)
    other = next(p for p in clients(world) if p is not next_one)
    world.hand_over(old.name)
    held = reign(world)
    world.feed(old, Received(other.id, Propose((Proposal(Kind.TIMER, b"x"), Proposal(Kind.ROSTER, b"y")))))
    assert held.handover is not None
    assert held.handover.held == []


@BOTH
def test_a_hand_over_message_from_anyone_but_the_server_is_not_believed(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old = server(world)
    first, second = clients(world)
    core = first.core
    assert core is not None
    if second.id not in core.node.links:
        world.network.dial(first, second.address, 1_000_000_000)
        world.run(10)
    world.feed(first, Received(second.id, HandOver(core.term, first.id, first.address, "I say so")))
    world.run(1000)
    assert server(world) is old
