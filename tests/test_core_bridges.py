"""Some hear others that do not hear each other: bridges, chains, deaf peers. Nothing may oscillate."""

from __future__ import annotations

import pytest
from scenario import BOTH, PACE, SETTLE_MS, all_applied, cluster, heir, server

from tanist.election import events
from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.world import World

SURVIVOR, QUORUM = Safety.SURVIVOR, Safety.QUORUM


def window_ms(pace: str) -> float:
    """One detection window."""
    values = PACES[pace]
    return values.heartbeat_timeout_ms + (values.retry_attempts + 1) * values.retry_interval_ms


def servers_of(world: World) -> dict[str, str | None]:
    """Whom each peer follows."""
    return {p.name: p.core.server for p in world.running() if p.core}


def changes(world: World) -> int:
    """How often anybody has followed or begun to serve so far."""
    kinds = (events.ServerFollowed, events.ReignBegan)
    return sum(len(p.names_of(kind)) for p in world.peers.values() for kind in kinds)


def quiet(world: World, pace: str) -> dict[str, str | None]:
    """Let ten windows pass after all had their time; nobody may change its server. Who follows whom then."""
    world.run(5 * window_ms(pace) + PACES[pace].start_wait_ms)
    before, followed = servers_of(world), changes(world)
    world.run(10 * window_ms(pace))
    assert servers_of(world) == before
    assert changes(world) == followed, "it oscillates"
    return before


def separate(world: World, one: str, other: str) -> None:
    for a in one:
        for b in other:
            world.cut(a, b)


@BOTH
@PACE
@pytest.mark.parametrize("cut", [("a", "b"), ("a", "c"), ("b", "c")], ids="".join)
def test_a_chain_of_three_comes_to_rest(safety: Safety, pace: str, cut: tuple[str, str]) -> None:
    world = cluster("a b c", safety, pace)
    world.submit("b", b"0")
    world.run(100)
    world.cut(*cut)
    followed = quiet(world, pace)
    first = world.peers["a"].id
    if "a" not in cut:
        assert set(followed.values()) == {first}, "nobody lost the server"
    elif safety is SURVIVOR:
        # The middle one goes on following the server, the one cut off serves itself after a window.
        middle = next(n for n in "bc" if n not in cut)
        away = next(n for n in "bc" if n in cut)
        assert followed == {"a": first, middle: first, away: world.peers[away].id}
        left = world.peers[away].names_of(events.BallotEnded)[-1].left_out[world.peers[middle].id]
        assert first in left
    else:
        assert list(followed.values()).count(first) == 2
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"0")


@PACE
def test_a_bridge_stays_with_its_server_when_as_many_stand_on_the_other_side(pace: str) -> None:
    world = cluster("a b c d e", SURVIVOR, pace)
    separate(world, "ab", "de")
    followed = quiet(world, pace)
    first = world.peers["a"].id
    assert followed["b"] == followed["c"] == first
    assert followed["d"] == followed["e"] != first
    assert not world.peers["c"].names_of(events.SideChanged)
    world.mend()
    world.run_until(world.settled, SETTLE_MS)


@PACE
@pytest.mark.parametrize("bridges", ["c", "cd"])
def test_bridges_go_where_more_support_the_candidate(pace: str, bridges: str) -> None:
    """The server is alone on its side; two others and what hears both stand against it."""
    names = "abcdef"[: 3 + len(bridges)]
    world = cluster(" ".join(names), SURVIVOR, pace)
    first = server(world)
    rest = [n for n in names if n not in bridges and n != first.name]
    world.submit(first.name, b"0")
    world.run(100)
    separate(world, first.name, "".join(rest))
    followed = quiet(world, pace)
    assert followed[first.name] == first.id
    others = {followed[n] for n in [*rest, *bridges]}
    assert len(others) == 1
    assert first.id not in others
    for name in bridges:
        assert len(world.peers[name].names_of(events.SideChanged)) == 1
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, b"0")


@PACE
def test_a_bridge_that_is_fresher_lends_what_it_has_before_it_changes_sides(pace: str) -> None:
    world = cluster("a b c d", SURVIVOR, pace)
    first = server(world)
    bridge = heir(world)
    rest = [p for p in world.running() if p not in (first, bridge)]
    separate(world, first.name, "".join(p.name for p in rest))
    for i in range(5):
        world.submit(first.name, b"%d" % i)
        world.run(100)
    followed = quiet(world, pace)
    assert followed[bridge.name] != first.id
    new = world.by_id[str(followed[bridge.name])]
    assert new.names_of(events.EntriesLent)
    assert bridge.commands() == new.commands() == [b"%d" % i for i in range(5)]
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
    all_applied(world, *(b"%d" % i for i in range(5)))


@PACE
def test_a_bridge_changes_sides_once_a_window_however_the_cuts_alternate(pace: str) -> None:
    world = cluster("a b c d e", SURVIVOR, pace)
    separate(world, "ab", "cd")
    begin = world.now
    for i in range(12):
        # One of the two sides is smaller, in turn.
        world.mend()
        separate(world, "ab", "cd")
        separate(world, "e", "b" if i % 2 else "d")
        world.run(window_ms(pace) / 2)
    took_windows = (world.now - begin) / 1e6 / window_ms(pace)
    assert len(world.peers["e"].names_of(events.SideChanged)) <= took_windows + 1
    world.mend()
    world.run_until(world.settled, SETTLE_MS)


@BOTH
@PACE
@pytest.mark.parametrize("deaf", ["server", "client"])
def test_a_one_way_cut_comes_to_rest_and_raises_no_numbers_for_ever(safety: Safety, pace: str, deaf: str) -> None:
    world = cluster("a b c", safety, pace)
    first, other = server(world), heir(world)
    pair = (other.name, first.name) if deaf == "server" else (first.name, other.name)
    world.cut(*pair, one_way=True)
    quiet(world, pace)
    numbers = [p.core.node.number for p in world.running() if p.core]
    assert max(numbers) <= 6
    world.mend()
    world.run_until(world.settled, SETTLE_MS)


@PACE
def test_two_halves_and_a_bridge_keep_one_leader_in_quorum_mode(pace: str) -> None:
    world = cluster("a b c d e", QUORUM, pace)
    first = server(world)
    rest = [p.name for p in world.running() if p is not first]
    separate(world, first.name + rest[0], rest[2] + rest[3])
    followed = quiet(world, pace)
    assert len([p for p in world.running() if p.role is Role.SERVER]) == 1
    assert followed[rest[1]] is not None
    world.mend()
    world.run_until(world.settled, SETTLE_MS)
