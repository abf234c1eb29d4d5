"""The ready-made drills, as YAML files: `tanist drill` lists them."""

from collections.abc import Collection
from pathlib import Path

from tanist.peer.drills.drill import Drill
from tanist.peer.drills.reading import read_drill

FOLDER = Path(__file__).parent
ORDER = (
    "server-crash",
    "server-freeze",
    "double-crash",
    "partition",
    "bridge",
    "one-way",
    "flapping",
    "slow-disk",
    "full-disk",
    "rolling-restart",
    "cold-start",
    "clock-jump",
    "churn",
)
"""Their names, the commonest trouble first."""


def ready_drill(name: str, names: Collection[str] = ()) -> Drill:
    """One of `ORDER`, for peers of these names."""
    return read_drill(FOLDER / f"{name}.yaml", names)


__all__ = ["FOLDER", "ORDER", "ready_drill"]
