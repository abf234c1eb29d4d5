"""The table of reigns: complete, and within its width."""

from datetime import UTC

import pytest

from tanist.peer.durations import duration
from tanist.peer.electionlog.reigns import Reign, Retry, Suspicion
from tanist.peer.electionlog.sentences import Names
from tanist.peer.electionlog.summary import REIGNS_SHOWN_MAX, clock, table

HOUR_MS = 3_600_000
NAMES = Names()
NAMES.add("a", "anna")
NAMES.add("b", "bert")


def rows(*reigns: Reign, width: int = 100, colour: bool = False) -> list[str]:
    text = "\n".join(table(reigns, NAMES, width=width, colour=colour, zone=UTC))
    return text.split("\n")


def killed() -> Reign:
    retries = [Retry(1, 2, "refused", ""), Retry(2, 2, "silent", "")]
    suspicion = Suspicion("b", 694_000, "closed", "reset", retries, ["b", "c"])
    return Reign(
        "1@a", 1, "a", began_ms=0, ended_ms=694_000, why="lost: closed", suspicions={"b": suspicion},
        successor="2@b", without_ms={"b": 4520.0, "c": 9000.0}, calls_waited=5, longest_wait_ms=4600.0,
    )  # fmt: skip


def test_a_reign_is_told_with_all_that_is_asked_of_the_log() -> None:
    assert rows(killed()) == [
        "term  server        from          to            served        ended because",
        "   1  anna          00:00:00.000  00:11:34.000  11 min 34 s   lost: closed",
        "      suspected by   bert on closed (reset)",
        "      retries        bert 1/2 refused, 2/2 silent",
        "      the list said  bert, c",
        "      without one    4.5 s, then 2@bert; the longest at c, 9.0 s",
        "      clients        5 calls waited, the longest 4.6 s",
    ]


def test_a_reign_that_lasts_says_so() -> None:
    (row,) = rows(Reign("2@b", 2, "b", began_ms=5))[1:]
    assert row == "   2  bert          00:00:00.005  -             -             not ended in these lines"


@pytest.mark.parametrize("width", [80, 100])
def test_lines_keep_within_the_width(width: int) -> None:
    reign = killed()
    reign.why = "the disk failed and then a long story followed that nobody wants to read in one line"
    reign.fallbacks = [f"peer-{i} counts in sync" for i in range(20)]
    reign.suspicions["b"].list_said = None
    told = rows(reign, width=width)
    assert max(len(row) for row in told) <= width
    assert " ".join(reign.why.split()) in " ".join(" ".join(told).split())


def test_moments_of_several_days_say_the_day() -> None:
    row = rows(Reign("1@a", 1, "a", began_ms=0, ended_ms=25 * HOUR_MS, why="x"))[1]
    assert "01-01 00:00" in row and "01-02 01:00" in row and "1 d 1 h" in row


def test_only_the_latest_reigns_are_told() -> None:
    told = rows(*(Reign(f"{i}@a", i, "a") for i in range(REIGNS_SHOWN_MAX + 3)))
    assert "3 earlier reigns" in told[1]
    assert len(told) == 2 + REIGNS_SHOWN_MAX and told[2].startswith("   3  anna")


def test_colour_is_only_paint() -> None:
    assert "\x1b" not in "".join(rows(killed())) and "\x1b" in "".join(rows(killed(), colour=True))


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"), (999, "999 ms"), (999.7, "1.0 s"), (4520, "4.5 s"), (59_949, "59.9 s"), (59_960, "1 min 0 s"),
        (694_000, "11 min 34 s"), (3 * HOUR_MS + 60_000, "3 h 1 min"), (50 * HOUR_MS, "2 d 2 h"),
        (float("nan"), "unknown"), (float("inf"), "unknown"),
    ],
)  # fmt: skip
def test_durations_as_people_say_them(ms: float, said: str) -> None:
    assert duration(ms) == said


def test_a_moment_nobody_told_is_a_dash() -> None:
    assert clock(None, UTC) == "-"
