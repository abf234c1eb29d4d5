"""The language of scenario files: what is written reads as it was meant, and what is wrong is told with its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.election.settings import PACES, Safety
from tanist.election.simulation import conditions, steps
from tanist.election.simulation.conditions import CONDITIONS, Condition, Not, Server, read_condition
from tanist.election.simulation.forms import KINDS, FormError, Line, places, read_time, write, write_time
from tanist.election.simulation.scenario import Scenario, ScenarioError, read_scenario, write_scenario
from tanist.election.simulation.steps import ACTS, MODES, Act, Step, read_act, read_step, write_step

# Values of every kind that a form can ask for.

TIMES = st.floats(-1e9, 1e9, allow_nan=False).map(lambda ms: read_time(write_time(ms)))
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: name not in ("nothing", "nobody", "not", "at", "to", "as", "knows", "within", "keeps")
)
WORDS = st.from_regex(r"[!-~]{1,8}", fullmatch=True).filter(lambda word: word not in ("nothing", "within", "as"))
CONDITION = st.deferred(lambda: st.one_of(*(lines_of(c) for c in CONDITIONS)))
OF_KIND: dict[str, st.SearchStrategy[Any]] = {
    "peer": NAMES,
    "any": NAMES | st.just("*"),
    "peers": st.lists(NAMES, min_size=1, max_size=4).map(tuple),
    "groups": st.lists(st.lists(NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple),
    "time": TIMES,
    "word": WORDS,
    "words": st.lists(WORDS, min_size=1, max_size=4).map(tuple),
    "text": st.lists(WORDS, min_size=1, max_size=3).map(" ".join),
    "number": st.integers(-(10**20), 10**20),
    "percent": st.integers(0, 1000).map(lambda percent: float(f"{percent}") / 100),
    "sign": st.sampled_from(["<", "<=", "=", ">=", ">"]),
    "condition": CONDITION,
}


def lines_of(line: type[Line]) -> st.SearchStrategy[Any]:
    """All structs of a class: by each of its forms, with any values."""

    def of_form(form: str) -> st.SearchStrategy[Any]:
        return st.builds(line, **{name: OF_KIND[kind] for name, kind in places(form)})

    return st.one_of(*(of_form(form) for form in line.forms))


STEPS = st.builds(
    Step,
    st.one_of(*(lines_of(act) for act in ACTS)),
    st.none() | TIMES,
    st.sampled_from(["", *MODES]),
)


def test_every_kind_has_values_here() -> None:
    used = {kind for line in (*ACTS, *CONDITIONS) for form in line.forms for _, kind in places(form)}
    assert used == OF_KIND.keys() <= KINDS.keys()


@given(STEPS)
@settings(max_examples=600)
def test_a_step_reads_as_it_was_written(step: Step) -> None:
    line = write_step(step)
    assert read_step(line) == step, line


@given(
    st.builds(
        Scenario,
        about=st.lists(OF_KIND["text"], max_size=3).map("\n".join),
        sources=st.lists(NAMES, max_size=2).map(tuple),
        holds=st.just("") | OF_KIND["text"],
        peers=st.lists(NAMES, max_size=4, unique=True).map(tuple),
        safety=st.sampled_from([(Safety.SURVIVOR,), (Safety.QUORUM,), tuple(Safety)]),
        pace=st.sampled_from(sorted(PACES)),
        seed=st.integers(0, 1 << 64),
        latency_ms=st.integers(0, 10**6).map(lambda us: us / 1000),
        disk_ms=st.integers(0, 10**6).map(float),
        jitter=st.floats(0, 10),
        settings=st.sampled_from([(), ("snapshot_keep=0", "sync_timeout_ms=99")]),
        of_peer=st.sampled_from([(), (("c", ("serve=never",)),)]),
        steps=st.lists(STEPS, max_size=5).map(tuple),
    )
)
def test_a_scenario_reads_as_it_was_written(scenario: Scenario) -> None:
    assert read_scenario(write_scenario(scenario)).same(scenario), write_scenario(scenario)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("cut a>b", steps.Cut("a", "b")),
        ("cut a<>b", steps.CutBoth("a", "b")),
        ("part a | b c", steps.Part((("a",), ("b", "c")))),
        ("pause a 4s", steps.Pause("a", 4000.0)),
        ("pause a", steps.Pause("a")),
        ("disk slow a 300ms", steps.DiskSlow("a", 300.0)),
        ("clock a +1h", steps.Clock("a", 3_600_000.0)),
        ("submit a x y", steps.Submit("a", ("x", "y"))),
        ("handover a to b", steps.HandOver("a", "b")),
        ("wait settled", steps.Wait(conditions.Settled())),
        ("wait not server b within 1.5s", steps.Wait(Not(Server("b")), 1500.0)),
        ("expect applied nothing", steps.Expect(conditions.Applied())),
        ("expect event a reign_began number=3", steps.Expect(conditions.Happened("a", "reign_began", ("number=3",)))),
        ("loss 2.5%", steps.Loss(0.025)),
    ],
)
def test_what_lines_mean(text: str, act: Act) -> None:
    assert read_act(text) == act


def test_when_and_in_which_mode() -> None:
    assert read_step("at 1.2s mend") == Step(steps.Mend(), 1200.0)
    assert read_step("quorum: at 200ms mend") == Step(steps.Mend(), 200.0, "quorum")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cut a", "line 1: 'cut a' does not read as `cut A<>B` or `cut A>B`"),
        ("mend\n\npaus a 4s", "line 3: there is no step 'paus'; there are: abandon, add,"),
        ("run 5", r"line 1: 'run 5' does not read as `run MS`"),
        ("run 5d", "line 1: '5d' is no time: write a number and one of us, ms, s, min, h"),
        ("expect server", r"line 1: 'server' does not read as `server PEER`"),
        ("at 5s", "line 1: 'at 5s' says when, and not what"),
        ("mend\npeers: a b", "line 2: `peers:` belongs before the first step"),
        ("peers: a\npeers: b", "line 2: `peers:` is there twice"),
        ("pace: slow", "line 1: there is no pace 'slow'; there are: classic, lan, fast"),
        ("safety: raft", "line 1: 'raft': the safety modes are survivor, quorum"),
        ("peers: a a", "a name stands there twice"),
        ("settings: snapshots=3", "settings: 'snapshots=3' is no setting"),
        ("settings c: priority=high", "settings c: the settings priority=high are wrong: Expected `int`"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, why: str) -> None:
    with pytest.raises(ScenarioError) as error:
        read_scenario(text)
    assert why in str(error.value)


def test_what_no_line_says_is_not_written() -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        write(steps.Kill("two words"))


def test_a_peer_of_its_own_settings_and_all_others() -> None:
    scenario = read_scenario(
        "peers: a b c\npace: lan\nsettings: snapshot_every=3 start_wait_ms=50\nsettings c: serve=never"
    )
    told = {peer: scenario.settings_of(peer, Safety.QUORUM) for peer in scenario.peers}
    assert told["a"].snapshot_every == told["c"].snapshot_every == 3
    assert (told["b"].serve, told["c"].serve) == ("auto", "never")
    assert told["a"].expect == 3
    assert told["a"].pace == msgspec.structs.replace(PACES["lan"], start_wait_ms=50)


def test_every_line_says_what_it_means() -> None:
    for line in (*ACTS, *CONDITIONS):
        assert line.__doc__ and line.forms, line


def test_a_condition_within_a_condition() -> None:
    assert read_condition("not not server a") == Not(Not(Server("a")))
    assert isinstance(read_condition("settled"), Condition)
    with pytest.raises(FormError, match="there is no condition 'sever'"):
        read_condition("not sever a")
