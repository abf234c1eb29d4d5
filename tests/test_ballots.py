"""How a peer answers those who would stand: each reason, in both modes, and what is on disk before it speaks."""

from __future__ import annotations

from random import Random

import pytest
from scenario import BOTH

from tanist.election import ballots
from tanist.election.ballots import Voter
from tanist.election.entries import Entry, Kind
from tanist.election.fallbacks import Fallback, FallbackList
from tanist.election.history import EMPTY, History, Reign, Term
from tanist.election.log import roster_entry_body
from tanist.election.messages import Canvass, Oppose, RequestVote, Support, Vote
from tanist.election.node import Node, Self
from tanist.election.ready import Ready, Remote
from tanist.election.records import BallotRecord, Stored
from tanist.election.roster import Member, Roster
from tanist.election.settings import ElectionSettings, Safety, Serve

ME, OTHER = "id-m", "id-o"
NOBODY = Voter(None, False)
NO_AGE = (Term(0, ""), 0)
AHEAD = History((Reign(Term(9, OTHER), 1, 0),), 9, 9)


def node_of(
    safety: Safety, *, number: int = 3, voted_for: str = "", entries: int = 0, serve: Serve = Serve.AUTO
) -> Node:
    stored = Stored(number=number, voted_for=voted_for)
    stored.entries = [Entry(3, "s", Kind.COMMAND, 0, i, b"") for i in range(entries)]
    if entries:
        members = Roster(tuple(Member(i, i, f"{i}:1") for i in (ME, OTHER)))
        stored.entries[0] = Entry(3, "s", Kind.ROSTER, 0, 0, roster_entry_body(members))
    node = Node(Self(ME, "m", "m:1"), ElectionSettings(safety=safety, serve=serve), stored, Random(1))
    node.now = 1000
    node.links = {i: Remote(i, i, f"{i}:1", (1, 0), True, 0) for i in (OTHER, "id-x")}
    return node


def canvass(
    node: Node, *, number: int = 4, history: History = EMPTY, again: bool = False, voter: Voter = NOBODY
) -> str:
    answer = ballots.answer_canvass(node, OTHER, Canvass(number, history, NO_AGE, "closed", again), voter)
    assert node.out == Ready(), "a canvass changes nothing at those asked"
    match answer:
        case Support(n):
            assert n == number
            return "support"
        case Oppose(n, reason, own):
            assert (n, own) == (number, node.number)
            return reason


def vote(node: Node, *, number: int = 4, history: History = EMPTY, voter: Voter = NOBODY) -> Vote:
    """Ask for a vote, and return it once the disk has what it rests on."""
    ballots.answer_vote(node, OTHER, RequestVote(number, history, False), voter)
    if node.out.persist:
        node.seal()
        assert node.out.send == [], "it spoke before its disk did"
        persist_id = node.out.persist_id
        node.out = Ready()
        node.persisted(persist_id)
    ((to, answer),) = node.out.send
    assert to == OTHER and isinstance(answer, Vote)
    return answer


@BOTH
def test_support(safety: Safety) -> None:
    assert canvass(node_of(safety)) == "support"


@BOTH
def test_a_live_server_is_vouched_for(safety: Safety) -> None:
    assert canvass(node_of(safety), voter=Voter(("id-s", 2), False)) == "server_alive"
    assert vote(node_of(safety), voter=Voter(("id-s", 2), False)).reason == "server_alive"


@BOTH
def test_not_against_the_one_its_own_live_server_named(safety: Safety) -> None:
    node = node_of(safety)
    node.heir_named = (OTHER, 2000)
    assert canvass(node, voter=Voter(("id-s", 2), False)) == "support"
    node.heir_named = (OTHER, 999)
    assert canvass(node, voter=Voter(("id-s", 2), False)) == "server_alive"
    node.heir_named = ("id-x", 2000)
    assert canvass(node, voter=Voter(("id-s", 2), False)) == "server_alive"


@BOTH
def test_a_number_not_above_mine_is_stale(safety: Safety) -> None:
    assert canvass(node_of(safety), number=3) == "stale_number"
    assert vote(node_of(safety), number=2).reason == "stale_number"


@BOTH
def test_a_less_fresh_history_gets_no_vote_and_is_shown_mine(safety: Safety) -> None:
    node = node_of(safety, entries=5)
    assert canvass(node) == "fresher"
    assert canvass(node, history=AHEAD) == "support"
    refused = vote(node)
    assert (refused.granted, refused.reason, refused.history) == (False, "fresher", node.log.history())


@BOTH
def test_a_fresher_peer_that_never_serves_says_that_it_only_lends(safety: Safety) -> None:
    node = node_of(safety, entries=5, serve=Serve.NEVER)
    assert canvass(node) == "lends"
    assert canvass(node, history=AHEAD) == "support"


@BOTH
def test_a_broken_disk_can_promise_nothing(safety: Safety) -> None:
    node = node_of(safety)
    node.disk_failed = "full"
    assert canvass(node) == "unable"
    assert vote(node).reason == "unable"


@BOTH
def test_rank_asks_for_patience_once_and_never_vetoes(safety: Safety) -> None:
    node = node_of(safety)
    listed = [Fallback(i, i, f"{i}:1", True, 0, False, "") for i in (ME, OTHER)]
    node.fallbacks = FallbackList(Term(3, "s"), 1, tuple(listed))
    assert canvass(node, voter=Voter(None, True)) == "better_rank"
    assert canvass(node, voter=Voter(None, True), again=True) == "support"
    assert canvass(node, voter=Voter(None, False)) == "support"


@BOTH
def test_one_vote_a_number_and_the_same_one_again(safety: Safety) -> None:
    node = node_of(safety)
    assert vote(node).granted
    assert (node.number, node.voted_for) == (4, OTHER)
    node.out = Ready()
    assert vote(node).granted, "the answer may have got lost"
    node.out = Ready()
    ballots.answer_vote(node, "id-x", RequestVote(4, AHEAD, False), NOBODY)
    assert isinstance(node.out.send[0][1], Vote) and node.out.send[0][1].reason == "voted"
    assert node.voted_for == OTHER


@BOTH
def test_a_vote_is_a_record_before_it_is_an_answer(safety: Safety) -> None:
    node = node_of(safety)
    ballots.answer_vote(node, OTHER, RequestVote(7, EMPTY, False), NOBODY)
    assert node.out.persist == [BallotRecord(7, OTHER)]
    assert node.out.send == []


@BOTH
def test_a_refusal_raises_no_number(safety: Safety) -> None:
    node = node_of(safety, entries=5)
    vote(node, number=40)
    assert node.number == 3


@pytest.mark.parametrize(
    ("listed", "first"),
    [([ME, OTHER], True), ([OTHER, ME], False), ([ME], True), ([OTHER], False), ([], True)],
)
def test_who_ranks_before_whom(listed: list[str], first: bool) -> None:
    node = node_of(Safety.SURVIVOR)
    entries = tuple(Fallback(i, i, f"{i}:1", True, 0, False, "") for i in listed)
    node.fallbacks = FallbackList(Term(3, "s"), 1, entries)
    assert ballots.ranks_before(node, OTHER) is first
