"""The replicated state machine: what each kind of entry does, and that equal logs give equal machines."""

import os
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened, TimerDue
from tanist.election.history import Term
from tanist.peer.application import NOBODY, Application, Context, Counted, Event, Refused, Session, command, query
from tanist.peer.application import context as context_module
from tanist.peer.application import machine as machine_module
from tanist.peer.application import runner as runner_module
from tanist.peer.application import state as state_module
from tanist.peer.application import timers as timers_module
from tanist.peer.application.context import AFTER_SECONDS_MAX
from tanist.peer.application.events import Published
from tanist.peer.application.machine import Machine
from tanist.peer.application.replies import REPLY_BYTES_MAX, decode_reply
from tanist.peer.application.snapshot import ReignStart, SnapshotError
from tanist.peer.application.specification import validate
from tanist.peer.application.state import StateError
from tanist.peer.apps.kv import Kv
from tanist.peer.errors import ApplicationFailed, BadRequest, NotFound

SECOND = 10**9


class Rang(Event):
    template = "ring {n}"
    n: int


class Lab(Application):
    """Everything that a command can do, good and bad."""

    seen: list[str]
    number: int
    mixed: dict[str, int]

    @command
    def note(self, ctx: Context, text: str) -> int:
        self.seen.append(text)
        return len(self.seen)

    @command
    def surroundings(self, ctx: Context) -> list[Any]:
        term = ctx.term
        return [ctx.time_ns, ctx.time, ctx.index, term.number, term.holder, ctx.session.id, ctx.session.user]

    @command
    def dice(self, ctx: Context) -> list[int]:
        return [ctx.random.randrange(1000) for _ in range(3)]

    @command
    def ring(self, ctx: Context, n: int, to: list[str] | None = None, but: str | None = None) -> None:
        for i in range(n):
            ctx.publish(Rang(i), to=to, but=but)

    @command
    def ring_and_refuse(self, ctx: Context) -> None:
        ctx.publish(Rang(1))
        ctx.after(1, self.tick, "x")
        raise Refused("no", "not_now")

    @command
    def change_and_refuse(self, ctx: Context) -> None:
        self.number += 1
        raise Refused("too late")

    @command
    def crash(self, ctx: Context) -> None:
        self.number += 1
        ctx.publish(Rang(1))
        raise RuntimeError(f"at {object()}")

    @command
    def leave(self, ctx: Context) -> None:
        raise SystemExit(3)

    @command
    def unencodable(self, ctx: Context) -> Any:
        return object()

    @command
    def mistype(self, ctx: Context) -> None:
        self.mixed["x"] = 1.5  # type: ignore[assignment]

    @command
    def spoil(self, ctx: Context) -> None:
        self.seen.append(object())  # type: ignore[arg-type]

    @command
    def later(self, ctx: Context, seconds: float, text: str) -> int:
        return ctx.after(seconds, "tick", text)

    @command
    def later_wrong(self, ctx: Context) -> int:
        return ctx.after(1, self.tick, 5)

    @command
    def later_query(self, ctx: Context) -> int:
        return ctx.after(1, self.read)

    @command
    def stop(self, ctx: Context, handle: int) -> None:
        ctx.cancel(handle)

    @command(internal=True)
    def tick(self, ctx: Context, text: str) -> None:
        assert ctx.session == NOBODY
        self.seen.append(f"{text}@{ctx.time_ns}")
        ctx.publish(Rang(len(self.seen)))

    @query
    def read(self, ctx: Context) -> list[str]:
        return self.seen

    @query
    def who(self, ctx: Context, more: str = "") -> list[Any]:
        return [ctx.session.user, ctx.time_ns, ctx.index, ctx.term.number, more]

    @query
    def meddle(self, ctx: Context, how: str) -> None:
        match how:
            case "publish":
                ctx.publish(Rang(1))
            case "after":
                ctx.after(1, self.tick, "x")
            case "cancel":
                ctx.cancel(1)
            case "change":
                self.number += 1
            case "refuse":
                raise Refused("no", "not_now")

    def opened(self, ctx: Context) -> None:
        self.seen.append(f"opened {ctx.session.id}")

    def closed(self, ctx: Context) -> None:
        self.seen.append(f"closed {ctx.session.id} {ctx.session.user}")
        ctx.publish(Rang(0))


