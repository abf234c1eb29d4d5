"""What verbs print: escaped, aligned, and coloured only where colour fits."""

import io

import pytest

from tanist.peer.cli.output import is_coloured, paint, safe, table, value_lines


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_alone_and_not_under_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert paint("up", "good", Terminal()) == "\x1b[32mup\x1b[0m"
    assert paint("up", "good", io.StringIO()) == "up"
    monkeypatch.setenv("NO_COLOR", "1")
    assert not is_coloured(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not is_coloured(Terminal())


def test_control_characters_are_escaped() -> None:
    assert safe("a\x1b[2Jb\nc") == "a\\x1b[2Jb\\nc"
    assert safe("a\nb\x07", lines=True) == "a\nb\\x07"
    assert safe("Жук ✓") == "Жук ✓"


def test_columns_are_aligned_and_nothing_is_cut() -> None:
    assert table(["a", "long head"], [["wide cell", "x" * 200]]) == ["a          long head", "wide cell  " + "x" * 200]


def test_results_print_as_people_read_them() -> None:
    assert value_lines(None) == ""
    assert value_lines("a\tb") == "a\tb"
    assert value_lines(["a", 5, True, ["b", {"k": 1}]]) == 'a\n5\ntrue\nb\n{"k":1}'


def test_text_from_elsewhere_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", Terminal())
    assert value_lines(["\x1b[2J"]) == "\\x1b[2J"
