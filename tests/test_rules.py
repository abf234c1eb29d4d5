"""Rules of the protocol that are one input and its answer, at one core: a test a rule."""

from __future__ import annotations

from random import Random

import pytest
from alone import MEMBERS, Alone

from tanist.election import ballots
from tanist.election.archived import ArchivedEntry, HealBegun, HealEnded, Reported, heal_body, heal_ended
from tanist.election.beside import Beside
from tanist.election.candidacy import Candidacy
from tanist.election.contacts import Contacts
from tanist.election.core import Core
from tanist.election.entries import Entry, Kind, Proposal
from tanist.election.events import ClaimLapsed, Implausible
from tanist.election.evidence import Evidence
from tanist.election.fallbacks import Fallback, FallbackList
from tanist.election.founding import REFUSED_MAX
from tanist.election.history import EMPTY, History, Term
from tanist.election.history import Reign as Reigned
from tanist.election.log import roster_entry_body
from tanist.election.messages import (
    Append,
    Canvass,
    Claim,
    Confirm,
    Conflict,
    Fetch,
    Following,
    Found,
    FoundAnswer,
    Goodbye,
    Heartbeat,
    Leave,
    Lend,
    Message,
    NotYet,
    Oppose,
    RequestVote,
    Salvage,
    Serving,
    SnapshotMeta,
    Stored,
    Support,
    Vote,
)
from tanist.election.node import Self
from tanist.election.order import waited_for
from tanist.election.ready import LinkDown, LinkUp, Persisted, ReadAsked, Received, Remote, Submit, Tick
from tanist.election.records import FoundingRecord
from tanist.election.records import Stored as Disk
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.election.roster import Member, Roster
from tanist.election.settings import MS, NUMBER_LEAP_MAX, PACES, ElectionSettings, Safety

BOTH = pytest.mark.parametrize("safety", list(Safety), ids=str)
RANKED = ("id-a", "id-b", "id-c")
BALLOT_MS = PACES["classic"].ballot_ms
ENTRY = Entry(3, "id-b", Kind.COMMAND, 0, 7, b"lent")


def longer(one: Alone, term: Term, after: int) -> History:
    """A history that shares entries up to `after` with a core's log, and has one command more, of `term`."""
    mine = one.core.node.log.history_at(after)
    return History((*mine.reigns, Reigned(term, after + 1, mine.commands)), after + 1, mine.commands + 1)


def candidacy(one: Alone) -> Candidacy:
    behaviour = one.core.behaviour
    assert isinstance(behaviour, Candidacy)
    return behaviour


def reign(one: Alone) -> Reign:
    behaviour = one.core.behaviour
    assert isinstance(behaviour, Reign)
    return behaviour


# Standing


@BOTH
def test_nobody_is_asked_for_a_vote_before_the_canvass_is_won(safety: Safety) -> None:
    one = Alone(safety)
    canvass = one.stand()
    assert not one.of(RequestVote)
    assert one.core.node.number == canvass.number - 1, "a canvass changes nothing, at the candidate neither"


@BOTH
def test_a_candidate_has_voted_for_itself(safety: Safety) -> None:
    one = Alone(safety)
    number = one.stand().number
    for peer in ("id-b", "id-c"):
        one.hear(peer, Support(number))
    assert one.core.role is Role.CANDIDATE
    assert (one.core.node.number, one.core.node.voted_for) == (number, "id-a")


@BOTH
def test_a_vote_of_another_number_is_not_counted(safety: Safety) -> None:
    one = Alone(safety)
    number = one.stand().number
    for peer in ("id-b", "id-c"):
        one.hear(peer, Support(number))
    for peer in ("id-b", "id-c"):
        one.hear(peer, Vote(number - 1, True, "", number - 1))
    assert one.core.role is Role.CANDIDATE
    assert candidacy(one).support == set()


@BOTH
def test_rank_asks_for_patience_once(safety: Safety) -> None:
    one = Alone(safety)
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.BETTER_RANK, 2))
    one.feed(Tick(), BALLOT_MS + 1)
    assert [m.again for m in one.of(Canvass) if isinstance(m, Canvass)] == [True, True]


def test_in_quorum_mode_a_refusal_is_one_missing_vote() -> None:
    one = Alone(Safety.QUORUM)
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.SERVER_ALIVE, 2, EMPTY, 1, "id-b"))
    one.hear("id-c", Support(number))
    assert one.of(RequestVote)


def test_in_survivor_mode_a_live_server_vetoes() -> None:
    one = Alone(Safety.SURVIVOR)
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.SERVER_ALIVE, 2, EMPTY, 1, "id-b"))
    assert one.core.role is Role.SEEKING


