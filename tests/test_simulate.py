"""`tanist simulate`: lives on several processes, their sums, and a failure with all that repeats it."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from simulated_apps import BAD, GOOD, write_app

from tanist.election.linearizability.check import Verdict, check
from tanist.election.linearizability.models import Register
from tanist.election.linearizability.recorded import read_recorded
from tanist.election.messages import Goodbye
from tanist.election.settings import Safety
from tanist.election.simulation.life import run as simulated
from tanist.election.simulation.outcome import Options
from tanist.election.simulation.scenario import read_scenario
from tanist.peer.cli.simulate import told
from tanist.peer.cli.verbs import run
from tanist.peer.simulate.codec import WireCodec
from tanist.peer.simulate.lives import Lives, recorded
from tanist.peer.simulate.pool import Pool
from tanist.peer.simulate.totals import Totals

CALM = "seed=7 faultless=True peers=3 length_ms=20000.0"
"""A life in which nothing goes wrong: whatever fails in it is the application's own doing."""


def simulate(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """The verb's exit status, and its JSON."""
    status = run(["simulate", *words, "--processes", "1", "--shrink", "5", "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_life_of_registers(capsys: pytest.CaptureFixture[str]) -> None:
    status, answer = simulate(capsys, "--replay", CALM + " safety=quorum")
    assert (status, answer["ok"], answer["failure"]) == (0, True, None)
    assert answer["lives"] == 1
    assert answer["events"] > 1_000
    assert answer["simulated_hours"] > 20 / 3600
    assert answer["checked_operations"] > 10
    assert answer["faults"] == {}
    assert "event ReignBegan" in answer["marks"]
    assert "event ReignEnded" in answer["marks_not_hit"]


def test_a_good_application_lives_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write_app(tmp_path, GOOD)
    status, answer = simulate(capsys, "--replay", CALM, "--app", spec, "--app", "kv")
    assert (status, answer["failure"]) == (0, None)
    assert answer["commands"] > 20


@pytest.mark.parametrize("name", ["chance", "order of a set", "raises"])
def test_a_bad_application_is_told_of(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One between peers, one by the process elsewhere, one by itself."""
    spec = write_app(tmp_path, BAD[name])
    status, answer = simulate(capsys, "--replay", CALM, "--app", spec)
    failure = answer["failure"]
    assert (status, answer["ok"]) == (1, False)
    assert failure["invariant"] == ("application" if name == "raises" else "deterministic")
    assert "notes put" in failure["detail"]
    assert failure["seed"] == 7


def test_a_failure_is_repeated_by_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = write_app(tmp_path, BAD["raises"])
    status = run(["simulate", "--app", spec, "--replay", CALM, "--shrink", "5", "-o", str(tmp_path / "out")])
    first = capsys.readouterr()
    assert status == 1
    assert first.err == ""
    line = next(line for line in first.out.splitlines() if line.startswith("repeat it: tanist "))
    assert (
        run([*shlex.split(line.removeprefix("repeat it: tanist ")), "--shrink", "5", "-o", str(tmp_path / "again")])
        == 1
    )
    again = capsys.readouterr().out

    def without_speed(text: str) -> list[str]:
        return [one for one in text.splitlines() if not one.startswith(("events", "shrunk"))]

    assert without_speed(again) == without_speed(first.out)
    (scenario,) = (tmp_path / "out").glob("*.scenario")
    assert read_scenario(scenario.read_text(encoding="utf-8")).safety
    assert scenario.read_text(encoding="utf-8") == (tmp_path / "again" / scenario.name).read_text(encoding="utf-8")
    assert "IndexError" in scenario.with_suffix(".timeline").read_text(encoding="utf-8")
    assert run(["check-history", str(scenario.with_suffix(".history.jsonl"))]) == 0


def test_a_life_is_recorded_as_a_history() -> None:
    outcome = simulated(7, Options(faultless=True, peers=3, length_ms=10_000.0, safety=Safety.QUORUM))
    header, operations = read_recorded(recorded(outcome, None).splitlines())
    assert header.model == "register"
    assert len(operations) == outcome.checked > 10
    assert check(Register(), operations).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seeds", "5:5"], "--seeds 5:5: 1 to"),
        (["--seeds", "a:b"], "--seeds a:b: write FROM:TO"),
        (["--safety", "none"], "--safety none: survivor, quorum"),
        (["--replay", "nothing"], "--replay: 'nothing' repeats no run"),
        (["--app", "nowhere.py:Notes"], "there is no file"),
    ],
)
def test_wrong_usage(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", *words]) == 2
    assert told in capsys.readouterr().err


# Many lives

CALM_OPTIONS = Options(faultless=True, peers=2, length_ms=3_000.0)


@pytest.fixture(scope="module")
def two() -> Iterator[Pool]:
    """Two processes."""
    with Pool((), 2) as pool:
        yield pool


def test_two_processes_come_to_the_same_sums_as_none(two: Pool) -> None:
    seen: list[int] = []
    totals = two.run(range(20), CALM_OPTIONS, lambda so_far: seen.append(so_far.lives))
    alone = Totals()
    lives = Lives(())
    for seed in range(20):
        alone.add(lives.live(seed, CALM_OPTIONS))
    assert seen == sorted(seen) and seen[-1] == 20
    for name in ("lives", "events", "steps", "simulated_ns", "faults", "marks", "safeties", "checked_operations"):
        assert getattr(totals, name) == getattr(alone, name), name
    assert not totals.failures
    assert totals.took_s > 0


def test_a_life_that_does_not_fail_is_not_shrunk(two: Pool) -> None:
    assert two.shrink(3, CALM_OPTIONS, 5) is None


def test_the_first_failure_ends_the_run(tmp_path: Path) -> None:
    with Pool((write_app(tmp_path, BAD["raises"]),), 1) as pool:
        totals = pool.run(range(10_000), CALM_OPTIONS, lambda so_far: None)
    assert totals.first_failure is not None
    assert totals.first_failure.seed == min(found.seed for found in totals.failures) == 0
    assert totals.lives < 100


def test_sums_are_told() -> None:
    totals = Totals(lives=3, events=3_000, simulated_ns=7_200 * 10**9, took_s=2.0)
    totals.faults.update({"Kill": 2, "Pause": 1})
    text = "\n".join(told(totals, range(3), 2))
    assert "3,000, 1,500 a second on 2 processes" in text
    assert "2.0 hours" in text
    assert "Kill 2, Pause 1" in text
    assert "no invariant was broken" in text


# The codec


def test_messages_go_as_their_frames() -> None:
    codec, message = WireCodec(), Goodbye("it ends")
    assert codec.decode(codec.encode(message)) == message


@pytest.mark.parametrize("data", [b"", b"\x01", b"\xff\x00\x00\x00\x00", b"\x01\x00\x00\x00\x02\xc1\xc1"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(Exception, match="frame"):
        WireCodec().decode(data)


@pytest.mark.slow
def test_workers_end_with_a_simulation_that_was_killed() -> None:
    """Nobody would give them work any more, and they would wait for it for ever."""
    command = [sys.executable, "-m", "tanist.peer.cli", "simulate", "--seeds", "0:100000", "--processes", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as simulating:
        parent = psutil.Process(simulating.pid)
        deadline = time.monotonic() + 60
        while len(workers := parent.children(recursive=True)) < 2:
            assert time.monotonic() < deadline, "no workers were started"
            time.sleep(0.02)
        simulating.kill()
    assert psutil.wait_procs(workers, timeout=20)[1] == []
