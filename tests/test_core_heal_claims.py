"""Two reigns that meet: claims that answer each other, what stops meanwhile, and what becomes of one that lapses."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from alone import Alone
from healing import Split, heals
from scenario import server

from tanist.election import events
from tanist.election.claims import WAIT_FORGOTTEN, WAIT_HEALS_MAX, HealWaits
from tanist.election.entries import Kind, Proposal
from tanist.election.evidence import Evidence
from tanist.election.fallbacks import NO_LIST
from tanist.election.history import NO_TERM, History, Term
from tanist.election.history import Reign as Reigned
from tanist.election.messages import Claim, HandOver, Message, Seek, Serving
from tanist.election.node import Node, Self
from tanist.election.ready import LinkDown, LinkUp, Remote, Submit, Tick
from tanist.election.records import Stored
from tanist.election.roles import Cause, Role
from tanist.election.settings import MS, PACES, ElectionSettings, Safety


def serving() -> tuple[Alone, Term]:
    """One server of survivor mode with its reign open, alone."""
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    ticks(one, 8)
    assert one.core.node.commit == one.core.node.log.last
    return one, term


def ticks(one: Alone, seconds: int) -> None:
    """Let time pass in small steps: a leap would mean that this peer was away."""
    for _ in range(seconds):
        one.feed(Tick(), 1000)


def serves(one: Alone) -> bool:
    return one.core.role is Role.SERVER


def theirs(one: Alone, number: int, commands: int) -> History:
    """Another history, which forks from this one's after index 3."""
    mine = one.core.node.log.history_at(3)
    reign = Reigned(Term(number, "id-b"), 4, mine.commands)
    return History((*mine.reigns, reign), 4 + commands, mine.commands + commands)


def claim(one: Alone, name: str, answers: str, number: int = 9, commands: int = 5) -> Claim:
    return Claim(name, answers, Term(number, "id-b"), theirs(one, number, commands), 1)


def said(one: Alone) -> list[Claim]:
    return [m for m in one.of(Claim) if isinstance(m, Claim)]


def write(one: Alone) -> int:
    """Submit a command; gives the commit index after it."""
    one.feed(Submit((Proposal(Kind.COMMAND, b"1"),)))
    return one.core.node.commit


def test_from_a_claim_on_nothing_is_taken_and_nothing_acknowledged_until_it_lapses() -> None:
    one, term = serving()
    one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1, one.core.term))
    (mine,) = said(one)
    assert mine.term == term
    before = one.core.node.commit
    assert write(one) == before
    assert one.core.node.log.last == before
    ticks(one, int(PACES["classic"].heal_timeout_ms / 1000) + 1)
    assert serves(one)
    assert one.core.term == term
    assert write(one) == before + 1
    # What lapsed binds nobody: an answer that comes now decides nothing.
    one.hear("id-b", claim(one, "late", mine.claim))
    assert serves(one)
    assert one.core.term == term


def test_a_rival_that_does_not_hear_this_server_costs_no_acknowledgement() -> None:
    """Behind a link that carries one way, or stopped: a claim would stop the writes here until it lapses."""
    one, term = serving()
    one.sent.clear()
    one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1, Term(1, "id-a")))
    told = [m for m in one.of(Serving) if isinstance(m, Serving)]
    assert [(m.term, m.heard) for m in told] == [(term, Term(9, "id-b"))]
    again: list[Term] = []
    for _ in range(60):
        ticks(one, 1)
        again += [m.heard for m in one.of(Serving) if isinstance(m, Serving)]
        assert not said(one)
        before = one.core.node.commit
        assert write(one) == before + 1
    assert len(again) >= 10, "it is asked again and again: the link may be mended"
    assert set(again) == {Term(9, "id-b")}
    one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1, term))
    assert len(said(one)) == 1


def test_a_rival_is_told_that_it_was_heard_and_two_servers_do_not_tell_each_other_for_ever() -> None:
    one, term = serving()
    one.sent.clear()
    one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1))
    assert len(one.of(Serving)) == 1
    one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1, term))
    assert not one.of(Serving)
    assert len(said(one)) == 1


def test_a_claim_decides_only_when_it_answers_mine_and_is_answered() -> None:
    one, _ = serving()
    one.hear("id-b", claim(one, "first", ""))
    (mine,) = said(one)
    assert mine.answers == "first"
    assert serves(one)
    one.hear("id-b", claim(one, "second", "another of mine"))
    assert [c.answers for c in said(one)] == ["second"]
    assert serves(one)
    one.hear("id-b", claim(one, "second", mine.claim))
    assert not serves(one)
    assert not said(one), "it was answered before"


def test_the_better_claim_goes_on_above_all_numbers_and_the_other_gives_way() -> None:
    for commands, goes_on in ((0, True), (5, False)):
        one, _ = serving()
        write(one)
        one.hear("id-b", claim(one, "theirs", "", 9, commands))
        (mine,) = said(one)
        one.hear("id-b", claim(one, "theirs", mine.claim, 9, commands))
        assert serves(one) is goes_on
        if goes_on:
            assert one.core.term.number == 10