class Driver:
    """A machine with one log written to it, entry by entry; session `s` is open and local."""

    def __init__(self, *, check: bool = False, **applications: Application) -> None:
        self.machine = Machine(applications or {"lab": Lab(), "kv": Kv()}, check=check)
        self.log: list[Entry] = []
        self.events: list[Published] = []
        self.machine.on_event = self.events.append
        self.sequence = 0
        self.time_ns = 1000
        self.open("s", "ada")
        self.machine.local_sessions.add("s")

    def entry(self, kind: int, body: Any, seed: int = 7) -> list[Any]:
        data = body if isinstance(body, bytes) else msgspec.msgpack.encode(body)
        self.log.append(Entry(3, "peer-1", kind, self.time_ns, seed, data))
        return self.machine.apply(len(self.log), self.log[-1:])

    def open(self, session: str, user: str = "") -> None:
        self.entry(Kind.SESSION_OPENED, SessionOpened(session, "peer-1", user))

    def send(
        self, name: str, *, app: str = "lab", raw: bytes | None = None, once: str = "", seed: int = 7, **arguments: Any
    ) -> bytes:
        if raw is None:
            raw = validate(self.machine.applications[app], name, arguments)
        self.sequence += 1
        body = Command("s", self.sequence, self.sequence, app, name, msgspec.Raw(raw), once)
        (outcome,) = self.entry(Kind.COMMAND, body, seed)
        assert (outcome.session, outcome.sequence, outcome.index) == ("s", self.sequence, len(self.log))
        reply: bytes = outcome.reply
        return reply

    def call(self, name: str, **arguments: Any) -> Any:
        return decode_reply(self.send(name, **arguments))

    def failures(self) -> list[tuple[str, str, str]]:
        return [(f.app, f.operation, f.error) for f in self.machine.take_failures()]


@pytest.fixture
def driver() -> Driver:
    return Driver()


# Commands


def test_a_command_is_applied_and_answered(driver: Driver) -> None:
    assert driver.call("note", text="a") == 2
    assert driver.machine.query("lab", "read") == ["opened s", "a"]
    assert driver.machine.applied == 2


def test_the_context_tells_what_the_entry_says(driver: Driver) -> None:
    driver.time_ns = 5 * SECOND
    assert driver.call("surroundings") == [5 * SECOND, 5.0, 2, 3, "peer-1", "s", "ada"]


def test_chance_comes_from_the_entry(driver: Driver) -> None:
    first, again = driver.call("dice", seed=1), driver.call("dice", seed=1)
    assert first == again
    assert driver.call("dice", seed=2) != first


def test_only_local_sessions_get_outcomes_also_for_repeated_commands(driver: Driver) -> None:
    driver.call("note", text="a")
    repeated = Command("s", 1, 1, "lab", "note", msgspec.Raw(validate(Lab, "note", {"text": "a"})))
    (outcome,) = driver.entry(Kind.COMMAND, repeated)
    assert (outcome.sequence, decode_reply(outcome.reply), outcome.index) == (1, 2, 3)
    assert driver.machine.query("lab", "read") == ["opened s", "a"]
    driver.machine.local_sessions.clear()
    assert driver.entry(Kind.COMMAND, repeated) == []


def test_entries_are_applied_once_and_none_is_left_out(driver: Driver) -> None:
    driver.call("note", text="a")
    assert driver.machine.apply(1, driver.log) == []
    assert driver.machine.query("lab", "read") == ["opened s", "a"]
    with pytest.raises(ValueError, match="entries from 4 on, but only 2 were applied"):
        driver.machine.apply(4, driver.log)


def test_arguments_are_checked_before_apply_too(driver: Driver) -> None:
    for raw in (b"\x80", b"\x90", b"\x81\xa4text\x05", b"\x81\xa4text\xa2\xff\xff", b"\x82\xa4text\xa1a\xa1n\x05"):
        with pytest.raises(BadRequest, match="do not fit note text"):
            driver.call("note", raw=raw)
    with pytest.raises(BadRequest, match="do not fit set key value"):
        driver.call("set", app="kv", raw=msgspec.msgpack.encode({"key": "k", "value": 5}))
    assert driver.machine.query("lab", "read") == ["opened s"]


