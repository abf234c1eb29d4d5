"""A reign, input by input: what commits, when, and what one that was overtaken may still say."""

from __future__ import annotations

import pytest
from alone import MEMBERS, Alone
from scenario import SETTLE_MS, cluster, heir, reign, server

from tanist.election.commit import Durability
from tanist.election.entries import Entry, Kind
from tanist.election.fallbacks import NO_LIST
from tanist.election.history import History, Term
from tanist.election.history import Reign as Reigned
from tanist.election.log import roster_entry_body
from tanist.election.messages import (
    Append,
    Claim,
    Confirm,
    Follow,
    Goodbye,
    HandOver,
    Heartbeat,
    RequestVote,
    Serving,
    Stored,
    Vote,
)
from tanist.election.ready import Received
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.election.roster import Member
from tanist.election.settings import MS, PACES, Safety


def test_entries_of_older_terms_commit_only_with_one_of_the_own() -> None:
    """Raft 5.4.2, figure 8: a majority that holds an older term's entry has decided nothing."""
    one = Alone(Safety.QUORUM)
    term = one.win()
    node = one.core.node
    assert node.log.last == 4
    history = node.log.history_at(3)
    one.welcome("id-b", history)
    one.welcome("id-c", history)
    one.hear("id-b", Stored(term, 3))
    one.hear("id-c", Stored(term, 3))
    assert node.commit == 0
    one.hear("id-b", Stored(term, 4))
    assert node.commit == 4


@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_nothing_is_acknowledged_to_a_number_below_its_own(safety: Safety) -> None:
    """It voted in 6; the server of 5 must take a higher number before this peer works for it again."""
    one = Alone(safety, number=6, voted_for="id-c")
    history = one.core.node.log.history()
    term = Term(5, "id-b")
    one.hear("id-b", Serving(term, history, 1))
    assert [m.own_number for m in one.of(Follow) if isinstance(m, Follow)] == [6]
    entry = Entry(5, "id-b", Kind.COMMAND, 0, 9, b"y")
    one.hear("id-b", Append(term, history.last, history.last_term, (entry,), 0, "alone", 1))
    assert not one.of(Stored)
    one.hear("id-b", Heartbeat(term, 1, 0, NO_LIST, 0, 1, 3))
    assert not one.of(Confirm)
    assert one.core.server is None
    risen = Term(7, "id-b")
    one.hear("id-b", Serving(risen, history, 1))
    one.hear("id-b", Append(risen, history.last, history.last_term, (), 0, "alone", 1))
    assert one.of(Stored) == [Stored(risen, history.last)]


@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_a_follower_that_votes_for_another_follows_no_more(safety: Safety) -> None:
    one = Alone(safety)
    history = one.core.node.log.history()
    term = Term(5, "id-b")
    one.hear("id-b", Serving(term, history, 1))
    one.hear("id-b", Append(term, history.last, history.last_term, (), 0, "alone", 1))
    one.now += int(PACES["classic"].heartbeat_timeout_ms * MS)
    one.hear("id-c", RequestVote(6, history, False))
    assert one.of(Vote) == [Vote(6, True, "", 6)] or one.core.role is Role.SEEKING
    one.hear("id-b", Append(term, history.last, history.last_term, (), 0, "alone", 1))
    assert not one.of(Stored)


def test_an_acknowledgement_waits_for_the_heir_and_then_says_that_it_is_alone() -> None:
    world = cluster("a b c", Safety.SURVIVOR)
    only, first = server(world), heir(world)
    receipts: list[str] = []
    world.watchers.append(
        lambda peer, ready: receipts.append(ready.apply.durability) if peer is only and ready.apply else None
    )
    for peer in world.running():
        if peer is not only:
            world.freeze(peer.name)
    world.submit(only.name, b"1")
    timeout = PACES["classic"].heartbeat_timeout_ms
    world.run(timeout - PACES["classic"].heartbeat_every_ms - 200)
    assert only.commands() == [], "acknowledged without the disk of its heir"
    world.run(PACES["classic"].heartbeat_every_ms + 400)
    assert only.commands() == [b"1"]
    assert receipts == [Durability.ALONE]
    assert first.commands() == []


def test_a_strict_server_waits_for_its_heir_as_long_as_that_may_count() -> None:
    world = cluster("a b c", Safety.SURVIVOR, sync_strict=True)
    only = server(world)
    for peer in world.running():
        if peer is not only:
            world.freeze(peer.name)
    world.submit(only.name, b"1")
    world.run(PACES["classic"].sync_timeout_ms - PACES["classic"].heartbeat_every_ms)
    assert only.commands() == []
    world.run_until(lambda: only.commands() == [b"1"], SETTLE_MS)


def test_an_acknowledgement_says_heir_when_its_disk_has_it() -> None:
    world = cluster("a b c d e", Safety.SURVIVOR)
    only, first = server(world), heir(world)
    receipts: list[str] = []
    world.watchers.append(
        lambda peer, ready: receipts.append(ready.apply.durability) if peer is only and ready.apply else None
    )
    for peer in world.running():
        if peer not in (only, first):
            world.freeze(peer.name)
    world.submit(only.name, b"1")
    world.run(100)
    assert receipts == [Durability.HEIR]
    assert b"1" in [e.body for e in first.stored.entries]


