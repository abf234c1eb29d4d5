"""Patterns for names: what redis says they mean, whatever their text, and in no time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.peer.gateways.resp_globs import compiled


@pytest.mark.parametrize(
    ("glob", "names", "others"),
    [
        ("*", ["", "a\nb"], []),
        ("h?llo", ["hello", "h*llo"], ["hllo", "heello"]),
        ("h*llo", ["hllo", "heeello"], ["hell"]),
        ("*b*d", ["bd", "abcd", "bbdd"], ["abc"]),
        ("h[ae]llo", ["hello", "hallo"], ["hillo"]),
        ("h[^e]llo", ["hallo", "h^llo"], ["hello"]),
        ("h[!e]llo", ["h!llo", "hello"], ["hallo"]),
        ("h[a-c]llo", ["hbllo"], ["h-llo", "hdllo"]),
        ("h[c-a]llo", ["hbllo"], ["hdllo"]),
        (r"h\*llo", ["h*llo"], ["hello", r"h\*llo"]),
        (r"h[\]\-x]llo", ["h]llo", "h-llo", "hxllo"], [r"h\llo"]),
        ("a+(b)|c.", ["a+(b)|c."], ["aab|cd"]),
        ("[]", [], ["", "]"]),
        ("[a", ["[a"], ["a"]),
        ("a\\", ["a\\"], ["a"]),
    ],
)
def test_what_a_pattern_stands_for(glob: str, names: list[str], others: list[str]) -> None:
    assert [name for name in names + others if compiled(glob).fullmatch(name)] == names


@given(st.text(alphabet="*?[]^-\\ab&|~#\n", max_size=12))
def test_every_text_is_a_pattern(glob: str) -> None:
    compiled(glob)


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    assert not compiled("*a" * 500 + "b").fullmatch("a" * 1024)
    assert time.process_time() - began < 5, "what is tried again and again takes years"
