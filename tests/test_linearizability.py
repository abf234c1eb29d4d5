"""The checker of histories: histories made by hand, and small random ones against the plain definition."""

import random
import time
from collections.abc import Sequence
from typing import Any

import pytest
from history_brute import linearizable
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.election.linearizability.check import Report, Verdict, check
from tanist.election.linearizability.models import ANY, MODELS, Kv, Log, Model, Register, as_tuple
from tanist.election.linearizability.operations import HistoryError, Operation, Outcome, operation
from tanist.election.linearizability.report import lines

OK, BAD = Verdict.OK, Verdict.VIOLATION


def done(call: str, *arguments: Any, at: tuple[int, int], result: Any = None, key: Any = None) -> Operation:
    return operation(f"c{at[0]}", call, *arguments, key=key, result=result, began=at[0], ended=at[1])


def timed_out(call: str, *arguments: Any, at: int, key: Any = None) -> Operation:
    return operation(f"c{at}", call, *arguments, key=key, began=at)


def failed(call: str, *arguments: Any, at: tuple[int, int], key: Any = None) -> Operation:
    return operation(f"c{at[0]}", call, *arguments, key=key, began=at[0], ended=at[1], outcome=Outcome.FAIL)


HISTORIES: dict[str, tuple[str, Verdict, list[Operation]]] = {
    "nothing": ("register", OK, []),
    "read of what was written": ("register", OK, [done("write", 1, at=(0, 1)), done("read", at=(2, 3), result=1)]),
    "read before any write": ("register", OK, [done("read", at=(0, 1)), done("write", 1, at=(2, 3))]),
    "read of nothing after a write": ("register", BAD, [done("write", 1, at=(0, 1)), done("read", at=(2, 3))]),
    "stale read": (
        "register",
        BAD,
        [done("write", 1, at=(0, 1)), done("write", 2, at=(2, 3)), done("read", at=(4, 5), result=1)],
    ),
    "old value while a write is under way": (
        "register",
        OK,
        [done("write", 1, at=(0, 1)), done("write", 2, at=(2, 9)), done("read", at=(3, 4), result=1)],
    ),
    "new value, then old, while a write is under way": (
        "register",
        BAD,
        [
            done("write", 1, at=(0, 1)),
            done("write", 2, at=(2, 9)),
            done("read", at=(3, 4), result=2),
            done("read", at=(5, 6), result=1),
        ],
    ),
    "old value, then new": (
        "register",
        OK,
        [
            done("write", 1, at=(0, 1)),
            done("write", 2, at=(2, 9)),
            done("read", at=(3, 4), result=1),
            done("read", at=(5, 6), result=2),
        ],
    ),
    "answer and call at one moment are concurrent": (
        "register",
        OK,
        [done("write", 1, at=(0, 5)), done("read", at=(5, 6), result=None)],
    ),
    "two readers that disagree on an order": (
        "register",
        BAD,
        [
            done("write", 1, at=(0, 9)),
            done("write", 2, at=(0, 9)),
            done("read", at=(10, 11), result=1),
            done("read", at=(12, 13), result=2),
        ],
    ),
    "a value from nowhere": ("register", BAD, [done("read", at=(0, 1), result=7)]),
    "timed-out write seen much later": (
        "register",
        OK,
        [timed_out("write", 1, at=0), done("read", at=(5, 6)), done("read", at=(50, 51), result=1)],
    ),
    "timed-out write seen never": ("register", OK, [timed_out("write", 1, at=0), done("read", at=(5, 6))]),
    "timed-out write seen before it was called": (
        "register",
        BAD,
        [done("read", at=(0, 1), result=1), timed_out("write", 1, at=2)],
    ),
    "timed-out write happens once only": (
        "register",
        BAD,
        [
            timed_out("write", 1, at=0),
            done("read", at=(1, 2), result=1),
            done("write", 2, at=(3, 4)),
            done("read", at=(5, 6), result=1),
        ],
    ),
    "timed-out read is dropped": ("register", OK, [timed_out("read", at=0), done("write", 1, at=(1, 2))]),
    "failed write is not seen": ("register", OK, [failed("write", 1, at=(0, 1)), done("read", at=(2, 3))]),
    "failed write is seen": ("register", BAD, [failed("write", 1, at=(0, 1)), done("read", at=(2, 3), result=1)]),
    "truth is not one": ("register", BAD, [done("write", True, at=(0, 1)), done("read", at=(2, 3), result=1)]),
    "lists are values": (
        "register",
        OK,
        [done("write", [1, [2]], at=(0, 1)), done("read", at=(2, 3), result=[1, [2]])],
    ),
    "cas that matched": (
        "cas-register",
        OK,
        [done("write", 1, at=(0, 1)), done("cas", 1, 2, at=(2, 3), result=True), done("read", at=(4, 5), result=2)],
    ),
    "two cas that both matched": (
        "cas-register",
        BAD,
        [
            done("write", 1, at=(0, 1)),
            done("cas", 1, 2, at=(2, 9), result=True),
            done("cas", 1, 3, at=(2, 9), result=True),
        ],
    ),
    "cas that should have matched": (
        "cas-register",
        BAD,
        [done("write", 1, at=(0, 1)), done("cas", 1, 2, at=(2, 3), result=False)],
    ),
    "timed-out cas makes room for the next": (
        "cas-register",
        OK,
        [
            done("write", 1, at=(0, 1)),
            timed_out("cas", 1, 2, at=2),
            done("cas", 2, 3, at=(3, 4), result=True),
            done("read", at=(5, 6), result=3),
        ],
    ),
    "the other of two timed-out ones must have been it": (
        "cas-register",
        OK,
        [
            timed_out("write", 1, at=0),
            timed_out("cas", None, 1, at=1),
            done("read", at=(2, 3), result=1),
            done("write", 5, at=(4, 5)),
            done("read", at=(6, 7), result=1),
        ],
    ),
    "timed-out cas cannot match twice": (
        "cas-register",
        BAD,
        [
            done("write", 1, at=(0, 1)),
            timed_out("cas", 1, 2, at=2),
            done("cas", 2, 1, at=(3, 4), result=True),
            done("cas", 2, 1, at=(5, 6), result=True),
        ],
    ),
    "keys are objects of their own": (
        "kv",
        OK,
        [
            done("set", "1", key="a", at=(0, 1)),
            done("get", key="b", at=(2, 3)),
            done("get", key="a", at=(2, 3), result="1"),
        ],
    ),
    "one bad key of three": (
        "kv",
        BAD,
        [
            done("set", "1", key="a", at=(0, 1)),
            done("set", "1", key="b", at=(0, 1)),
            done("get", key="c", at=(2, 3)),
            done("get", key="b", at=(2, 3)),
        ],
    ),
    "incr counts from nothing, as text": (
        "kv",
        OK,
        [
            done("incr", key="a", at=(0, 1), result=1),
            done("incr", 4, key="a", at=(2, 3), result=5),
            done("get", key="a", at=(4, 5), result="5"),
        ],
    ),
    "incr that lost another": (
        "kv",
        BAD,
        [done("incr", key="a", at=(0, 9), result=1), done("incr", key="a", at=(0, 9), result=1)],
    ),
    "timed-out incr counted twice": (
        "kv",
        BAD,
        [timed_out("incr", key="a", at=0), done("get", key="a", at=(1, 2), result="2")],
    ),
    "incr of what is no number": (
        "kv",
        BAD,
        [done("set", "x", key="a", at=(0, 1)), done("incr", key="a", at=(2, 3), result=1)],
    ),
    "removed twice": (
        "kv",
        BAD,
        [
            done("set", "1", key="a", at=(0, 1)),
            done("del", key="a", at=(2, 9), result=True),
            done("del", key="a", at=(2, 9), result=True),
        ],
    ),
    "removed once, and found gone": (
        "kv",
        OK,
        [
            done("set", "1", key="a", at=(0, 1)),
            done("del", key="a", at=(2, 9), result=True),
            done("del", key="a", at=(2, 9), result=False),
            done("get", key="a", at=(10, 11)),
        ],
    ),
    "items in an order": (
        "log",
        OK,
        [
            done("append", "x", at=(0, 5)),
            done("append", "y", at=(0, 5)),
            done("read", at=(6, 7), result=["y", "x"]),
            done("append", "z", at=(8, 9), result=3),
        ],
    ),
    "items in two orders": (
        "log",
        BAD,
        [
            done("append", "x", at=(0, 5)),
            done("append", "y", at=(0, 5)),
            done("read", at=(6, 7), result=["y", "x"]),
            done("read", at=(8, 9), result=["x", "y"]),
        ],
    ),
    "item lost": ("log", BAD, [done("append", "x", at=(0, 1)), done("read", at=(2, 3), result=[])]),
    "timed-out item appears late": (
        "list",
        OK,
        [
            timed_out("append", "x", at=0),
            done("read", at=(1, 2), result=[]),
            done("append", "y", at=(3, 4)),
            done("read", at=(5, 6), result=["y", "x"]),
        ],
    ),
    "timed-out item appears twice": (
        "list",
        BAD,
        [timed_out("append", "x", at=0), done("read", at=(5, 6), result=["x", "x"])],
    ),
    "failed item appears": ("list", BAD, [failed("append", "x", at=(0, 1)), done("read", at=(5, 6), result=["x"])]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_verdicts(name: str) -> None:
    model, verdict, history = HISTORIES[name]
    report = check(MODELS[model](), history)
    assert report.verdict is verdict, "\n".join(lines(report))
    assert report.operations == len(history)


@pytest.mark.parametrize("name", [n for n, (_, verdict, _) in HISTORIES.items() if verdict is OK])
def test_the_order_that_is_reported_is_one(name: str) -> None:
    model, _, history = HISTORIES[name]
    for found in check(MODELS[model](), history).objects:
        assert_order(MODELS[model](), [o for o in history if o.key == found.key], found.found.order, whole=True)


def assert_order(model: Model, history: Sequence[Operation], order: Sequence[Operation], *, whole: bool) -> None:
    """An order is within real time, has nothing twice, and answers as the clients were answered."""
    assert len({id(o) for o in order}) == len(order)
    state = model.initial()
    for place, o in enumerate(order):
        assert o.outcome is not Outcome.FAIL
        assert not any(later.ended < o.began for later in order[place + 1 :])
        state, answer = model.apply(state, o)
        assert o.outcome is Outcome.UNKNOWN or answer is ANY or answer == o.result
    if whole:
        assert {id(o) for o in history if o.outcome is Outcome.OK} <= {id(o) for o in order}


# Against the definition

small = st.integers(0, 2)
times = st.tuples(st.integers(0, 12), st.integers(0, 6)).map(lambda t: (t[0], t[0] + t[1]))
outcomes = st.sampled_from([Outcome.OK, Outcome.OK, Outcome.OK, Outcome.UNKNOWN, Outcome.FAIL])


def made(call: str, arguments: tuple[Any, ...], result: Any, at: tuple[int, int], outcome: Outcome) -> Operation:
    return operation("c", call, *arguments, result=result, began=at[0], ended=at[1], outcome=outcome)


def any_of(*calls: tuple[str, int, st.SearchStrategy[Any]]) -> st.SearchStrategy[list[Operation]]:
    """Histories of calls, each (name, how many small arguments, what it may answer)."""
    one = st.one_of(
        [
            st.builds(made, st.just(name), st.tuples(*[small] * count), results, times, outcomes)
            for name, count, results in calls
        ]
    )
    return st.lists(one, max_size=6)


texts = st.sampled_from([None, 0, 1, 2, "1", "2"])
registers = any_of(("write", 1, st.none()), ("read", 0, st.none() | small), ("cas", 2, st.booleans()))
stores = any_of(
    ("set", 1, st.none()), ("get", 0, texts), ("incr", 1, small), ("cas", 2, st.booleans()), ("del", 0, st.booleans())
)
logs = any_of(("append", 1, st.none() | small), ("read", 0, st.lists(small, max_size=3)), ("count", 0, small))


@settings(max_examples=400, deadline=None)
@given(registers)
def test_registers_as_the_definition_has_it(history: list[Operation]) -> None:
    compare(Register(), history)


@settings(max_examples=300, deadline=None)
@given(stores)
def test_stores_as_the_definition_has_it(history: list[Operation]) -> None:
    compare(Kv(), history)


@settings(max_examples=300, deadline=None)
@given(logs)
def test_logs_as_the_definition_has_it(history: list[Operation]) -> None:
    compare(Log(), history)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "histories"), [(Register(), registers), (Kv(), stores), (Log(), logs)])
