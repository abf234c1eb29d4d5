"""Losing a server, in virtual time: what the heir does, when, and what the old server may still do."""

from __future__ import annotations

import itertools

import pytest
from scenario import BOTH, PACE, SETTLE_MS, all_applied, clients, cluster, heir, server

from tanist.election import events
from tanist.election.evidence import Evidence
from tanist.election.fallbacks import NO_LIST
from tanist.election.history import EMPTY, NO_TERM
from tanist.election.messages import Seek
from tanist.election.ready import LinkDown, LinkUp, Received
from tanist.election.roles import Role
from tanist.election.settings import MS, PACES, Safety, Serve
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import World

OUTAGE_MS_MAX = {"classic": 5000, "fast": 400}
"""How long a killed server may be missed, all told, until another serves and everyone follows it."""


@BOTH
@PACE
def test_the_heir_serves_after_a_kill_in_time_and_with_the_state(safety: Safety, pace: str) -> None:
    world = cluster("a b c", safety, pace)
    world.submit("c", b"1")
    world.run(100)
    next_one = heir(world)
    world.kill(server(world).name)
    took = world.run_until(world.settled, SETTLE_MS)
    assert server(world) is next_one
    assert took <= OUTAGE_MS_MAX[pace]
    all_applied(world, b"1")


@BOTH
def test_the_retries_come_at_their_times_before_the_list_is_walked(safety: Safety) -> None:
    world = cluster("a b c", safety)
    next_one, begin = heir(world), world.now
    world.kill(server(world).name)
    world.run_until(world.settled, SETTLE_MS)
    retries = [(round((at - begin) / MS), e.attempt) for at, e in next_one.events if isinstance(e, events.RetryStarted)]
    assert retries == [(1500, 1), (3000, 2), (4500, 3)]
    ended = [e.outcome for e in next_one.names_of(events.RetryEnded)]
    assert ended == ["refused"] * 3
    assert next_one.names_of(events.ReignBegan)[-1].without_ms >= 4500


@PACE
def test_four_kills_one_after_another_leave_the_last_one_serving_with_everything(pace: str) -> None:
    world = cluster("a b c d e", Safety.SURVIVOR, pace)
    for i in range(4):
        world.submit(server(world).name, b"%d" % i)
        world.run(100)
        world.kill(server(world).name)
        world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"0", b"1", b"2", b"3")
    assert len(world.running()) == 1


@BOTH
@PACE
def test_a_dead_heir_costs_no_second_round(safety: Safety, pace: str) -> None:
    world = cluster("a b c d e", safety, pace)
    world.submit(server(world).name, b"1")
    world.run(100)
    second = heir(world).name
    world.kill(server(world).name)
    world.kill(second)
    took = world.run_until(world.settled, SETTLE_MS)
    assert took <= OUTAGE_MS_MAX[pace]
    all_applied(world, b"1")


@BOTH
@PACE
def test_a_frozen_server_is_replaced_and_acknowledges_nothing_when_it_wakes(safety: Safety, pace: str) -> None:
    world = cluster("a b c", safety, pace)
    world.submit("c", b"1")
    world.run(100)
    old, next_one = server(world), heir(world)
    world.freeze(old.name)
    limits = PACES[pace]
    took = world.run_until(world.settled, SETTLE_MS)
    # No heartbeat, then retries that nobody answers (the last has its own deadline), then the ballot.
    silent = limits.heartbeat_timeout_ms + 4 * limits.retry_interval_ms
    assert took <= silent + 2 * limits.ballot_ms
    assert server(world) is next_one
    world.submit(next_one.name, b"2")
    world.run(limits.heartbeat_timeout_ms)
    assert old.core is not None
    before = list(old.applied)
    world.thaw(old.name)
    world.submit(old.name, b"3")
    assert old.applied == before, "it was away, and acknowledged before it had proved its reign"
    world.run_until(lambda: old.role is not Role.SERVER, SETTLE_MS)
    assert old.applied == before
    world.run_until(world.settled, SETTLE_MS)
    assert server(world) is next_one
    all_applied(world, b"1", b"2")
    assert old.names_of(events.Woke)