@pytest.mark.parametrize("name", ["nothing", "read", "tick"])
def test_unknown_commands_queries_and_internal_ones_are_not_found(driver: Driver, name: str) -> None:
    with pytest.raises(NotFound, match=f"lab has no command '{name}'"):
        driver.call(name, raw=validate(Lab, "tick", {"text": "x"}, internal=True))


def test_an_application_that_this_peer_lacks_is_told(driver: Driver) -> None:
    with pytest.raises(NotFound, match="no application 'poll' here"):
        driver.call("vote", app="poll", raw=b"\x80")
    assert driver.machine.missing == {"poll"}


def test_idempotency_keys_work_across_sessions(driver: Driver) -> None:
    assert driver.call("note", text="a", once="k") == 2
    driver.open("t")
    driver.machine.local_sessions.add("t")
    raw = msgspec.Raw(validate(Lab, "note", {"text": "a"}))
    (outcome,) = driver.entry(Kind.COMMAND, Command("t", 1, 1, "lab", "note", raw, "k"))
    assert decode_reply(outcome.reply) == 2


# Refusals and bugs


def test_a_refusal_is_a_reply_and_has_no_effects(driver: Driver) -> None:
    with pytest.raises(Refused, match="no") as caught:
        driver.call("ring_and_refuse")
    assert caught.value.code == "not_now"
    # Nor does the next command carry them out in its place.
    driver.call("note", text="next")
    assert (driver.events, driver.machine.next_timer_ns(), driver.failures()) == ([], None, [])


def test_a_bug_is_the_same_reply_everywhere_and_is_kept_for_the_log(driver: Driver) -> None:
    reply = driver.send("crash")
    assert reply == Driver().send("crash")
    with pytest.raises(ApplicationFailed, match=r"^lab crash failed: RuntimeError$"):
        decode_reply(reply)
    (failure,) = driver.machine.take_failures()
    assert (failure.index, failure.app, failure.operation) == (2, "lab", "crash")
    assert failure.error.startswith("RuntimeError: at <object object")
    assert "test_machine.py" in failure.traceback
    assert driver.machine.take_failures() == []
    assert driver.call("note", text="goes on") == 2
    assert driver.events == []


@pytest.mark.parametrize("name", ["leave", "unencodable", "later_wrong", "later_query"])
def test_other_bugs_do_not_end_the_peer(driver: Driver, name: str) -> None:
    with pytest.raises(ApplicationFailed):
        driver.call(name)
    assert len(driver.failures()) == 1
    assert driver.machine.next_timer_ns() is None


def test_who_broke_a_rule_of_the_api_reads_what_to_write() -> None:
    class Bad(Application):
        @command
        def undeclared(self, ctx: Context) -> None:
            self.extra = 1

        @command
        def no_event(self, ctx: Context) -> None:
            ctx.publish("hello")  # type: ignore[arg-type]

        @command
        def no_command(self, ctx: Context) -> int:
            return ctx.after(1, "ring")

        @command
        def large(self, ctx: Context) -> str:
            return "x" * REPLY_BYTES_MAX

    told = {
        "undeclared": r"Bad\.extra is not declared: .*; write `extra: <type>` in the class",
        "no_event": r"publish\(\) takes an Event, such as `Added\(text\)`, and was given a str",
        "no_command": r"after\(\) runs a command of this application, and 'ring' is none; there are: undeclared, ",
        "large": r"its result has \d+ bytes, at most \d+: give it in parts",
    }
    driver = Driver(bad=Bad())
    for name, message in told.items():
        with pytest.raises(ApplicationFailed, match=f"^bad {name} failed: {message}"):
            decode_reply(driver.send(name, app="bad"))
        (failure,) = driver.machine.take_failures()
        place = "" if name == "large" else r" at test_machine\.py:\d+$"
        assert re.search(message + (r".*" + place if place else ""), failure.said), failure.said


def test_failures_are_bounded(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "FAILURES_MAX", 2)
    for _ in range(4):
        driver.send("crash")
    assert len(driver.failures()) == 2


