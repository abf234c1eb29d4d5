"""Reads at the server: how far to apply before reading, who may say, and what a thousand of them cost."""

from __future__ import annotations

import pytest
from scenario import BOTH, SETTLE_MS, clients, cluster, reign, server

from tanist.election.messages import Heartbeat
from tanist.election.ready import Ready
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.interception import Fate


@BOTH
@pytest.mark.parametrize("prove", [False, True])
@pytest.mark.parametrize("at", ["server", "client"])
def test_a_read_covers_everything_committed_before_it_was_asked(safety: Safety, prove: bool, at: str) -> None:
    world = cluster("a b c", safety)
    world.submit(server(world).name, b"1", b"2")
    world.run(100)
    peer = server(world) if at == "server" else clients(world)[0]
    commit = reign(world).node.commit
    world.read(peer.name, 7, prove=prove)
    world.run(10)
    assert [(r.request, r.index) for r in peer.reads] == [(7, commit)]


@BOTH
def test_an_answer_to_what_was_asked_before_a_restart_answers_nothing_later(safety: Safety) -> None:
    world = cluster("a b c", safety)
    first, peer = server(world), clients(world)[0]
    rules = world.network.interception
    rules.rules[first.name, peer.name, "ReadAt"] = Fate.HELD
    world.read(peer.name, 1, prove=True)
    world.run(10)
    assert peer.reads == []
    world.kill(peer.name)
    world.start(peer.name)
    world.run_until(world.settled, SETTLE_MS)
    world.submit(first.name, b"1")
    world.run(2000)
    asked = reign(world).node.commit
    world.read(peer.name, 2, prove=True)
    world.run(10)
    # Both answers arrive, the older one first.
    for send in rules.lift(first.name, peer.name, "ReadAt"):
        send()
    world.run(10)
    assert [(r.request, r.index) for r in peer.reads] == [(2, asked)]


@BOTH
def test_many_linearizable_reads_share_their_heartbeat_rounds(safety: Safety) -> None:
    world = cluster("a b c", safety)
    peer = server(world)
    beats: list[Heartbeat] = []
    world.watchers.append(lambda _, ready: beats.extend(m for _, m in ready.send if isinstance(m, Heartbeat)))
    for request in range(1000):
        world.read(peer.name, request, prove=True)
    world.run(10)
    assert sorted(r.request for r in peer.reads) == list(range(1000))
    assert all(r.index >= 0 for r in peer.reads)
    assert len(beats) <= 2 * len(clients(world))


def test_a_cut_off_quorum_server_answers_no_linearizable_read() -> None:
    world = cluster("a b c", Safety.QUORUM)
    old = server(world)
    for peer in clients(world):
        world.cut(old.name, peer.name)
    world.read(old.name, 1, prove=True)
    world.run(PACES["classic"].heartbeat_timeout_ms - 100)
    assert old.reads == []
    world.run_until(lambda: old.role is not Role.SERVER, SETTLE_MS)
    assert [r.index for r in old.reads] == [-1]


@BOTH
def test_a_server_that_was_away_answers_no_read_before_it_proved_its_reign(safety: Safety) -> None:
    world = cluster("a b c", safety)
    old = server(world)
    world.freeze(old.name)
    world.run(20_000)
    for peer in world.running():
        if peer is not old:
            world.cut(old.name, peer.name)
    world.thaw(old.name)
    world.read(old.name, 1, prove=False)
    world.run(10)
    assert all(r.index == -1 for r in old.reads)
    world.run(PACES["classic"].retry_interval_ms * 5)
    assert old.reads and all(r.index == -1 for r in old.reads)


@BOTH
def test_reads_on_their_way_are_answered_when_the_server_dies(safety: Safety) -> None:
    world = cluster("a b c", safety)
    peer = clients(world)[0]
    world.cut(server(world).name, peer.name)
    world.read(peer.name, 5, prove=False)
    world.kill(server(world).name)
    world.mend()
    world.run(10_000)
    assert [(r.request, r.index) for r in peer.reads] == [(5, -1)]


@BOTH
def test_a_seeking_peer_says_at_once_that_it_cannot_tell(safety: Safety) -> None:
    world = cluster("a b c", safety)
    peer = clients(world)[0]
    world.kill(server(world).name)
    world.run(100)
    assert peer.role is Role.SEEKING
    world.read(peer.name, 5, prove=True)
    assert [(r.request, r.index) for r in peer.reads] == [(5, -1)]


def test_a_lone_server_needs_no_round() -> None:
    world = cluster("a", Safety.SURVIVOR)
    sent: list[Ready] = []
    world.watchers.append(lambda _, ready: sent.append(ready))
    world.read("a", 1, prove=True)
    assert [r.index for r in world.peers["a"].reads] == [reign(world).node.commit]
    assert all(not ready.send for ready in sent)
