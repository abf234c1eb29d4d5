"""The language of drills: what is written reads as it was meant, and all that is wrong is told with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tanist.config.problems import ConfigError
from tanist.election.settings import Safety
from tanist.election.simulation import steps
from tanist.election.simulation.forms import write
from tanist.peer.drills.drill import Block, Drill, Step
from tanist.peer.drills.reading import DEPTH_MAX, STEPS_MAX, parse_drill, read_drill
from tanist.peer.drills.ready import FOLDER, ORDER, ready_drill
from tanist.peer.drills.roles import GROUPS, ROLES, Cast
from tanist.peer.drills.words import ACTS, FACTS, OutageWithin, Wait, read_act, read_fact

NAMES = ("anna", "ben", "carl", "dora", "emil")
SMALL = "title: small\nsteps:\n"


def parsed(text: str) -> Drill:
    return parse_drill(text, "x.yaml", NAMES)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return [str(problem) for problem in caught.value.problems]


# What is right


def test_a_whole_drill() -> None:
    drill = parsed(
        """
title: The server is killed
about: >
  Told in
  two lines.
safety: quorum
peers: 5
steps:
  - at 1.5s kill server
  - wait server heir within 4s
  - quorum: wait no-server
  - survivor: [run 1s, start server]
  - {each: clients, repeat: 2, steps: [pause peer 1s]}
expects:
  - outage within death
  - quorum: reigns = 1
"""
    )
    assert (drill.name, drill.title, drill.about) == ("x", "The server is killed", "Told in two lines.")
    assert (drill.safety, drill.peers) == ((Safety.QUORUM,), 5)
    kill, waiting, quorum, survivor, each = drill.steps
    assert kill == Step(steps.Kill("server"), "kill server", "x.yaml:9:5", 1500.0)
    assert isinstance(waiting, Step) and isinstance(waiting.act, Wait) and waiting.act.ms == 4000
    assert isinstance(quorum, Block) and quorum.only is Safety.QUORUM and len(quorum.steps) == 1
    assert isinstance(survivor, Block) and len(survivor.steps) == 2
    assert isinstance(each, Block) and (each.each, each.repeat) == ("clients", 2)
    assert [e.text for e in drill.expects] == ["outage within death", "reigns = 1"]
    assert [e.only for e in drill.expects] == [None, Safety.QUORUM]
    assert len(list(drill.lines())) == 6


def test_it_runs_in_both_modes_with_three_peers_unless_it_says_otherwise() -> None:
    drill = parsed(SMALL + "- kill anna")
    assert drill.safety == tuple(Safety) and drill.peers == 3


def test_a_step_may_speak_of_a_peer_that_an_earlier_step_added() -> None:
    parsed(SMALL + "- add newcomer\n- kill newcomer")


@pytest.mark.parametrize("name", ORDER)
def test_ready_made_drills_read(name: str) -> None:
    drill = ready_drill(name, NAMES)
    assert drill.title and drill.about and drill.steps
    assert drill.peers <= 3, "every one is run with three and with five"


def test_every_file_is_listed() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(ORDER)


def test_every_word_reads_as_it_is_written() -> None:
    for text in ("kill all", "disk slow heir 300ms", "cut a>b", "part minority | majority", "loss 30%", "recast"):
        assert write(read_act(text)) == text
    for text in ("outage within 3s", "outage within freeze", "not serves server", "reigns <= 2", "served"):
        assert write(read_fact(text)) == text
    assert all(act.__doc__ and act.forms for act in (*ACTS, *FACTS))
    assert read_fact("outage within death") == OutageWithin("death")


@pytest.mark.parametrize("page", ["how-to/run-a-drill.md", "reference/drills.md"])
def test_the_drills_in_the_pages_read(page: str) -> None:
    text = (Path(__file__).parent.parent / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        parsed(block if block.startswith("title:") else f"title: x\n{block}")
    assert blocks


# What is wrong


def test_all_that_is_wrong_is_told_at_once_with_places() -> None:
    told = problems(
        """title: x
abot: y
peers: 33
safety: [quorum, both]
steps:
  - kil server
  - kill sever
  - wait servd
  - quorum: run 1
  - {repeat: 0, steps: [kill heir], each: some}
  - 3
  - {each: all}
  - at 3s
  - add anna
expects: [outage within deth, {quorum: [nope]}, 3]
"""
    )
    assert [line.split(": ")[0] for line in told] == [
        "x.yaml:2:1",
        "x.yaml:3:8",
        "x.yaml:4:18",
        "x.yaml:6:5",
        "x.yaml:7:5",
        "x.yaml:8:5",
        "x.yaml:9:13",
        "x.yaml:10:14",
        "x.yaml:10:43",
        "x.yaml:11:5",
        "x.yaml:12:5",
        "x.yaml:13:5",
        "x.yaml:14:5",
        "x.yaml:15:11",
        "x.yaml:15:41",
        "x.yaml:15:49",
    ]
    assert told[0].endswith('did you mean "about"?')
    assert told[4].endswith("there is no peer and no role 'sever'; did you mean \"server\"?")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a", "a drill is a mapping"),
        ("title: x", '"steps" is missing'),
        ("steps: [run 1s]", '"title" is missing'),
        ("title: 3\nsteps: [run 1s]", "title: expected a text"),
        ("title: x\nsteps: run 1s", "steps: expected a list"),
        ("title: x\nsteps: []", "steps: expected a list"),
        ("title: x\nsteps: [run 1s]\nexpects: settled", "expects: expected a list"),
        ("title: x\nsteps: [{quorum: run 1s, each: all}]", "in one step"),
        ("title: [", "not YAML"),
        (SMALL + "- run 1s\n" * (STEPS_MAX + 9), f"more than {STEPS_MAX} steps"),
        ("title: x\nsteps: " + "[{repeat: 1, steps: " * 9 + "[run 1s]" + "}]" * 9, f"deeper than {DEPTH_MAX}"),
        (SMALL + "- part server | nobody", "no role 'nobody'"),
    ],
)
def test_each_mistake_has_its_sentence(text: str, message: str) -> None:
    assert message in "\n".join(problems(text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_drill(tmp_path / "none.yaml", NAMES)


# Roles


def test_roles_of_five() -> None:
    cast = Cast(NAMES)
    assert [cast.peers(role) for role in ("server", "heir", "other", "last")] == [
        ("anna",),
        ("ben",),
        ("carl",),
        ("emil",),
    ]
    assert cast.peers("minority") == ("anna", "emil") and cast.peers("majority") == ("ben", "carl", "dora")
    assert cast.peers("clients") == NAMES[1:] and cast.peers("others") == NAMES[2:] and cast.peers("all") == NAMES
    assert cast.many(("minority", "other")) == ("anna", "emil", "carl")
    assert cast.peers("dora") == ("dora",) and cast.peers("peer") == ()
    assert cast.within("dora").peers("peer") == ("dora",)


def test_roles_of_three_and_two() -> None:
    three, two = Cast(NAMES[:3]), Cast(NAMES[:2])
    assert three.peers("other") == three.peers("last") == ("carl",)
    assert three.peers("minority") == ("anna",) and three.peers("majority") == ("ben", "carl")
    assert two.peers("other") == ("ben",) and two.peers("minority") == ("anna",) and two.peers("majority") == ("ben",)


def test_every_role_and_group_means_somebody() -> None:
    for word in (*ROLES, *GROUPS):
        assert Cast(NAMES).within("ben").peers(word), word