def test_thousands_of_histories_as_the_definition_has_it(
    model: Model, histories: st.SearchStrategy[list[Operation]]
) -> None:
    @settings(max_examples=3000, deadline=None)
    @given(histories)
    def agree(history: list[Operation]) -> None:
        compare(model, history)

    agree()


def compare(model: Model, history: list[Operation]) -> bool:
    report = check(model, history)
    assert report.verdict is (OK if linearizable(model, history) else BAD), "\n".join(lines(report))
    for found in report.objects:
        assert_order(model, history, found.found.order, whole=report.verdict is OK)
    return report.verdict is OK


def test_both_verdicts_are_common_among_random_histories() -> None:
    """Thousands more, made of real runs with a flaw in some: meeting one verdict only would show nothing."""
    verdicts = [compare(Register(), flawed(seed)) for seed in range(3000)]
    assert 600 < sum(verdicts) < 2800


def flawed(seed: int) -> list[Operation]:
    rng = random.Random(seed)
    history = run(rng, 7, clients=3, keys=1, unknown=0.2)
    if rng.random() < 0.7:
        place = rng.randrange(len(history))
        o = history[place]
        if o.call == "read" and o.outcome is Outcome.OK:
            history[place] = operation("c", "read", key=0, result=rng.randrange(3), began=o.began, ended=o.ended)
    return history


