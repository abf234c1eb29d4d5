"""The demo on a terminal and in a pipe."""

import io

from rich.console import Console

from tanist.peer.cli.demo_checks import Check
from tanist.peer.cli.demo_display import Display, Picture, Row

PICTURE = Picture(
    [Row("anna", "dead", 0, 0, ""), Row("ben", "server", 2, 1234, "http://127.0.0.1:20001/")], 2, 7, 1240, 0.4
)


def told(terminal: bool) -> str:
    out = io.StringIO()
    now_s = [10.0]
    console = Console(file=out, force_terminal=terminal, width=90, highlight=False, _environ={"TERM": "xterm"})
    with Display(console, lambda: now_s[0]) as display:
        display.begin(lambda: PICTURE)
        now_s[0] = 12.3
        display.say("ben serves, and this is a sentence that is longer than the terminal is wide.")
        display.check(Check(False, "anna lacks 2"))
    return out.getvalue()


def test_a_pipe_gets_one_plain_line_for_each_sentence() -> None:
    assert told(terminal=False).splitlines() == [
        "   2.3 s  ben serves, and this is a sentence that is longer than the terminal is wide.",
        "  FAILED  anna lacks 2",
    ]


def test_a_terminal_gets_the_picture_too() -> None:
    shown = told(terminal=True)
    assert "\x1b[" in shown
    assert "1,234 numbers" in shown
    assert "1,240 acknowledged" in shown
    assert "clients wait, 0.4 s" in shown