@BOTH
def test_a_server_that_slept_but_was_not_replaced_proves_its_reign_and_goes_on(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old = server(world)
    world.freeze(old.name)
    world.run(PACES["classic"].heartbeat_timeout_ms * 0.8)
    world.thaw(old.name)
    world.run_until(lambda: bool(old.names_of(events.ReignProved)), 100)
    world.submit(old.name, b"1")
    world.run_until(world.settled, 1000)
    assert server(world) is old
    all_applied(world, b"1")


@BOTH
@pytest.mark.parametrize("after", [0.0, 0.5, 0.99, 1.01, 1.4, 2.5, 2.99, 3.01])
def test_a_server_that_starts_again_within_the_retries_never_continues_its_reign(safety: Safety, after: float) -> None:
    world = cluster("a b c", safety)
    world.submit("c", b"1")
    world.run(100)
    old = server(world)
    assert old.core is not None
    term = old.core.term
    world.kill(old.name)
    world.run(PACES["classic"].retry_interval_ms * after)
    world.start(old.name)
    took = world.run_until(world.settled, SETTLE_MS)
    # Asked, it says itself that it seeks: that ends the retries at once.
    assert took <= 1000
    now = server(world).core
    assert now is not None and now.term.number > term.number
    all_applied(world, b"1")


@BOTH
@PACE
@pytest.mark.parametrize("gap_ms", [0, 100, 700, 5000])
@pytest.mark.parametrize("order", list(itertools.permutations("abc")), ids="".join)
def test_all_off_and_started_again_in_any_order(safety: Safety, pace: str, gap_ms: int, order: str) -> None:
    world = cluster("a b c", safety, pace)
    world.submit("c", b"1")
    world.submit("b", b"2")
    world.run(100)
    for name in "abc":
        world.kill(name)
    world.run(20)
    for name in order:
        world.start(name)
        world.run(gap_ms)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"1", b"2")


@BOTH
@PACE
@pytest.mark.parametrize("names", ["a b", "a b c", "a b c d e"])
def test_all_started_for_the_first_time_at_the_same_moment(safety: Safety, pace: str, names: str) -> None:
    world = World(3)
    watch = Invariants(world, safety)
    every = names.split()
    for name in every:
        others = " ".join(n for n in every if n != name)
        world.add(name, peers=others, expect=len(every), safety=safety, pace=PACES[pace])
    world.run_until(world.settled, PACES[pace].retry_interval_ms * 4)
    watch.submit(every[-1], b"1")
    world.run(100)
    watch.final()
    all_applied(world, b"1")


@PACE
def test_alone_with_addresses_that_refuse_it_serves_after_its_three_retries(pace: str) -> None:
    world = World(3)
    Invariants(world, Safety.SURVIVOR)
    begin = world.now
    peer = world.add("a", peers="x y", pace=PACES[pace])
    world.run_until(lambda: bool(world.servers()), SETTLE_MS)
    interval = PACES[pace].retry_interval_ms
    started = [round((at - begin) / MS) for at, e in peer.events if isinstance(e, events.RetryStarted)]
    assert started == [round(interval * k) for k in (1, 1, 2, 2, 3, 3)]
    assert (world.now - begin) / MS <= interval * 3 + 10


def test_alone_and_told_of_nobody_it_serves_at_once() -> None:
    world = World(3)
    world.add("a")
    assert world.run_until(lambda: bool(world.servers()), SETTLE_MS) < 10


def test_a_peer_that_never_serves_stops_with_a_clear_error_when_nobody_is_left() -> None:
    world = World(3)
    world.add("a")
    world.run(100)
    light = world.add("b", peers="a", serve=Serve.NEVER)
    world.run_until(world.settled, SETTLE_MS)
    world.kill("a")
    world.run(30_000)
    assert light.role is not Role.SERVER
    assert "serve: never" in light.halted


