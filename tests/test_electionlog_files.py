"""The file on disk: lines whole, turned over when full, never more than so many."""

import os
from pathlib import Path

import pytest

from tanist.peer.electionlog.files import RotatingFile, older_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "election.jsonl"


def test_lines_are_appended_across_openings(path: Path) -> None:
    for text in ("one", "two"):
        file = RotatingFile(path)
        file.append(text)
        file.close()
    assert path.read_text() == "one\ntwo\n"


def test_a_full_file_is_turned_over_and_the_oldest_goes(path: Path) -> None:
    file = RotatingFile(path, bytes_max=20, files_max=3)
    for i in range(10):
        file.append(f"line {i:04}")
    file.close()
    kept = [older_path(path, age).read_text().split("\n")[:-1] for age in (2, 1, 0)]
    assert kept == [["line 0004", "line 0005"], ["line 0006", "line 0007"], ["line 0008", "line 0009"]]
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "election.jsonl",
        "election.jsonl.1",
        "election.jsonl.2",
    ]


def test_a_line_longer_than_a_file_is_written_all_the_same(path: Path) -> None:
    file = RotatingFile(path, bytes_max=10)
    file.append("x" * 50)
    file.append("next")
    file.close()
    assert older_path(path, 1).read_text() == "x" * 50 + "\n"
    assert path.read_text() == "next\n"


def test_half_a_line_of_a_crash_does_not_swallow_the_next(path: Path) -> None:
    path.write_text('whole\n{"half": ')
    file = RotatingFile(path)
    file.append("next")
    file.append("after")
    file.close()
    assert path.read_text() == 'whole\n{"half": \nnext\nafter\n'


def test_a_short_write_is_an_error_and_does_not_swallow_the_next(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RotatingFile(path)
    file.append("first")
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
        with pytest.raises(OSError, match="only 3 of 7 bytes"):
            file.append("second")
    file.append("third")
    file.close()
    assert path.read_text() == "first\nsec\nthird\n"
