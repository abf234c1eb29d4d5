"""Slow links and peers that hang: heartbeats to the others, and behind large logs, come in time (N9)."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from scenario import BOTH, PACE, SETTLE_MS, all_applied, clients, cluster, server

from tanist.election import events
from tanist.election.messages import Heartbeat, Message, SnapshotFetch
from tanist.election.ready import Ready
from tanist.election.settings import MS, PACES, Safety
from tanist.election.simulation.peers import VirtualPeer
from tanist.election.simulation.world import World

ENTRY_BYTES = 8_000


def throttle(world: World, slow: str, bytes_a_second: float) -> None:
    """From now on the link to and from one peer carries only so much: what is sent waits for what was sent before."""
    free: dict[tuple[str, str], int] = {}
    say = world.network.say

    def say_slowly(peer: VirtualPeer, other: VirtualPeer, message: Message) -> None:
        usual = world.latency
        if slow in (peer.name, other.name):
            way = (peer.name, other.name)
            size = len(msgspec.msgpack.encode(message))
            free[way] = max(free.get(way, 0), world.now) + int(size / bytes_a_second * 1e9)
            world.latency = free[way] - world.now + usual
        say(peer, other, message)
        world.latency = usual

    world.network.say = say_slowly  # type: ignore[method-assign]


@BOTH
@PACE
def test_a_peer_that_hangs_delays_no_heartbeat_to_the_others(safety: Safety, pace: str) -> None:
    world = cluster("a b c d", safety, pace)
    only, hung = server(world), clients(world)[0]
    sent: dict[str, list[int]] = {p.id: [] for p in clients(world) if p is not hung}

    def watch(peer: VirtualPeer, ready: Ready) -> None:
        for to, message in ready.send:
            if peer is only and isinstance(message, Heartbeat) and to in sent:
                sent[to].append(world.now)

    world.watchers.append(watch)
    world.freeze(hung.name)
    for i in range(100):
        world.submit(only.name, b"%d" % i)
        world.run(PACES[pace].heartbeat_every_ms / 2)
    assert server(world) is only
    for times in sent.values():
        gaps = [(b - a) / MS for a, b in pairwise(times)]
        assert max(gaps) <= PACES[pace].heartbeat_every_ms * 1.01
    assert not any(p.names_of(events.ServerLost) for p in world.peers.values())


@BOTH
@pytest.mark.parametrize("kbit", [100, 1000, 100_000])
def test_a_log_of_megabytes_over_a_slow_link_starves_no_heartbeat(safety: Safety, kbit: int) -> None:
    world = cluster("a b c", safety)
    only, slow = server(world), clients(world)[1]
    world.kill(slow.name)
    bodies = [b"%06d" % i + b"x" * ENTRY_BYTES for i in range(300)]
    for body in bodies:
        world.submit(only.name, body)
    world.run(1000)
    throttle(world, slow.name, kbit * 1000 / 8)
    lost = len(slow.names_of(events.ServerLost))
    world.start(slow.name)
    took = world.run_until(world.settled, 600_000)
    # It takes as long as the link needs for so much, and not many times as long.
    assert took <= 1.5 * len(bodies) * ENTRY_BYTES / (kbit / 8) + 5000
    assert len(slow.names_of(events.ServerLost)) == lost, "heartbeats waited behind entries"
    all_applied(world, *bodies)


@BOTH
def test_heartbeats_flow_between_the_chunks_of_a_snapshot_and_the_next_is_sent_only_when_asked_for(
    safety: Safety,
) -> None:
    world = cluster("a b c", safety, snapshot_keep=0)
    only = server(world)
    for i in range(50):
        world.submit(only.name, b"%d" % i)
    world.run(1000)
    world.snapshot(only.name)
    world.run(100)
    on_their_way: list[int] = []
    fetched = [0]

    def watch(peer: VirtualPeer, ready: Ready) -> None:
        fetched[0] += sum(isinstance(m, SnapshotFetch) for _, m in ready.send)
        if peer is only and ready.snapshot_read:
            on_their_way.append(len(ready.snapshot_read))

    world.watchers.append(watch)
    # Slow enough that the next chunk would wait behind the one before, were it sent without being asked for.
    throttle(world, "z", 4000)
    late = world.add("z", peers=only.name, safety=safety)
    world.run_until(lambda: bool(late.names_of(events.SnapshotInstalled)), SETTLE_MS)
    assert fetched[0] >= 3
    assert on_their_way == [1] * len(on_their_way)
    assert len(on_their_way) <= fetched[0]
    assert not late.names_of(events.ServerLost)