@pytest.mark.parametrize("after", [2, 3], ids=["across a fork", "a prefix"])
def test_in_quorum_mode_the_first_of_the_list_takes_over_a_fresher_log(after: int) -> None:
    one = Alone(Safety.QUORUM, ranked=RANKED)
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.FRESHER, 2, longer(one, Term(3, "id-b"), after)))
    assert one.of(Fetch) == [Fetch(after, one.core.node.log.term_at(after) or Term(0, ""))]
    one.hear("id-b", Lend(after, one.core.node.log.term_at(after) or Term(0, ""), (ENTRY,), False))
    assert one.core.node.log.last_term == Term(3, "id-b")
    assert [m.history.last_term for m in one.of(Canvass) if isinstance(m, Canvass)] == [Term(3, "id-b")] * 2


def test_the_heir_that_is_only_behind_fetches_what_it_lacks() -> None:
    one = Alone(Safety.SURVIVOR, ranked=RANKED)
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.FRESHER, 2, longer(one, Term(3, "id-b"), 3)))
    assert one.of(Fetch)


def test_one_that_ranks_behind_a_fresher_peer_gives_way() -> None:
    one = Alone(Safety.SURVIVOR, ranked=("id-b", "id-a"))
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.FRESHER, 2, longer(one, Term(3, "id-b"), 3)))
    assert not one.of(Fetch)
    assert one.core.role is Role.SEEKING


def test_a_fresher_peer_that_cannot_stand_lends_whatever_its_rank() -> None:
    one = Alone(Safety.SURVIVOR, ranked=("id-b", "id-a"))
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.LENDS, 2, longer(one, Term(3, "id-b"), 3)))
    assert one.of(Fetch)


@BOTH
def test_what_was_lent_is_on_disk_before_anyone_is_asked_again(safety: Safety) -> None:
    one = Alone(safety, ranked=RANKED)
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.FRESHER, 2, longer(one, Term(3, "id-b"), 3)))
    one.disk_hangs = True
    one.hear("id-b", Lend(3, Term(2, "id-b"), (ENTRY,), False))
    assert one.core.node.log.last == 4
    assert not one.of(Canvass)
    one.persisted()
    assert one.of(Canvass)


@BOTH
def test_entries_that_do_not_follow_are_not_taken(safety: Safety) -> None:
    one = Alone(safety, ranked=RANKED)
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.FRESHER, 2, longer(one, Term(3, "id-b"), 3)))
    one.hear("id-b", Lend(3, Term(1, "id-c"), (ENTRY,), False))
    assert one.core.node.log.last == 3


@BOTH
def test_a_vote_is_remembered_over_a_restart(safety: Safety) -> None:
    one = Alone(safety, number=5, voted_for="id-c")
    history = one.core.node.log.history()
    one.hear("id-b", RequestVote(5, history, False))
    assert [m.granted for m in one.of(Vote) if isinstance(m, Vote)] == [False]
    one.hear("id-c", RequestVote(5, history, False))
    assert [m.granted for m in one.of(Vote) if isinstance(m, Vote)] == [True]


def test_seekers_that_meet_keep_the_newer_list() -> None:
    one = Alone(Safety.SURVIVOR, ranked=("id-b", "id-a"))
    newer = FallbackList(Term(2, "id-x"), 2, (Fallback("id-a", "id-a", "id-a:1", True, 0, False, ""),))
    one.hear("id-b", NotYet(0, one.core.node.log.history(), newer, False))
    assert one.core.node.fallbacks == newer
    older = FallbackList(Term(1, "id-y"), 9, ())
    one.hear("id-c", NotYet(0, one.core.node.log.history(), older, False))
    assert one.core.node.fallbacks == newer


def test_only_who_refuses_throughout_a_whole_round_is_dead() -> None:
    node, contacts = Alone(Safety.SURVIVOR).core.node, Contacts()
    contacts.of("id-c").answered = True
    for attempt in range(1, node.times.attempts + 1):
        contacts.lost("id-b", "refused", True)
        waits = attempt < node.times.attempts
        assert waited_for(node, contacts, "closed") == (["id-b"] if waits else [])
    assert waited_for(node, contacts, "start") == ["id-b"], "at a start it may only be late"


# Following


@BOTH
def test_a_late_shorter_message_cuts_nothing(safety: Safety) -> None:
    one = Alone(safety)
    term = Term(5, "id-b")
    one.follow(term)
    entries = tuple(Entry(5, "id-b", Kind.COMMAND, 0, i, b"%d" % i) for i in range(3))
    one.hear("id-b", Append(term, 3, Term(2, "id-b"), entries, 0, "alone", 1))
    one.hear("id-b", Append(term, 3, Term(2, "id-b"), entries[:1], 0, "alone", 1))
    assert one.core.node.log.last == 6


