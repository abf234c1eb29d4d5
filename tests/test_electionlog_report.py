"""`tanist log check` as people and programs see it: findings, what they are out of, and the exit status."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tanist.election.events import ReignBegan, VoteCast
from tanist.peer.cli.verbs import run
from tanist.peer.electionlog.checks.check import RULES
from tanist.peer.electionlog.checks.report import log_check
from tanist.peer.electionlog.line import as_json, make_line
from tanist.peer.electionlog.peer_events import PeerStarted

BENCH = Path(__file__).parent / "bench" / "logs.py"
ALL = len(RULES)
STARTED = PeerStarted("0", "quorum", "lan", "a:1", "", "", 3, 300.0, 1000.0)


def log_of(path: Path, *votes: str, name: str = "anna", more: str = "") -> Path:
    """A log of one start, with a vote in number 2 for each of these."""
    events = [STARTED, *(VoteCast(2, candidate, True, "") for candidate in votes)]
    lines = [
        make_line(
            event, cluster="home", peer="a1", name=name, incarnation="1-1", seq=i, wall_ms=10 * i, mono_ms=10.0 * i
        )
        for i, event in enumerate(events, 1)
    ]
    path.write_text("".join(as_json(line) + "\n" for line in lines) + more, encoding="utf-8")
    return path


def checked(*paths: Path, **options: Any) -> tuple[int, str, str]:
    """Status, what was written, and what was complained of."""
    stream, errors = io.StringIO(), io.StringIO()
    status = log_check(paths, stream=stream, errors=errors, **options)
    return status, stream.getvalue(), errors.getvalue()


def test_clean_logs_say_how_much_was_checked(tmp_path: Path) -> None:
    status, out, errors = checked(log_of(tmp_path / "a.jsonl", "b2"))
    assert status == 0 and not errors
    assert out == f"nothing breaks a rule: 2 events, 1 peer, 0 reigns, {ALL} rules of {ALL}\n"


def test_a_breach_is_pointed_to_with_what_it_means(tmp_path: Path) -> None:
    path = log_of(tmp_path / "a.jsonl", "b2", "c3")
    status, out, _ = checked(path)
    assert status == 1
    assert out.splitlines() == [
        f"{path}:3: vote_cast breaks one-vote",
        "    anna votes twice in number 2: for b2 and c3",
        f"    see also {path}:2",
        "    A peer votes for one candidate a number, itself included, also across restarts. Else: Its vote was not on "
        "disk before it was spoken: two candidates can win one number.",
        f"1 line broke a rule: 3 events, 1 peer, 0 reigns, {ALL} rules of {ALL}",
    ]


def test_json_has_the_same_as_one_object(tmp_path: Path) -> None:
    path = log_of(tmp_path / "a.jsonl", "b2", "c3")
    status, out, _ = checked(path, json=True)
    told = json.loads(out)
    assert status == 1 and (told["events"], told["peers"], told["reigns"], told["more"]) == (3, 1, 0, 0)
    assert len(told["rules"]) == ALL
    (finding,) = told["findings"]
    assert finding["rule"] == "one-vote" and finding["file"] == str(path) and finding["line"] == 3
    assert finding["also"] == [f"{path}:2"]


def test_what_cannot_be_read_is_reported_and_the_rest_is_checked(tmp_path: Path) -> None:
    path = log_of(tmp_path / "a.jsonl", "b2", more='{"hello": 1}\nplain text\n{"v":1,"event":"vo')
    status, out, errors = checked(path)
    assert status == 0 and out.startswith("nothing breaks a rule: 2 events")
    assert [line.partition(": ")[0] for line in errors.splitlines()] == [f"{path}:{number}" for number in (3, 4, 5)]


@pytest.mark.parametrize("content", ["", "not a log\n"])
def test_files_without_a_line_are_no_clean_log(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content, encoding="utf-8")
    assert checked(path)[0] == 1


def test_a_file_that_is_not_there_fails_though_the_others_are_clean(tmp_path: Path) -> None:
    status, _, errors = checked(log_of(tmp_path / "a.jsonl", "b2"), tmp_path / "nope.jsonl")
    assert status == 1 and "nope.jsonl: cannot be read" in errors


def test_a_name_cannot_forge_a_line(tmp_path: Path) -> None:
    out = checked(log_of(tmp_path / "a.jsonl", "b2", "c3", name="x\x1b[2J\nnothing breaks a rule"))[1]
    assert "\x1b" not in out and len(out.splitlines()) == 5


def test_findings_without_end_are_counted(tmp_path: Path) -> None:
    lines = [
        make_line(
            ReignBegan(f"{i}@b2", 1, 0.0, False),
            cluster="home",
            peer="a1",
            name="anna",
            incarnation="1-1",
            seq=i,
            wall_ms=i,
            mono_ms=float(i),
        )
        for i in range(1, 1501)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(as_json(line) + "\n" for line in lines), encoding="utf-8")
    status, out, _ = checked(path)
    assert status == 1 and "and 500 more" in out and "1,500 lines broke a rule" in out


def test_the_verb_reads_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "anna").mkdir()
    log_of(tmp_path / "anna" / "election.jsonl", "b2", "c3")
    assert run(["log", "check", str(tmp_path)]) == 1
    assert "breaks one-vote" in capsys.readouterr().out


@pytest.mark.slow
def test_many_events_take_little_memory_and_break_no_rule() -> None:
    bench = subprocess.run([sys.executable, BENCH, "200000"], capture_output=True, text=True, check=True)
    rows = [line.rsplit(maxsplit=4)[-2:] for line in bench.stdout.splitlines()[2:]]
    assert len(rows) == 3
    for peak_mb, status in rows:
        assert float(peak_mb) < 250 and status == "0", bench.stdout
