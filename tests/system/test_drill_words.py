"""Every word of a drill, on real peers: it can be done, and what is expected of it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.election.settings import Safety
from tanist.election.simulation.forms import Line
from tanist.peer.drills.drill import NAMES, Block, Drill, Step
from tanist.peer.drills.reading import parse_drill
from tanist.peer.drills.run import run_drill
from tanist.peer.drills.words import ACTS, FACTS, Expect, Never, Not, Wait

WORDS = """
title: every word
steps:
  - never event * damage_found
  - expect role heir client
  - run 200ms
  - loss 5%
  - duplication 20%
  - delay server>other 20ms
  - reset server-heir
  - run 500ms
  - mend
  - wait settled within 30s
  - disk slow other 50ms
  - clock heir 1h
  - wait served within 30s
  - disk well other
  - pause other 200ms
  - wait follows other server within 30s
  - expect members all
  - expect serves server
  - disk read-only other
  - wait not running other within 30s
  - start other
  - wait settled within 30s
  - recast
  - disk failing heir
  - wait not running heir within 30s
  - start heir
  - wait settled within 30s
  - recast
  - cut heir>other
  - cut heir<>other
  - part all
  - mend heir<>other
  - pause last
  - resume last
  - add newcomer
  - wait settled within 30s
  - wait members all newcomer within 30s
  - leave newcomer
  - wait members all within 30s
  - wait settled within 30s
  - handover server to heir
  - wait server heir within 30s
  - wait settled within 30s
  - recast
  - wait list clients within 30s
  - terminate server
  - kill heir
  - run 100ms
  - start server
  - start heir
  - wait settled within 30s
  - recast
  - disk full last
  - wait not running last within 30s
  - start last
  - wait settled within 30s
  - kill all
  - expect no-server
  - start all
  - wait served within 30s
expects:
  - event * handover_began
  - not reigns < 2
  - outage within 30s
"""


def used(drill: Drill) -> set[type[Line]]:
    """The classes of all steps and conditions that a drill has."""
    facts = [step.act.fact for step in drill.lines() if isinstance(step.act, Wait | Expect | Never)]
    facts += [expectation.fact for expectation in drill.expects]
    facts += [fact.fact for fact in facts if isinstance(fact, Not)]
    return {*(type(step.act) for step in drill.lines()), *map(type, facts)}


def test_every_word_is_here() -> None:
    missing = {*ACTS, *FACTS} - used(parse_drill(WORDS, "words.yaml", NAMES[:4]))
    assert not missing, [cls.forms for cls in missing]


@pytest.mark.slow
@pytest.mark.parametrize("safety", list(Safety))
async def test_every_word_does_what_it_says(tmp_path: Path, safety: Safety) -> None:
    drill = parse_drill(WORDS, "words.yaml", NAMES[:4])
    told: list[str] = []
    report = await run_drill(
        drill, tmp_path, peers=4, safety=safety, pace="lan", tell=lambda at_s, kind, who, text: told.append(text)
    )
    assert report.passed, "\n".join([*told, *map(str, report.checks)])
    assert isinstance(drill.steps[0], Step | Block) and report.clients.reads > 0