def test_bugs_in_hooks_are_kept_and_end_nothing() -> None:
    class Bad(Application):
        count: int

        def opened(self, ctx: Context) -> None:
            raise Refused("not a reply here")

        def closed(self, ctx: Context) -> None:
            raise ZeroDivisionError

    driver = Driver(bad=Bad(), lab=Lab())
    driver.entry(Kind.SESSION_CLOSED, SessionClosed("s", "left"))
    assert [f[:2] for f in driver.failures()] == [("bad", "opened"), ("bad", "closed")]
    assert driver.machine.query("lab", "read") == ["opened s", "closed s ada"]


def test_garbage_entries_change_nothing(driver: Driver) -> None:
    before = driver.machine.query("lab", "read")
    for kind in set(Kind) - {Kind.REIGN}:
        for body in (b"", b"\xc1", b"\x91\x01", b"\x93\xa1a\xa2\xff\xff\xa1a"):
            assert driver.entry(kind, body) == []
    assert driver.entry(99, b"of a newer version") == []
    assert driver.machine.query("lab", "read") == before
    assert len(driver.failures()) == 4 * (len(Kind) - 1)


# Checks


def test_a_refusal_that_is_counted_may_change_the_state() -> None:
    class Door(Application):
        wrong: int

        @command
        def enter(self, ctx: Context, word: str) -> str:
            self.wrong += 1
            raise Counted("Wrong word", "wrong_word")

    driver = Driver(check=True, door=Door())
    with pytest.raises(Refused) as caught:
        driver.call("enter", word="x", app="door")
    assert (caught.value.code, driver.failures()) == ("wrong_word", [])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("change_and_refuse", "it refused after it had changed the state"),
        ("mistype", "after it"),
        ("spoil", "after it the state of lab cannot be encoded: seen"),
    ],
)
def test_check_tells_of_commands_that_break_the_rules_and_changes_no_reply(name: str, told: str) -> None:
    plain, checked = Driver(), Driver(check=True)
    assert checked.send(name) == plain.send(name)
    assert plain.failures() == []
    ((app, operation, error),) = checked.failures()
    assert (app, operation) == ("lab", name)
    assert told in error
    assert checked.send("note", text="x") == plain.send("note", text="x")


def test_check_tells_of_an_integer_in_a_float() -> None:
    class Float(Application):
        share: float

        @command
        def change(self, ctx: Context) -> None:
            self.share = 3

    checked = Driver(check=True, float=Float())
    checked.call("change", app="float")
    assert "a snapshot would change it" in checked.failures()[0][2]


def test_check_tells_of_queries_that_change_state() -> None:
    driver = Driver(check=True)
    driver.machine.query("lab", "meddle", ["change"])
    assert "a query changed the state" in driver.failures()[0][2]


def test_check_is_quiet_about_good_commands() -> None:
    driver = Driver(check=True)
    driver.call("note", text="x")
    with pytest.raises(Refused):
        driver.call("ring_and_refuse")
    assert driver.failures() == []


# Sessions and reigns


def test_hooks_run_once_a_session_with_its_user(driver: Driver) -> None:
    driver.open("s")
    driver.open("t")
    for _ in range(2):
        driver.entry(Kind.SESSION_CLOSED, SessionClosed("s", "left"))
    driver.open("s")
    assert driver.machine.query("lab", "read") == ["opened s", "opened t", "closed s ada"]
    assert [e.line for e in driver.events] == ["ring 0"]
    assert driver.machine.sessions.of_peer("peer-1") == ["t"]


def test_hooks_run_in_the_order_of_names_whatever_the_order_given() -> None:
    order: list[str] = []

    class First(Application):
        def opened(self, ctx: Context) -> None:
            order.append("first")

    class Second(Application):
        def opened(self, ctx: Context) -> None:
            order.append("second")

    Driver(b=Second(), a=First())
    assert order == ["first", "second"]


def test_reigns_are_remembered_and_bounded(driver: Driver) -> None:
    driver.time_ns = 77
    driver.entry(Kind.REIGN, b"")
    assert list(driver.machine.reigns) == [ReignStart(Term(3, "peer-1"), 2, 77)]
    for _ in range(machine_module.REIGNS_MAX):
        driver.entry(Kind.REIGN, b"")
    assert len(driver.machine.reigns) == machine_module.REIGNS_MAX
    assert driver.machine.reigns[0].index == 3


