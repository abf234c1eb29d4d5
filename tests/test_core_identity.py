"""Who may talk to whom: two foundings of one name, two modes, wiped peers, absurd numbers."""

from __future__ import annotations

import pytest
from scenario import BOTH, SETTLE_MS, all_applied, clients, cluster, reign, server

from tanist.election.events import FoundingChanged, Implausible, NameReused, PeerRefused, ReignBegan
from tanist.election.messages import Canvass, Follow, RequestVote, Serving
from tanist.election.ready import AbandonAsked, Received
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.world import World

QUORUM = Safety.QUORUM


def two_clusters() -> World:
    """Two quorum clusters of one name that never heard of each other."""
    world = World(3)
    Invariants(world, QUORUM).quorum = False
    for names in ("a b c", "x y z"):
        for name in names.split():
            world.add(name, peers=" ".join(n for n in names.split() if n != name), safety=QUORUM, expect=3)
    world.run_until(lambda: len(world.servers()) == 2, SETTLE_MS)
    world.run(5000)
    return world


def test_two_founded_quorum_clusters_refuse_each_other_at_both_ends() -> None:
    world = two_clusters()
    foundings = {p.core.node.log.roster.founding for p in world.running() if p.core}
    assert len(foundings) == 2 and "" not in foundings
    world.kill("b")
    world.peers["b"].given = ("x:7400", "y:7400", "z:7400")
    world.kill("z")
    world.peers["z"].given = ("a:7400", "c:7400")
    world.submit("a", b"1")
    world.submit("x", b"2")
    world.start("b")
    world.start("z")
    world.run(60_000)
    assert len(world.servers()) == 2
    assert [world.peers[n].commands() for n in "abcxyz"] == [[b"1"]] * 3 + [[b"2"]] * 3
    for name in "bz":
        told = [e for e in world.peers[name].names_of(PeerRefused) if "founding" in e.text]
        assert told and len(told) <= 9, "said, and not again and again"


def test_peers_that_found_apart_while_linked_part() -> None:
    """All six see each other, and found two clusters: the links between the two end."""
    world = World(3)
    Invariants(world, QUORUM).quorum = False
    for name in "abcxyz":
        world.add(name, peers=" ".join(n for n in "abcxyz" if n != name), safety=QUORUM, expect=3)
    world.run(60_000)
    by_founding: dict[str, set[str]] = {}
    for peer in world.running():
        assert peer.core is not None
        by_founding.setdefault(peer.core.node.log.roster.founding, set()).add(peer.id)
    for founding, ids in by_founding.items():
        for peer in world.running():
            assert peer.core is not None
            if founding and peer.id in ids:
                for linked in peer.core.node.links.values():
                    assert linked.founding in ("", founding) or linked.id in ids


def test_joiners_of_a_founded_cluster_go_back_to_its_founding() -> None:
    world = cluster("a b c", QUORUM)
    world.add("d", peers="a", safety=QUORUM)
    world.run_until(world.settled, SETTLE_MS)
    founding = reign(world).node.log.roster.founding
    joined = world.peers["d"].core
    assert founding and joined is not None and joined.node.log.roster.founding == founding
    world.leave("a", "id-b")
    world.run(3000)
    assert reign(world).node.log.roster.founding == founding


def test_peers_of_two_modes_refuse_each_other() -> None:
    world = World(3)
    world.add("a")
    world.add("b", peers="a", safety=QUORUM)
    world.run(20_000)
    assert world.servers() == [world.peers["a"]]
    told = world.peers["b"].names_of(PeerRefused)
    assert len(told) == 1 and "safety" in told[0].text


@BOTH
def test_a_wiped_peer_comes_back_under_a_new_id(safety: Safety) -> None:
    world = cluster("a b c", safety)
    one = clients(world)[0]
    old_id = one.id
    world.submit(server(world).name, b"1")
    world.run(2000)
    world.kill(one.name)
    world.wipe(one.name)
    one.given = tuple(p.address for p in world.running())
    world.start(one.name)
    world.run_until(world.settled, SETTLE_MS)
    world.submit(server(world).name, b"2")
    world.run(3000)
    all_applied(world, b"1", b"2")
    roster = reign(world).node.log.roster
    assert one.id != old_id and {one.id, old_id} <= roster.ids()
    assert not [e for p in world.running() for e in p.names_of(PeerRefused)]
    told = [e for p in world.running() for e in p.names_of(NameReused)]
    assert (told[0].absent, told[0].peer) == (old_id, one.id), "people are told which member is left over"
    world.leave(server(world).name, old_id)
    world.run(3000)
    assert old_id not in reign(world).node.log.roster.ids()