def run(rng: random.Random, count: int, *, clients: int, keys: int, unknown: float) -> list[Operation]:
    """A run of a true register a key: each operation takes effect at one moment between its call and its answer."""
    values: dict[int, Any] = {}
    moments: list[tuple[int, int, int, int, int, str, tuple[Any, ...], bool]] = []
    now = [0] * clients
    for n in range(count):
        client = n % clients
        began = now[client] + rng.randrange(1, 5)
        effect = began + rng.randrange(1, 8)
        ended = effect + rng.randrange(1, 8)
        now[client] = ended
        call = rng.choice(["read", "write", "cas"])
        arguments = tuple(rng.randrange(3) for _ in range({"read": 0, "write": 1, "cas": 2}[call]))
        moments.append((effect, n, client, began, ended, call, arguments, rng.random() < unknown))
    history = []
    for _, n, client, began, ended, call, arguments, lost in sorted(moments):
        key = rng.randrange(keys)
        state, result = Register().apply(values.get(key), operation("", call, *arguments, began=0))
        if not (lost and rng.random() < 0.5):
            values[key] = state
        history.append(
            Operation(
                # Who timed out is not heard of again: another client goes on.
                (client, n) if lost else client,
                call,
                key,
                arguments,
                Outcome.UNKNOWN if lost else Outcome.OK,
                None if lost or result is ANY else result,
                began,
                1 << 200 if lost else ended,
            )
        )
    return history


