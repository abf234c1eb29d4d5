"""The calculator: right values, and a quick no to everything else."""

from collections.abc import Iterator
from fractions import Fraction
from random import Random

import pytest
from app_room import Room, room_of

from tanist.peer.application import Refused
from tanist.peer.apps import calculator as module
from tanist.peer.apps.arithmetic import DEPTH_MAX, EXPRESSION_LENGTH_MAX, evaluate
from tanist.peer.apps.calculator import Calculator
from tanist.peer.gateways.words import read


@pytest.fixture
def room() -> Iterator[Room]:
    with room_of(Calculator, "ab") as room:
        yield room


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3", "5"),
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("-2 - -3", "1"),
        ("2*-3", "-6"),
        ("+-+2", "-2"),
        ("0.1 + 0.2", "0.3"),
        (".5*4", "2"),
        ("1/4", "0.25"),
        ("1/3*3", "0.999999999999999999999999999999"),
        ("8/2/2", "2"),
        ("10-3-2", "5"),
        ("0*-1", "0"),
        ("1000000*1000000", "1000000000000"),
        ("007", "7"),
        ("((((1))))", "1"),
        ("\t2 +  3 ", "5"),
        ("1.50", "1.5"),
    ],
)
def test_values(expression: str, value: str) -> None:
    assert evaluate(expression) == value


def test_random_expressions_agree_with_fractions() -> None:
    rng = Random(1)

    def make(depth: int) -> tuple[str, Fraction]:
        if depth == 0 or rng.random() < 0.2:
            number = rng.choice(["0", "1", "2.5", "40", "0.125", ".5"])
            return number, Fraction(number)
        (left, a), (right, b) = make(depth - 1), make(depth - 1)
        match rng.choice("+-*"):
            case "+":
                return f"({left} + {right})", a + b
            case "-":
                return f"({left}-{right})", a - b
        return f"-({left}) * {right}", -a * b

    for _ in range(200):
        text, value = make(3)
        assert Fraction(evaluate(text)) == value, text


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("1/0", "division_by_zero"),
        ("0/(1-1)", "division_by_zero"),
        ("", "bad_expression"),
        (" ", "bad_expression"),
        ("2 +", "bad_expression"),
        ("* 2", "bad_expression"),
        ("2 3", "bad_expression"),
        ("(2", "bad_expression"),
        ("2)", "bad_expression"),
        ("()", "bad_expression"),
        ("1.2.3", "bad_expression"),
        ("1e5", "bad_expression"),
        ("٣ + 1", "bad_expression"),
        ("two", "bad_expression"),
        ("__import__('os')", "bad_expression"),
        ("2\n+ 3", "bad_expression"),
        ("nan", "bad_expression"),
        ("9**9**9", "bad_expression"),
        ("*".join(["9" * 30] * 5), "out_of_range"),
        ("9" * 120, "out_of_range"),
        ("(" * (DEPTH_MAX + 1), "too_deep"),
        ("-" * (DEPTH_MAX + 1) + "1", "too_deep"),
        ("1+" * EXPRESSION_LENGTH_MAX, "too_long"),
    ],
)
def test_the_rest_is_refused(room: Room, expression: str, code: str) -> None:
    assert room.refused("a", "calculate", expression) == code
    assert room.ask("a", "history") == []


def test_small_quotients_fade_to_nothing() -> None:
    assert evaluate("/".join(["1", *["9" * 30] * 5])) == "0"


def test_history_is_kept_for_all_and_bounded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HISTORY_MAX", 2)
    for expression in ("1+1", " 2 +  3", "4/8"):
        room.call("a", "calculate", expression)
    room.close("a")
    room.restart()
    assert room.said("b", "history") == ["2 + 3 = 5", "4/8 = 0.5"]
    assert room.said("b", "history", "1") == ["4/8 = 0.5"]
    assert room.said("b", "history", "-1") == []


@pytest.mark.parametrize("line", ["2 + 3", "-2+3", "(1)", "9**9"])
def test_a_line_that_is_no_command_is_calculated(line: str) -> None:
    operation, given = read(Calculator, line)
    assert (operation.name, given) == ("calculate", [line])


def test_refusals_say_what_is_wrong() -> None:
    with pytest.raises(Refused, match=r"^A number is missing before \*$"):
        evaluate("9**9")
    with pytest.raises(Refused, match=r"^Not a number or \+ - \* / \( \): x$"):
        evaluate("2 + x")