def test_a_peer_that_never_serves_does_not_end_between_two_connections_of_one_peer() -> None:
    """Whoever started again comes with a new connection, and only then the old one is known to be gone."""
    world = World(3)
    world.add("a")
    world.run(100)
    light = world.add("b", peers="a", serve=Serve.NEVER)
    world.run_until(world.settled, SETTLE_MS)
    core, one = light.core, world.peers["a"]
    assert core is not None
    remote = core.node.links[one.id]
    world.feed(light, LinkDown(one.id, Evidence.CLOSED, "it started again"))
    world.feed(light, LinkUp(remote, None))
    # It answers, and does not serve: no more retries. Then it is lost again, at once followed by another connection.
    world.feed(light, Received(one.id, Seek(EMPTY, NO_LIST, NO_TERM, "start", 0.0, False)))
    world.feed(light, LinkDown(one.id, Evidence.CLOSED, "it started again"))
    world.feed(light, LinkUp(remote, None))
    assert not light.halted


@BOTH
def test_a_server_whose_disk_fails_gives_up_at_once_and_another_serves(safety: Safety) -> None:
    world = cluster("a b c", safety)
    world.submit("c", b"1")
    world.run(100)
    old = server(world)
    world.fail_disk(old.name)
    assert old.role is Role.SEEKING
    took = world.run_until(lambda: any(p is not old for p in world.servers()), SETTLE_MS)
    assert took <= OUTAGE_MS_MAX["classic"]
    world.submit(server(world).name, b"2")
    world.run(1000)
    assert all(p.commands() == [b"1", b"2"] for p in world.running() if p is not old)


@BOTH
def test_a_heir_whose_disk_fails_holds_up_no_acknowledgement(safety: Safety) -> None:
    world = cluster("a b c", safety)
    broken, only = heir(world), server(world)
    world.fail_disk(broken.name)
    for i in range(60):
        world.submit(only.name, b"%d" % i)
        world.run(500)
        assert only.commands()[-1] == b"%d" % i, "it waits for a disk that is broken"
    assert server(world) is only


@PACE
def test_one_that_does_not_count_waits_for_silent_members_before_it_serves(pace: str) -> None:
    """The heir's host is gone with the server's: it may hold what was acknowledged, and only time can tell."""
    world = cluster("a b c", Safety.SURVIVOR, pace)
    old, first = server(world), heir(world)
    (last,) = [p for p in world.running() if p not in (old, first)]
    world.kill(old.name, silent=True)
    world.kill(first.name, silent=True)
    took = world.run_until(lambda: last.role is Role.SERVER, SETTLE_MS)
    limits = PACES[pace]
    assert took >= limits.start_wait_ms
    assert took <= limits.heartbeat_timeout_ms + limits.start_wait_ms + 2 * limits.ballot_ms
    assert last.names_of(events.Waiting)[-1].peers == [old.id, first.id]


@PACE
def test_one_started_alone_waits_for_the_others_and_then_serves(pace: str) -> None:
    world = cluster("a b c", Safety.SURVIVOR, pace)
    world.submit("a", b"1")
    world.run(100)
    for name in "abc":
        world.kill(name)
    world.start("c")
    took = world.run_until(lambda: bool(world.servers()), SETTLE_MS)
    limits = PACES[pace]
    assert limits.start_wait_ms <= took <= limits.start_wait_ms + limits.retry_interval_ms + 2 * limits.ballot_ms
    assert world.peers["c"].commands() in ([], [b"1"])


@BOTH
@PACE
def test_without_faults_no_server_changes(safety: Safety, pace: str) -> None:
    world = cluster("a b c d", safety, pace)
    first = server(world)
    for i in range(50):
        world.submit(clients(world)[i % 3].name, b"%d" % i)
        world.run(PACES[pace].heartbeat_every_ms)
    assert server(world) is first
    assert sum(len(p.names_of(events.ReignBegan)) for p in world.peers.values()) == 1
    all_applied(world, *(b"%d" % i for i in range(50)))


def test_a_peer_without_history_never_stands_against_one_that_has_some() -> None:
    """Also when that one waits longer for others than a hold lasts: it will stand, and an empty state is no substitute.

    Without the rule the newcomer struck it off after one retry round, and stood."""
    world = World(3)
    Invariants(world, Safety.SURVIVOR)
    world.cluster("a b", pace=PACES["fast"])
    for name in "ab":
        world.kill(name)
    world.start("b")
    world.run(5)
    world.add("c", peers="b", pace=PACES["fast"])
    ballots = world.peers["c"].names_of
    world.run_until(lambda: bool(world.servers()), SETTLE_MS)
    assert server(world).name == "b"
    assert not ballots(events.CanvassStarted)
