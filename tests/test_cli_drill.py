"""`tanist drill`, as a person types it: the list, what is wrong with the question, one drill, and one that fails."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tanist.election.linearizability.recorded import read_recorded
from tanist.peer.cli import drill_telling as telling
from tanist.peer.cli.exits import Exit
from tanist.peer.cli.verbs import run
from tanist.peer.drills.ready import ORDER, ready_drill
from tanist.peer.drills.report import HISTORY, PAGE, REPORT, TIMELINE
from tanist.peer.electionlog.reader import read

QUICK = """
title: The server is killed, quickly
steps:
  - kill server
  - wait server heir within 20s
  - wait served within 20s
  - start server
  - wait settled within 20s
expects:
  - reigns >= 1
"""


def test_without_a_name_it_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill"]) == Exit.OK
    told = capsys.readouterr().out
    assert all(name in told for name in ORDER)
    assert run(["drill", "--json"]) == Exit.OK
    assert [drill["name"] for drill in json.loads(capsys.readouterr().out)["drills"]] == [*ORDER]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["server-crush"], "there is no drill 'server-crush'; there are server-crash, "),
        (["none.yaml"], "none.yaml: cannot be read"),
        (["server-crash", "--all"], "leave out server-crash, or --all"),
        (["server-crash", "--peers", "1"], "2 to 9"),
        (["server-crash", "--peers", "2"], "server-crash needs 3"),
        (["server-crash", "--pace", "slow"], "take one of classic, lan, fast"),
        (["server-crash", "--safety", "none"], "take survivor or quorum"),
        (
            ["server-crash", "--at", "http://127.0.0.1:9", "--peers", "3"],
            "--at takes one drill, and the peers as they are",
        ),
        (["server-crash", "--at", "http://127.0.0.1:9", "--json"], "with --at say --yes too"),
        (["--all", "--at", "http://127.0.0.1:9"], "--at takes one drill, and the peers as they are"),
    ],
)
def test_a_question_that_is_wrong_is_answered_by_what_would_be_right(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["drill", *arguments]) == Exit.USAGE
    assert message in capsys.readouterr().err


def test_all_that_is_wrong_with_a_file_is_told_and_nothing_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("title: x\nsteps:\n- kil server\n- kill sever\n", encoding="utf-8")
    assert run(["drill", str(file)]) == Exit.USAGE
    told = capsys.readouterr().err
    assert "the drill has 2 problems" in told
    assert f"{file}:3:3: there is no step 'kil'" in told
    assert f"{file}:4:3: there is no peer and no role 'sever'; did you mean \"server\"?" in told


def test_a_drill_for_one_mode_is_not_run_in_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("title: x\nsafety: quorum\nsteps: [run 1ms]\n", encoding="utf-8")
    assert run(["drill", str(file), "--safety", "survivor"]) == Exit.USAGE
    assert "mine is for quorum" in capsys.readouterr().err


def test_a_drill_is_told_judged_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, keep = tmp_path / "quick.yaml", tmp_path / "kept"
    file.write_text(QUICK, encoding="utf-8")
    status = run(["drill", str(file), "--safety", "quorum", "--pace", "lan", "--keep", str(keep)])
    told = capsys.readouterr().out
    assert status == Exit.OK, told
    for part in ("> kill ", "lost the server", "serving as 2@", "passed: ", "linearizable"):
        assert part in told
    folder = keep / "quick-3-quorum"
    report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    assert report["clients"]["acknowledged"] > 0 and len(report["reigns"]) >= 1
    lines = list(read([folder / TIMELINE], lambda problem: pytest.fail(str(problem))))
    assert {line.name for line in lines} == {"anna", "ben", "carl"}
    assert any(line.event == "fault_injected" and line.fields["detail"] == "killed" for line in lines)
    assert "kill " in (folder / PAGE).read_text(encoding="utf-8")
    header, operations = read_recorded((folder / HISTORY).read_text(encoding="utf-8").split("\n"))
    assert header.model == "kv" and len(operations) >= report["clients"]["acknowledged"]


def test_a_drill_that_fails_ends_with_1_and_says_what_was_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, keep = tmp_path / "wrong.yaml", tmp_path / "kept"
    file.write_text("title: x\nsteps: [run 1ms]\nexpects: [reigns >= 7]\n", encoding="utf-8")
    status = run(["drill", str(file), "--pace", "fast", "--json", "--keep", str(keep)])
    told = json.loads(capsys.readouterr().out)
    assert status == Exit.FAILED and told["ok"] is False
    (report,) = told["runs"]
    (failed,) = [check for check in report["checks"] if not check["passed"]]
    assert failed["name"] == "reigns >= 7" and failed["text"].startswith("0 began")
    assert report["drill"] == "wrong" and Path(report["files"]).is_dir()


def test_peers_that_do_not_answer_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["drill", "partition", "--at", "http://127.0.0.1:9", "--yes"]) == Exit.FAILED
    assert "http://127.0.0.1:9: nobody answers there" in capsys.readouterr().err


def test_what_will_be_done_is_said_and_asked_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    telling.plan(ready_drill("server-freeze"), ["anna (http://10.0.0.1:7480)"])
    told = capsys.readouterr().out
    assert "This will be done to anna (http://10.0.0.1:7480):" in told and "  pause server\n" in told
    for said, agreed in (("y\n", True), ("yes\n", True), ("n\n", False), ("\n", False), ("", False)):
        terminal = io.StringIO(said)
        monkeypatch.setattr(sys, "stdin", terminal)
        assert telling.agreed() is False, "nobody sits there"
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        assert telling.agreed() is agreed