@BOTH
@pytest.mark.parametrize("number", [1191202101440508490, 1 << 62])
def test_an_absurd_number_is_refused_and_said(safety: Safety, number: int) -> None:
    """Scenario 23: whoever believes it can never again be elected in a number of its own."""
    world = cluster("a b c", safety)
    only, one = server(world), clients(world)[0]
    assert one.core is not None
    history = one.core.node.log.history()
    before = only.core.node.number if only.core is not None else 0
    for to in (only, one):
        sender = one if to is only else only
        assert sender.core is not None
        term = sender.core.term.__class__(number, sender.id)
        for message in (
            Canvass(number, history, sender.core.node.fallbacks.age(), "silent", False),
            RequestVote(number, history, False),
            Serving(term, history, 3),
            Follow(term, number, history, sender.core.node.member),
        ):
            world.feed(to, Received(sender.id, message))
    world.run(10 * PACES["classic"].heartbeat_timeout_ms)
    assert only.names_of(Implausible) and one.names_of(Implausible)
    assert all(p.core is not None and p.core.node.number <= before + 5 for p in world.running())
    world.run_until(world.settled, SETTLE_MS)


def founding_without(names: str, missing: str) -> World:
    """Peers that all accepted to found a cluster together, but for one who fell silent before it answered."""
    world = World(3)
    Invariants(world, QUORUM)
    for name in names.split():
        told = " ".join(n for n in names.split() if n != name)
        world.add(name, peers=told, safety=QUORUM, expect=len(names.split()), start=name != missing)
    world.run(3000)
    world.start(missing)
    # All see each other now, and the attempt is made: it dies before its acceptance is on disk.
    world.run_until(lambda: any(p.core and p.core.node.founding for p in world.running()), SETTLE_MS)
    world.kill(missing)
    world.run(30_000)
    return world


def test_a_person_ends_a_founding_that_waits_for_somebody_gone() -> None:
    world = founding_without("a b c", "c")
    assert not world.servers()
    waiting = world.peers["a"].names_of(FoundingChanged)[-1]
    assert waiting.state == "waiting for" and waiting.peers == ["c"]
    world.feed(world.peers["a"], AbandonAsked())
    world.run(5000)
    assert all(p.core and p.core.node.founding is None for p in world.running()), "the others are freed too"
    world.add("d", peers="a b", safety=QUORUM, expect=3)
    world.run_until(world.settled, SETTLE_MS)
    roster = reign(world).node.log.roster
    assert roster.ids() == {"id-a", "id-b", "id-d"} and roster.founding.startswith("2@")
    # The one that was gone comes back: it is in no other cluster, and joins this one as a newcomer.
    world.start("c")
    world.run_until(world.settled, SETTLE_MS)
    assert "id-c" in reign(world).node.log.roster.ids()


def test_a_refusal_survives_a_restart_and_nothing_else_is_abandoned() -> None:
    world = founding_without("a b c", "c")
    world.feed(world.peers["b"], AbandonAsked())
    world.run(100)
    world.kill("a")
    world.kill("b")
    world.start("a")
    world.start("b")
    world.run(20_000)
    assert not world.servers()
    world.start("c")
    world.run_until(world.settled, SETTLE_MS)
    assert reign(world).node.log.roster.founding.startswith("2@"), "the first attempt is over for good"
    before = reign(world).node.log.roster
    world.feed(server(world), AbandonAsked())
    world.feed(clients(world)[0], AbandonAsked())
    world.run(5000)
    assert reign(world).node.log.roster == before


@BOTH
@pytest.mark.parametrize("whose", ["server", "client"])
def test_a_copy_of_a_live_peer_is_refused_and_disturbs_nobody(safety: Safety, whose: str) -> None:
    world = cluster("a b c", safety)
    world.ends_when_halted = True
    only = server(world)
    original = only if whose == "server" else clients(world)[0]
    world.submit(only.name, b"1")
    world.run(2000)
    double = world.clone(original.name, "double")
    double.given = tuple(p.address for p in world.running())
    world.start("double")
    world.run(30_000)
    assert double.core is None and "copied" in double.halted
    assert server(world) is only and len(only.names_of(ReignBegan)) == 1
    world.submit(only.name, b"2")
    world.run(3000)
    all_applied(world, b"1", b"2")


@BOTH
def test_a_newer_start_elsewhere_replaces_one_that_does_not_answer(safety: Safety) -> None:
    """The data directory was moved to another machine after the first one's host died."""
    world = cluster("a b c", safety)
    world.ends_when_halted = True
    old = clients(world)[0]
    world.submit(server(world).name, b"1")
    world.run(2000)
    world.kill(old.name, silent=True)
    moved = world.clone(old.name, "moved")
    world.by_id[moved.id] = moved
    world.start("moved")
    world.run_until(world.settled, SETTLE_MS)
    world.submit(server(world).name, b"2")
    world.run(3000)
    all_applied(world, b"1", b"2")
    # The first machine comes back to life: its data are older now, and another process has its id.
    world.start(old.name)
    world.run(30_000)
    assert old.core is None and "copied" in old.halted and moved.core is not None
