"""The words of drills: those of scenario files that make sense with real processes, and some that only they need.

    read_act("kill server") == Kill("server")
    read_fact("outage within death") == OutageWithin("death")

The form of each class is its syntax, its docstring what it means; docs/reference/drills.md is made from both.
"""

from __future__ import annotations

from typing import cast

from tanist.election.simulation import conditions, steps
from tanist.election.simulation.conditions import Condition
from tanist.election.simulation.forms import KINDS, Forms, Kind, write
from tanist.election.simulation.steps import Act

PROMISES = ("death", "freeze", "handover")
"""Outages that a pace promises a bound of: `outage within death` fits every pace."""

# What is done


class Recast(Act, frozen=True):
    """From here on the roles are those of now: who serves at this moment is `server`, its heir `heir`, and so on."""

    forms = ("recast",)


class Terminate(Act, frozen=True):
    """SIGTERM, as an operator ends a peer: a server hands over first. The step waits until the process has ended."""

    forms = ("terminate {peer:peer}",)
    peer: str


class Newcomer(Act, frozen=True):
    """A new peer of this name starts, told of the others."""

    forms = ("add {peer:peer}",)
    peer: str


class DiskFull(Act, frozen=True):
    """Every write of the peer fails from here on: no space is left."""

    forms = ("disk full {peer:peer}",)
    peer: str


class DiskSlow(Act, frozen=True):
    """Each write and each sync of the peer takes so much longer from here on."""

    forms = ("disk slow {peer:peer} {ms:time}",)
    peer: str
    ms: float


class DiskReadOnly(Act, frozen=True):
    """The peer's disk takes no writes from here on, as one that was mounted anew read-only."""

    forms = ("disk read-only {peer:peer}",)
    peer: str


class DiskFailing(Act, frozen=True):
    """Each sync of the peer's disk fails from here on."""

    forms = ("disk failing {peer:peer}",)
    peer: str


class DiskWell(Act, frozen=True):
    """The peer's disk is as it was. A peer that ended because of it is not started by that."""

    forms = ("disk well {peer:peer}",)
    peer: str


class Loss(Act, frozen=True):
    """So many of all messages between peers never arrive."""

    forms = ("loss {part:percent}",)
    part: float


class Wait(Act, frozen=True):
    """Time passes until something holds; the drill fails when it does not within this time (10 s if none is said)."""

    forms = ("wait {fact:fact}", "wait {fact:fact} within {ms:time}")
    fact: Condition
    ms: float = 10_000.0


class Expect(Act, frozen=True):
    """Something holds now."""

    forms = ("expect {fact:fact}",)
    fact: Condition


class Never(Act, frozen=True):
    """From here to the end something never holds: looked at many times a second."""

    forms = ("never {fact:fact}",)
    fact: Condition


ACTS: tuple[type[Act], ...] = (
    steps.Kill,
    Terminate,
    steps.Start,
    steps.Pause,
    steps.Resume,
    Newcomer,
    steps.Leave,
    steps.HandOver,
    steps.Cut,
    steps.CutBoth,
    steps.Part,
    steps.Mend,
    steps.Reset,
    Loss,
    steps.Duplication,
    steps.Delay,
    DiskFull,
    DiskSlow,
    DiskReadOnly,
    DiskFailing,
    DiskWell,
    steps.Clock,
    steps.Run,
    Wait,
    Expect,
    Never,
    Recast,
)
"""All that a drill can do."""

# What can be expected


class Settled(Condition, frozen=True):
    """One peer serves, and every other that runs and is not paused follows it and is in sync."""

    forms = ("settled",)


class Served(Condition, frozen=True):
    """A client of the drill was answered with a write that it asked for after this step began."""

    forms = ("served",)


class Reigns(Condition, frozen=True):
    """So many reigns began since the drill did, by the election logs."""

    forms = ("reigns {sign:sign} {count:number}",)
    sign: str
    count: int


class OutageWithin(Condition, frozen=True):
    """The longest time for which no client was answered, since the drill began: a time, or what the pace promises
    for a `death`, a `freeze` or a `handover` of the server."""

    forms = ("outage within {bound:bound}",)
    bound: str


class Running(Condition, frozen=True):
    """The peer's process runs, paused or not."""

    forms = ("running {peer:peer}",)
    peer: str


class Not(Condition, frozen=True):
    """Something is not so."""

    forms = ("not {fact:fact}",)
    fact: Condition


FACTS: tuple[type[Condition], ...] = (
    Settled,
    Served,
    conditions.Server,
    conditions.Serves,
    conditions.NoServer,
    conditions.Follows,
    conditions.Plays,
    conditions.Listed,
    conditions.Members,
    conditions.Happened,
    Reigns,
    OutageWithin,
    Running,
    Not,
)
"""All that a drill can wait for and expect."""


def read_act(text: str) -> Act:
    """The act that a line says. Raises FormError."""
    return cast(Act, _ACTS.read(text))


def read_fact(text: str) -> Condition:
    """The condition that these words say. Raises FormError."""
    return cast(Condition, _FACTS.read(text))


KINDS["fact"] = Kind(KINDS["text"].pattern, read_fact, write)
KINDS["bound"] = Kind(rf"{'|'.join(PROMISES)}|[\d.]+[a-z]+", str, str)
_ACTS = Forms("step", ACTS)
_FACTS = Forms("condition", FACTS)
