"""Measure how soon each planted bug is killed, from several starts, and keep what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from planted.bug import Bug
from planted.catalogue import BUGS
from planted.hunting import Hunt, hunt
from planted.probes import seeded

MEASURED = Path(__file__).parent / "measured.json"
STARTS = (0, 100_000, 200_000)
"""First seeds of the hunts of one bug: their mean says what a run may expect."""
SEEDS_MAX = 500
"""A bug that needs more needs a directed test."""


class Measured(msgspec.Struct, frozen=True):
    """How one bug is killed: by which probe, by what in it, after how many seeds in the mean of the starts."""

    probe: str
    by: str
    mean: float
    starts: int


def measure(planted: Bug) -> Measured | None:
    """Hunt one bug with its best killer from every start; with the next one if that fails; None if all fail."""
    for probe in planted.killers:
        found: list[Hunt] = []
        for start in STARTS if seeded(probe) else STARTS[:1]:
            found.append(hunt(planted.name, probe, range(start, start + SEEDS_MAX)))
            if not found[-1].killed:
                break
        if found[-1].killed:
            mean = sum(each.seeds for each in found) / len(found)
            return Measured(probe, found[0].by, round(mean, 1), len(found))
    return None


def measured() -> dict[str, Measured]:
    """What was measured, by the bug's name."""
    return msgspec.json.decode(MEASURED.read_bytes(), type=dict[str, Measured]) if MEASURED.exists() else {}


def remember(found: dict[str, Measured]) -> None:
    """Keep measurements, for the bugs that there are."""
    known = {planted.name: found[planted.name] for planted in BUGS if planted.name in found}
    MEASURED.write_bytes(msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n")


def measure_all(bugs: Iterable[Bug], processes: int) -> list[str]:
    """Measure bugs and keep the results; the names of those that nothing killed."""
    survived = []
    with ThreadPoolExecutor(processes) as pool:
        bugs = list(bugs)
        for planted, result in zip(bugs, pool.map(measure, bugs), strict=True):
            print(f"{planted.name:40} {result or 'SURVIVED'}", flush=True)
            if result is None:
                survived.append(planted.name)
            else:
                remember(measured() | {planted.name: result})
    return survived
