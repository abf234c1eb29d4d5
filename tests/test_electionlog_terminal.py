"""What reaches a terminal: no control characters, colour only where wanted, widths in columns."""

import io

import pytest

from tanist.peer.electionlog.terminal import cells, colour_wanted, folded, padded, printable


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202egnp", "abc\\u202egnp"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("lone \udc80", "lone \\udc80"),
        ("soft\xadhyphen", "soft\\xadhyphen"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("blank\u3164", "blank\\u3164"),
        ("pile" + "\u0301" * 500, "pile" + "\u0301" * 4 + "…"),
        ("Zoë 李 👍🏽", "Zoë 李 👍🏽"),
        ("می‌خواهم 👨‍👩‍👧 tiếng Việt नमस्ते", "می‌خواهم 👨‍👩‍👧 tiếng Việt नमस्ते"),
    ],
)
def test_control_characters_are_written_out_and_letters_stay(text: str, written: str) -> None:
    assert printable(text) == written


def test_colour_only_on_a_terminal_and_not_under_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colour_wanted(Terminal())
    assert not colour_wanted(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour_wanted(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not colour_wanted(Terminal())


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not colour_wanted(stream)


def test_wide_names_take_their_columns() -> None:
    assert cells("李雷") == 4
    for name in ("anna", "李雷李雷李雷李雷", "a-very-long-name-indeed"):
        assert cells(padded(name, 12)) == 12


def test_folded_lines_keep_within_the_width_and_under_the_first() -> None:
    lines = folded("word " * 30, 50, 10).split("\n")
    assert len(lines) > 1
    assert len(lines[0]) <= 40
    assert all(line.startswith(" " * 10 + "word") and len(line) <= 50 for line in lines[1:])