def test_a_renewed_reign_is_silent_until_its_number_is_on_disk() -> None:
    world = cluster("a b", Safety.SURVIVOR)
    only, first = server(world), heir(world)
    assert only.core is not None
    world.disk *= 100
    assert first.core is not None
    theirs = Term(9, first.id), first.core.node.log.history_at(1), 1
    claims: list[Claim] = []
    world.watchers.append(lambda peer, ready: claims.extend(m for _, m in ready.send if isinstance(m, Claim)))
    world.feed(only, Received(first.id, Serving(*theirs, only.core.term)))
    (mine,) = claims
    assert only.core.node.number == 1, "nothing is decided before a claim answers"
    world.feed(only, Received(first.id, Claim("theirs", mine.claim, *theirs)))
    assert only.core.node.number == 10
    assert only.core.term.number == 1
    world.run_until(lambda: reign(world).term.number == 10, 100)
    assert only.stored.number == 10


def test_a_commit_set_member_that_is_gone_for_certain_is_not_waited_for() -> None:
    world = cluster("a b c", Safety.SURVIVOR)
    only, first = server(world), heir(world)
    world.kill(first.name)
    world.submit(only.name, b"1")
    took = world.run_until(lambda: only.commands() == [b"1"], SETTLE_MS)
    assert took <= 10


def test_a_client_that_lacks_what_the_reign_began_with_does_not_count() -> None:
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    behaviour = one.core.behaviour
    assert isinstance(behaviour, Reign)
    one.welcome("id-b", one.core.node.log.history_at(2))
    one.hear("id-b", Confirm(term, behaviour.round, 1, 0, 2))
    assert behaviour.list.place("id-b") is not None
    assert behaviour.commit_set.counting == {}
    one.hear("id-b", Stored(term, one.core.node.log.last))
    assert list(behaviour.commit_set.counting) == ["id-b"]


@pytest.mark.parametrize("serves", [True, False])
def test_a_better_history_goes_on_if_its_peer_can_serve(serves: bool) -> None:
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    mine = one.core.node.log.history_at(3)
    theirs = History((*mine.reigns, Reigned(Term(2, "id-x"), 4, mine.commands)), 9, mine.commands + 5)
    member = Member("id-b", "id-b", "id-b:1", serve=serves)
    one.hear("id-b", Follow(term, term.number, theirs, member, serves))
    assert one.core.role is (Role.SEEKING if serves else Role.SERVER)
    assert bool(one.of(HandOver)) is serves
    assert bool(one.of(Append)) is not serves


def test_a_learner_says_that_it_cannot_serve_so_that_nobody_gives_way_to_it() -> None:
    """It would not stand, and whoever gave way to it would serve next, and give way again, for ever."""
    one = Alone(Safety.SURVIVOR)
    mine = one.core.node.log.history()
    one.hear("id-b", Serving(Term(3, "id-b"), mine, 1))
    assert [follow.able for follow in one.of(Follow) if isinstance(follow, Follow)] == [True]
    learner = MEMBERS.with_member(Member("id-a", "id-a", "id-a:1", voter=False, damaged=2))
    demoted = Entry(3, "id-b", Kind.ROSTER, 0, 0, roster_entry_body(learner))
    one.hear("id-b", Append(Term(3, "id-b"), mine.last, mine.last_term, (demoted,), 0, "alone", 1))
    one.hear("id-b", Goodbye("it stops"))
    one.hear("id-c", Serving(Term(4, "id-c"), mine, 1))
    assert [follow.able for follow in one.of(Follow) if isinstance(follow, Follow)] == [False]


def test_whoever_just_voted_is_not_called_back_by_the_old_server() -> None:
    one = Alone(Safety.QUORUM, number=5)
    history = one.core.node.log.history()
    one.hear("id-c", RequestVote(6, history, True))
    assert one.of(Vote) == [Vote(6, True, "", 6)]
    one.hear("id-b", Serving(Term(5, "id-b"), history, 1))
    before = one.core.role
    one.hear("id-c", Serving(Term(6, "id-c"), history, 1))
    assert (before, one.core.role) == (Role.SEEKING, Role.CLIENT)


def test_what_got_lost_with_one_of_two_links_is_sent_again() -> None:
    world = cluster("a b", Safety.QUORUM)
    only = server(world)
    other = next(p for p in world.running() if p is not only)
    world.network.dial(other, only.address, 10**9)
    world.run(10)
    assert len(only.links[other.name]) == 2
    world.submit(only.name, b"1")
    world.reset(only.name, other.name)
    world.run(PACES["classic"].heartbeat_every_ms * 2.5)
    assert len(only.links[other.name]) == 1, "the link that is left must be the old one"
    assert only.commands() == other.commands() == [b"1"]


def test_a_server_that_was_away_commits_nothing_alone_when_it_wakes() -> None:
    world = cluster("a b c", Safety.SURVIVOR)
    only = server(world)
    others = [p for p in world.running() if p is not only]
    for peer in others:
        world.freeze(peer.name)
    world.submit(only.name, b"1")
    world.run(100)
    world.freeze(only.name)
    world.run(20_000)
    for peer in others:
        world.cut(only.name, peer.name)
    world.thaw(only.name)
    world.run_until(lambda: only.role is not Role.SERVER, SETTLE_MS)
    assert only.commands() == []