# Work


def test_ten_thousand_operations_take_few_steps() -> None:
    """Counted, not timed: about five steps an operation are a fraction of a second."""
    history = run(random.Random(1), 10_000, clients=10, keys=10, unknown=0.0)
    report = check(Register(), history)
    assert report.verdict is OK
    assert len(report.objects) == 10
    assert report.steps < 100_000


def test_ten_thousand_operations_with_many_timed_out_take_few_steps() -> None:
    history = run(random.Random(2), 10_000, clients=10, keys=10, unknown=0.03)
    report = check(Register(), history)
    assert report.verdict is OK
    assert report.steps < 1_000_000


def test_a_flaw_in_ten_thousand_operations_is_found_in_few_steps() -> None:
    history = run(random.Random(3), 10_000, clients=10, keys=10, unknown=0.0)
    place = next(i for i in range(5_000, 10_000) if history[i].call == "read")
    bad = history[place]
    history[place] = operation("c", "read", key=bad.key, result=99, began=bad.began, ended=bad.ended)
    report = check(Register(), history)
    assert report.verdict is BAD
    assert report.steps < 200_000
    unplaced = report.bad()
    assert unplaced is not None and unplaced.found.unplaced == history[place]


def test_equal_timed_out_operations_do_not_multiply() -> None:
    """Forty that nobody heard of again, and a read that none of them explains: 2 to the 40th subsets, or 41 counts."""
    history = [timed_out("incr", at=n, key="a") for n in range(40)]
    history.append(done("get", at=(50, 51), key="a", result="41"))
    report = check(Kv(), history)
    assert report.verdict is BAD
    assert report.steps < 1_000


def test_different_timed_out_writes_do_not_multiply() -> None:
    history = [timed_out("write", n, at=n) for n in range(40)]
    history.append(done("read", at=(50, 51), result=40))
    report = check(Register(), history)
    assert report.verdict is BAD
    assert report.steps < 5_000


def test_a_used_up_budget_is_no_pass() -> None:
    history = run(random.Random(4), 200, clients=5, keys=2, unknown=0.0)
    report = check(Register(), history, steps_max=50)
    assert report.verdict is Verdict.UNKNOWN
    assert report.steps == 50
    assert lines(report)[0].startswith("unknown")


