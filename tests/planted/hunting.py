"""Hunt a planted bug: one process a hunt, with the bug in it, that runs a probe over seeds until it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from planted.bug import Bug
from planted.probes import seeded

TESTS = Path(__file__).parent.parent
SEED_LIMIT_S = 30
"""Of the processor's time, however busy the machine is: one seed takes a tenth of a second, and this never ends."""
TEST_LIMIT_S = 240
"""The same for a directed test, or a file of them: those take seconds."""
HUNT_LIMIT_S = 3600
"""By the clock, for all seeds of a hunt: after that nothing can be said of it."""


class Hunt(msgspec.Struct, frozen=True):
    """How a hunt ended: after how many seeds it was killed or given up, by what, and the seed that repeats it.

    `steps` is how much was done to the cluster in the smallest life found that fails alike, None if not looked for.
    """

    killed: bool
    seeds: int
    by: str = ""
    text: str = ""
    seed: int = 0
    took_s: float = 0.0
    steps: int | None = None
    probe: str = ""


class HuntFailed(Exception):
    """The worker did not do its work: nothing can be said about the bug."""


def hunt(bug: str, probe: str, seeds: range, *, shrink: bool = False) -> Hunt:
    """Run one probe over seeds, in a process of its own; make a failing life smaller. Raises `HuntFailed`."""
    if not seeded(probe):
        seeds = seeds[:1]
    limit = SEED_LIMIT_S if seeded(probe) else TEST_LIMIT_S
    command = [sys.executable, "-m", "planted.worker", bug, probe, str(seeds.start), str(len(seeds)), str(limit)]
    if shrink:
        command.append("shrink")
    environment = os.environ | {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    try:
        run = subprocess.run(
            command, cwd=TESTS, env=environment, capture_output=True, text=True, timeout=HUNT_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise HuntFailed(f"{bug} {probe}: not over after {HUNT_LIMIT_S} s") from None
    if run.returncode != 0:
        raise HuntFailed(f"{bug} {probe}: exit status {run.returncode}\n{run.stderr[-3000:]}")
    told = msgspec.json.decode(run.stdout.strip().splitlines()[-1], type=Hunt)
    return msgspec.structs.replace(told, probe=probe)


def kill(planted: Bug, seeds: range) -> Hunt:
    """Try the bug's killers in order until one kills it; the last hunt if none does."""
    assert planted.killers, f"{planted.name} has no killers"
    for probe in planted.killers:
        found = hunt(planted.name, probe, seeds)
        if found.killed:
            return found
    return found


def kill_all(bugs: Sequence[Bug], seeds: range, processes: int) -> Iterator[tuple[Bug, Hunt]]:
    """Hunt all bugs, several at a time; each as soon as its turn in the order has come."""
    with ThreadPoolExecutor(processes) as pool:
        yield from zip(bugs, pool.map(lambda planted: kill(planted, seeds), bugs), strict=True)
