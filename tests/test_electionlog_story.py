"""`tanist log show`: what it prints, and how it ends."""

import io
import json
import os
import re
from datetime import UTC
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from msgspec.structs import fields

from tanist.election.events import Event, ReignBegan, ServerFollowed, ServerLost
from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.peer_events import ApplicationFault, LoopStalled
from tanist.peer.electionlog.problems import PROBLEMS_SHOWN_MAX
from tanist.peer.electionlog.story import show
from tanist.peer.electionlog.terminal import HIDDEN, MARKS_MAX
from tanist.peer.electionlog.writer import ElectionLog

ANNA, BERT = "7f3a9c10", "c0ffee12"
BEGAN_NS = 1_795_000_000_000_000_000
STORY: list[tuple[int, str, Event]] = [
    (0, "anna", ReignBegan(f"1@{ANNA}", 0, 0.0, True)),
    (100, "bert", ServerFollowed(ANNA, "h:1", f"1@{ANNA}", 9.0)),
    (60_000, "bert", ServerLost(ANNA, f"1@{ANNA}", "closed", "", 5.0)),
    (64_500, "bert", ReignBegan(f"2@{BERT}", 3, 4500.0, False)),
    (65_000, "bert", ApplicationFault("poll", "vote", "\x1b[2Joops " + "long " * 30)),
]
OWN_COLOURS = re.compile("\x1b\\[[0-9]{1,2}m")
SAID = """\
Wednesday 2026-11-18, UTC
11:06:40.000  anna          serving as 1@anna
11:06:40.100  bert          following anna (1@anna)
11:07:40.000  bert          lost the server anna: closed
11:07:44.500  bert          serving as 2@bert
"""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def data(tmp_path: Path) -> Path:
    now_ns = BEGAN_NS
    logs = {}
    for name, peer in (("anna", ANNA), ("bert", BERT)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "election.jsonl"
        logs[name] = ElectionLog(
            path,
            cluster="home",
            peer=peer,
            name=name,
            incarnation=(1, 1),
            wall_ns=lambda: now_ns,
            mono_ns=lambda: now_ns - BEGAN_NS,
        )
    for ms, name, event in STORY:
        now_ns = BEGAN_NS + ms * 1_000_000
        logs[name].emit(event)
    for log in logs.values():
        log.close()
    return tmp_path


def shown(*paths: Path, **options: Any) -> tuple[int, str, str]:
    stream, errors = options.pop("stream", io.StringIO()), io.StringIO()
    status = show(paths, stream=stream, errors=errors, zone=UTC, **options)
    return status, stream.getvalue(), errors.getvalue()


def test_the_story_and_the_table(data: Path) -> None:
    status, text, errors = shown(data)
    assert status == 0 and not errors
    assert text.startswith(SAID)
    assert "   1  anna          11:06:40.000  11:07:40.000  1 min 0 s     lost: closed\n" in text
    assert "without one    4.5 s, then 2@bert\n" in text


def test_no_control_character_reaches_the_stream(data: Path) -> None:
    assert "\\x1b[2Joops" in shown(data)[1] and "\x1b" not in shown(data)[1]


BOMB = "\x1b]0;owned\x07\x1b[2J\r\n{oops}\u202egnp.\u200b\U000e0041" + "e\u0301\u0301\u0301\u0301\u0301\u0301" * 50
"""What a hostile peer could call itself: escapes, a new line, a template's field, turned, hidden and piled letters."""


def hostile(kind: Any) -> Any:
    """A value of a field's type, with the bomb in every text of it."""
    inside = [hostile(part) for part in get_args(kind)]
    match get_origin(kind):
        case None:
            return BOMB if kind is str else kind(1)
        case found if found is dict:
            return dict([inside])
        case _:
            return inside * 2


@pytest.mark.parametrize("terminal", [False, True])
def test_no_event_with_hostile_text_steers_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    path = tmp_path / "a\x1b[31mlog"
    log = ElectionLog(path, cluster=BOMB, peer=BOMB, name=BOMB, incarnation=(1, 1), level="debug")
    for cls in CATALOGUE.values():
        log.emit(cls(*(hostile(field.type) for field in fields(cls))))
    log.close()
    raw = path.read_text()
    assert len(raw.splitlines()) == len(CATALOGUE) and not HIDDEN.search(raw.replace("\n", ""))
    with path.open("a") as file:
        file.write('{"event": "\\u001b[2J"}\n')
    stream = Terminal() if terminal else io.StringIO()
    status, text, errors = shown(path, stream=stream)
    story = OWN_COLOURS.sub("", text)
    assert status == 0 and "not a line" in errors
    assert (story != text) is terminal
    assert len(re.findall(r"^\d\d:\d\d:\d\d\.\d{3}  ", story, re.MULTILINE)) == len(CATALOGUE)
    for line in (story + errors).split("\n"):
        assert not HIDDEN.search(line), ascii(line)
        assert "\u0301" * (MARKS_MAX + 1) not in line


def test_a_terminal_gets_colour_and_folded_lines(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "90")
    text = shown(data, stream=Terminal())[1]
    assert "\x1b[36manna" in text and "\x1b[32mbert" in text
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(data, stream=Terminal())[1]
    assert "\x1b" not in plain and max(map(len, plain.splitlines())) <= 90
    # In a pipe, where grep reads, a line stays a line.
    assert max(map(len, shown(data)[1].splitlines())) > 100


def test_filters(data: Path) -> None:
    assert shown(data, event="reign-began")[1].count("serving as") == 2
    assert "  anna  " not in shown(data, peer="bert")[1]
    assert "term" not in shown(data, peer="bert")[1]
    second = shown(data, term=2)[1]
    assert "serving as 2@bert" in second and "serving as 1@anna" not in second and "\n   1  " not in second
    assert "following" not in shown(data, since="2026-11-18T11:07:00Z")[1]
    assert shown(data, since="2030-01-01", event="woke")[:2] == (0, "no lines\n")


def test_times_are_of_one_clock_and_a_clock_that_is_off_is_told_of(data: Path) -> None:
    path = data / "bert" / "election.jsonl"
    path.write_text(path.read_text().replace("T11:", "T09:"))
    status, text, _ = shown(data)
    day, first, note, *rest = text.splitlines()
    assert status == 0 and [day, first] == SAID.splitlines()[:2]
    assert note == "(the clock of bert is 2 h 0 min behind most others; times here are put right)"
    # Nobody knows how long after the reign began it was followed: at least this.
    assert rest[0] == "11:06:40.000  bert          following anna (1@anna)"
    assert rest[1] == "11:07:39.900  bert          lost the server anna: closed"
    assert "11:06:40.000  11:07:39.900  59.9 s" in text
    assert "lost the server" not in shown(data, since="2026-11-18T11:07:40Z")[1]


def test_json_is_the_lines_themselves(data: Path) -> None:
    status, text, _ = shown(data, json=True, event=["reign_began"])
    found = [json.loads(row) for row in text.splitlines()]
    files = (data / "anna" / "election.jsonl").read_text() + (data / "bert" / "election.jsonl").read_text()
    assert status == 0 and [row["name"] for row in found] == ["anna", "bert"]
    assert all(row in files.splitlines() for row in text.splitlines())


@pytest.mark.parametrize("options", [{"event": "regin_began"}, {"since": "soon"}])
def test_a_wrong_question_is_status_2(data: Path, options: dict[str, str]) -> None:
    status, text, errors = shown(data, **options)
    assert status == 2 and not text and errors


def test_a_file_that_cannot_be_read_is_status_1_and_the_rest_is_told(data: Path) -> None:
    status, text, errors = shown(data, data / "nope.jsonl")
    assert status == 1 and text.startswith(SAID) and "nope.jsonl: cannot be read" in errors


def test_damage_is_told_and_no_failure(data: Path) -> None:
    with (data / "anna" / "election.jsonl").open("a") as file:
        file.write("garbage\n")
    status, text, errors = shown(data)
    assert status == 0 and text.startswith(SAID) and "election.jsonl:2: not a line" in errors


def test_a_foreign_file_is_status_1_in_a_few_lines(tmp_path: Path) -> None:
    path = tmp_path / "syslog"
    path.write_text("hello\n" * 500)
    status, _, errors = shown(path)
    assert status == 1
    assert len(errors.splitlines()) == PROBLEMS_SHOWN_MAX + 1 and f"and {500 - PROBLEMS_SHOWN_MAX} more" in errors


def test_an_empty_log_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "election.jsonl"
    path.touch()
    assert shown(path)[:2] == (0, "no lines\n")


def test_a_stream_that_cannot_say_a_letter_gets_it_written_out(tmp_path: Path) -> None:
    path = tmp_path / "election.jsonl"
    log = ElectionLog(path, cluster="home", peer=ANNA, name="Zoë李", incarnation=(1, 1))
    log.emit(LoopStalled(1.0))
    log.close()
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    assert show([path], stream=stream) == 0
    assert "Zoë\\u674e".encode("latin-1") in raw.getvalue()


def test_a_reader_that_closes_the_pipe_is_no_failure(data: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        assert show([data], stream=stream, errors=io.StringIO()) == 0