# Events


def test_events_come_out_numbered_and_rendered_in_log_order(driver: Driver) -> None:
    driver.call("ring", n=2, but="s")
    driver.call("ring", n=1, to=["s", "t"])
    assert [(e.index, e.number, e.app, e.event, e.fields, e.line) for e in driver.events] == [
        (2, 0, "lab", "rang", {"n": 0}, "ring 0"),
        (2, 1, "lab", "rang", {"n": 1}, "ring 1"),
        (3, 0, "lab", "rang", {"n": 0}, "ring 0"),
    ]
    assert [(e.is_for("s"), e.is_for("t"), e.is_for("u")) for e in driver.events] == [
        (False, True, True),
        (False, True, True),
        (True, True, False),
    ]


def test_nobody_hears_what_is_published_to_nobody(driver: Driver) -> None:
    driver.call("ring", n=1, to=[])
    assert not driver.events[0].is_for("s")


def test_one_command_cannot_publish_without_end(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_module, "EFFECTS_MAX", 5)
    with pytest.raises(ApplicationFailed):
        driver.call("ring", n=6)
    assert driver.events == []
    driver.call("ring", n=5)
    assert len(driver.events) == 5


# Timers


def test_a_timer_runs_when_its_entry_is_applied_and_only_once(driver: Driver) -> None:
    machine = driver.machine
    handle = driver.call("later", seconds=2, text="late")
    early = driver.call("later", seconds=1, text="early")
    assert machine.next_timer_ns() == 1000 + SECOND
    assert machine.due_timers(999 + SECOND) == []
    assert machine.due_timers(1000 + 2 * SECOND) == [TimerDue("lab", early), TimerDue("lab", handle)]
    driver.time_ns = 1000 + 2 * SECOND
    for due in [*machine.due_timers(driver.time_ns), TimerDue("lab", early)]:
        driver.entry(Kind.TIMER, due)
    assert machine.query("lab", "read")[1:] == ["early@2000001000", "late@2000001000"]
    assert (machine.next_timer_ns(), machine.due_timers(driver.time_ns)) == (None, [])
    assert [e.line for e in driver.events] == ["ring 2", "ring 3"]


def test_a_timer_does_not_run_early_or_for_another_application(driver: Driver) -> None:
    handle = driver.call("later", seconds=2, text="late")
    driver.entry(Kind.TIMER, TimerDue("lab", handle))
    driver.time_ns += 2 * SECOND
    driver.entry(Kind.TIMER, TimerDue("kv", handle))
    assert driver.machine.query("lab", "read") == ["opened s"]
    assert driver.machine.due_timers(driver.time_ns) == [TimerDue("lab", handle)]


def test_a_cancelled_timer_never_runs(driver: Driver) -> None:
    handle = driver.call("later", seconds=0, text="late")
    driver.call("stop", handle=handle)
    driver.call("stop", handle=handle)
    driver.entry(Kind.TIMER, TimerDue("lab", handle))
    assert driver.machine.query("lab", "read") == ["opened s"]
    assert driver.machine.next_timer_ns() is None


def test_an_application_cannot_cancel_the_timers_of_another() -> None:
    driver = Driver(lab=Lab(), other=Lab())
    handle = driver.call("later", seconds=0, text="late")
    driver.call("stop", app="other", handle=handle)
    assert driver.machine.due_timers(driver.time_ns) == [TimerDue("lab", handle)]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), AFTER_SECONDS_MAX * 2])
def test_impossible_seconds_are_a_bug(driver: Driver, seconds: float) -> None:
    with pytest.raises(ApplicationFailed, match="ValueError"):
        driver.call("later", seconds=seconds, text="x")


def test_timers_are_bounded(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_module, "TIMERS_MAX", 2)
    monkeypatch.setattr(timers_module, "DUE_MAX", 1)
    first = driver.call("later", seconds=0, text="x")
    driver.call("later", seconds=0, text="x")
    with pytest.raises(Refused) as caught:
        driver.call("later", seconds=0, text="x")
    assert caught.value.code == "too_many_timers"
    assert driver.machine.due_timers(driver.time_ns) == [TimerDue("lab", first)]


