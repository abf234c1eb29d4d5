"""The table of roles: all of it is used, and nothing beside it happens."""

from __future__ import annotations

from random import Random

import pytest
from scenario import clients, cluster, server
from soak import Life

from tanist.election.core import Core, LocalMisuse
from tanist.election.events import RoleChanged
from tanist.election.history import EMPTY, Term
from tanist.election.messages import RequestVote, Serving, Vote
from tanist.election.node import Self
from tanist.election.ready import LinkUp, Persisted, Received, Remote, Tick
from tanist.election.records import Stored
from tanist.election.roles import TRANSITIONS, Cause, Role
from tanist.election.seeking import Seeking
from tanist.election.settings import ElectionSettings, Safety
from tanist.election.simulation.world import World

RARE = {("client", "met a higher number"), ("server", "met a higher number")}
"""What a random life hardly meets, and tests below do."""


HINTS = [42, 45, 54, 16, *range(60)]
"""Seeds of lives; the first few were seen to meet everything, which spares looking further."""


def core_of() -> Core:
    return Core(Self("id-a", "a", "a:1"), ElectionSettings(), Stored(), Random(1))


def test_every_role_can_be_entered_and_left() -> None:
    assert {role for role, _ in TRANSITIONS} == set(Role)
    assert set(TRANSITIONS.values()) == set(Role)


def test_only_a_won_ballot_or_a_renewed_reign_makes_a_server() -> None:
    ways = {(was, cause) for (was, cause), role in TRANSITIONS.items() if role is Role.SERVER}
    assert ways == {(Role.CANDIDATE, Cause.WON), (Role.SERVER, Cause.RENEWED)}


def test_a_client_never_stands_directly() -> None:
    assert Role.CANDIDATE not in {role for (was, _), role in TRANSITIONS.items() if was is Role.CLIENT}


def test_every_transition_of_the_table_happens_and_no_other() -> None:
    """Over a number of random lives; each peer's own events are the witness."""
    seen: set[tuple[str, str]] = set()
    for seed in HINTS:
        for safety in Safety:
            life = Life(seed, safety, length_ms=20_000)
            life.run()
            for peer in life.world.peers.values():
                for event in peer.names_of(RoleChanged):
                    seen.add((event.was, event.reason))
                    assert TRANSITIONS[Role(event.was), Cause(event.reason)] == event.role
        missing = {(str(was), str(cause)) for was, cause in TRANSITIONS} - seen - RARE
        if not missing:
            return
    assert missing == set()


def test_a_client_that_nobody_welcomed_yet_votes_and_goes_to_the_one_it_voted_for() -> None:
    core = core_of()
    core.start(0, 0)
    for peer in ("id-s", "id-x"):
        core.step(1, LinkUp(Remote(peer, peer, f"{peer}:1", (1, 0), True, 0), None))
    core.step(2, Received("id-s", Serving(Term(5, "id-s"), EMPTY, 1)))
    before = core.role
    ready = core.step(3, Received("id-x", RequestVote(6, EMPTY, False)))
    assert (before, core.role) == (Role.CLIENT, Role.SEEKING)
    assert [e.reason for e in ready.events if isinstance(e, RoleChanged)] == ["met a higher number"]
    answers = core.step(4, Persisted(ready.persist_id)).send
    assert ("id-x", Vote(6, True, "", 6)) in answers


def test_a_server_that_meets_one_of_a_higher_number_follows_it() -> None:
    world = cluster("a b c", Safety.QUORUM)
    old, other = server(world), clients(world)[0]
    world.feed(old, Received(other.id, Serving(Term(50, other.id), EMPTY, 1)))
    changes = [(e.was, e.role, e.reason) for e in old.names_of(RoleChanged)]
    assert ("server", "seeking", "met a higher number") in changes
    assert old.core is not None and old.core.node.number == 50


def test_a_transition_that_is_not_in_the_table_is_a_bug_and_says_so() -> None:
    core = core_of()
    core.start(0, 0)
    with pytest.raises(LocalMisuse, match="no transition from candidate"):
        core._become(Seeking(core, "start"), Cause.WON)


def test_start_comes_first_and_once() -> None:
    core = core_of()
    with pytest.raises(LocalMisuse, match="start"):
        core.step(0, Tick())
    core.start(0, 0)
    with pytest.raises(LocalMisuse, match="once"):
        core.start(0, 0)


def test_an_unknown_input_is_a_bug_and_says_so() -> None:
    core = core_of()
    core.start(0, 0)
    with pytest.raises(LocalMisuse, match="no such input"):
        core.step(1, "tick")  # type: ignore[arg-type]


def test_the_same_inputs_give_the_same_outputs() -> None:
    def story() -> str:
        world = World(7, jitter=2.0)
        world.cluster("a b c")
        world.kill("a")
        world.run(20_000)
        return world.story()

    assert story() == story()
