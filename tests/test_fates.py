"""What becomes of the commands of a side that gave way: each rule, and random splits held against both machines."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from heal_fake import SECOND, Ledger, Side
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.entries import Kind
from tanist.election.sessions import ENDED_LIFE_NS, SESSIONS_MAX
from tanist.peer.application import Application, Choice, Context, Superseded, command
from tanist.peer.application import heals as heals_module
from tanist.peer.application.machine import Machine
from tanist.peer.application.replies import decode_reply, error_code
from tanist.peer.apps import names as names_module
from tanist.peer.apps.auction import Auction
from tanist.peer.apps.chat import Chat
from tanist.peer.apps.counter import Counter as CounterApp
from tanist.peer.apps.guess import Guess
from tanist.peer.apps.hostpoints import Load
from tanist.peer.apps.hosts import Hosts
from tanist.peer.apps.kv import Kv
from tanist.peer.apps.monitor import Monitor
from tanist.peer.apps.presence import Presence
from tanist.peer.apps.quiz import Quiz
from tanist.peer.apps.rps import Rps
from tanist.peer.apps.tictactoe import TicTacToe
from tanist.peer.errors import KeyReused, WriteSuperseded


class Kept(Ledger, on_heal="archive"):
    """Superseded lines are archived."""


class Forked(Ledger):
    """Writes down the fork that it was told of."""

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        self.lines.append(f"fork {lost.fork}")
        return "archive"


class Own(Ledger):
    """Decides by the text, and writes down what it was asked."""

    asked: list[tuple[str, str, bool, int, int, str]]

    @command(internal=True)
    def later(self, ctx: Context) -> None:
        self.lines.append("later")

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        text = str(lost.arguments["text"])
        self.asked.append((lost.command, text, lost.acknowledged, lost.time_ns, lost.index, ctx.session.id))
        match text:
            case "done":
                self.lines.append("done by hand")
                ctx.after(0, self.later)
                return "done"
            case "crash":
                raise ZeroDivisionError
            case "nonsense":
                return "maybe"  # type: ignore[return-value]
        return "replay" if text != "keep" else "archive"


def split(app: type[Ledger] = Ledger) -> tuple[Side, Side]:
    """Two sides after a common past: sessions `s` and `t` are open, `s` has sent one command."""
    one = Side(1, app)
    one.machine.local_sessions = {"s"}
    one.roster("p", "q")
    one.open("s", "t")
    one.send("s", 1)
    return one, one.fork(2)


def fates(side: Side, heal: str = "h") -> list[str]:
    return [entry.fate for entry in side.machine.heals.reports[heal].entries]


def lines(side: Side) -> list[str]:
    found: list[str] = side.ask()
    return found


# Replay


def test_acknowledged_commands_are_applied_again_in_their_order() -> None:
    one, two = split()
    one.send("t", 1, "add", "here")
    two.send("s", 2)
    two.send("s", 3)
    report = one.heal(two)
    assert lines(one) == ["s:1", "t:here", "s:2", "s:3"]
    assert report.fates == {"replayed": 2}
    assert [(e.index, e.term.number, e.sequence, e.acknowledged, e.name) for e in report.entries] == [
        (5, 2, 2, True, "add"),
        (6, 2, 3, True, "add"),
    ]


def test_a_retry_finds_the_reply_of_the_replay() -> None:
    one, two = split()
    two.send("s", 2)
    one.heal(two)
    (outcome,) = one.send("s", 2)
    assert decode_reply(outcome.reply) == 2
    assert lines(one) == ["s:1", "s:2"]
    one.send("s", 3)
    assert lines(one) == ["s:1", "s:2", "s:3"]


def test_a_local_caller_that_still_waits_is_answered_by_the_replay() -> None:
    one, two = split()
    two.send("s", 2)
    two.send("t", 1)
    one.outcomes.clear()
    one.heal(two)
    assert [(o.session, o.sequence, o.index, decode_reply(o.reply)) for o in one.outcomes] == [("s", 2, 6, 2)]


def test_what_nobody_knows_to_be_acknowledged_is_archived_and_its_retry_told() -> None:
    one, two = split()
    two.send("s", 2)
    two.send("s", 3)
    report = one.heal(two, unknown_from=6)
    assert fates(one) == ["replayed", "unknown"]
    assert lines(one) == ["s:1", "s:2"]
    (outcome,) = one.send("s", 3)
    with pytest.raises(WriteSuperseded, match="ledger add was done on a side of a split that gave way"):
        decode_reply(outcome.reply)
    assert lines(one) == ["s:1", "s:2"]
    assert report.archived == 2
    # Nobody was told that it was done, so that nobody is told now that it was not.
    assert not one.machine.heals.notices


def test_a_command_that_is_refused_now_is_told_to_its_client() -> None:
    one, two = split()
    two.send("s", 2, "add", "bad")
    report = one.heal(two)
    assert [(e.fate, e.code) for e in report.entries] == [("refused", "bad_line")]
    notice = one.machine.heals.notices["s"]
    assert (notice.count, notice.heal, notice.at) == (1, "h", 6)


def test_an_application_may_archive_instead() -> None:
    one, two = split(Kept)
    two.send("s", 2, floor=2)
    two.send("s", 3, floor=2)
    two.send("t", 1)
    one.heal(two)
    assert fates(one) == ["archived"] * 3
    assert lines(one) == ["s:1"]
    assert {n.session: n.count for n in one.machine.heals.notices.values()} == {"s": 2, "t": 1}
    (outcome,) = one.send("s", 2)
    assert error_code(outcome.reply) == "superseded"


def test_an_own_function_decides_each_command_once() -> None:
    one, two = split(Own)
    two.time_ns = 7 * SECOND
    for sequence, text in enumerate(["done", "keep", "crash", "nonsense", "x", "unsure"], 2):
        two.send("s", sequence, "add", text)
    one.heal(two, unknown_from=10)
    assert fates(one) == ["done", "archived", "archived", "archived", "replayed", "replayed"]
    app = one.machine.applications["ledger"]
    assert isinstance(app, Own)
    assert app.asked[0] == ("add", "done", True, 7 * SECOND, 5, "s")
    assert [a[2] for a in app.asked] == [True] * 5 + [False]
    assert lines(one) == ["s:1", "done by hand", "s:x", "s:unsure"]
    assert one.machine.next_timer_ns() is not None
    assert [(f.operation, f.error.split(":")[0]) for f in one.machine.take_failures()] == [
        ("healed", "ZeroDivisionError"),
        ("healed", "it gave 'maybe'"),
    ]


def test_an_application_that_is_not_here_decides_nothing() -> None:
    one, two = split()
    two.send("s", 2, app="poll")
    one.heal(two)
    assert [(e.fate, e.code) for e in one.machine.heals.reports["h"].entries] == [("archived", "not_found")]
    assert one.machine.missing == {"poll"}


def test_arguments_that_do_not_fit_any_more_go_to_no_own_function() -> None:
    one, two = split(Own)
    two.send("s", 2)
    good = two.log[-1]
    body = good.body.replace(b"\xa4text", b"\xa4test")
    two.log[-1] = type(good)(good.number, good.holder, good.kind, good.time_ns, good.seed, body)
    one.heal(two)
    assert fates(one) == ["archived"]


# At most once


def test_what_this_history_has_applied_is_not_applied_again() -> None:
    one, two = split()
    for side in (one, two):
        side.send("s", 2)
    two.send("s", 3)
    one.heal(two)
    assert fates(one) == ["known", "replayed"]
    assert lines(one) == ["s:1", "s:2", "s:3"]


def test_what_was_applied_before_a_session_ended_here_is_not_applied_again() -> None:
    one, two = split()
    for side in (one, two):
        side.send("s", 2)
    one.close("s")
    two.send("s", 3)
    one.heal(two)
    assert fates(one) == ["known", "replayed"]
    assert lines(one) == ["s:1", "s:2", "s:3"]


def test_a_sequence_that_was_given_up_here_and_done_there_is_replayed() -> None:
    one, two = split()
    two.send("s", 2)
    # Its client goes on here before the heal, and waits for 2 no longer.
    one.send("s", 3)
    one.heal(two)
    assert lines(one) == ["s:1", "s:3", "s:2"]
    (outcome,) = one.send("s", 2)
    assert error_code(outcome.reply) == "forgotten"
    assert lines(one) == ["s:1", "s:3", "s:2"]


def test_what_the_other_side_did_not_apply_is_void() -> None:
    one, two = split()
    two.send("s", 1)  # a repetition
    two.send("s", 4, floor=2)  # out of order
    two.send("nobody", 1)
    two.send("s", 3, floor=3)  # 2 was given up
    two.send("s", 2)  # too late
    two.close("t")
    two.send("t", 1)
    one.heal(two)
    assert fates(one) == ["known", "void", "void", "replayed", "void", "other", "void"]
    assert lines(one) == lines(two) == ["s:1", "s:3"]


def test_without_all_entries_the_order_says_nothing() -> None:
    one, two = split()
    for sequence in (2, 3, 4):
        two.send("s", sequence, floor=2)
    one.heal(two, first=6)
    assert fates(one) == ["replayed", "replayed"]
    assert lines(one) == ["s:1", "s:3", "s:4"]


def test_a_key_that_was_used_here_too_is_not_done_twice() -> None:
    one, two = split()
    one.send("t", 1, "add", "x", key="k")
    two.send("s", 2, "add", "x", key="k")
    two.send("s", 3, "add", "y", key="k", floor=2)
    two.send("s", 4, "add", "z", key="new", floor=2)
    one.heal(two)
    assert [(e.fate, e.code) for e in one.machine.heals.reports["h"].entries] == [
        ("known", ""),
        ("refused", "key_reused"),
        ("replayed", ""),
    ]
    (outcome,) = one.send("s", 3, "add", "y", key="k")
    with pytest.raises(KeyReused):
        decode_reply(outcome.reply)
    one.send("t", 2, "add", "z", key="new")
    assert lines(one) == ["s:1", "t:x", "s:z"]


def test_a_key_of_an_archived_command_says_so_to_whoever_uses_it_again() -> None:
    one, two = split(Kept)
    two.send("t", 1, "add", "x", key="k")
    one.heal(two)
    (outcome,) = one.send("s", 2, "add", "x", key="k")
    assert error_code(outcome.reply) == "superseded"
    assert lines(one) == ["s:1"]


def test_an_entry_that_is_brought_twice_is_decided_once() -> None:
    one, two = split()
    two.send("s", 2)
    one.heal(two)
    one.heal(two, "again")
    assert lines(one) == ["s:1", "s:2"]
    assert one.machine.heals.reports["again"].archived == 0


def test_a_heal_that_breaks_off_goes_on_in_the_next() -> None:
    one, two = split()
    two.open("u")
    for sequence in (2, 3):
        two.send("s", sequence, floor=2)
    two.send("u", 1)
    one.begin(two)
    for index in (5, 6):
        one.archive(two, index)
    report = one.heal(two, "next", first=7)
    assert lines(one) == lines(two)
    assert report.fates == {"replayed": 2}
    assert one.machine.heals.reports["h"].ended == 0


# Sessions


def test_sessions_of_the_other_side_become_known_and_go_on() -> None:
    one, two = split()
    two.open("u", peer="q")
    two.send("u", 1)
    one.heal(two)
    assert one.machine.sessions.of_peer("q") == ["u"]
    one.send("u", 2)
    assert lines(one)[1:] == ["u:1", "u:2"]
    assert one.machine.applications["ledger"].heard[-1] == "opened u"  # type: ignore[attr-defined]


def test_a_session_that_began_and_ended_there_ends_here() -> None:
    one, two = split()
    two.open("u")
    two.send("u", 1)
    two.close("u")
    one.heal(two)
    assert lines(one) == ["s:1", "u:1"]
    assert one.machine.sessions.get("u") is None
    assert one.machine.applications["ledger"].heard[-2:] == ["opened u", "closed u"]  # type: ignore[attr-defined]


def test_a_session_that_ended_here_and_went_on_there_is_open_again() -> None:
    one, two = split()
    one.close("s")
    two.send("s", 2)
    one.heal(two)
    assert one.machine.applications["ledger"].heard[-2:] == ["closed s", "opened s"]  # type: ignore[attr-defined]
    one.send("s", 3)
    assert lines(one) == ["s:1", "s:2", "s:3"]


def test_what_the_other_side_closed_stays_open_where_its_client_is() -> None:
    one, two = split()
    one.send("s", 2)
    two.close("s")
    one.heal(two)
    one.send("s", 3)
    assert lines(one) == ["s:1", "s:2", "s:3"]


def test_a_session_that_had_ended_before_the_split_stays_ended() -> None:
    one = Side()
    one.open("s")
    one.send("s", 1)
    one.close("s")
    two = one.fork(2)
    two.send("s", 2)
    one.heal(two)
    assert fates(one) == ["void"]
    assert one.machine.sessions.get("s") is None


def test_an_ended_session_is_remembered_until_its_member_is_back() -> None:
    one, two = split()
    two.send("s", 2)
    one.close("s")
    one.close("t")
    for _ in range(3):
        one.time_ns += ENDED_LIFE_NS
        one.open("other", peer="elsewhere")
        one.close("other")
    one = one.copy()
    one.heal(two)
    assert lines(one) == ["s:1", "s:2"]
    one.open("new", peer="p")
    one.close("s")
    one.time_ns += 2 * ENDED_LIFE_NS
    one.open("other", peer="elsewhere")
    one.close("other")
    remembered = [ended.session for ended in one.machine.sessions.state().ended]
    # `t` ended before its member came back; `s` ended after, and may be asked for by a second split.
    assert remembered == ["s", "other"]
    one.roster("q")
    one.time_ns += 2 * ENDED_LIFE_NS
    one.close("new")
    assert [ended.session for ended in one.machine.sessions.state().ended] == ["new"]


def test_a_member_that_is_back_may_ask_before_it_has_brought_what_it_had() -> None:
    one, two = split()
    for sequence in (2, 3):
        two.send("s", sequence, floor=2)
    one.close("s")
    one.time_ns += 2 * ENDED_LIFE_NS
    one.open("s", peer="p")
    (outcome,) = one.send("s", 4)
    assert error_code(outcome.reply) == "unknown_session"
    one.open("other", peer="elsewhere")
    one.close("other")
    one.heal(two)
    one.send("s", 4)
    assert lines(one) == ["s:1", "s:2", "s:3", "s:4"]


def test_a_third_history_may_part_earlier_than_the_one_that_brings_it() -> None:
    one, two = split()
    three = two.fork(3)
    three.send("t", 1)
    two.close("t")
    one = two.fork(1)
    two.send("s", 2)
    two.heal(three, "inner")
    one.heal(two, "outer")
    assert lines(one) == lines(two) == ["s:1", "s:2", "t:1"]


def test_a_session_that_finds_no_room_is_archived(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = split()
    one.close("s")
    two.send("s", 2)
    two.open("u")
    two.send("u", 1)
    monkeypatch.setattr("tanist.election.sessions.SESSIONS_MAX", 1)
    one.heal(two)
    assert [(e.fate, e.code) for e in one.machine.heals.reports["h"].entries] == [
        ("archived", "unknown_session"),
        ("other", ""),
        ("archived", "unknown_session"),
    ]
    assert SESSIONS_MAX > 1


# Heals of heals


def test_what_the_other_side_had_itself_taken_over_comes_too() -> None:
    one, two = split()
    three = two.fork(3)
    three.open("v")
    three.send("v", 1)
    three.send("t", 1)
    two.send("s", 2)
    two.heal(three, "inner")
    assert lines(two) == ["s:1", "s:2", "v:1", "t:1"]
    one.heal(two, "outer")
    assert lines(one) == ["s:1", "s:2", "v:1", "t:1"]
    assert one.machine.heals.reports["outer"].fates == {"replayed": 3, "other": 1}
    # The third comes back by itself too, later.
    one.heal(three, "late")
    assert lines(one) == ["s:1", "s:2", "v:1", "t:1"]
    assert one.machine.heals.reports["late"].archived == 0


def test_entries_without_a_begin_are_decided_too() -> None:
    one, two = split()
    two.send("s", 2)
    one.archive(two, 5, heal="lost")
    assert lines(one) == ["s:1", "s:2"]
    assert one.machine.heals.reports["lost"].archived == 1


# The report


def test_the_report_says_when_whose_and_what_was_missing() -> None:
    one, two = split()
    two.send("s", 2)
    one.begin(two)
    one.archive(two, 5)
    assert one.machine.heals.reports["h"].ended == 0
    one.time_ns = 9 * SECOND
    report = one.end(missing=4)
    assert one.healed == [report]
    assert (report.heal, report.fork, report.theirs.number, report.members) == ("h", 4, 2, ("p",))
    assert (report.begun, report.begun_ns, report.ended, report.ended_ns) == (5, 1000, 7, 9 * SECOND)
    assert (report.archived, report.missing, report.unlisted) == (1, 4, 0)


def test_reports_and_names_and_notices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heals_module, "HEALS_MAX", 2)
    monkeypatch.setattr(heals_module, "ENTRIES_MAX", 3)
    monkeypatch.setattr(heals_module, "NOTICES_MAX", 1)
    monkeypatch.setattr(heals_module, "TERMS_MAX", 2)
    one, _ = split(Kept)
    for number in (2, 3, 4):
        other = one.fork(number)
        for session in "st":
            other.send(session, 10 * number)
        one.heal(other, f"h{number}")
    reports = one.machine.heals.reports
    assert list(reports) == ["h3", "h4"]
    assert [(r.archived, len(r.entries), r.unlisted) for r in reports.values()] == [(2, 1, 1), (2, 2, 0)]
    assert list(one.machine.heals.notices) == ["t"]


def test_ranges_join_and_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heals_module, "RANGES_MAX", 3)
    decided = heals_module.Decided(Side().fork(2).machine.heals.report("h", 1, 1, 0).theirs, [])
    for index in (1, 3, 2, 10, 9, 20, 11):
        assert not decided.has(index)
        decided.add(index)
    assert decided.ranges == [(1, 3), (9, 11), (20, 20)]
    decided.add(30)
    assert decided.ranges == [(1, 11), (20, 20), (30, 30)]


@given(st.lists(st.integers(0, 30), unique=True))
def test_ranges_are_the_set_of_what_was_added(indexes: list[int]) -> None:
    decided = heals_module.Decided(Side().machine.heals.report("h", 1, 1, 0).theirs, [])
    for index in indexes:
        decided.add(index)
    assert [i for i in range(-1, 32) if decided.has(i)] == sorted(indexes)
    assert all(a[1] + 1 < b[0] for a, b in zip(decided.ranges, decided.ranges[1:], strict=False))


def test_garbage_in_archived_entries_changes_nothing() -> None:
    one, two = split()
    for kind in (Kind.COMMAND, Kind.SESSION_OPENED, Kind.SESSION_CLOSED, Kind.TIMER, 99):
        two.write(kind, b"\xc1")
    one.heal(two)
    assert fates(one) == ["other"] * 5
    assert len(one.machine.take_failures()) == 3


def test_an_older_snapshot_is_read() -> None:
    """Version 1, as it was written: no heals, sessions without gaps, ended ones with their times alone."""
    one, _ = split()
    one.close("t")
    whole = msgspec.msgpack.decode(one.machine.snapshot())
    del whole["heals"], whole["sides"]
    sessions, keys, ended, _ = whole["sessions"]
    whole["sessions"] = [[s[:6] for s in sessions], keys, [e[:2] for e in ended]]
    whole["version"] = 1
    machine = Machine({"ledger": Ledger()})
    machine.restore(msgspec.msgpack.encode(whole))
    assert machine.query("ledger", "all") == ["s:1"]
    old = one.copy()
    old.machine = machine
    other = old.fork(2)
    del other.log[len(one.log) :]
    two = one.fork(2)
    two.send("t", 1)
    old.heal(two)
    # Of an ended session that version said too little: better lost than done twice.
    assert machine.heals.reports["h"].fates == {"void": 1}


# All of it, at random

STEPS = st.lists(
    st.tuples(
        st.sampled_from("12"),
        st.one_of(
            st.tuples(st.just("send"), st.sampled_from("ab"), st.integers(1, 6), st.integers(0, 3)),
            st.tuples(st.just("open"), st.sampled_from("ab")),
            st.tuples(st.just("close"), st.sampled_from("ab")),
        ),
    ),
    max_size=30,
)


def play(side: Side, step: tuple[Any, ...]) -> None:
    match step:
        case ("send", session, sequence, waits):
            side.send(session, sequence, floor=max(1, sequence - waits))
        case ("open", session):
            side.open(session)
        case ("close", session):
            side.close(session)


@given(STEPS, STEPS, st.integers(0, 100), st.integers(0, 40))
def test_random_splits_lose_nothing_and_do_nothing_twice(
    before: Any, after: Any, unknown_percent: int, snapshot_at: int
) -> None:
    one = Side()
    one.roster("p")
    one.open("a", "b")
    for _, step in before:
        play(one, step)
    two = one.fork(2)
    at_fork = Counter(lines(two))
    for which, step in after:
        play(one if which == "1" else two, step)
    there = Counter(lines(two)) - at_fork
    here = Counter(lines(one))
    unknown_from = len(one.log) + unknown_percent if unknown_percent < 50 else None
    twin = one.copy()
    fork = one.begin(two)
    twin.begin(two)
    for number, index in enumerate(range(fork + 1, len(two.log) + 1)):
        known = unknown_from is None or index < unknown_from
        one.archive(two, index, acknowledged=known)
        if number == snapshot_at:
            twin = twin.copy()
        twin.archive(two, index, acknowledged=known)
    report = one.end()
    twin.end()
    assert one.machine.digest() == twin.machine.digest()
    counted = Counter(lines(one))
    assert all(count == 1 for count in counted.values()), counted
    if unknown_from is None:
        assert set(there) <= set(counted), report
    # A side is followed from what this one had applied: a session that both went on with may look further there.
    both = {session for which, (_, session, *_) in after if which == "1"}
    assert all(line[0] in both for line in set(counted) - set(here) - set(there)), report
    assert not one.machine.failures


# The built-in applications


def test_an_application_is_told_what_both_sides_share() -> None:
    one, two = split(Forked)
    shared = len(two.log)
    two.send("s", 2)
    two.send("s", 3)
    one.send("t", 1, "add", "here")
    one.heal(two)
    assert lines(one)[-2:] == [f"fork {shared}"] * 2


def test_the_counter_has_what_was_added_on_both_sides() -> None:
    one = Side(1, CounterApp, "counter")
    one.open("s", "t")
    one.send("s", 1, "add", 5)
    two = one.fork(2)
    one.send("s", 2, "add", 10)
    one.close("t")
    two.send("t", 1, "add", 100)
    two.send("t", 2, "add", 1000)
    one.heal(two)
    assert one.ask("value") == 1115


def test_keys_and_values_have_the_writes_of_both_sides_and_no_stale_comparison() -> None:
    one = Side(1, Kv, "kv")
    one.open("s", "t")
    two = one.fork(2)
    one.send("s", 1, "set", "both", "here")
    one.send("s", 2, "incr", "n", 1)
    two.send("t", 1, "set", "both", "there")
    two.send("t", 2, "set", "theirs", "x")
    two.send("t", 3, "incr", "n", 2)
    two.send("t", 4, "cas", "lock", None, "t")
    two.send("t", 5, "set", "late", "x")
    one.heal(two, unknown_from=len(two.log))
    get = {key: one.machine.query("kv", "get", [key]) for key in ("both", "theirs", "n", "lock", "late")}
    assert get == {"both": "there", "theirs": "x", "n": "3", "lock": None, "late": None}
    assert fates(one) == ["replayed", "replayed", "replayed", "archived", "unknown"]


def test_what_was_said_on_the_other_side_is_said_here_under_the_same_name() -> None:
    one = Side(1, Chat, "chat")
    one.open("s", "t", "u")
    one.send("s", 1, "register", "ada")
    one.send("t", 1, "register", "bob")
    two = one.fork(2)
    one.close("s")
    one.close("t")
    one.send("u", 1, "register", "bob")
    two.send("s", 2, "msg", "hello")
    two.send("t", 2, "msg", "I am the first bob")
    one.events.clear()
    one.heal(two)
    assert [event.line for event in one.events] == ["[ada]: hello"]
    # Nobody speaks under a name that another has taken meanwhile.
    assert [(e.fate, e.code) for e in one.machine.heals.reports["h"].entries][-1] == ("refused", "not_registered")
    assert one.ask("who") == ["ada", "bob"]
    one.close("s")
    assert one.ask("who") == ["bob"]


def test_the_chat_forgets_who_left_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_module, "LEFT_MAX", 2)
    one = Side(1, Chat, "chat")
    for session in "stu":
        one.open(session)
        one.send(session, 1, "register", f"nick-{session}")
        one.close(session)
    chat = one.machine.applications["chat"]
    assert isinstance(chat, Chat)
    assert chat.left == {"t": "nick-t", "u": "nick-u"}


def test_an_auction_knows_the_bidders_of_both_sides_and_takes_no_old_bid() -> None:
    one = Side(1, Auction, "auction")
    one.open("s", "t", "u")
    one.send("s", 1, "open", "vase", 10, 30.0)
    one.send("t", 1, "join", "ada")
    two = one.fork(2)
    one.close("t")
    two.send("t", 2, "bid", 50)
    two.send("u", 1, "join", "bob")
    one.heal(two)
    assert fates(one) == ["archived", "replayed"]
    one.send("t", 3, "bid", 20)
    lot = one.machine.query("auction", "lot")
    assert (lot["best"], lot["leader"]) == (20, "ada")


def test_players_of_both_sides_are_in_the_quiz_and_no_old_answer_counts() -> None:
    one = Side(1, Quiz, "quiz")
    one.open("s", "t")
    one.send("s", 1, "join", "ada")
    two = one.fork(2)
    two.send("t", 1, "join", "bob")
    two.send("s", 2, "answer", 2)
    one.heal(two)
    assert fates(one) == ["replayed", "archived"]
    assert one.machine.query("quiz", "scores") == [{"name": "ada", "points": 0}, {"name": "bob", "points": 0}]


@pytest.mark.parametrize(
    ("app", "name", "commands"),
    [
        (Guess, "guess", [("guess", 5)]),
        (Rps, "rps", [("move", "rock")]),
        (TicTacToe, "tictactoe", [("create", "garden")]),
        (Presence, "presence", [("heartbeat", "ada")]),
        (Monitor, "monitor", [("push", "db", 1.0, 2.0, 3.0)]),
        (Hosts, "hosts", [("load", "p", "", "peer-p", Load(1.0, 2.0, 3.0, 4.0, 5.0), False)]),
    ],
)
def test_games_and_figures_of_the_other_side_are_archived(
    app: type[Application], name: str, commands: list[tuple[object, ...]]
) -> None:
    one = Side(1, app, name)
    one.open("s")
    two = one.fork(2)
    for sequence, (command_name, *arguments) in enumerate(commands, 1):
        two.send("s", sequence, str(command_name), *arguments)
    one.heal(two)
    assert fates(one) == ["archived"] * len(commands)
    assert one.events == []
