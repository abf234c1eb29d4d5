"""The planted bugs themselves: each still applies to the source as it is now, and is a change that compiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted.bug import Bug, DoesNotApply, bug, mutated
from planted.catalogue import BUGS
from planted.probes import probe, seeded
from planted.sentences import SENTENCES

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
