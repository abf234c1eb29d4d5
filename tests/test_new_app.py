"""`tanist new-app`: what it writes runs, is deterministic, and passes its own failure test; it writes nothing over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tanist.peer.application.loading import load_application
from tanist.peer.application.specification import describe
from tanist.peer.cli.exits import Exit
from tanist.peer.cli.verbs import run


@pytest.fixture(autouse=True)
def only_what_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Folders of applications that tests before loaded here stay on the path: a new process has none of them."""
    temporary = str(tmp_path.parent.parent)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if not folder.startswith(temporary)])


def test_what_it_writes_is_an_application(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert run(["new-app", "shopping_list", "--in", str(folder)]) == Exit.OK
    said = capsys.readouterr().out
    assert f"tanist up --app {folder}/shopping_list.py:Shopping_list" in said
    name, application = load_application(f"{folder}/shopping_list.py:Shopping_list")
    assert name == "shopping_list"
    assert [o.name for o in describe(application).commands] == ["add", "remove"]


@pytest.mark.slow
def test_it_is_deterministic_as_simulate_sees_it(tmp_path: Path) -> None:
    assert run(["new-app", "notes", "--in", str(tmp_path)]) == Exit.OK
    assert run(["simulate", "--app", f"{tmp_path}/notes.py:Notes", "--seeds", "0:3"]) == Exit.OK


@pytest.mark.slow
def test_its_own_failure_test_passes(tmp_path: Path) -> None:
    assert run(["new-app", "notes", "--in", str(tmp_path)]) == Exit.OK
    command = [sys.executable, "-m", "pytest", "-q", "test_notes.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    "name", ["", "Notes", "1st", "a-b", "a b", "../x", "class", "kv", "x" * 50, "ä", "calendar", "msgspec"]
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new-app", name, "--in", str(tmp_path)]) == Exit.USAGE
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_notes.py").write_text("mine")
    assert run(["new-app", "notes", "--in", str(tmp_path)]) == Exit.USAGE
    assert [p.name for p in tmp_path.iterdir()] == ["test_notes.py"]
    assert "is there already" in capsys.readouterr().err
    assert run(["new-app", "other", "--in", str(tmp_path / "test_notes.py")]) == Exit.FAILED