def test_a_violation_counts_more_than_an_unknown() -> None:
    bad = done("read", key="bad", at=(0, 1), result=7)
    history = [bad, *(done("write", n, key="long", at=(n, 900 - n)) for n in range(30))]
    report = check(Register(), history, steps_max=3)
    assert [o.verdict for o in report.objects] == [BAD, Verdict.UNKNOWN]
    assert report.verdict is BAD


# What is told


def told(report: Report) -> str:
    return "\n".join(lines(report))


def test_a_violation_is_told_with_its_order_and_its_culprit() -> None:
    history = [
        done("write", 1, key="k", at=(0, 1)),
        failed("write", 2, key="k", at=(2, 3)),
        timed_out("write", 3, key="k", at=4),
        done("read", key="k", at=(5, 6), result=2),
    ]
    assert told(check(Register(), history)).splitlines() == [
        "violation: not linearizable (4 operations on 1 object, 4 steps)",
        "the longest order of 'k' has 1 operations, of 4; it ends with",
        "  c0: write k 1 -> nothing",
        "the first operation that cannot be placed:",
        "  c5: read k -> 2",
        "the state there: 1 or 3",
        "under way beside it, and not in that order:",
        "  c4: write k 3 -> ?",
        "this one failed, so that it cannot be the cause: c2: write k 2 failed",
    ]


def test_a_long_order_is_told_by_its_end() -> None:
    history = [done("append", "x" * 300, at=(2 * n, 2 * n + 1)) for n in range(30)]
    history.append(done("read", at=(100, 101), result=[]))
    text = told(check(Log(), history))
    assert "... 18 before" in text
    assert all(len(line) < 300 for line in text.splitlines())


def test_a_pass_is_one_line() -> None:
    assert told(check(Register(), [done("write", 1, at=(0, 1))])) == (
        "ok: linearizable (1 operations on 1 object, 1 steps)"
    )


# Models


class Bank:
    """Two accounts that share one sum: no key of it is an object of its own."""

    by_key = False

    def initial(self) -> tuple[int, int]:
        return 10, 0

    def apply(self, state: tuple[int, int], operation: Operation) -> tuple[tuple[int, int], Any]:
        if operation.call == "move":
            return (state[0] - 1, state[1] + 1), True
        return state, list(state)

    def reads(self, operation: Operation) -> bool:
        return operation.call == "look"


def test_a_model_of_ones_own_may_answer_in_plain_values() -> None:
    moved = done("move", key="a", at=(0, 1), result=True)
    assert check(Bank(), [moved, done("look", key="b", at=(2, 3), result=[9, 1])]).verdict is OK
    report = check(Bank(), [moved, done("look", key="b", at=(2, 3), result=[9, 0])])
    assert (report.verdict, len(report.objects)) == (BAD, 1)


@pytest.mark.parametrize("model", [Register(), Kv(), Log()])
def test_an_operation_that_a_model_does_not_know_is_named(model: Model) -> None:
    with pytest.raises(HistoryError, match=r"line 7: the model does not know 'jump 3'; it knows: "):
        check(model, [operation("c", "jump", 3, began=0, ended=1, place=7)])


def test_equal_logs_are_one_state() -> None:
    """The search compares states: those that were reached by different ways must not be tried twice."""
    log, x, y = Log(), operation("c", "append", "x", began=0), operation("d", "append", "x", began=0)
    one, _ = log.apply(log.apply(None, x)[0], y)
    other, _ = log.apply(log.apply(None, y)[0], x)
    assert one == other
    assert as_tuple(one) == ("x", "x")
    assert repr(one) == "['x', 'x']"


def test_an_operation_cannot_end_before_it_begins() -> None:
    with pytest.raises(HistoryError, match="before it began"):
        operation("c", "read", began=5, ended=4)
    with pytest.raises(HistoryError, match="give it an end"):
        operation("c", "read", began=5, outcome=Outcome.OK)


@pytest.mark.bench
def test_ten_thousand_operations_take_less_than_five_seconds() -> None:
    for unknown in (0.0, 0.03, 0.1):
        history = run(random.Random(1), 10_000, clients=10, keys=10, unknown=unknown)
        began = time.perf_counter()
        report = check(Register(), history)
        took_s = time.perf_counter() - began
        print(f"{len(history):,} operations, {unknown:.0%} timed out: {report.steps:,} steps, {took_s:.2f} s")
        assert report.verdict is OK and took_s < 5