@BOTH
def test_what_goes_on_behind_a_message_that_fits_is_kept(safety: Safety) -> None:
    """An earlier server may have had it acknowledged, and committed: only a conflict cuts."""
    one = Alone(safety)
    term = Term(5, "id-b")
    one.follow(term)
    one.hear("id-b", Append(term, 1, Term(1, "id-a"), tuple(one.core.node.log.between(2, 2)), 0, "alone", 1))
    assert one.of(Stored) == [Stored(term, 2)]
    assert one.core.node.log.last == 3


@BOTH
def test_an_acknowledgement_and_a_commit_go_no_further_than_what_was_proved(safety: Safety) -> None:
    one = Alone(safety)
    term = Term(5, "id-b")
    one.follow(term)
    one.hear("id-b", Append(term, 1, Term(1, "id-a"), (), 3, "alone", 1))
    assert one.of(Stored) == [Stored(term, 1)]
    assert one.core.node.commit == 1


@BOTH
def test_entries_are_taken_only_where_the_logs_meet(safety: Safety) -> None:
    one = Alone(safety)
    term = Term(5, "id-b")
    one.follow(term)
    entry = Entry(5, "id-b", Kind.COMMAND, 0, 1, b"1")
    one.hear("id-b", Append(term, 3, Term(4, "id-c"), (entry,), 0, "alone", 1))
    assert one.core.node.log.last == 3
    assert one.of(Conflict) == [Conflict(term, 3, one.core.node.log.history())]
    assert not one.of(Stored)


@BOTH
def test_a_message_of_another_term_of_the_same_server_is_not_taken(safety: Safety) -> None:
    one = Alone(safety)
    one.follow(Term(5, "id-b"))
    entry = Entry(4, "id-b", Kind.COMMAND, 0, 1, b"1")
    one.hear("id-b", Append(Term(4, "id-b"), 3, Term(2, "id-b"), (entry,), 0, "alone", 1))
    assert one.core.node.log.last == 3
    assert not one.of(Stored)


def counting(term: Term, version: int = 1) -> FallbackList:
    """A list that says: acknowledgements wait for the disk of id-a."""
    return FallbackList(term, version, (Fallback("id-a", "id-a", "id-a:1", True, 0, True, ""),))