def test_setting_and_cancelling_for_ever_needs_no_memory() -> None:
    table = timers_module.TimerTable()
    table.set(timers_module.Timer(table.reserve(), "a", 5, "c", b""))
    for _ in range(1000):
        handle = table.reserve()
        table.set(timers_module.Timer(handle, "a", 10, "c", b""))
        table.cancel("a", handle)
    assert (len(table), table.next_ns()) == (1, 5)
    assert len(table._heap) < 100


# Queries


def test_a_query_sees_the_state_and_shares_nothing_with_it(driver: Driver) -> None:
    driver.machine.query("lab", "read").append("mine")
    assert driver.machine.query("lab", "read") == ["opened s"]


def test_a_query_knows_its_surroundings(driver: Driver) -> None:
    driver.time_ns = 77
    driver.entry(Kind.REIGN, b"")
    assert driver.machine.query("lab", "who", session="s") == ["ada", 1000, 2, 3, ""]
    assert driver.machine.query("lab", "who", {"more": "x"}, session="none") == ["", 1000, 2, 3, "x"]
    assert driver.machine.query("lab", "who", validate(Lab, "who", ["y"]))[4] == "y"


@pytest.mark.parametrize("how", ["publish", "after", "cancel"])
def test_a_query_has_no_effects(driver: Driver, how: str) -> None:
    with pytest.raises(ApplicationFailed, match=r"a query .*: make it a command"):
        driver.machine.query("lab", "meddle", [how])
    assert (driver.events, driver.machine.next_timer_ns()) == ([], None)


def test_query_errors_are_told_apart(driver: Driver) -> None:
    query = driver.machine.query
    with pytest.raises(NotFound, match="no application 'poll' here; there are: kv, lab"):
        query("poll", "x")
    with pytest.raises(NotFound, match="lab has no 'x'"):
        query("lab", "x")
    with pytest.raises(NotFound, match="lab note is a command"):
        query("lab", "note")
    with pytest.raises(BadRequest, match=r"'how' .str. is missing"):
        query("lab", "meddle", {})
    with pytest.raises(BadRequest, match="usage: meddle how"):
        query("lab", "meddle", b"\x80")
    with pytest.raises(Refused, match="no"):
        query("lab", "meddle", ["refuse"])


# Snapshots


def busy() -> Driver:
    driver = Driver()
    driver.entry(Kind.REIGN, b"")
    driver.call("note", text="a", once="k")
    driver.call("set", app="kv", key="z", value=b"\xff")
    driver.call("set", app="kv", key="a", value="ü")
    driver.call("later", seconds=1, text="x")
    driver.open("t", "eve")
    driver.entry(Kind.SESSION_CLOSED, SessionClosed("t", "left"))
    return driver


def test_a_restored_machine_is_the_same_and_goes_on_the_same() -> None:
    driver = busy()
    restored = Machine({"kv": Kv(), "lab": Lab()})
    restored.restore(driver.machine.snapshot())
    assert restored.digest() == driver.machine.digest()
    assert restored.applied == driver.machine.applied
    restored.local_sessions.add("s")
    tail = len(driver.log)
    replies = [driver.send("note", text="a", once="k"), driver.send("dice"), driver.send("incr", app="kv", key="n")]
    driver.time_ns += 2 * SECOND
    driver.entry(Kind.TIMER, driver.machine.due_timers(driver.time_ns)[0])
    assert [o.reply for o in restored.apply(tail + 1, driver.log[tail:])] == replies
    assert restored.snapshot() == driver.machine.snapshot()
    assert restored.query("kv", "keys") == ["a", "n", "z"]
    assert restored.query("kv", "get", ["z"]) == b"\xff"


def test_the_digest_tells_states_apart() -> None:
    assert busy().machine.digest() == busy().machine.digest()
    other = busy()
    other.call("note", text="b")
    assert other.machine.digest() != busy().machine.digest()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no snapshot"),
        (b"\xc1", "no snapshot"),
        (msgspec.msgpack.encode({"version": 4}), "version 4, this program reads up to 3: update this peer"),
        (msgspec.msgpack.encode({"version": 1}), "no snapshot"),
    ],
)
def test_what_is_no_snapshot_changes_nothing(data: bytes, message: str) -> None:
    driver = busy()
    before = driver.machine.digest()
    with pytest.raises(SnapshotError, match=message):
        driver.machine.restore(data)
    assert driver.machine.digest() == before