def test_the_first_of_two_to_decide_tells_the_other_first() -> None:
    """A proposal of mine that is answered: the answer to it must leave, or only one side would decide."""
    one, _ = serving()
    one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1, one.core.term))
    (mine,) = said(one)
    one.hear("id-b", claim(one, "theirs", mine.claim))
    assert [c.answers for c in said(one)] == ["theirs"]
    assert not serves(one)


def test_one_heal_at_a_time_and_the_lower_pair_goes_first() -> None:
    one, _ = serving()
    one.hear("id-c", claim(one, "of c", ""))
    assert said(one)[0].answers == "of c"
    one.feed(LinkUp(Remote("id-z", "z", "z:1", (1, 0), True, 0), None))
    one.hear("id-z", claim(one, "of z", ""))
    assert not said(one), "it waits for its turn"
    one.hear("id-b", claim(one, "of b", ""))
    assert [c.answers for c in said(one)] == ["of b"]


def test_a_peer_that_serves_no_longer_frees_from_the_claim_at_once() -> None:
    seek = Seek(History(), NO_LIST, NO_TERM, "", 0.0, False)
    for gone in (seek, None):
        one, _ = serving()
        one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1, one.core.term))
        before = one.core.node.commit
        if gone is None:
            one.feed(LinkDown("id-b", Evidence.CLOSED, ""))
        else:
            one.hear("id-b", gone)
        assert write(one) == before + 1


def test_waits_double_with_jitter_up_to_a_few_heal_timeouts_and_begin_small_again() -> None:
    pace = PACES["classic"]
    node = Node(Self("id-a", "a", "a:1"), ElectionSettings(), Stored(), Random(1))
    waits = HealWaits(node)
    node.now = 1000 * MS
    found = []
    for _ in range(6):
        waits.tried("id-b")
        found.append((waits.not_before("id-b") - node.now) / MS)
        node.now = waits.not_before("id-b")
    for k, wait in enumerate(found):
        base = min(pace.retry_interval_ms * 2**k, WAIT_HEALS_MAX * pace.heal_timeout_ms)
        assert base <= wait <= 1.5 * base
    node.now += int(WAIT_FORGOTTEN * pace.heal_timeout_ms * MS) + 1
    waits.tried("id-b")
    assert waits.not_before("id-b") - node.now <= 1.5 * pace.retry_interval_ms * MS
    assert waits.not_before("id-z") == 0


def test_both_ends_come_to_the_same_verdict_in_every_heal() -> None:
    for old, new in ((0, 0), (1, 0), (0, 1), (2, 2), (3, 1)):
        split = Split("a b c d", side=1)
        split.write(old, new)
        split.healed()
        gave_way = [
            e for p in split.world.running() for e in p.names_of(events.ReignEnded) if e.reason == Cause.GAVE_WAY
        ]
        assert len(gave_way) == 1
        for peer in (split.old, split.new):
            assert peer.names_of(events.ClaimMade)


def test_a_link_that_splits_again_and_again_is_claimed_over_less_and_less_often() -> None:
    one, _ = serving()
    claims: list[int] = []
    for _ in range(60):
        one.feed(LinkUp(Remote("id-b", "b", "b:1", (1, 0), True, 0), None), 250)
        one.hear("id-b", Serving(Term(9, "id-b"), theirs(one, 9, 5), 1, one.core.term))
        if said(one):
            claims.append(one.now)
        one.feed(LinkDown("id-b", Evidence.CLOSED, ""), 250)
    gaps = [(b - a) / MS for a, b in pairwise(claims)]
    assert 3 <= len(claims) <= 6, gaps
    assert all(later > earlier for earlier, later in pairwise(gaps))


def test_claims_over_a_one_way_link_lapse_and_both_sides_go_on_meanwhile() -> None:
    split = Split("a b c", pace="lan")
    world, (old, new) = split.world, (split.old, split.new)
    world.mend((old.name, new.name))
    world.run(20_000)
    assert old.role is new.role is Role.SERVER
    split.write(old=2, new=3)
    for peer in (old, new):
        split.watch.submit(peer.name, b"later " + peer.name.encode())
    world.run(2 * PACES["lan"].heal_timeout_ms)
    assert b"later " + old.name.encode() in old.commands()
    split.healed()
    assert len(heals(server(world))) == 1


def test_the_side_that_goes_on_for_its_holders_stays_it_when_the_other_follows() -> None:
    """It goes on in a new number, in which no client has confirmed anything yet: its disks count all the same."""
    split = Split("a b c", side=1)
    split.write(old=1, new=6)
    split.healed()
    assert split.old.role is Role.SERVER
    assert [e.reason for e in split.old.names_of(events.ReignEnded)] == [Cause.RENEWED]
    assert [e.reason for e in split.new.names_of(events.ReignEnded)] == [Cause.GAVE_WAY]


def test_everyone_is_pointed_to_the_server_that_goes_on() -> None:
    split = Split("a b c d e", side=2)
    world = split.world
    told: list[Message] = []
    world.watchers.append(
        lambda peer, ready: told.extend(m for _, m in ready.send if isinstance(m, HandOver) and peer is split.old)
    )
    split.write(old=1, new=2)
    split.healed()
    loser = next(p for p in world.running() if p.names_of(events.ReignEnded) and p is not server(world))
    assert loser in (split.old, split.new)
    if loser is split.old:
        assert {m.heir for m in told if isinstance(m, HandOver)} == {split.new.id}
