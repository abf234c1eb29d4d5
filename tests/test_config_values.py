"""Single values: what is taken, and that what is refused says what to write instead."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.config.nodes import Node, from_python, plain, shown
from tanist.config.sections import Preempt
from tanist.config.values import Invalid, boolean, choice, fitting_name, integer, listing, name, number, path, settings


def file_node(value: Any, folder: str = "") -> Node:
    return Node(value=from_python(value, "c.yaml:1:1").value, where="c.yaml:1:1", folder=folder)


def word_node(value: Any) -> Node:
    return from_python(value, "--flag", words=True)


def refusal(parse: Callable[[Node], object], node: Node) -> str:
    with pytest.raises(Invalid) as caught:
        parse(node)
    return "\n".join(str(p) for p in caught.value.problems)


@pytest.mark.parametrize("good", ["a", "Ana.laptop-2_x", "7", "x" * 64])
def test_a_name_of_letters_digits_and_marks_is_taken(good: Any) -> None:
    assert name(file_node(good)) == good


@pytest.mark.parametrize("bad", ["", "x" * 65, "a b", "a/b", "é", "a\n", "\x1b[31m", ".", "..", "-", None, [], {}])
def test_what_is_no_name_is_refused(bad: Any) -> None:
    assert refusal(name, file_node(bad)).startswith("c.yaml:1:1: ")


def test_a_refused_name_comes_with_one_that_fits() -> None:
    assert 'for example "Ana-s-laptop"' in refusal(name, file_node("Ana's laptop"))


def test_a_number_as_a_name_asks_for_quotes() -> None:
    assert "put it in quotes" in refusal(name, file_node(7))


@given(st.text(max_size=100))
def test_a_fitting_name_is_valid_or_empty(wanted: str) -> None:
    fitting = fitting_name(wanted)
    assert fitting == "" or name(file_node(fitting)) == fitting


def test_an_integer_has_bounds_and_no_booleans() -> None:
    assert [integer(0, 3)(file_node(n)) for n in (0, 3)] == [0, 3]
    assert "expected 0 to 3, got 4" in refusal(integer(0, 3), file_node(4))
    assert "got true" in refusal(integer(0, 3), file_node(True))
    assert "got 1.5" in refusal(integer(0, 3), file_node(1.5))


def test_text_is_a_number_only_where_everything_is_text() -> None:
    assert integer(-9, 9)(word_node("-3")) == -3
    assert number(0, 9)(word_node("1.5")) == 1.5
    assert "drop the quotes" in refusal(integer(0, 9), file_node("3"))
    assert "expected a number" in refusal(number(0, 9), file_node("1.5"))
    assert "the unit is in the key" in refusal(number(0, 99), file_node("12s"))


@pytest.mark.parametrize("bad", ["٣", "1_000", "0x10", "9" * 30, " 3", "", "1e3"])
def test_only_plain_digits_are_a_whole_number(bad: Any) -> None:
    assert "expected a whole number" in refusal(integer(0, 10**18), word_node(bad))


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_a_number_is_finite(bad: Any) -> None:
    refusal(number(-1e300, 1e300), word_node(bad))


def test_booleans_take_the_usual_words() -> None:
    assert [boolean(word_node(w)) for w in ("true", "Yes", "on", "1")] == [True] * 4
    assert [boolean(word_node(w)) for w in ("false", "NO", "off", "0")] == [False] * 4
    assert boolean(file_node(False)) is False
    assert 'got "maybe"' in refusal(boolean, word_node("maybe"))


def test_a_choice_names_all_words_and_the_nearest() -> None:
    assert choice(Preempt)(file_node("IDLE")) is Preempt.IDLE
    told = refusal(choice(Preempt), file_node("idel"))
    assert told == 'c.yaml:1:1: expected never or idle, got "idel"; did you mean "idle"?'


def test_a_list_reports_every_wrong_entry_and_keeps_the_order() -> None:
    numbers = listing(integer(0, 9), 3, "1, 2")
    assert numbers(file_node([2, 1, 2])) == (2, 1)
    assert refusal(numbers, file_node([10, 1, 11])).count("expected 0 to 9") == 2
    assert "at most 3" in refusal(numbers, file_node([1, 2, 3, 4]))
    assert "write [1, 2]" in refusal(numbers, file_node(5))


def test_a_path_in_a_file_starts_from_its_folder() -> None:
    assert path(file_node("data", folder="conf")) == "conf/data"
    assert path(file_node("/data", folder="conf")) == "/data"
    assert path(word_node("data")) == "data"
    assert not path(word_node("~/data")).startswith("~")
    refusal(path, file_node("a\x00b"))


def test_settings_are_a_mapping_without_places() -> None:
    assert settings(file_node({"a": [1, {"b": None}]})) == {"a": [1, {"b": None}]}
    assert settings(file_node(None)) == {}
    assert "write {} for none" in refusal(settings, file_node(3))


def test_a_shown_value_is_one_short_line() -> None:
    assert len(shown(file_node("x" * 1000))) < 80
    assert "\n" not in shown(file_node("a\nb")) and "\x1b" not in shown(file_node("\x1b[0m"))


def test_nodes_refuse_what_no_configuration_holds() -> None:
    assert plain(from_python({"a": (1, True)}, "x")) == {"a": [1, True]}
    with pytest.raises(TypeError, match="--app: a object"):
        from_python([object()], "--app")
