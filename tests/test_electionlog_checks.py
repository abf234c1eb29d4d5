"""The check of election logs: each rule finds a planted breach and points to its line, and whole lives are clean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from electionlogs import Scribe
from msgspec.structs import replace

from tanist.election.events import (
    BallotEnded,
    BetterRanked,
    CommitSetChanged,
    Event,
    FallbackChosen,
    FallbackStruck,
    HandoverBegan,
    ListPublished,
    MemberChanged,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    RetriesExhausted,
    RetryStarted,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    VoteCast,
    Woke,
)
from tanist.election.settings import Safety
from tanist.election.simulation import swarm
from tanist.election.simulation.life import Life
from tanist.election.simulation.outcome import Options
from tanist.peer.electionlog.checks.check import RULES, Checker, check
from tanist.peer.electionlog.checks.reference import reference
from tanist.peer.electionlog.line import LogLine, as_json, make_line
from tanist.peer.electionlog.peer_events import PeerStarted
from tanist.peer.electionlog.reader import Problem, read, read_one_by_one

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "log-checks.md"
WALL_MS = 1_700_000_000_000


def unreadable(problem: Problem) -> None:
    """No line may be."""
    pytest.fail(str(problem))


class Story:
    """Lines of peers, told one after another, a millisecond apart unless told otherwise. `at` is the last one."""

    def __init__(self, safety: str = "quorum", patience: tuple[int, float, float] = (3, 300.0, 1000.0)) -> None:
        self.lines: list[LogLine] = []
        self._safety = safety
        self._patience = patience
        self._seq: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        self.now_ms = 0.0

    def start(self, *peers: str) -> None:
        """Peers start, or start again."""
        for peer in peers:
            self._starts[peer] = self._starts.get(peer, 0) + 1
            self._seq[peer] = 0
            self.say(peer, PeerStarted("0", self._safety, "lan", f"{peer}:1", "", "", *self._patience))

    def say(self, peer: str, *events: Event) -> None:
        """A peer writes lines."""
        for event in events:
            self.now_ms += 1
            self._seq[peer] += 1
            line = make_line(
                event,
                cluster="home",
                peer=peer,
                name=f"name-{peer}",
                incarnation=f"{self._starts[peer]}-{ord(peer[0]):x}",
                seq=self._seq[peer],
                wall_ms=WALL_MS + int(self.now_ms),
                mono_ms=self.now_ms,
            )
            self.lines.append(line)

    def lose_lines(self, peer: str, count: int) -> None:
        """So many lines of a peer are not in the log."""
        self._seq[peer] += count

    def stand(self, peer: str) -> None:
        """A peer that seeks stands."""
        self.say(
            peer, FallbackChosen(peer, "nobody is before me"), RoleChanged("seeking", "candidate", "none", NOBODY_AHEAD)
        )

    def elect(self, server: str, number: int, voters: str, *, first: int, after: str, open_: bool = True) -> str:
        """A seeking peer is elected by these others, who follow it; gives the term."""
        term = f"{number}@{server}"
        self.stand(server)
        for voter in voters:
            self.say(voter, VoteCast(number, server, True, ""))
        self.say(
            server,
            BallotEnded(number, "won", list(voters), {}, 1.0, ["a", "b", "c"]),
            RoleChanged("candidate", "server", term, "won the ballot"),
            ReignBegan(term, first, 1.0, after == "none", after),
        )
        if open_:
            self.say(server, ReignOpen(term, first, "majority", 1.0))
        for voter in voters:
            self.join(voter, server, term)
        return term

    def join(self, client: str, server: str, term: str) -> None:
        """A seeking peer follows a server."""
        self.say(
            client,
            RoleChanged("seeking", "client", term, "found a server"),
            ServerFollowed(server, f"{server}:1", term, 1.0),
        )

    def lose(self, client: str, server: str, term: str, committed: int = 0) -> None:
        """A client loses its server."""
        self.say(
            client,
            ServerLost(server, term, "closed", "", 1.0, committed),
            RoleChanged("client", "seeking", "none", "lost the server"),
        )

    def end(self, server: str, term: str, committed: int) -> None:
        """A server loses its majority."""
        self.say(
            server,
            ReignEnded(term, NO_MAJORITY, committed),
            RoleChanged("server", "seeking", "none", NO_MAJORITY),
        )


NOBODY_AHEAD = "nobody ahead of me"
NO_MAJORITY = "lost the majority"


def begun(safety: str = "quorum") -> Story:
    """Three peers, the first of which serves in number 1 from index 2 on."""
    story = Story(safety)
    story.start("a", "b", "c")
    story.say("a", *(MemberChanged(peer, f"name-{peer}", f"{peer}:1", "joined") for peer in "abc"))
    story.elect("a", 1, "bc", first=2, after="none")
    story.say("a", listed(1, "b", "c"))
    return story


def listed(version: int, *peers: str) -> ListPublished:
    """A list of these peers, all of them heard just now."""
    return ListPublished("1@a", version, [f"name-{p} waits (it)" for p in peers], list(peers), [5.0] * len(peers))


# A breach of each rule: what is done to a story that was clean so far. The line to be pointed to is given, or the last.


def two_servers(story: Story) -> None:
    story.lose("b", "a", "1@a")
    story.lose("c", "a", "1@a")
    story.stand("b")
    story.say(
        "b",
        BallotEnded(1, "won", ["c"], {}, 1.0, ["a", "b", "c"]),
        RoleChanged("candidate", "server", "1@b", "won the ballot"),
        ReignBegan("1@b", 4, 1.0, False, "1@a"),
    )


def anothers_reign(story: Story) -> None:
    story.end("a", "1@a", 3)
    story.stand("a")
    story.say("a", BallotEnded(2, "won", ["b"], {}, 1.0, ["a", "b", "c"]))
    story.say("a", RoleChanged("candidate", "server", "2@b", "won the ballot"), ReignBegan("2@b", 4, 1.0, False, "1@a"))


def the_same_number_after_a_restart(story: Story) -> None:
    story.start("a")
    story.stand("a")
    story.say("a", BallotEnded(1, "won", ["b"], {}, 1.0, ["a", "b", "c"]))
    story.say("a", RoleChanged("candidate", "server", "1@a", "won the ballot"), ReignBegan("1@a", 4, 1.0, False, "1@a"))


def unelected(story: Story) -> None:
    story.end("a", "1@a", 3)
    story.stand("a")
    story.say("a", RoleChanged("candidate", "server", "2@a", "won the ballot"), ReignBegan("2@a", 4, 1.0, False, "1@a"))


def goes_on_after_the_end(story: Story) -> None:
    story.end("a", "1@a", 3)
    story.say("a", listed(2, "b"))


def follows_a_reign_that_never_began(story: Story) -> LogLine:
    story.lose("b", "a", "1@a")
    story.say("b", RoleChanged("seeking", "client", "2@a", "found a server"))
    story.say("b", ServerFollowed("a", "a:1", "2@a", 1.0))
    followed = story.lines[-1]
    story.end("a", "1@a", 3)
    story.elect("a", 3, "", first=4, after="1@a", open_=False)
    return followed


def two_votes(story: Story) -> None:
    story.say("b", VoteCast(2, "a", True, ""), VoteCast(2, "c", True, ""))


def two_votes_in_two_starts(story: Story) -> None:
    story.end("a", "1@a", 3)
    story.lose("c", "a", "1@a")
    story.elect("a", 2, "c", first=4, after="1@a")
    story.start("c")
    story.say("c", VoteCast(2, "b", True, ""))


def votes_in_an_old_number(story: Story) -> None:
    story.say("b", VoteCast(3, "c", True, ""), VoteCast(2, "a", True, ""))


def a_minority_elects(story: Story) -> None:
    story.lose("b", "a", "1@a")
    story.stand("b")
    story.say("b", BallotEnded(2, "won", [], {"a": "closed", "c": "closed"}, 1.0, ["a", "b", "c"]))


def an_acknowledgement_is_lost(story: Story) -> LogLine:
    story.end("a", "1@a", 7)
    story.lose("b", "a", "1@a")
    story.lose("c", "a", "1@a")
    story.elect("b", 2, "c", first=6, after="1@a", open_=False)
    return next(line for line in story.lines if isinstance(line.body, ReignBegan) and line.peer == "b")


def a_whole_reign_is_lost(story: Story) -> LogLine:
    story.lose("b", "a", "1@a", 2)
    story.elect("b", 2, "c", first=2, after="none", open_=False)
    return next(line for line in story.lines if isinstance(line.body, ReignBegan) and line.peer == "b")


def acknowledged_after_the_end(story: Story) -> None:
    story.end("a", "1@a", 3)
    story.say("b", ServerLost("a", "1@a", "closed", "", 1.0, 5))


def commits_less(story: Story) -> None:
    story.lose("b", "a", "1@a", 5)
    story.join("b", "a", "1@a")
    story.say("b", ServerLost("a", "1@a", "closed", "", 1.0, 4))


def acknowledges_when_it_wakes(story: Story) -> None:
    story.say("a", Woke(5000.0, "server", True, 5), ReignEnded("1@a", "could not prove the reign after being away", 6))


def lists_when_it_wakes(story: Story) -> None:
    story.say("a", Woke(5000.0, "server", True, 5), listed(2, "b"))


def lists_one_dead(story: Story) -> None:
    story.say("a", ListPublished("1@a", 2, ["name-b counts ()", "name-c waits ()"], ["b", "c"], [3.0, 1500.0]))


def lists_itself(story: Story) -> None:
    story.say("a", listed(2, "a", "b"))


def waits_for_itself(story: Story) -> None:
    story.say("a", CommitSetChanged(["a"], "the list changed"))


def lists_twice(story: Story) -> None:
    story.say("a", listed(2, "b", "b"))


def lists_a_stranger(story: Story) -> None:
    story.say("a", listed(2, "b", "d"))


def lists_one_who_left(story: Story) -> None:
    story.say("a", MemberChanged("c", "name-c", "c:1", "left"), listed(2, "c", "b"))


def an_old_version(story: Story) -> None:
    story.say("a", listed(2, "b"), listed(2, "c"))


def skips_a_retry(story: Story) -> None:
    story.lose("b", "a", "1@a")
    story.say("b", RetryStarted(1, 3, "a:1", 300.0), RetryStarted(3, 3, "a:1", 900.0))


def too_many_retries(story: Story) -> None:
    story.lose("b", "a", "1@a")
    for attempt in (1, 2, 3, 4):
        story.say("b", RetryStarted(attempt, 3, "a:1", 300.0 * attempt))


def retries_too_early(story: Story) -> None:
    story.lose("b", "a", "1@a")
    story.say("b", RetryStarted(1, 3, "a:1", 120.0))


def gives_up_early(story: Story) -> None:
    story.lose("b", "a", "1@a")
    story.say("b", RetryStarted(1, 3, "a:1", 300.0), RetriesExhausted(1, 301.0, ["name-b", "name-c"]))


def jumps_the_queue(story: Story) -> None:
    story.lose("c", "a", "1@a")
    story.say("c", FallbackChosen("c", "nobody is before me", ["b"]))


def loses_a_stranger(story: Story) -> None:
    story.say("b", ServerLost("c", "9@c", "closed", "", 1.0))


def takes_a_way_that_is_none(story: Story) -> None:
    story.say("b", RoleChanged("client", "server", "2@b", "won the ballot"))


def is_not_what_it_was(story: Story) -> None:
    story.say("b", RoleChanged("candidate", "seeking", "none", "gave way in the ballot"))


def hands_over_to_itself(story: Story) -> None:
    story.say("a", HandoverBegan("a", "asked to"))


def preempted_too_early(story: Story) -> None:
    story.say("a", BetterRanked("b", "power", 60_000.0))
    story.now_ms += 59_000
    story.say("a", HandoverBegan("b", "it is ranked above this server (power)"))


def preempted_by_one_who_is_no_better(story: Story) -> None:
    story.say("a", BetterRanked("b", "power", 60_000.0))
    story.now_ms += 61_000
    story.say("a", HandoverBegan("c", "it is ranked above this server (power)"))


Plant = Callable[[Story], LogLine | None]

PLANTED: Sequence[tuple[str, Plant]] = (
    ("one-server", two_servers),
    ("own-reign", anothers_reign),
    ("new-number", the_same_number_after_a_restart),
    ("won-ballot", unelected),
    ("reign-over", goes_on_after_the_end),
    ("followed-reign", follows_a_reign_that_never_began),
    ("one-vote", two_votes),
    ("one-vote", two_votes_in_two_starts),
    ("numbers-forward", votes_in_an_old_number),
    ("majority", a_minority_elects),
    ("lost-acknowledgement", an_acknowledgement_is_lost),
    ("lost-acknowledgement", a_whole_reign_is_lost),
    ("late-acknowledgement", acknowledged_after_the_end),
    ("commit-forward", commits_less),
    ("unproved", acknowledges_when_it_wakes),
    ("unproved", lists_when_it_wakes),
    ("list-dead", lists_one_dead),
    ("list-server", lists_itself),
    ("list-server", waits_for_itself),
    ("list-twice", lists_twice),
    ("list-member", lists_a_stranger),
    ("list-member", lists_one_who_left),
    ("list-version", an_old_version),
    ("retry-count", skips_a_retry),
    ("retry-count", too_many_retries),
    ("retry-spacing", retries_too_early),
    ("gave-up-early", gives_up_early),
    ("fallback-order", jumps_the_queue),
    ("lost-server", loses_a_stranger),
    ("transition", takes_a_way_that_is_none),
    ("transition", is_not_what_it_was),
    ("handover-to", hands_over_to_itself),
    ("preemption", preempted_too_early),
    ("preemption", preempted_by_one_who_is_no_better),
)


@pytest.mark.parametrize(("rule", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_a_planted_breach_is_found_and_pointed_to(rule: str, plant: Plant) -> None:
    story = begun()
    assert check(story.lines) == []
    broken = plant(story) or story.lines[-1]
    found = {(found.rule.name, found.event, found.peer, found.place.seq) for found in check(story.lines)}
    assert (rule, broken.event, broken.peer, broken.seq) in found


def test_every_rule_has_a_planted_breach_and_a_name_of_its_own() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {rule for rule, _ in PLANTED} == set(names)


# What is no breach


def test_numbers_do_not_exclude_in_survivor_mode() -> None:
    story = begun("survivor")
    two_servers(story)
    assert "one-server" not in {found.rule.name for found in check(story.lines)}


def test_a_vote_that_a_crash_kept_from_the_disk_binds_nobody() -> None:
    story = begun()
    story.say("b", VoteCast(2, "c", True, ""))
    story.start("b")
    story.stand("b")
    story.say("c", VoteCast(2, "b", True, ""))
    story.say("b", BallotEnded(2, "won", ["c"], {}, 1.0, ["a", "b", "c"]))
    assert check(story.lines) == []


def test_a_client_that_was_not_heard_yet_knows_only_what_was_before() -> None:
    story = begun()
    story.end("a", "1@a", 3)
    story.lose("b", "a", "1@a", 3)
    story.say("b", RoleChanged("seeking", "client", "1@a", "found a server"))
    story.say("b", ServerLost("a", "1@a", "rejected", "", 1.0, 3))
    assert check(story.lines) == []


def test_logs_that_begin_in_the_middle_or_lack_a_peer_break_no_rule() -> None:
    story = begun()
    story.end("a", "1@a", 3)
    story.lose("b", "a", "1@a", 3)
    story.say("b", RetryStarted(1, 3, "a:1", 300.0), RetryStarted(2, 3, "a:1", 600.0), RetryStarted(3, 3, "a:1", 900.0))
    story.say("b", RetriesExhausted(3, 1200.0, ["name-b"]), FallbackStruck("c", "silent"))
    story.lose("c", "a", "1@a", 3)
    story.elect("b", 2, "ac", first=4, after="1@a")
    story.start("a")
    story.join("a", "b", "2@b")
    for begin in range(len(story.lines)):
        assert check(story.lines[begin:]) == []
    for peer in "abc":
        assert check([line for line in story.lines if line.peer != peer]) == []


def test_two_clusters_have_nothing_to_do_with_each_other() -> None:
    story = Story()
    story.start("x")
    story.stand("x")
    story.say(
        "x", BallotEnded(1, "won", [], {}, 1.0, ["x"]), RoleChanged("candidate", "server", "1@x", "won the ballot")
    )
    story.say("x", ReignBegan("1@x", 2, 0.0, True, "none"))
    lines = begun().lines
    assert check([*lines, *(replace(line, cluster="lab") for line in story.lines)]) == []
    assert [found.rule.name for found in check([*lines, *story.lines])] == ["one-server"]


def test_lines_that_are_missing_break_no_rule() -> None:
    story = begun()
    story.lose_lines("b", 4)
    story.say("b", RoleChanged("seeking", "candidate", "none", NOBODY_AHEAD), RetryStarted(3, 3, "a:1", 900.0))
    story.say("b", RoleChanged("candidate", "server", "5@b", "won the ballot"), ReignBegan("5@b", 9, 1.0, False, "4@c"))
    assert check(story.lines) == []


def test_a_log_that_is_given_twice_and_an_old_copy_of_it_break_no_rule(tmp_path: Path) -> None:
    story = begun()
    story.end("a", "1@a", 3)
    story.elect("a", 2, "bc", first=4, after="1@a")
    story.start("a")
    story.elect("a", 3, "bc", first=5, after="2@a")
    lines = [line for line in story.lines if line.peer == "a"]
    for name, kept in (("now", lines), ("copy", lines), ("before", lines[:9]), ("end", lines[12:])):
        (tmp_path / name).write_text("".join(as_json(line) + "\n" for line in kept), encoding="utf-8")
    checker = Checker()
    for line in read_one_by_one(tmp_path.iterdir(), unreadable):
        checker.take(line)
    assert checker.finish() == []
    assert (checker.events, checker.peers, checker.reigns) == (len(lines), 1, 3)


def test_lines_of_an_earlier_version_break_no_rule() -> None:
    """They tell neither what was acknowledged nor how patient a peer is."""
    story = Story(patience=(0, 0.0, 0.0))
    story.start("a", "b")
    story.elect("a", 1, "b", first=2, after="")
    story.say("a", ListPublished("1@a", 1, ["name-b counts (it)"]))
    story.lose("b", "a", "1@a")
    story.say("b", RetryStarted(1, 3, "a:1", 300.0), RetriesExhausted(1, 310.0, ["name-b"]))
    assert check(story.lines) == []


@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_lives_break_no_rule(safety: Safety, tmp_path: Path) -> None:
    """Written to files as real peers write them, and read back: in the order that the reader makes of them."""
    life = Life(swarm.draw(3, Options(safety=safety), codec=False))
    scribe = Scribe(life.world)
    life.run()
    assert len({line.event for line in scribe.lines}) > 15
    checker = Checker()
    for line in read_one_by_one(scribe.write(tmp_path), unreadable):
        checker.take(line)
    assert [str(found) for found in checker.finish()] == []
    assert checker.events == len(scribe.lines) and checker.reigns > 1


@pytest.mark.slow
@pytest.mark.parametrize("safety", list(Safety), ids=str)
@pytest.mark.parametrize("block", range(10))
def test_many_lives_break_no_rule(safety: Safety, block: int) -> None:
    for seed in range(block * 10, block * 10 + 10):
        life = Life(swarm.draw(seed, Options(safety=safety), codec=False))
        scribe = Scribe(life.world)
        life.run()
        assert [str(found) for found in check(scribe.lines)] == [], f"seed {seed}"


# How it is told


def test_a_finding_names_file_and_line(tmp_path: Path) -> None:
    story = begun()
    two_votes(story)
    path = tmp_path / "b.jsonl"
    path.write_text("".join(as_json(line) + "\n" for line in story.lines if line.peer == "b"), encoding="utf-8")
    (found,) = check(read([path], unreadable))
    assert (found.place.file, found.place.line) == (path, 6)
    assert str(found) == (
        f"{path}:6: vote_cast breaks one-vote: name-b votes twice in number 2: for a and c (see also {path}:5)"
    )


def test_the_page_of_rules_is_not_stale() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m tanist.peer.electionlog.checks.reference > docs/reference/log-checks.md"
    )
