"""A server that was away: it proves its reign, or stands among those who answer, always in a new number."""

from __future__ import annotations

import pytest
from scenario import PACE, SETTLE_MS, all_applied, clients, cluster, heir, server

from tanist.election import events
from tanist.election.messages import Oppose
from tanist.election.ready import Ready
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.world import VirtualPeer, World

SURVIVOR = Safety.SURVIVOR


def sleeps(world: World, peer: VirtualPeer, pace: str) -> None:
    """Away for less than anybody misses it, and more than it may believe in its reign."""
    world.freeze(peer.name)
    world.run(PACES[pace].heartbeat_timeout_ms * 0.8)
    world.thaw(peer.name)


def retry_round_ms(pace: str) -> float:
    return (PACES[pace].retry_attempts + 1) * PACES[pace].retry_interval_ms


@PACE
@pytest.mark.parametrize("names", ["a b", "a b c", "a b c d"])
def test_without_its_heir_it_stands_among_those_who_answer_and_goes_on(names: str, pace: str) -> None:
    world = cluster(names, SURVIVOR, pace)
    world.submit("b", b"0")
    world.run(100)
    first, asleep = server(world), heir(world)
    assert first.core is not None
    number = first.core.term.number
    world.freeze(asleep.name)
    sleeps(world, first, pace)
    world.submit(first.name, b"too soon")
    took = world.run_until(lambda: first.core is not None and first.core.term.number > number, SETTLE_MS)
    assert retry_round_ms(pace) <= took <= retry_round_ms(pace) + 3 * PACES[pace].ballot_ms
    assert server(world) is first
    assert first.commands() == [b"0"], "what came before the proof was declined"
    ended = first.names_of(events.BallotEnded)[-1]
    world.run(PACES[pace].heartbeat_timeout_ms)
    assert ended.outcome == "won"
    assert list(ended.left_out) == [asleep.id]
    assert len(ended.support) == len(names.split()) - 2
    world.submit(first.name, b"1")
    world.run(2 * PACES[pace].heartbeat_timeout_ms)
    assert first.commands() == [b"0", b"1"]
    world.thaw(asleep.name)
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"0", b"1")


@PACE
def test_until_it_has_proved_its_reign_it_vouches_for_nobody(pace: str) -> None:
    """A client that lost it meanwhile may stand; the server that was away does not say that one is alive."""
    world = cluster("a b c", SURVIVOR, pace)
    first, asleep = server(world), heir(world)
    (other,) = [p for p in clients(world) if p is not asleep]
    said: list[str] = []

    def watch(peer: VirtualPeer, ready: Ready) -> None:
        if peer is first:
            said.extend(m.reason for _, m in ready.send if isinstance(m, Oppose))

    world.watchers.append(watch)
    world.freeze(asleep.name)
    world.freeze(first.name)
    # Long enough that the client has counted its retries, and waits only for those that may know more.
    world.run(PACES[pace].heartbeat_timeout_ms + retry_round_ms(pace) + PACES[pace].retry_interval_ms)
    assert other.role is Role.SEEKING
    world.thaw(first.name)
    world.run_until(lambda: len(world.servers()) == 1 and world.servers()[0].core.server is not None, SETTLE_MS)  # type: ignore[union-attr]
    world.run(2 * retry_round_ms(pace))
    assert "server_alive" not in said
    world.thaw(asleep.name)
    world.run_until(world.settled, SETTLE_MS)


@PACE
def test_the_only_member_has_nothing_to_prove(pace: str) -> None:
    world = cluster("a", SURVIVOR, pace)
    first = server(world)
    sleeps(world, first, pace)
    world.submit("a", b"1")
    world.run(10)
    assert first.commands() == [b"1"]


@PACE
def test_one_whose_others_are_all_gone_goes_on_alone_in_a_new_number(pace: str) -> None:
    world = cluster("a b c", SURVIVOR, pace)
    first = server(world)
    for peer in clients(world):
        world.kill(peer.name, silent=True)
    world.run(2 * PACES[pace].sync_timeout_ms)
    assert first.core is not None
    number = first.core.term.number
    sleeps(world, first, pace)
    world.run(retry_round_ms(pace) + 3 * PACES[pace].ballot_ms)
    assert first.role is Role.SERVER
    assert first.core.term.number > number
    world.submit("a", b"1")
    world.run(10)
    assert first.commands() == [b"1"]