def test_a_snapshot_of_another_declaration_changes_nothing() -> None:
    class Other(Application):
        seen: dict[str, int]

    target = Machine({"kv": Kv(), "lab": Other()})
    before = target.digest()
    with pytest.raises(SnapshotError, match="no state of other as it is declared now"):
        target.restore(busy().machine.snapshot())
    assert target.digest() == before


def test_an_application_that_is_missing_is_named_and_its_state_kept() -> None:
    driver = busy()
    without = Machine({"kv": Kv()})
    without.restore(driver.machine.snapshot())
    assert without.missing == {"lab"}
    assert without.snapshot() == driver.machine.snapshot()


def test_an_application_that_is_new_begins_anew() -> None:
    driver = busy()
    lab = Lab()
    lab.seen.append("old")
    target = Machine({"kv": Kv(), "new": lab})
    target.restore(driver.machine.snapshot())
    assert target.query("new", "read") == []


def test_state_that_fits_no_snapshot_says_so(driver: Driver) -> None:
    driver.send("spoil")
    with pytest.raises(StateError, match="the state of lab cannot be encoded: seen"):
        driver.machine.snapshot()


def test_state_of_other_types_than_declared_is_no_snapshot_to_begin_with(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert driver.machine.snapshot_pieces()
    driver.send("mistype")
    with pytest.raises(
        StateError, match=r"the state of lab is not of its declared types: Expected .* at `\$\.mixed"
    ) as told:
        driver.machine.snapshot_pieces()
    assert told.value.app == "lab"
    monkeypatch.setattr(state_module, "STATE_CHECKED_BYTES_MAX", 1)
    assert driver.machine.snapshot_pieces()


def test_processes_with_other_hash_seeds_come_to_the_same_state() -> None:
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('twin', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); sys.modules['twin'] = module\n"
        "spec.loader.exec_module(module)\n"
        "print(module.busy().machine.digest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {busy().machine.digest()}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), st.sampled_from("ab")),
        st.tuples(st.just("set"), st.sampled_from("ab"), st.sampled_from(["x", "y"])),
        st.tuples(st.just("later"), st.integers(0, 3)),
        st.tuples(st.just("crash")),
        st.tuples(st.just("close"), st.sampled_from("stu")),
        st.tuples(st.just("open"), st.sampled_from("tu")),
        st.tuples(st.just("time"), st.integers(0, 4)),
    ),
    max_size=40,
)


@given(STEPS, st.integers(0, 40))
def test_any_log_gives_the_same_state_with_and_without_a_snapshot_between(steps: Any, cut: int) -> None:
    driver = Driver()
    for step in steps:
        match step:
            case ("close", session):
                driver.entry(Kind.SESSION_CLOSED, SessionClosed(session, ""))
                driver.machine.local_sessions.add("s")
            case ("open", session):
                driver.open(session)
            case ("time", seconds):
                driver.time_ns += seconds * SECOND
                for due in driver.machine.due_timers(driver.time_ns):
                    driver.entry(Kind.TIMER, due)
            case ("set", key, value):
                driver.send("set", app="kv", raw=validate(Kv, "set", [key, value]))
            case ("note", text):
                driver.send("note", text=text)
            case ("later", seconds):
                driver.send("later", seconds=seconds, text="t")
            case _:
                driver.send("crash")
    cut = min(cut, len(driver.log))
    first, second = (Machine({"lab": Lab(), "kv": Kv()}) for _ in range(2))
    first.apply(1, driver.log[:cut])
    second.restore(first.snapshot())
    second.apply(cut + 1, driver.log[cut:])
    assert second.snapshot() == driver.machine.snapshot()


def test_sessions_may_be_named_by_id_or_as_they_are(driver: Driver) -> None:
    assert context_module._ids([Session("a"), "b"]) == ("a", "b")
    assert context_module._ids("ab") == ("ab",)
