"""Recorded histories: tanist's own form, the usual one, EDN, and the verb that checks them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.linearizability.edn import Edn
from tanist.election.linearizability.jepsen import read_jepsen
from tanist.election.linearizability.operations import HistoryError, Operation, Outcome, operation
from tanist.election.linearizability.recorded import is_recorded, read_recorded, write_header, write_operation
from tanist.peer.cli.verbs import run

# tanist's own form

plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@given(st.lists(plain, max_size=3), plain, st.none() | st.text() | st.integers(0, 9), st.sampled_from(Outcome))
def test_what_is_written_is_read_again(arguments: list[Any], result: Any, key: Any, outcome: Outcome) -> None:
    done = operation("c1", "call", *arguments, key=key, result=result, began=3, ended=9, outcome=outcome)
    text = write_header("kv") + "\n" + write_operation(done) + "\n"
    assert is_recorded(text.partition("\n")[0])
    header, (again,) = read_recorded(text.split("\n"))
    assert header.model == "kv"
    fields = [f for f in Operation.__struct_fields__ if f != "place"]
    assert [getattr(again, f) for f in fields] == [getattr(done, f) for f in fields]


def test_an_outcome_that_is_not_said_follows_from_the_end() -> None:
    lines = [write_header(), '{"client":"a","call":"read","began_ns":1,"ended_ns":2}']
    lines.append('{"client":"a","call":"read","began_ns":3}')
    assert [o.outcome for o in read_recorded(lines)[1]] == [Outcome.OK, Outcome.UNKNOWN]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "line 1: not the header"),
        (['{"format":"other","version":1}'], "line 1: other of version 1"),
        (['{"format":"tanist-history","version":2}'], "of version 2; this program reads"),
        ([write_header(), "", "{"], "line 3: "),
        ([write_header(), '{"client":"a","call":"read"}'], "line 2: .*began_ns"),
        ([write_header(), '{"client":"a","call":"r","began_ns":5,"ended_ns":4}'], "line 2: r ended at 4, before"),
        ([write_header(), '{"client":"a","call":"r","began_ns":5,"outcome":"ok"}'], "line 2: r was answered"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(lines: list[str], told: str) -> None:
    with pytest.raises(HistoryError, match=told):
        read_recorded(lines)


# EDN


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("; nothing\n", []),
        ("nil true false 1 -2 3N 2.5 1e3 7M", [None, True, False, 1, -2, 3, 2.5, 1000.0, 7.0]),
        (r'"a \"b\" \n" \c :key :a/b sym', ['a "b" \n', "c", "key", "a/b", "sym"]),
        ("[1, (2 3) #{4}] {:a {:b [nil]}}", [[1, [2, 3], frozenset({4})], {"a": {"b": [None]}}]),
        ('#inst "2020" #jepsen.history.Op{:f :read} ; note\n 1', ["2020", {"f": "read"}, 1]),
    ],
)
def test_edn(text: str, values: list[Any]) -> None:
    assert Edn(text).values() == values


@pytest.mark.parametrize("text", ["[1", "{:a}", "]", '"open', "{1 2]", "[" * 500, "#_"])
def test_what_is_no_edn_is_refused(text: str) -> None:
    with pytest.raises(HistoryError, match="line 1: "):
        Edn(text).values()


@given(st.text(alphabet='[]{}()#"\\:;ab1 \n,_', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        Edn(text).values()
    except HistoryError:
        pass


# invoke, ok, fail, info

EVENTS = [
    {"process": 0, "type": "invoke", "f": "write", "value": 3, "time": 5},
    {"process": 1, "type": "invoke", "f": "read", "value": None},
    {"process": "nemesis", "type": "info", "f": "start", "value": None},
    {"process": 0, "type": "ok", "f": "write", "value": 3},
    {"process": 1, "type": "ok", "f": "read", "value": 3},
    {"process": 2, "type": "invoke", "f": "cas", "value": [3, 4]},
    {"process": 2, "type": "info", "f": "cas", "value": [3, 4]},
    {"process": 3, "type": "invoke", "f": "cas", "value": [3, 5]},
    {"process": 3, "type": "fail", "f": "cas", "value": [3, 5]},
    {"process": 0, "type": "invoke", "f": "cas", "value": [4, 6]},
    {"process": 0, "type": "ok", "f": "cas", "value": [4, 6]},
    {"process": 1, "type": "invoke", "f": "write", "value": 9},
]
TOLD = [
    "0: write 3 -> nothing",
    "1: read -> 3",
    "2: cas 3 4 -> ?",
    "3: cas 3 5 failed",
    "0: cas 4 6 -> True",
    "1: write 9 -> ?",
]


def edn(value: Any) -> str:
    match value:
        case None:
            return "nil"
        case dict():
            return "{" + ", ".join(f":{k} {edn(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + " ".join(map(edn, value)) + "]"
        case str():
            return f":{value}"
        case _:
            return str(value)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(map(json.dumps, EVENTS)),
        json.dumps(EVENTS),
        "\n".join(map(edn, EVENTS)),
        edn(EVENTS),
        "\n".join("#jepsen.history.Op" + edn(e) for e in EVENTS),
    ],
    ids=["json lines", "json", "edn lines", "edn", "edn tags"],
)
def test_the_usual_form(text: str) -> None:
    assert [str(o).partition(" (line")[0] for o in read_jepsen(text)] == TOLD


def test_pairs_of_key_and_value() -> None:
    events = [
        {"process": 0, "type": "invoke", "f": "cas", "value": ["k", [1, 2]]},
        {"process": 0, "type": "ok", "f": "cas", "value": ["k", [1, 2]]},
        {"process": 0, "type": "invoke", "f": "read", "value": ["k", None]},
        {"process": 0, "type": "ok", "f": "read", "value": ["k", 2]},
        {"process": 0, "type": "invoke", "f": "read", "key": "j", "value": None},
        {"process": 0, "type": "ok", "f": "read", "key": "j", "value": 2},
    ]
    found = [(o.key, o.call, o.arguments, o.outcome) for o in read_jepsen(json.dumps(events), keyed=True)]
    ok = Outcome.OK
    assert found == [("k", "cas", (1, 2), ok), ("k", "read", (), ok), ("j", "read", (), ok)]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (["{:process 0 :type :ok :f :read}"], "event 1: process 0 did not invoke"),
        (["{:process 0 :type :invoke :f :read}"] * 2, "event 2: process 0 does something else still"),
        (["{:process 0 :type :why :f :read}"], "event 1: type 'why'"),
        (["{:process 0 :type :invoke}"], "event 1: .*`f` is missing"),
        (["17"], "event 1 is no map"),
    ],
)
def test_events_that_make_no_history_are_refused(events: list[str], told: str) -> None:
    with pytest.raises(HistoryError, match=told):
        read_jepsen("\n".join(events))


def test_a_value_that_is_no_pair_is_refused() -> None:
    with pytest.raises(HistoryError, match="no pair"):
        read_jepsen("{:process 0 :type :invoke :f :write :value 3}", keyed=True)


# The verb


def history(tmp_path: Path, *results: int | None, model: str = "register") -> str:
    lines = [write_header(model), write_operation(operation("a", "write", 1, began=0, ended=1))]
    for n, result in enumerate(results, 1):
        lines.append(write_operation(operation("b", "read", result=result, began=10 * n, ended=10 * n + 1)))
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_a_good_history_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check-history", history(tmp_path, 1, 1)]) == 0
    assert capsys.readouterr().out.startswith("ok: linearizable (3 operations on 1 object")


def test_a_bad_history_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check-history", history(tmp_path, 1, None)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("violation")
    assert "b: read -> nothing (line 4)" in out


def test_a_used_up_budget_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check-history", history(tmp_path, 1), "--steps", "1"]) == 1
    assert capsys.readouterr().out.startswith("unknown")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check-history", history(tmp_path, 2), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "violation"
    assert answer["unplaced"] == "b: read -> 2 (line 3)"
    assert answer["longest"] == ["a: write 1 -> nothing (line 2)"]


def test_a_history_in_edn_needs_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "history.edn"
    path.write_text("\n".join(map(edn, EVENTS)), encoding="utf-8")
    assert run(["check-history", str(path)]) == 2
    assert "add --model: register" in capsys.readouterr().err
    assert run(["check-history", str(path), "--model", "cas-register"]) == 0


def test_a_model_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the page of histories has it, but for its operations."""
    path = tmp_path / "last.py"
    path.write_text(
        "class Last:\n"
        "    by_key = True\n"
        "    def initial(self): return 0\n"
        "    def apply(self, state, o): return (o.arguments[0], None) if o.call == 'write' else (state, state)\n"
        "    def reads(self, o): return o.call == 'read'\n"
        "class Half:\n"
        "    by_key = True\n",
        encoding="utf-8",
    )
    assert run(["check-history", history(tmp_path, 1), "--model", f"{path}:Last"]) == 0
    assert run(["check-history", history(tmp_path, 0), "--model", f"{path}:Last"]) == 1
    assert run(["check-history", history(tmp_path, 1), "--model", f"{path}:Half"]) == 2
    assert "needs initial, apply, reads too" in capsys.readouterr().err
    assert run(["check-history", history(tmp_path, 1), "--model", f"{path}:None"]) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.jsonl"], "cannot be read"),
        (["{}", "--model", "stack"], "there are register"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = history(tmp_path, 1)
    assert run(["check-history", *(a.format(path) if a == "{}" else a for a in arguments)]) == 2
    assert told in capsys.readouterr().err


def test_an_operation_that_the_model_lacks_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(write_header("kv") + '\n{"client":"a","call":"jump","began_ns":1,"ended_ns":2}\n', encoding="utf-8")
    assert run(["check-history", str(path)]) == 2
    assert "line 2: the model does not know 'jump'" in capsys.readouterr().err
