"""What can be done to a virtual cluster, a line of text each: faults, clients' acts, and expectations.

    read_step("at 2s cut a>b") == Step(Cut("a", "b"), 2000.0)
    write_step(Step(Cut("a", "b"), 2000.0)) == "at 2s cut a>b"

`performing.perform` carries an act out in a world; `stage` also waits and judges. The form of each class is its syntax;
docs/reference/scenarios.md is made from forms and docstrings. `real` says whether an act makes sense with real peers.
"""

from typing import ClassVar, cast

import msgspec

from tanist.election.simulation.conditions import Condition
from tanist.election.simulation.forms import FormError, Forms, Line, read_time, write, write_time

MODES = ("survivor", "quorum")


class Act(Line, frozen=True):
    """Base of what is done."""

    real: ClassVar[bool] = True


# The network


class Cut(Act, frozen=True):
    """Nothing passes from a to b any more, and neither reaches the other anew; nobody is told."""

    forms = ("cut {a:peer}>{b:peer}",)
    a: str
    b: str


class CutBoth(Act, frozen=True):
    """Nothing passes between a and b any more."""

    forms = ("cut {a:peer}<>{b:peer}",)
    a: str
    b: str


class Part(Act, frozen=True):
    """Only peers of one group reach each other; one that is in several groups bridges them."""

    forms = ("part {groups:groups}",)
    groups: tuple[tuple[str, ...], ...]


class Mend(Act, frozen=True):
    """Everything passes again, also what was held up meanwhile on connections that still stand."""

    forms = ("mend", "mend {a:peer}<>{b:peer}")
    a: str = ""
    b: str = ""


class Reset(Act, frozen=True):
    """The newest connection between a and b breaks, with what was on its way."""

    forms = ("reset {a:peer}-{b:peer}",)
    a: str
    b: str


class Loss(Act, frozen=True):
    """So much of all that is sent gets lost: TCP sends it again, so that it comes late, and all behind it too."""

    forms = ("loss {part:percent}",)
    part: float


class Duplication(Act, frozen=True):
    """So many of all messages arrive twice."""

    forms = ("duplication {part:percent}",)
    part: float


class Delay(Act, frozen=True):
    """What goes from a to b takes so much longer from here on; `0s` is the usual again."""

    forms = ("delay {a:peer}>{b:peer} {ms:time}",)
    a: str
    b: str
    ms: float


class Clog(Act, frozen=True):
    """Nothing from a arrives at b for so long; then all of it does at once."""

    forms = ("clog {a:peer}>{b:peer} {ms:time}",)
    a: str
    b: str
    ms: float


class Stall(Act, frozen=True):
    """The newest connection between a and b delivers nothing for so long; connections made meanwhile are well."""

    forms = ("stall {a:peer}-{b:peer} {ms:time}",)
    a: str
    b: str
    ms: float


class Listens(Act, frozen=True):
    """What a dial finds at a peer: open, refusing, mute (accepts, never says hello), dark (no answer) or foreign.

    All but the last are of a running peer; at a foreign one a peer of another cluster listens at its address.
    """

    forms = ("port {peer:peer} {state:word}",)
    peer: str
    state: str


# Messages, for what only one order of them shows


class Hold(Act, frozen=True):
    """Messages of this name are kept back from here on; `*` is any peer."""

    forms = ("hold {a:any}>{b:any} {message:word}",)
    real = False
    a: str
    b: str
    message: str


class Release(Act, frozen=True):
    """What was kept back arrives, in the order in which it was sent; nothing is kept back, lost or doubled any more."""

    forms = ("release {a:any}>{b:any} {message:word}",)
    real = False
    a: str
    b: str
    message: str


class Drop(Act, frozen=True):
    """Messages of this name get lost from here on."""

    forms = ("drop {a:any}>{b:any} {message:word}",)
    real = False
    a: str
    b: str
    message: str


class Twice(Act, frozen=True):
    """Messages of this name arrive twice from here on."""

    forms = ("twice {a:any}>{b:any} {message:word}",)
    real = False
    a: str
    b: str
    message: str


