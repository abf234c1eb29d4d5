"""The reader: many files as one stream; damage is told with file and line and never ends the reading."""

from pathlib import Path

import pytest

from tanist.peer.electionlog.line import LINE_BYTES_MAX, LogLine, as_json, make_line
from tanist.peer.electionlog.peer_events import LoopStalled
from tanist.peer.electionlog.reader import Problem, read


def line_of(seq: int, wall_ms: int, peer: str = "a1", incarnation: str = "1-1") -> LogLine:
    return make_line(
        LoopStalled(float(seq)),
        cluster="home",
        peer=peer,
        name=f"name-{peer}",
        incarnation=incarnation,
        seq=seq,
        wall_ms=wall_ms,
        mono_ms=float(seq),
    )


def write(path: Path, *lines: LogLine | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((as_json(line) if isinstance(line, LogLine) else line) + "\n" for line in lines))
    return path


def read_all(*paths: Path) -> tuple[list[LogLine], list[Problem]]:
    problems: list[Problem] = []
    return list(read(paths, problems.append)), problems


def test_peers_are_merged_by_wall_clock(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", line_of(1, 10), line_of(2, 30))
    b = write(tmp_path / "b.jsonl", line_of(1, 20, "b2"), line_of(2, 40, "b2"))
    lines, problems = read_all(a, b)
    assert [(line.peer, line.wall_ms) for line in lines] == [("a1", 10), ("b2", 20), ("a1", 30), ("b2", 40)]
    assert not problems


def test_a_clock_that_jumps_leaves_the_peers_own_order(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", line_of(1, 1000), line_of(2, 10), line_of(3, 3_600_000), line_of(4, 20))
    b = write(tmp_path / "b.jsonl", *(line_of(seq, seq * 15, "b2") for seq in range(1, 6)))
    lines, _ = read_all(a, b)
    assert [line.seq for line in lines if line.peer == "a1"] == [1, 2, 3, 4]
    assert [line.seq for line in lines if line.peer == "b2"] == [1, 2, 3, 4, 5]


def test_turned_over_files_come_first_and_once(tmp_path: Path) -> None:
    path = write(tmp_path / "election.jsonl", line_of(3, 30))
    older = write(tmp_path / "election.jsonl.1", line_of(2, 20))
    write(tmp_path / "election.jsonl.2", line_of(1, 10))
    assert [line.seq for line in read_all(path)[0]] == [1, 2, 3]
    assert [line.seq for line in read_all(older, path, path)[0]] == [1, 2, 3]
    assert [line.seq for line in read_all(older)[0]] == [2]


def test_directories_stand_for_the_logs_in_them(tmp_path: Path) -> None:
    write(tmp_path / "anna" / "election.jsonl", line_of(1, 10))
    write(tmp_path / "bert" / "election.jsonl", line_of(1, 20, "b2"))
    assert len(read_all(tmp_path)[0]) == 2
    assert len(read_all(tmp_path / "anna")[0]) == 1
    (tmp_path / "empty").mkdir()
    lines, problems = read_all(tmp_path / "empty")
    assert not lines and problems[0].line == 0 and "no election.jsonl" in problems[0].text


@pytest.mark.parametrize("damage", ["\0" * 200, '{"v":1', "Nov 21 host sshd: hello", '{"v":1,"event":"x"}', "\ud7ff["])
def test_damage_is_told_with_its_place_and_the_rest_is_read(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.jsonl", line_of(1, 10), damage, line_of(2, 20))
    lines, problems = read_all(path)
    assert [line.seq for line in lines] == [1, 2]
    assert [(problem.path, problem.line) for problem in problems] == [(path, 2)]
    assert str(problems[0]).startswith(f"{path}:2: not a line of the election log")


def test_a_line_cut_short_at_the_end_is_told_as_that(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", line_of(1, 10))
    with path.open("a") as file:
        file.write(as_json(line_of(2, 20))[:-9])
    lines, problems = read_all(path)
    assert len(lines) == 1
    assert "cut short" in problems[0].text and problems[0].line == 2


def test_a_whole_line_without_its_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(as_json(line_of(1, 10)))
    assert len(read_all(path)[0]) == 1


def test_an_endless_line_is_not_held_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "x" * (3 * LINE_BYTES_MAX + 5), line_of(1, 10), "bad")
    lines, problems = read_all(path)
    assert len(lines) == 1
    assert [problem.line for problem in problems] == [1, 3]
    assert "longer than" in problems[0].text


def test_missing_lines_are_told_within_one_start_only(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        line_of(5, 10),
        line_of(6, 11),
        line_of(9, 12),
        line_of(1, 13, incarnation="2-7"),
        line_of(2, 14, incarnation="2-7"),
    )
    lines, problems = read_all(path)
    assert len(lines) == 5
    assert [(problem.line, problem.text) for problem in problems] == [
        (3, "2 lines of name-a1 are missing before this one")
    ]


def test_blank_lines_are_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "", line_of(1, 10), "")
    assert [len(found) for found in read_all(path)] == [1, 0]


def test_a_file_that_is_not_there_leaves_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", line_of(1, 10))
    lines, problems = read_all(tmp_path / "nope.jsonl", path)
    assert len(lines) == 1
    assert problems == [Problem(tmp_path / "nope.jsonl", 0, "cannot be read: No such file or directory")]
