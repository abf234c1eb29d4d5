"""What a setting says of itself beside its type, and the small groups of settings that belong together."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from tanist.config.values import boolean, choice, integer, number
from tanist.election.roster import MEMBERS_MAX

DAY_S = 86_400
"""Seconds in a day."""
COUNT_MAX = 1_000_000_000
"""The highest count of entries: far above any log, and low enough that a slip of the finger is noticed."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A setting: its meaning, what it takes, its unit, how it is read, and the flag that sets it too ("" for none)."""

    meaning: str
    takes: str
    parse: Callable[..., Any]
    unit: str = ""
    flag: str = ""
    default: str = ""
    """The default in words, where it is not a fixed value."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A section: what its settings have in common."""

    meaning: str


class LogLevel(StrEnum):
    """How much is told on stderr."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Preempt(StrEnum):
    """Whether a better-ranked peer takes over from a live server."""

    NEVER = "never"
    IDLE = "idle"


def words(choices: Iterable[str]) -> str:
    """Words to choose from, as a reference lists them."""
    return " or ".join(f"`{word}`" for word in choices)


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """Survivor mode: what an acknowledgement waits for."""

    successors: Annotated[
        int,
        Key(
            meaning="Clients, first of the fallback list, whose disks an acknowledgement waits for. More survive more "
            "deaths at once, and every command waits for the slowest of them; 0 acknowledges alone.",
            takes=f"0 to {MEMBERS_MAX - 1}",
            parse=integer(0, MEMBERS_MAX - 1),
            unit="peers",
        ),
    ] = 1
    strict: Annotated[
        bool,
        Key(
            meaning="Wait for those clients even when they stay away, instead of going on alone and saying so.",
            takes="`true` or `false`",
            parse=boolean,
        ),
    ] = False


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """When the log is replaced by the state it led to."""

    every: Annotated[
        int,
        Key(
            meaning="Entries between two snapshots. Fewer make restarts quicker and write more.",
            takes=f"1 to {COUNT_MAX}",
            parse=integer(1, COUNT_MAX),
            unit="entries",
        ),
    ] = 20_000
    keep: Annotated[
        int,
        Key(
            meaning="Entries kept behind a snapshot, so that a client which was away shortly needs no snapshot.",
            takes=f"0 to {COUNT_MAX}",
            parse=integer(0, COUNT_MAX),
            unit="entries",
        ),
    ] = 5_000


class Heal(msgspec.Struct, frozen=True, kw_only=True):
    """Survivor mode: what is kept for members that may come back with another history."""

    keep: Annotated[
        int,
        Key(
            meaning="Entries kept, snapshots or not, while a member has not confirmed them: after a split every entry "
            "since the fork is archived by itself. What is compacted beyond is reported as missing in the heal, and "
            "stays in a copy of the snapshot. More take memory and disk while somebody is away.",
            takes=f"0 to {COUNT_MAX}",
            parse=integer(0, COUNT_MAX),
            unit="entries",
        ),
    ] = 100_000


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions of outside clients."""

    timeout_s: Annotated[
        float,
        Key(
            meaning="How long a session outlives the peer its client was connected to, before the server closes it.",
            takes=f"1 to {DAY_S}",
            parse=number(1, DAY_S),
            unit="seconds",
        ),
    ] = 30


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What is told on stderr. The election log in the data directory always holds everything."""

    level: Annotated[
        LogLevel,
        Key(
            meaning="The least important level that is shown.",
            takes=words(LogLevel),
            parse=choice(LogLevel),
            flag="log-level",
        ),
    ] = LogLevel.INFO