class Say(Act, frozen=True):
    """A sends b a message that its core did not make: its name, and its fields in order as a JSON array.

    The linked peer's own word would not be that; the receiver must bear it all the same.
    """

    forms = ("say {a:peer}>{b:peer} {message:word} {fields:text}",)
    real = False
    a: str
    b: str
    message: str
    fields: str


# Processes and hosts


class Add(Act, frozen=True):
    """A new peer starts, told of nobody, or of these peers' addresses."""

    forms = ("add {peer:peer}", "add {peer:peer} knows {knows:peers}")
    peer: str
    knows: tuple[str, ...] = ()


class Kill(Act, frozen=True):
    """The process dies: its connections end, and new ones are refused."""

    forms = ("kill {peer:peer}",)
    peer: str


class HostGone(Act, frozen=True):
    """The host is gone: nothing ends, nothing is refused, everything is silence."""

    forms = ("host-gone {peer:peer}",)
    peer: str


class Start(Act, frozen=True):
    """A peer that was killed starts again, from its disk; at another address, told where these others listen now."""

    forms = (
        "start {peer:peer}",
        "start {peer:peer} at {host:peer}",
        "start {peer:peer} at {host:peer} knows {knows:peers}",
    )
    peer: str
    host: str = ""
    knows: tuple[str, ...] = ()


class Pause(Act, frozen=True):
    """SIGSTOP: the peer does nothing until it is resumed, or for so long; connections to it are still accepted."""

    forms = ("pause {peer:peer}", "pause {peer:peer} {ms:time}")
    peer: str
    ms: float = 0.0


class Resume(Act, frozen=True):
    """SIGCONT: the peer goes on, and finds at once all that came meanwhile."""

    forms = ("resume {peer:peer}",)
    peer: str


class Clock(Act, frozen=True):
    """The peer's wall clock jumps."""

    forms = ("clock {peer:peer} {ms:time}",)
    peer: str
    ms: float


class Leap(Act, frozen=True):
    """The peer's clock, by which it counts its deadlines, leaps forward: it was away, and nothing says so."""

    forms = ("leap {peer:peer} {ms:time}",)
    real = False
    peer: str
    ms: float


class Drift(Act, frozen=True):
    """The peer's clock, by which it counts its deadlines, runs at this rate from here on: 101% is a little fast."""

    forms = ("drift {peer:peer} {rate:percent}",)
    peer: str
    rate: float


# Disks


class DiskFull(Act, frozen=True):
    """Writes fail from here on, until the peer starts again."""

    forms = ("disk full {peer:peer}",)
    peer: str


class DiskSlow(Act, frozen=True):
    """Each write takes so long from here on; `0s` is the usual again."""

    forms = ("disk slow {peer:peer} {ms:time}",)
    real = False
    peer: str
    ms: float


class DiskHung(Act, frozen=True):
    """The disk finishes nothing from here on, and says nothing."""

    forms = ("disk hung {peer:peer}",)
    real = False
    peer: str


class DiskWell(Act, frozen=True):
    """The disk goes on, with what it was given meanwhile."""

    forms = ("disk well {peer:peer}",)
    real = False
    peer: str


class PowerLoss(Act, frozen=True):
    """The process dies; of what its disk had not finished only the first so many records are there."""

    forms = ("power-loss {peer:peer} keeps {records:number}",)
    real = False
    peer: str
    records: int


class Flip(Act, frozen=True):
    """A dead peer's journal is damaged in the middle: it fails its checks when the peer starts."""

    forms = ("flip {peer:peer}",)
    peer: str


class Wipe(Act, frozen=True):
    """A dead peer's data are gone: started, it has a new id, the same name and the same address."""

    forms = ("wipe {peer:peer}",)
    peer: str


class Backup(Act, frozen=True):
    """A copy of the peer's data directory is put aside."""

    forms = ("backup {peer:peer}",)
    peer: str


class Restore(Act, frozen=True):
    """A dead peer's data directory is replaced by the copy that was put aside."""

    forms = ("restore {peer:peer}",)
    peer: str


# What clients and people do


class Submit(Act, frozen=True):
    """A client of the peer submits commands, all in one batch."""

    forms = ("submit {peer:peer} {commands:words}",)
    peer: str
    commands: tuple[str, ...]


