"""Random lives in three phases: they hold, they repeat exactly, and what fails is made small."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec
import pytest
from scenario import cluster

from tanist.election.commit import Durability
from tanist.election.commitset import CommitSet
from tanist.election.ready import ReadAnswer
from tanist.election.settings import Safety, pace_problems
from tanist.election.simulation import swarm
from tanist.election.simulation.forms import FormError
from tanist.election.simulation.life import run, run_again
from tanist.election.simulation.marks import ELSEWHERE, all_marks, unhit
from tanist.election.simulation.outcome import Failure, Options, Setup, read_replay, replay_line
from tanist.election.simulation.scenario import read_scenario, write_scenario
from tanist.election.simulation.shrinking import Shrinker, as_scenario, shrink, timeline
from tanist.election.simulation.stage import Failed, play
from tanist.election.simulation.steps import Cut, Kill, Start, Step
from tanist.election.simulation.workload import Operation, Workload

ROOT = Path(__file__).parent.parent
SEEDS_A_TEST = 4
"""Lives of one test: few enough to be told apart."""


def live(seeds: range, options: Options) -> set[str]:
    """Run lives; the first that fails is told with the line that repeats it. Returns the marks that were hit."""
    marks: set[str] = set()
    for seed in seeds:
        outcome = run(seed, options)
        if outcome.failure is not None:
            pytest.fail(f"{outcome.failure}\n{timeline(outcome.failure)}")
        marks |= outcome.marks
    return marks


@pytest.mark.parametrize("safety", list(Safety), ids=str)
@pytest.mark.parametrize("block", range(3))
def test_lives_hold_what_the_protocol_promises(safety: Safety, block: int) -> None:
    live(range(block * SEEDS_A_TEST, (block + 1) * SEEDS_A_TEST), Options(safety=safety))


@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_without_faults_no_server_changes(safety: Safety) -> None:
    for seed in range(2):
        outcome = run(seed, Options(safety=safety, faultless=True))
        assert outcome.failure is None, outcome.failure
        assert not outcome.faults


# Clients


def test_the_answer_to_an_earlier_read_is_not_taken_for_one_to_the_next() -> None:
    """It may name an index of before the next one began: what a client then sees would not be linearizable."""
    world = cluster("a b c", Safety.QUORUM, "lan")
    clients = Workload(world, Random(1), 1, 1, 1.0, 100.0, 1000.0, reads=True, places=["a"])
    clients.begin()
    for name in "bc":
        world.cut("a", name)
    client, peer = clients.clients[0], world.peers["a"]
    earlier, later = (Operation("s0.0", "read", "k0", i, 0, world.now) for i in (1, 2))
    for request, doing in ((1_000_001, earlier), (1_000_002, later)):
        client.doing = doing
        clients._ask(client, doing)
        assert request in clients._of_read
    clients._read_at(peer, ReadAnswer(1_000_001, 0))
    assert later.returned_at < 0
    clients._read_at(peer, ReadAnswer(1_000_002, 0))
    assert later.returned_at == world.now


@pytest.mark.parametrize("safety", list(Safety), ids=str)
def test_beyond_what_can_be_survived_lives_end_and_nothing_false_is_said(safety: Safety) -> None:
    live(range(8), Options(safety=safety, beyond=True))


# Exactness

TELL = "from tanist.election.simulation.life import run; print(*(run(seed).digest for seed in (1, 2, 5)))"


def test_a_seed_is_the_same_life_in_every_process() -> None:
    told = {
        subprocess.run(
            [sys.executable, "-c", TELL],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(told) == 1
    assert told.pop().split() == [run(seed).digest for seed in (1, 2, 5)]


@pytest.mark.parametrize("seed", [1, 2, 3, 7])
def test_a_life_is_repeated_from_its_setup_and_steps(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = planted(seed, monkeypatch)
    if failure is None:
        pytest.skip("this life never acknowledges with an heir that lags")
    again = run_again(failure.setup, failure.steps).failure
    assert again is not None
    assert (again.invariant, again.detail, again.at_ms) == (failure.invariant, failure.detail, failure.at_ms)


def test_a_replay_line_says_seed_and_options() -> None:
    options = Options(safety=Safety.QUORUM, peers=5, without=("wipe", "flip"), faultless=False)
    assert read_replay(replay_line(17, options)) == (17, options)
    assert replay_line(17, Options()) == "seed=17"


def test_a_line_that_repeats_nothing_is_refused() -> None:
    with pytest.raises(FormError, match="repeats no run"):
        read_replay("peers=3")


# The swarm


def test_seeds_differ_in_all_that_they_draw() -> None:
    setups = [swarm.draw(seed, Options(), codec=True) for seed in range(200)]
    assert {len(s.peers) for s in setups} == set(range(1, 8))
    assert {s.safety for s in setups} == set(Safety)
    assert {kind for s in setups for kind, _ in s.faults} == set(swarm.FAULTS)
    assert {s.pace for s in setups} == {"classic", "lan", "fast", "hostile"}
    assert 10 < sum(s.faultless for s in setups) < 45
    assert 10 < sum(s.codec for s in setups) < 80
    assert all(not s.faults for s in setups if s.faultless)
    assert [p for s in setups for _, peer in s.peers for p in pace_problems(peer.pace)] == []


def test_what_is_said_is_not_drawn_and_shifts_nothing_else() -> None:
    free, told = swarm.draw(3, Options(), codec=False), swarm.draw(3, Options(beyond=True), codec=False)
    assert msgspec.structs.replace(told, beyond=False) == free


def test_marks_name_every_transition_and_message() -> None:
    marks = all_marks()
    assert {"message Heartbeat", "opposed: fresher", "event ReignBegan"} <= marks
    assert "message Heartbeat" not in unhit({"message Heartbeat"})


def test_what_lives_cannot_hit_is_a_mark_and_is_tested_where_it_says() -> None:
    assert ELSEWHERE.keys() <= all_marks()
    for mark, (reason, tested) in ELSEWHERE.items():
        assert reason
        assert mark.split()[-1] in (ROOT / tested).read_text(), f"{tested} says nothing of {mark}"


def test_a_few_lives_come_through_most_marks() -> None:
    hit = live(range(100, 106), Options(without=("flip", "wipe")))
    assert len(hit & all_marks()) > len(all_marks()) / 2


# Shrinking


def planted(seed: int, monkeypatch: pytest.MonkeyPatch) -> Failure | None:
    """A life in which the server promises more than it knows."""
    monkeypatch.setattr(CommitSet, "promise", lambda *_: Durability.ALL)
    return run(seed, Options(safety=Safety.SURVIVOR, peers=3, faultless=False)).failure


def test_only_what_makes_it_fail_is_left() -> None:
    setup = swarm.draw(1, Options(peers=3, faultless=False), codec=False)
    steps = [Step(Start("a"), float(i)) for i in range(40)]
    steps[7], steps[31] = Step(Kill("b"), 7.0), Step(Cut("a", "c"), 31.0)

    def again(setup: Setup, steps: Sequence[Step]) -> Failure | None:
        acts = [s.act for s in steps]
        if Kill("b") in acts and Cut("a", "c") in acts:
            return Failure("planted", "", "seed=1", setup, tuple(steps))
        return None

    failure = again(setup, steps)
    assert failure is not None
    smallest = Shrinker(failure, again).run()
    assert [s.act for s in smallest.steps] == [Kill("b"), Cut("a", "c")]
    assert smallest.setup.jitter == 0.0


def test_another_failure_is_not_taken_for_the_same() -> None:
    setup = swarm.draw(1, Options(peers=3, faultless=False), codec=False)
    steps = tuple(Step(Kill("a"), float(i)) for i in range(8))

    def again(setup: Setup, steps: Sequence[Step]) -> Failure | None:
        return Failure("planted" if len(steps) > 5 else "another", "", "seed=1", setup, tuple(steps))

    failure = again(setup, steps)
    assert failure is not None
    assert len(Shrinker(failure, again).run().steps) == 6


def test_a_planted_fault_is_found_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = next(f for seed in range(20) if (f := planted(seed, monkeypatch)) is not None)
    smallest = shrink(failure, runs_max=40)
    assert smallest.invariant == failure.invariant
    assert len(smallest.steps) <= len(failure.steps)
    told = timeline(smallest)
    assert smallest.invariant in told and "repeat it: seed=" in told
    scenario = as_scenario(smallest)
    again = read_scenario(write_scenario(scenario))
    assert again.same(scenario)
    with pytest.raises(Failed, match=smallest.invariant):
        play(again, Safety.SURVIVOR)
    monkeypatch.undo()
    play(again, Safety.SURVIVOR)
