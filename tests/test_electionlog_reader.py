"""The reader: many files as one stream; damage is told with file and line and never ends the reading."""

from pathlib import Path

import pytest

from tanist.election.events import Event, PeerLost, ReignBegan, RoleChanged, ServerFollowed
from tanist.peer.electionlog.line import LINE_BYTES_MAX, LogLine, as_json, make_line
from tanist.peer.electionlog.peer_events import LoopStalled
from tanist.peer.electionlog.reader import Problem, read, timed


def line_of(
    seq: int,
    wall_ms: int,
    peer: str = "a1",
    incarnation: str = "1-1",
    *,
    mono_ms: float | None = None,
    event: Event | None = None,
) -> LogLine:
    """A line; its steady clock shows the same as its wall clock, unless told otherwise."""
    return make_line(
        event or LoopStalled(float(seq)),
        cluster="home",
        peer=peer,
        name=f"name-{peer}",
        incarnation=incarnation,
        seq=seq,
        wall_ms=wall_ms,
        mono_ms=float(wall_ms) if mono_ms is None else mono_ms,
    )


def write(path: Path, *lines: LogLine | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((as_json(line) if isinstance(line, LogLine) else line) + "\n" for line in lines))
    return path


def read_all(*paths: Path) -> tuple[list[LogLine], list[Problem]]:
    problems: list[Problem] = []
    return list(read(paths, problems.append)), problems


def test_peers_are_merged_by_their_clocks(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", line_of(1, 10), line_of(2, 30))
    b = write(tmp_path / "b.jsonl", line_of(1, 20, "b2"), line_of(2, 40, "b2"))
    lines, problems = read_all(a, b)
    assert [(line.peer, line.wall_ms) for line in lines] == [("a1", 10), ("b2", 20), ("a1", 30), ("b2", 40)]
    assert not problems


def test_each_line_has_its_moment_on_one_clock_whatever_its_own_showed(tmp_path: Path) -> None:
    began = line_of(1, 5000, event=ReignBegan("1@a1", 1, 0.0, True))
    followed = line_of(1, 1000, "b2", event=ServerFollowed("a1", "a:1", "1@a1", 2.0))
    a = write(tmp_path / "a.jsonl", began)
    b = write(tmp_path / "b.jsonl", followed, line_of(2, 1250, "b2"))
    moments = [(line.peer, moment) for moment, line in timed([a, b], lambda problem: None)]
    assert moments == [("a1", 5000.0), ("b2", pytest.approx(5000.01)), ("b2", pytest.approx(5250.01))]
    assert [moment for moment, _ in timed([b], lambda problem: None)] == [1000.0, 1250.0]
    assert not list(timed([], lambda problem: None))


def test_one_clock_that_is_ahead_does_not_pull_the_others_along(tmp_path: Path) -> None:
    ahead = 7_200_000
    logs = [write(tmp_path / "a.jsonl", line_of(1, 5000 + ahead, event=ReignBegan("1@a1", 1, 0.0, True)))]
    for i, name in enumerate(("b2", "c3")):
        followed = line_of(1, 5003 + i, name, event=ServerFollowed("a1", "a:1", "1@a1", 2.0))
        logs.append(write(tmp_path / f"{name}.jsonl", followed))
    moments = {line.peer: moment for moment, line in timed(logs, lambda problem: None)}
    assert moments == {
        "a1": pytest.approx(5003, abs=1),
        "b2": pytest.approx(5003, abs=1),
        "c3": pytest.approx(5003, abs=1),
    }


def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path) -> None:
    walls = [1000, 10, 3_600_000, 20]
    a = write(tmp_path / "a.jsonl", *(line_of(i + 1, wall, mono_ms=20.0 * i) for i, wall in enumerate(walls)))
    b = write(tmp_path / "b.jsonl", *(line_of(i + 1, 1010 + 20 * i, "b2", mono_ms=20.0 * i) for i in range(4)))
    lines, problems = read_all(a, b)
    assert [(line.peer, line.seq) for line in lines] == [(p, n) for n in range(1, 5) for p in ("a1", "b2")]
    assert not problems


@pytest.mark.parametrize("behind_ms", [0, 5, 3_600_000])
def test_nobody_follows_a_reign_before_it_began_whatever_the_clocks_show(tmp_path: Path, behind_ms: int) -> None:
    hour = 3_600_000
    began = line_of(1, 2 * hour, event=ReignBegan("1@a1", 1, 0.0, True))
    lost = line_of(2, 2 * hour + 40, event=PeerLost("b2", "closed", ""))
    followed = line_of(1, 2 * hour + 3 - behind_ms, "b2", event=ServerFollowed("a1", "a:1", "1@a1", 2.0))
    later = line_of(2, 2 * hour + 20 - behind_ms, "b2")
    a = write(tmp_path / "a.jsonl", began, lost)
    b = write(tmp_path / "b.jsonl", followed, later)
    lines, problems = read_all(b, a)
    assert [(line.peer, line.seq) for line in lines] == [("a1", 1), ("b2", 1), ("b2", 2), ("a1", 2)]
    assert not problems


def test_nobody_becomes_the_client_of_a_reign_before_it_began(tmp_path: Path) -> None:
    # A server's word can reach another peer in the very millisecond in which it writes its line.
    found = RoleChanged("seeking", "client", "1@a1", "found a server")
    a = write(tmp_path / "a.jsonl", line_of(1, 5000, event=ReignBegan("1@a1", 1, 0.0, True)))
    b = write(tmp_path / "b.jsonl", line_of(1, 4999, "b2", event=found))
    assert [line.peer for line in read_all(b, a)[0]] == ["a1", "b2"]


def test_a_chain_of_wrong_clocks_is_put_right(tmp_path: Path) -> None:
    # Each server's clock is an hour behind the one's before it; each follows the one before it, and then serves.
    logs = []
    names = ["a1", "b2", "c3", "d4", "e5"]
    for i, name in enumerate(names):
        at = 10 * 3_600_000 - i * 3_600_000
        begun = line_of(2, at + 10, name, event=ReignBegan(f"{i + 1}@{name}", 1, 0.0, i == 0))
        lines = [begun]
        if i:
            before = names[i - 1]
            lines.insert(0, line_of(1, at, name, event=ServerFollowed(before, "x:1", f"{i}@{before}", 0.0)))
        logs.append(write(tmp_path / f"{name}.jsonl", *lines))
    lines, _ = read_all(*reversed(logs))
    assert [line.peer for line in lines] == ["a1", *(n for n in names[1:] for _ in range(2))]


def test_logs_that_contradict_one_another_are_read_and_reported(tmp_path: Path) -> None:
    def both(mine: str, other: str, name: str) -> list[LogLine]:
        # Each claims to have followed the other before it began to serve itself.
        return [
            line_of(1, 10, name, event=ServerFollowed(other, "x:1", f"1@{other}", 0.0)),
            line_of(2, 20, name, event=ReignBegan(f"1@{mine}", 1, 0.0, False)),
        ]

    a = write(tmp_path / "a.jsonl", *both("a1", "b2", "a1"))
    b = write(tmp_path / "b.jsonl", *both("b2", "a1", "b2"))
    lines, problems = read_all(a, b)
    assert len(lines) == 4
    assert ["contradict" in problem.text for problem in problems] == [True]


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
