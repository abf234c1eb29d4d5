"""The planted bugs themselves: each still applies to the source as it is now, and is a change that compiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted.bug import Bug, DoesNotApply, bug, mutated
from planted.canary import CANARY
from planted.catalogue import BUGS, CONTROL, GROUPS, by_name
from planted.hunting import HuntFailed, hunt, kill_all
from planted.measuring import measured
from planted.probes import probe, seeded
from planted.sentences import SENTENCES
from planted.table import PAGE, page

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("planted", BUGS, ids=lambda planted: planted.name)
def test_a_bug_applies_once_and_compiles(planted: Bug) -> None:
    for path, source in mutated(planted).values():
        assert source != path.read_text("utf-8")
        compile(source, str(path), "exec", dont_inherit=True)


def test_a_bug_whose_text_is_gone_or_stands_twice_is_found() -> None:
    for old in ("no such text in this file", "def "):
        with pytest.raises(DoesNotApply):
            mutated(bug("disarmed", "nothing", "election/ballots.py", old, "pass"))


def test_names_are_unique() -> None:
    assert len({planted.name for planted in BUGS}) == len(BUGS)


def test_every_marked_sentence_has_a_bug_that_removes_it() -> None:
    assert {planted.mark for planted in BUGS} - {""} == SENTENCES.keys()


@pytest.mark.parametrize("planted", BUGS, ids=lambda planted: planted.name)
def test_a_bug_has_killers_that_exist_or_is_argued(planted: Bug) -> None:
    assert bool(planted.killers) != bool(planted.argued)
    for name in planted.killers:
        probe(name)
        if not seeded(name):
            assert (ROOT / name.partition("::")[0]).is_file()


# Hunting them

QUICK = (
    "vote-not-durable",
    "votes-for-less-fresh",
    "ack-before-disk",
    "commit-set-not-awaited",
    "persisted-before-sync",
)
"""Killed by the first seed or so: enough to see in every run that bugs are planted, and seen."""
HUNT_SEEDS = range(300)
PROCESSES = 2
HUNTS = pytest.mark.timeout(600)
"""Each hunt starts a process: seconds on a machine at rest, minutes on a busy one."""


@HUNTS
def test_quick_bugs_die() -> None:
    survived = [p.name for p, found in kill_all([by_name(n) for n in QUICK], range(30), PROCESSES) if not found.killed]
    assert not survived


@pytest.mark.slow
@HUNTS
@pytest.mark.parametrize("name", ["life/survivor", "tests/test_ballots.py"])
def test_without_a_bug_nothing_dies(name: str) -> None:
    assert not hunt(CONTROL, name, range(4)).killed


@pytest.mark.slow
@HUNTS
def test_a_probe_that_does_not_run_is_no_kill() -> None:
    with pytest.raises(HuntFailed, match="did not run"):
        hunt(CONTROL, "tests/test_ballots.py::no_such_test", range(1))


def test_the_page_is_of_these_bugs() -> None:
    """Written anew by `python -m planted table`."""
    assert PAGE.read_text("utf-8") == page()
    assert measured().keys() <= {planted.name for planted in BUGS}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("group", GROUPS)
def test_every_bug_dies(group: str) -> None:
    bugs = [planted for planted in GROUPS[group] if not planted.argued]
    survived = [planted.name for planted, found in kill_all(bugs, HUNT_SEEDS, PROCESSES) if not found.killed]
    assert not survived


def test_the_canary_is_a_bug_like_the_others() -> None:
    """`.ci/run` sees it die; here, that it can be planted at all."""
    assert mutated(CANARY)
    assert CANARY not in BUGS
