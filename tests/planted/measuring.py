"""Measure how each planted bug is killed, and how soon in random lives, and keep what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from planted.bug import Bug
from planted.catalogue import BUGS
from planted.hunting import hunt
from planted.probes import seeded

MEASURED = Path(__file__).parent / "measured.json"
START_GAP = 100_000
"""How far apart the first seeds of two hunts of one bug are: their mean says what a run may expect."""
SEEDS_MAX = 500
"""A bug that needs more lives needs a directed test."""


class Measured(msgspec.Struct, frozen=True):
    """How one bug is killed.

    `test` is a directed test that does it, and `by` what in it. `lives` is the kind of random lives that do,
    `invariant` what those broke, and `mean` after how many of them, in the mean of `starts`; from `missed` starts it
    survived, so that the mean is more. `steps` is what was done to the cluster in a life that was made as small as
    possible, None if none was. `searched` are the lives that it survived when no start killed it.
    """

    test: str = ""
    by: str = ""
    lives: str = ""
    invariant: str = ""
    mean: float = 0.0
    starts: int = 0
    missed: int = 0
    searched: int = 0
    steps: int | None = None

    @property
    def killed(self) -> bool:
        """Whether anything kills it."""
        return bool(self.test or self.lives)


def measure(planted: Bug, seeds: int, starts: int, shrink: bool) -> Measured:
    """Try a bug's killers: the first test that kills it, and the first kind of lives that does."""
    found = Measured()
    for probe in planted.killers:
        if not seeded(probe) and not found.test:
            once = hunt(planted.name, probe, range(1))
            if once.killed:
                found = msgspec.structs.replace(found, test=probe, by=once.by)
        elif seeded(probe) and not found.lives:
            found = _lives(planted, probe, seeds, starts, shrink, found)
    return found


def _lives(planted: Bug, probe: str, seeds: int, starts: int, shrink: bool, found: Measured) -> Measured:
    firsts = [number * START_GAP for number in range(starts)]
    hunts = [hunt(planted.name, probe, range(n, n + seeds), shrink=shrink and not n) for n in firsts]
    killed = [each for each in hunts if each.killed]
    if not killed:
        return msgspec.structs.replace(found, searched=found.searched + sum(each.seeds for each in hunts))
    mean = round(sum(each.seeds for each in hunts) / starts, 1)
    missed = starts - len(killed)
    changes = {"lives": probe, "invariant": killed[0].by, "mean": mean, "starts": starts, "missed": missed}
    return msgspec.structs.replace(found, **changes, steps=killed[0].steps)


def measured() -> dict[str, Measured]:
    """What was measured, by the bug's name."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=dict[str, Measured]) if MEASURED.exists() else {}


def remember(found: dict[str, Measured]) -> None:
    """Keep measurements, for the bugs that there are."""
    known = {planted.name: found[planted.name] for planted in BUGS if planted.name in found}
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n")


def measure_all(bugs: Sequence[Bug], processes: int, seeds: int, starts: int, shrink: bool) -> list[str]:
    """Measure bugs and keep the results; the names of those that nothing killed."""
    survived = []
    with ThreadPoolExecutor(processes) as pool:
        results = pool.map(lambda planted: measure(planted, seeds, starts, shrink), bugs)
        for planted, result in zip(bugs, results, strict=True):
            print(f"{planted.name:40} {result if result.killed else 'SURVIVED'}", flush=True)
            remember(measured() | {planted.name: result})
            if not result.killed:
                survived.append(planted.name)
    return survived