class Read(Act, frozen=True):
    """A client of the peer asks for a read that is true of now, under a name for its answer."""

    forms = ("read {peer:peer} {name:word}",)
    peer: str
    name: str


class HandOver(Act, frozen=True):
    """The server is asked to hand over, to its heir or to a named peer."""

    forms = ("handover {peer:peer}", "handover {peer:peer} to {to:peer}")
    peer: str
    to: str = ""


class Leave(Act, frozen=True):
    """A member is taken out of the roster, on its own word or at another peer."""

    forms = ("leave {member:peer}", "leave {member:peer} at {peer:peer}")
    member: str
    peer: str = ""


class Abandon(Act, frozen=True):
    """A person gives up the founding that a peer waits for."""

    forms = ("abandon {peer:peer}",)
    peer: str


class Machine(Act, frozen=True):
    """What a peer's machine says of itself from here on: LOW_BATTERY, BATTERY or MAINS; OVERLOADED, BUSY or FREE."""

    forms = ("machine {peer:peer} {power:word} {load:word}",)
    real = False
    peer: str
    power: str
    load: str


class Goodbye(Act, frozen=True):
    """A clean exit: the peer tells everyone, and its process ends."""

    forms = ("goodbye {peer:peer}",)
    peer: str


class Snapshot(Act, frozen=True):
    """The peer takes a snapshot of what it has applied, and compacts its log."""

    forms = ("snapshot {peer:peer}",)
    peer: str


# Time and judgement


class Run(Act, frozen=True):
    """So much time passes."""

    forms = ("run {ms:time}",)
    ms: float


class Wait(Act, frozen=True):
    """Time passes until something holds; it fails when that is not so within this time (60 s if none is said)."""

    forms = ("wait {condition:condition}", "wait {condition:condition} within {ms:time}")
    condition: Condition
    ms: float = 60_000.0


class Expect(Act, frozen=True):
    """Something holds now."""

    forms = ("expect {condition:condition}",)
    condition: Condition


class Never(Act, frozen=True):
    """From here to the end something never holds: looked at after every step of every peer."""

    forms = ("never {condition:condition}",)
    condition: Condition


class Agree(Act, frozen=True):
    """Nothing is repaired: whoever runs comes to one mind within 60 s, and nothing is lost that must not be."""

    forms = ("agree",)


class Peace(Act, frozen=True):
    """All faults end: everything is mended, resumed and started; within 60 s all agree and nothing is lost."""

    forms = ("peace",)


class Step(msgspec.Struct, frozen=True):
    """An act, and when: milliseconds after the scenario began, or None for right after the step before.

    `only` is `survivor` or `quorum` for a step of a scenario that runs in both modes and differs there.
    """

    act: Act
    at_ms: float | None = None
    only: str = ""


ACTS: tuple[type[Act], ...] = tuple(Act.__subclasses__())
"""All that can be done."""
_FORMS = Forms("step", ACTS)


def read_act(text: str) -> Act:
    """The act that a line says. Raises FormError."""
    return cast(Act, _FORMS.read(text))


def read_step(text: str) -> Step:
    """The step that a line says: `at 1.2s cut a>b`, `quorum: expect server b`. Raises FormError."""
    only, at_ms = "", None
    for mode in MODES:
        if text.startswith(f"{mode}:"):
            only, text = mode, text.removeprefix(f"{mode}:").strip()
    if text.startswith("at "):
        parts = text.split(None, 2)
        if len(parts) < 3:
            raise FormError(f"{text!r} says when, and not what: `at TIME STEP`")
        at_ms, text = read_time(parts[1]), parts[2]
    return Step(read_act(text), at_ms, only)


def write_step(step: Step) -> str:
    """The line that reads as this step."""
    only = f"{step.only}: " if step.only else ""
    at = f"at {write_time(step.at_ms)} " if step.at_ms is not None else ""
    return f"{only}{at}{write(step.act)}"


__all__ = [*(a.__name__ for a in ACTS), "ACTS", "MODES", "Act", "Step", "read_act", "read_step", "write_step"]
