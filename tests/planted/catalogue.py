"""All planted bugs, by name."""

from __future__ import annotations

from planted.bug import Bug
from planted.canary import CANARY
from planted.elections import AWAY, SEARCHES, VOTES
from planted.founding import FOUNDING
from planted.healing import HEALING
from planted.moving import MOVING
from planted.replication import REPLICATION
from planted.sessions import SESSIONS
from planted.storage import STORAGE
from planted.survivor import SURVIVOR

CONTROL = "none"
"""Stands for the product as it is: no probe may find anything in it."""

GROUPS: dict[str, tuple[Bug, ...]] = {
    "Ballots": VOTES,
    "Looking for a server": SEARCHES,
    "Being away": AWAY,
    "Planned moves": MOVING,
    "Replication": REPLICATION,
    "Survivor mode": SURVIVOR,
    "Healing": HEALING,
    "Founding": FOUNDING,
    "Storage": STORAGE,
    "Exactly once": SESSIONS,
}
BUGS: tuple[Bug, ...] = tuple(planted for bugs in GROUPS.values() for planted in bugs)


def by_name(name: str) -> Bug:
    """The bug of that name, the canary too. Raises KeyError."""
    for planted in (*BUGS, CANARY):
        if planted.name == name:
            return planted
    raise KeyError(f"no planted bug is called {name!r}")
