"""All planted bugs, by name."""

from __future__ import annotations

from planted.bug import Bug
from planted.elections import ELECTIONS
from planted.founding import FOUNDING
from planted.healing import HEALING
from planted.replication import REPLICATION
from planted.sessions import SESSIONS
from planted.storage import STORAGE
from planted.survivor import SURVIVOR

CONTROL = "none"
"""Stands for the product as it is: no probe may find anything in it."""

BUGS: tuple[Bug, ...] = (*ELECTIONS, *REPLICATION, *SURVIVOR, *HEALING, *FOUNDING, *STORAGE, *SESSIONS)


def by_name(name: str) -> Bug:
    """The bug of that name. Raises KeyError."""
    for planted in BUGS:
        if planted.name == name:
            return planted
    raise KeyError(f"no planted bug is called {name!r}")