def test_a_member_counts_from_when_it_sent_what_is_repeated_back_and_no_longer() -> None:
    one = Alone(Safety.SURVIVOR, ranked=("id-a",))
    term, sync_ms = Term(5, "id-b"), PACES["classic"].sync_timeout_ms
    one.follow(term)
    one.hear("id-b", Append(term, 3, Term(2, "id-b"), (), 0, "alone", 1))
    one.hear("id-b", Heartbeat(term, 1, 0, counting(term), 0, 1, 3))
    (confirm,) = one.of(Confirm)
    assert isinstance(confirm, Confirm)
    sent = one.now
    assert not one.core.behaviour.counts_now(), "nothing of its was repeated back yet"  # type: ignore[attr-defined]
    for round_ in range(2, 2 + int(sync_ms // 1000)):
        one.feed(Received("id-b", Heartbeat(term, round_, 0, counting(term), confirm.sequence, 1, 3)), 1000)
        assert one.core.behaviour.counts_now() is (one.now < sent + sync_ms * MS)  # type: ignore[attr-defined]
    assert one.now >= sent + sync_ms * MS


def counted(term: Term) -> Alone:
    """One that counted in a reign that ended just now."""
    one = Alone(Safety.SURVIVOR, ranked=("id-a",))
    one.follow(term)
    one.hear("id-b", Append(term, 3, Term(2, "id-b"), (), 0, "alone", 1))
    one.hear("id-b", Heartbeat(term, 1, 0, counting(term), 0, 1, 3))
    (confirm,) = one.of(Confirm)
    assert isinstance(confirm, Confirm)
    one.hear("id-b", Heartbeat(term, 2, 0, counting(term), confirm.sequence, 1, 3))
    one.feed(LinkDown("id-b", Evidence.CLOSED, ""))
    assert one.core.role is Role.SEEKING and one.core.counts_now()
    return one


def test_who_counted_does_not_any_more_once_it_hears_of_a_later_reign() -> None:
    """The later reign acknowledged what this peer never had: it waits for those who do before it stands."""
    one = counted(Term(5, "id-b"))
    history = one.core.node.log.history()
    one.hear("id-c", NotYet(100, history, counting(Term(5, "id-b"), 7), False))
    assert one.core.counts_now(), "a newer list of the same reign takes nothing back"
    one.hear("id-c", NotYet(100, history, counting(Term(6, "id-c")), False))
    assert not one.core.counts_now()


def test_who_counted_does_not_any_more_once_it_voted_for_another() -> None:
    one = counted(Term(5, "id-b"))
    one.hear("id-c", RequestVote(6, one.core.node.log.history(), False))
    assert one.core.node.voted_for == "id-c"
    assert not one.core.counts_now()


def test_who_counted_does_not_any_more_once_it_has_in_its_log_that_it_was_taken_out() -> None:
    """From then on its server waits for others; the list that names it may be a heartbeat old."""
    one, term = Alone(Safety.SURVIVOR, ranked=("id-a",)), Term(5, "id-b")
    one.follow(term)
    one.hear("id-b", Append(term, 3, Term(2, "id-b"), (), 0, "alone", 1))
    one.hear("id-b", Heartbeat(term, 1, 0, counting(term), 0, 1, 3))
    (confirm,) = one.of(Confirm)
    assert isinstance(confirm, Confirm)
    one.hear("id-b", Heartbeat(term, 2, 0, counting(term), confirm.sequence, 1, 3))
    assert one.core.behaviour.counts_now()  # type: ignore[attr-defined]
    out = Entry(5, "id-b", Kind.ROSTER, 0, 0, roster_entry_body(MEMBERS.without("id-a", for_good=True)))
    one.hear("id-b", Append(term, 3, Term(2, "id-b"), (out,), 0, "alone", 1))
    assert not one.core.behaviour.counts_now()  # type: ignore[attr-defined]
    one.feed(LinkDown("id-b", Evidence.CLOSED, ""))
    assert not one.core.counts_now()


def test_a_fresher_peer_that_could_stand_is_believed_also_against_an_old_roster() -> None:
    """Left out instead, it would be given way to as soon as it followed, by a server that then stands again."""
    one = Alone(Safety.SURVIVOR, ranked=("id-b", "id-a"))
    disabled = MEMBERS.with_member(Member("id-b", "id-b", "id-b:1", serve=False))
    one.follow(Term(3, "id-c"))
    last = one.core.node.log.history()
    entry = Entry(3, "id-c", Kind.ROSTER, 0, 0, roster_entry_body(disabled))
    one.hear("id-c", Append(Term(3, "id-c"), last.last, last.last_term, (entry,), 0, "alone", 1))
    one.hear("id-c", Goodbye("it stops"))
    number = one.stand().number
    one.hear("id-b", Oppose(number, ballots.FRESHER, 3, longer(one, Term(4, "id-b"), 3)))
    assert one.core.role is Role.SEEKING


def test_a_mark_from_disk_counts_for_nothing() -> None:
    one = Alone(Safety.SURVIVOR)
    one.core.node.fallbacks = counting(Term(2, "id-b"))
    assert not one.core.counts_now()
    again = Alone(Safety.SURVIVOR, ranked=("id-a",), counts=True)
    assert again.core.node.fallbacks.counts("id-a")
    assert not again.core.counts_now()


def test_a_list_is_confirmed_from_the_disk_also_when_the_server_was_lost_meanwhile() -> None:
    one = Alone(Safety.SURVIVOR)
    term = Term(5, "id-b")
    one.follow(term)
    one.hear("id-b", Append(term, 3, Term(2, "id-b"), (), 0, "alone", 1))
    one.disk_hangs = True
    one.hear("id-b", Heartbeat(term, 1, 0, counting(term), 0, 1, 3))
    one.feed(LinkDown("id-b", Evidence.CLOSED, ""))
    one.feed(LinkUp(Remote("id-b", "id-b", "id-b:1", (1, 0), True, 0), None))
    one.follow(term)
    one.hear("id-b", Heartbeat(term, 2, 0, counting(term), 0, 1, 3))
    assert [m.version for m in one.of(Confirm) if isinstance(m, Confirm)] == [0]
    one.persisted()
    one.hear("id-b", Heartbeat(term, 3, 0, counting(term), 0, 1, 3))
    assert [m.version for m in one.of(Confirm) if isinstance(m, Confirm)] == [1]


# Serving


def test_a_read_waits_for_the_first_entry_of_the_reign() -> None:
    """What an earlier server had committed may be more than this one knows of: its own first entry covers it."""
    one = Alone(Safety.QUORUM)
    term = one.win()
    one.welcome("id-b", one.core.node.log.history_at(3))
    one.feed(ReadAsked(7, True))
    one.hear("id-b", Confirm(term, reign(one).round, 1, 0, 3))
    one.hear("id-b", Stored(term, 4))
    one.hear("id-b", Confirm(term, reign(one).round, 2, 0, 4))
    assert [answer.index for answer in one.reads] == [4]


def test_what_is_sent_begins_where_the_logs_part() -> None:
    one = Alone(Safety.QUORUM)
    one.win()
    one.welcome("id-b", longer(one, Term(2, "id-x"), 2))
    assert [m.previous for m in one.of(Append) if isinstance(m, Append)] == [2]


def test_the_roster_changes_only_after_an_entry_of_the_own_reign_is_committed() -> None:
    one = Alone(Safety.QUORUM)
    one.core.node.commit = one.core.node.applied = 3
    term = one.win()
    one.hear("id-b", Leave("id-c"))
    assert one.core.node.log.last == 4
    one.welcome("id-b", one.core.node.log.history_at(3))
    one.hear("id-b", Stored(term, 4))
    assert one.core.node.commit == 4
    assert one.core.node.log.roster_index == 5


@BOTH
def test_a_late_acknowledgement_lowers_nothing_and_one_beyond_the_log_is_not_believed(safety: Safety) -> None:
    one = Alone(safety)
    term = one.win()
    one.welcome("id-b", one.core.node.log.history_at(3))
    progress = reign(one).replication.clients["id-b"]
    for said, believed in ((4, 4), (3, 4), (99, 4)):
        one.hear("id-b", Stored(term, said))
        assert progress.match == believed


@BOTH
def test_a_conflict_lowers_what_is_sent_next_and_one_of_another_term_nothing(safety: Safety) -> None:
    one = Alone(safety)
    term = one.win()
    history = one.core.node.log.history_at(3)
    one.welcome("id-b", history)
    progress = reign(one).replication.clients["id-b"]
    one.hear("id-b", Stored(term, 3))
    one.hear("id-b", Conflict(Term(term.number - 1, "id-a"), 2, EMPTY))
    assert progress.match == 3
    one.hear("id-b", Conflict(term, 3, history))
    assert progress.next == 3, "below what did not fit, or the two send each other the same for ever"
    one.hear("id-b", Conflict(term, 2, EMPTY))
    assert (progress.match, progress.next) == (0, 1)


def test_log_time_never_goes_back() -> None:
    one = Alone(Safety.QUORUM)
    one.win()
    log = one.core.node.log
    for wall_ns in (5_000_000, 3_000_000, 4_000_000):
        ready = one.core.step(one.now, Submit((Proposal(Kind.COMMAND, b"x"),)), wall_ns)
        one.take(ready)
    assert [e.time_ns for e in log.between(log.last - 2, log.last)] == [5_000_000] * 3


# Healing


def met(one: Alone) -> Claim:
    """Another server is met: the claim that it is told."""
    history = one.core.node.log.history()
    one.hear("id-b", Serving(Term(one.core.node.number, "id-b"), history, 1, one.core.term))
    (claim,) = one.of(Claim)
    assert isinstance(claim, Claim)
    return claim


def test_a_claim_lapses_and_then_binds_nobody() -> None:
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    mine = met(one)
    assert reign(one).claims.open
    for _ in range(int(PACES["classic"].heal_timeout_ms / 200) + 1):
        one.feed(Tick(), 200)
    lapsed = [event for event in one.told if isinstance(event, ClaimLapsed)]
    assert lapsed
    history = longer(one, Term(9, "id-b"), 3)
    one.hear("id-b", Claim("theirs", mine.claim, Term(9, "id-b"), history, 3))
    assert one.core.role is Role.SERVER, "an answer to what lapsed decides nothing"
    assert one.core.term == term


def test_nothing_is_taken_or_acknowledged_while_a_claim_is_open() -> None:
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    one.welcome("id-c", one.core.node.log.history_at(3))
    met(one)
    before = one.core.node.commit, one.core.node.log.last
    one.hear("id-c", Stored(term, one.core.node.log.last))
    one.feed(Submit((Proposal(Kind.COMMAND, b"x"),)))
    one.feed(Tick(), 500)
    assert (one.core.node.commit, one.core.node.log.last) == before


def test_the_better_history_goes_on_whatever_its_number_in_a_number_above_all() -> None:
    one = Alone(Safety.SURVIVOR)
    one.win()
    mine = met(one)
    theirs = one.core.node.log.history_at(1)
    one.hear("id-b", Claim("theirs", mine.claim, Term(99, "id-b"), theirs, 3))
    assert one.core.role is Role.SERVER
    assert one.core.term == Term(100, "id-a")


def test_a_client_stays_with_its_server_though_another_has_a_higher_number() -> None:
    one = Alone(Safety.SURVIVOR)
    one.follow(Term(5, "id-b"))
    one.hear("id-b", Append(Term(5, "id-b"), 3, Term(2, "id-b"), (), 0, "alone", 1))
    one.hear("id-c", Serving(Term(9, "id-c"), one.core.node.log.history(), 1))
    assert one.core.server == "id-b"
    assert one.of(Following) == [Following(Term(5, "id-b"), "id-b", "id-b:1")]


def test_a_new_reign_waits_a_while_for_its_heir_before_it_acknowledges_alone() -> None:
    one = Alone(Safety.SURVIVOR)
    one.win()
    assert one.core.node.commit == 0
    for _ in range(int(PACES["classic"].heartbeat_timeout_ms / 200) + 1):
        one.feed(Tick(), 200)
    assert one.core.node.commit == one.core.node.log.last


def test_a_claim_speaks_of_what_is_on_disk() -> None:
    one = Alone(Safety.SURVIVOR)
    one.win()
    one.disk_hangs = True
    one.feed(Submit((Proposal(Kind.COMMAND, b"x"),)))
    history = one.core.node.log.history_at(3)
    one.hear("id-b", Serving(Term(one.core.node.number, "id-b"), history, 1, one.core.term))
    assert not one.of(Claim)
    one.persisted()
    assert one.of(Claim)


def test_one_heal_at_a_time_and_the_lower_pair_of_ids_goes_first() -> None:
    one = Alone(Safety.SURVIVOR)
    one.win()
    met(one)
    history = one.core.node.log.history()
    one.hear("id-c", Claim("theirs", "", Term(9, "id-c"), history, 1))
    assert not one.of(Claim)
    assert reign(one).claims.peer == "id-b"


@BOTH
def test_only_a_heartbeat_sent_after_waking_proves_a_reign(safety: Safety) -> None:
    one = Alone(safety)
    term = one.win()
    for peer in ("id-b", "id-c"):
        one.welcome(peer, one.core.node.log.history_at(3))
    before = reign(one).round
    one.feed(Tick(), PACES["classic"].heartbeat_timeout_ms * 0.9)
    assert reign(one).proving is not None
    for peer in ("id-b", "id-c"):
        one.hear(peer, Confirm(term, before, 1, 0, 3))
    assert reign(one).proving is not None
    number = one.core.node.number
    history = one.core.node.log.history()
    one.hear("id-b", Canvass(number + 1, history, (Term(0, ""), 0), "", False))
    assert one.of(Support) == [Support(number + 1)], "until then it speaks for no live server"
    for peer in ("id-b", "id-c"):
        one.hear(peer, Confirm(term, reign(one).round, 2, 0, 3))
    assert reign(one).proving is None


def salvage(term: Term, index: int, *, last: bool = False) -> Salvage:
    """What a client says that it would lose: one command of another history, at that old index."""
    old = Entry(2, "id-x", Kind.COMMAND, 0, 0, b"old")
    return Salvage(term, 3, old.term, (ArchivedEntry("", index, old, True),), 1, 1, last)


def test_a_heal_whose_client_falls_silent_gives_its_turn_away() -> None:
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    for peer in ("id-b", "id-c"):
        one.welcome(peer, one.core.node.log.history_at(3))
    one.hear("id-b", salvage(term, 4))
    before = one.core.node.log.last
    one.hear("id-c", salvage(term, 5))
    assert one.core.node.log.last == before, "one heal at a time"
    for _ in range(int(PACES["classic"].heal_timeout_ms / 200) + 1):
        one.feed(Tick(), 200)
    before = one.core.node.log.last
    one.hear("id-c", salvage(term, 5))
    assert one.core.node.log.last > before


def test_what_was_said_to_another_reign_is_not_archived_in_this_one() -> None:
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    one.welcome("id-b", one.core.node.log.history_at(3))
    before = one.core.node.log.last
    one.hear("id-b", salvage(Term(term.number - 1, "id-a"), 4))
    assert one.core.node.log.last == before
    one.hear("id-b", salvage(term, 4))
    assert one.core.node.log.last > before


def test_a_copy_takes_the_logs_place_when_all_that_would_be_lost_is_in_it_and_committed() -> None:
    node = Alone(Safety.SURVIVOR).core.node
    beside = Beside(node, 1)
    lost = list(node.log.between(2, 3))
    begun = Entry(5, "id-b", Kind.HEAL, 0, 0, heal_body(HealBegun("h", 1, Term(2, "id-b"), ("id-a",))))
    kept = [heal_body(ArchivedEntry("h", i, entry, True)) for i, entry in enumerate(lost, 2)]
    archived = [Entry(5, "id-b", Kind.ARCHIVED, 0, 0, body) for body in kept]
    beside.take(2, [begun, archived[0]])
    assert not beside.whole(3), "one is not in it"
    beside.take(4, [archived[1]])
    assert not beside.whole(3), "the last of them is not committed"
    assert beside.whole(4)
    assert not beside.whole(5), "more is committed than is in it"
    beside.take(2, [Entry(6, "id-c", Kind.REIGN, 0, 0, b"")] * 3)
    assert not beside.whole(4), "what was in it is cut"


def test_what_only_a_snapshot_holds_is_let_go_of_when_the_report_of_it_is_committed() -> None:
    node = Alone(Safety.SURVIVOR).core.node
    meta = SnapshotMeta(3, Term(2, "id-b"), 0, node.log.history(), node.log.roster, 1, "digest")
    node.log.reset(meta)
    node.snapshot = meta
    beside = Beside(node, 0)
    begun = heal_body(HealBegun("h", 0, Term(2, "id-b"), ("id-a",), 4))
    ended = heal_body(HealEnded("h", 0, 2))
    beside.take(1, [Entry(5, "id-b", Kind.HEAL, 0, 0, begun)])
    assert not beside.whole(1), "how many are missing is not said yet"
    beside.take(2, [Entry(6, "id-c", Kind.HEALED, 0, 0, ended)])
    assert not beside.whole(2), "another reign that ends the heal does not know how many"
    beside.take(1, [Entry(7, "id-b", Kind.HEAL, 0, 0, begun), Entry(7, "id-b", Kind.HEALED, 0, 0, ended)])
    assert not beside.whole(1), "the report is not committed"
    assert beside.whole(2)
    beside.take(2, [Entry(8, "id-c", Kind.REIGN, 0, 0, b"")])
    assert not beside.whole(2), "the report is cut"


def test_what_an_earlier_heal_reported_is_told_before_the_log_that_says_so_is_let_go_of() -> None:
    """Three commands were in a snapshot only: so said a heal in a history that itself gives way now."""
    one = Alone(Safety.SURVIVOR)
    term = one.win()
    one.welcome("id-b", one.core.node.log.history_at(3))
    node = Alone(Safety.SURVIVOR).core.node
    begun = heal_body(HealBegun("old", 1, Term(2, "id-b"), ("id-c",), 4))
    ended = heal_body(HealEnded("old", 0, 3))
    node.append([Entry(3, "id-a", Kind.HEAL, 0, 0, begun), Entry(3, "id-a", Kind.HEALED, 0, 0, ended)])
    beside = Beside(node, 3)
    assert not beside.lost
    assert not beside.whole(3)
    told = beside.salvage(term, 3)
    assert told is not None
    assert told.last
    assert told.reported == (Reported("old", 3),)
    one.hear("id-b", told)
    log = one.core.node.log
    (healed,) = (e for e in log.between(4, log.last) if e.kind == Kind.HEALED)
    report = heal_ended(healed)
    assert (report.missing, report.earlier) == (3, (Reported("old", 3),))
    last = log.last
    one.hear("id-b", told)
    assert log.last == last, "it is told once"
    beside.take(4, log.between(4, log.last))
    assert beside.whole(log.last)


def test_a_new_reign_ends_the_heals_that_another_left_open() -> None:
    one = Alone(Safety.SURVIVOR)
    begun = HealBegun("2@id-b:4", 1, Term(1, "id-c"), ("id-c",))
    one.core.node.append([Entry(2, "id-b", Kind.HEAL, 0, 0, heal_body(begun))])
    one.take(one.core.node.out)
    assert one.core.node.log.archived.open
    one.win()
    assert not one.core.node.log.archived.open


@BOTH
def test_a_number_that_leaps_too_far_is_told_of_and_changes_nothing(safety: Safety) -> None:
    one = Alone(safety)
    history, before = one.core.node.log.history(), one.core.node.number
    number = before + NUMBER_LEAP_MAX + 1
    one.hear("id-b", RequestVote(number, history, False))
    one.hear("id-c", Serving(Term(number, "id-c"), history, 1))
    assert [type(e) for e in one.told].count(Implausible) == 2
    assert one.core.node.number == before
    assert not [m for _, m in one.sent if isinstance(m, Vote) and m.granted]


def founders(*ids: str) -> Roster:
    return Roster(tuple(Member(i, i, f"{i}:1") for i in ids))


def test_one_acceptance_of_a_founding_is_open_at_a_time_and_a_refusal_is_for_good() -> None:
    settings = ElectionSettings(safety=Safety.QUORUM, expect=3)
    core = Core(Self("id-b", "b", "b:1"), settings, Disk(), Random(1))
    core.start(0, 0)
    core.step(1, LinkUp(Remote("id-c", "c", "c:1", (1, 0), True, 0), None))
    first, second = founders("id-a", "id-b", "id-c"), founders("id-b", "id-c", "id-d")

    def answer(message: Message) -> list[tuple[int, bool]]:
        ready = core.step(2, Received("id-c", message))
        sent = [m for _, m in ready.send]
        if ready.persist:
            sent += [m for _, m in core.step(2, Persisted(ready.persist_id)).send]
        return [(m.number, m.accepted) for m in sent if isinstance(m, FoundAnswer)]

    assert answer(Found(1, first)) == [(1, True)]
    assert answer(Found(2, second)) == [(2, False)]
    assert answer(FoundAnswer(1, first, False)) == [], "the first attempt is over, and frees this peer"
    assert core.node.founding is None
    assert answer(Found(2, second)) == [(2, False)]
    assert answer(Found(3, second)) == [(3, True)]


def test_two_attempts_never_open_with_the_same_entry() -> None:
    """One that was opened in memory only, and abandoned, would pass for the begin of the one that came to be."""
    opened = []
    for number, ids in ((1, "abc"), (2, "abc"), (1, "abd"), (1, "abc")):
        attempt = FoundingRecord(number, founders(*(f"id-{i}" for i in ids)), True)
        disk = Disk(founding=attempt)
        core = Core(Self("id-a", "a", "a:1"), ElectionSettings(safety=Safety.QUORUM, expect=3), disk, Random(1))
        core.start(0, 0)
        for i in ids[1:]:
            core.step(1, LinkUp(Remote(f"id-{i}", i, f"{i}:1", (1, 0), True, 0), None))
            core.step(1, Received(f"id-{i}", FoundAnswer(number, attempt.members, True)))
        (entry,) = core.node.log.between(1, 1)
        assert core.node.log.roster.founding == attempt.name()
        opened.append((entry.term, entry.body))
    assert opened[0] == opened[3]
    assert len({term for term, _ in opened}) == 3


def test_refusals_of_foundings_are_bounded_and_all_up_to_a_number_in_the_end() -> None:
    settings = ElectionSettings(safety=Safety.QUORUM, expect=3)
    core, disk = Core(Self("id-b", "b", "b:1"), settings, Disk(), Random(1)), Disk()
    core.start(0, 0)
    core.step(1, LinkUp(Remote("id-c", "c", "c:1", (1, 0), True, 0), None))
    mine, others = founders("id-a", "id-b", "id-c"), founders("id-b", "id-c", "id-d")

    def answer(number: int, members: Roster) -> list[FoundAnswer]:
        ready = core.step(2, Received("id-c", Found(number, members)))
        sent = [m for _, m in ready.send]
        for record in ready.persist:
            disk.take(record)
        if ready.persist:
            sent += [m for _, m in core.step(2, Persisted(ready.persist_id)).send]
        return [m for m in sent if isinstance(m, FoundAnswer)]

    assert [a.accepted for a in answer(1, mine)] == [True]
    for number in range(2, 2 + 10 * REFUSED_MAX):
        assert [a.accepted for a in answer(number, others)] == [False]
        assert len(core.node.refused_foundings) <= REFUSED_MAX + 1
    assert core.node.refused_foundings == disk.refused
    assert [a.accepted for a in answer(1, mine)] == [True], "what it stood by before stays accepted"
    assert disk.founding is not None and disk.founding.names(1, mine)
    refused, told = answer(3, founders("id-b", "id-d", "id-e"))
    assert not refused.accepted and not told.accepted
    assert told.number > 3 and not told.members.members, "it says up to which number it refuses everything"


def test_whoever_is_told_what_is_refused_proposes_above_it() -> None:
    settings = ElectionSettings(safety=Safety.QUORUM, expect=2)
    core = Core(Self("id-b", "b", "b:1"), settings, Disk(), Random(1))
    core.start(0, 0)
    core.step(1, LinkUp(Remote("id-c", "c", "c:1", (1, 0), True, 0), None))
    assert core.node.founding is not None
    core.step(2, Received("id-c", FoundAnswer(40, Roster(()), False)))
    core.step(3, Received("id-c", FoundAnswer(1, core.node.founding.members, False)))
    retry = core.node.times.retry
    core.step(3 + 2 * retry, Tick())
    assert core.node.founding is not None
    assert core.node.founding.number == 41
