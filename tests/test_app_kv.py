"""Keys and values, through the machine as peers run it."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tanist.election.entries import Command, Entry, Kind, SessionOpened
from tanist.peer.application import Refused
from tanist.peer.application.machine import Machine
from tanist.peer.application.replies import decode_reply
from tanist.peer.application.specification import validate
from tanist.peer.apps import values
from tanist.peer.apps.kv import Kv
from tanist.peer.apps.values import KEY_LENGTH_MAX, VALUE_LENGTH_MAX


class Store:
    """A machine with one kv and one session."""

    def __init__(self) -> None:
        self.machine = Machine({"kv": Kv()}, check=True)
        self.machine.local_sessions.add("s")
        self._apply(Kind.SESSION_OPENED, SessionOpened("s", "p"))

    def _apply(self, kind: int, body: Any) -> list[Any]:
        entry = Entry(1, "p", kind, 0, 0, msgspec.msgpack.encode(body))
        return self.machine.apply(self.machine.applied + 1, [entry])

    def call(self, name: str, *arguments: Any) -> Any:
        raw = msgspec.Raw(validate(self.machine.applications["kv"], name, arguments))
        sequence = self.machine.applied
        (outcome,) = self._apply(Kind.COMMAND, Command("s", sequence, sequence, "kv", name, raw))
        return decode_reply(outcome.reply)

    def query(self, name: str, *arguments: Any) -> Any:
        return self.machine.query("kv", name, arguments)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    yield store
    # The checking machine found no rule broken, whatever the test did.
    assert store.machine.take_failures() == []


def test_what_was_set_is_got(store: Store) -> None:
    assert store.query("get", "k") is None
    assert store.call("set", "k", "v") == "OK"
    assert store.query("get", "k") == "v"
    assert store.call("set", "k", "") == "OK"
    assert store.query("get", "k") == ""


@pytest.mark.parametrize(("given", "kept"), [(b"\x00\xff", b"\x00\xff"), ("ü".encode(), "ü"), (b"", "")])
def test_values_are_binary_safe_and_utf8_is_text(store: Store, given: Any, kept: Any) -> None:
    store.call("set", "k", given)
    assert store.query("get", "k") == kept


def test_del_says_whether_it_was_there(store: Store) -> None:
    store.call("set", "k", "")
    assert store.call("del", "k") is True
    assert store.call("del", "k") is False
    assert store.query("get", "k") is None


def test_incr_counts_from_nothing_and_from_text(store: Store) -> None:
    assert store.call("incr", "n") == 1
    assert store.call("incr", "n", -5) == -4
    store.call("set", "n", b"41")
    assert store.call("incr", "n") == 42
    assert store.query("get", "n") == "42"


@pytest.mark.parametrize("value", ["a", "", "1.5", " 1", "1_0", "--1", "٣", "9" * 20, b"\xff"])
def test_incr_refuses_what_is_no_integer(store: Store, value: Any) -> None:
    store.call("set", "n", value)
    with pytest.raises(Refused) as caught:
        store.call("incr", "n")
    assert caught.value.code == "not_an_integer"
    assert store.query("get", "n") == value


@pytest.mark.parametrize(("start", "by"), [(str(2**63 - 1), 1), (f"-{2**63 - 1}", -1), ("0", 2**63)])
def test_incr_refuses_what_would_not_fit(store: Store, start: Any, by: Any) -> None:
    store.call("set", "n", start)
    with pytest.raises(Refused) as caught:
        store.call("incr", "n", by)
    assert caught.value.code == "out_of_range"
    assert store.query("get", "n") == start


def test_cas_sets_only_what_is_as_expected(store: Store) -> None:
    assert store.call("cas", "k", "old", "new") is False
    assert store.call("cas", "k", None, "first") is True
    assert store.call("cas", "k", None, "second") is False
    assert store.call("cas", "k", b"first", "second") is True
    assert store.query("get", "k") == "second"


def test_keys_are_sorted_filtered_and_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("b2", "a", "b1"):
        store.call("set", key, "x")
    assert store.query("keys") == ["a", "b1", "b2"]
    assert store.query("keys", "b") == ["b1", "b2"]
    monkeypatch.setattr(values, "KEYS_LISTED_MAX", 2)
    assert store.query("keys") == ["a", "b1"]


def test_steps_are_done_together_and_one_that_is_refused_changes_nothing(store: Store) -> None:
    steps = [
        ["set", ["a", b"\xff"]],
        ["get", ["a"]],
        ["incr", ["a"]],
        ["put", ["n", "1", None, "new"]],
        ["incr", ["n", 4]],
        ["set", [b"bytes", "x"]],
        ["set", ["a", "b", "c"]],
        ["set", ["a"]],
        ["size", []],
    ]
    assert store.call("together", steps) == [
        [True, "OK"],
        [True, b"\xff"],
        [False, "The value is not an integer"],
        [True, True],
        [True, 5],
        *[[False, "set does not take what it was given"]] * 3,
        [True, 2],
    ]


@pytest.mark.parametrize(
    ("steps", "code"), [([["set", ["a", "1"]], ["lapse", ["a", 0]]], "bad_step"), ([["size", []]] * 1025, "too_many")]
)
def test_steps_that_cannot_be_are_all_refused(store: Store, steps: list[Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        store.call("together", steps)
    assert caught.value.code == code
    assert store.query("size") == 0


def test_results_of_steps_fit_into_one_answer(store: Store) -> None:
    store.call("set", "a", "x" * VALUE_LENGTH_MAX)
    results = store.call("together", [["get", ["a"]], ["get", ["a"]], ["set", ["b", "y"]]])
    assert [done for done, _ in results] == [True, False, False], "what was done is done, and cannot be told"
    assert store.query("get", "b") == "y"


def test_sizes_are_limited(store: Store) -> None:
    store.call("set", "k" * KEY_LENGTH_MAX, "v" * VALUE_LENGTH_MAX)
    for key, value, code in [
        ("", "v", "bad_key"),
        ("k" * (KEY_LENGTH_MAX + 1), "v", "bad_key"),
        ("k", "v" * (VALUE_LENGTH_MAX + 1), "value_too_large"),
    ]:
        calls: list[tuple[str, list[str | None]]] = [("set", [key, value]), ("cas", [key, None, value])]
        for name, arguments in calls:
            with pytest.raises(Refused) as caught:
                store.call(name, *arguments)
            assert caught.value.code == code
    assert len(store.query("keys")) == 1


def test_keys_lapse_by_log_time_and_a_later_write_decides(store: Store) -> None:
    machine = store.machine
    assert store.call("put", "a", "1", 1000) is True
    assert store.call("put", "b", "1", 1000) is True
    assert store.call("put", "c", "1", 1000) is True
    assert store.query("lapses_at", "a") == 1_000_000_000
    assert store.query("lapses_at", "none") is None
    store.call("set", "b", "2")
    assert store.query("lapses_at", "b") == 0
    assert store.call("put", "c", "3", None, "any", True) is True, "it lapses when it would have"
    assert store.call("expire", "none", 5) is False
    assert store.call("expire", "a", 2000) is True
    for time_ns, left in ((1_500_000_000, ["a", "b"]), (2_500_000_000, ["b"])):
        (due,) = machine.due_timers(time_ns)
        machine.apply(machine.applied + 1, [Entry(1, "p", Kind.TIMER, time_ns, 0, msgspec.msgpack.encode(due))])
        assert store.query("keys") == left
    assert store.call("expire", "b", 0) is True
    assert store.query("size") == 0
    with pytest.raises(Refused):
        store.call("put", "a", "1", -1)


def test_a_key_may_have_to_be_new_or_old(store: Store) -> None:
    assert store.call("put", "a", "1", None, "old") is False
    assert store.call("put", "a", "1", None, "new") is True
    assert store.call("put", "a", "2", None, "new") is False
    assert store.call("put", "a", "3", None, "old") is True
    assert store.query("get", "a") == "3"
    assert store.call("set", "b", "") == "OK"
    assert store.call("remove", ["a", "a", "x", "b"]) == 2
    store.call("set", "d", "1")
    assert store.call("clear") == 1
