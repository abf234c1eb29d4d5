"""The condition of a machine, in coarse classes that hold on to what they were, so that no ranking flutters."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

BAND_MARGIN = 0.25
"""How far beyond a bound a value must be, as a part of it, before its class changes."""


class Power(IntEnum):
    """Where a machine gets its power from; a higher one is better."""

    LOW_BATTERY = 0
    BATTERY = 1
    MAINS = 2


class Load(IntEnum):
    """How much a machine has to do beside serving; a higher one is better."""

    OVERLOADED = 0
    BUSY = 1
    FREE = 2


class Condition(msgspec.Struct, frozen=True, array_like=True):
    """What a peer says of its own machine: `Power`, `Load`, and `up`, 1 once it has run for a while, else 0."""

    power: int = Power.MAINS
    load: int = Load.FREE
    up: int = 1


BATTERY_LOW_PERCENT = 20.0
"""Below it (and the margin, on the way back up) a battery is low: an hour or so is left, and a reign should not end."""
LOADS = (2.0, 8.0)
"""Runnable tasks a processor from which a machine is busy, and overloaded: ordinary work changes no list."""


def band(value: float, bounds: Sequence[float], was: int | None = None) -> int:
    """How many of the ascending `bounds` a value has reached.

    With the class it `was` in, another one only when a bound is passed by `BAND_MARGIN`.
    """
    plain = sum(value >= bound for bound in bounds)
    if was is None or plain == was:
        return plain
    if plain > was:
        return max(was, sum(value >= bound * (1 + BAND_MARGIN) for bound in bounds))
    return min(was, sum(value >= bound * (1 - BAND_MARGIN) for bound in bounds))


def power_class(on_mains: bool, battery_percent: float | None, was: Power | None = None) -> Power:
    """The class of a machine's power; without a battery it is on mains."""
    if on_mains or battery_percent is None:
        return Power.MAINS
    before = None if was in (None, Power.MAINS) else int(was is Power.BATTERY)
    return Power(band(battery_percent, (BATTERY_LOW_PERCENT,), before))


def load_class(tasks_a_processor: float, was: Load | None = None) -> Load:
    """The class of a machine's load."""
    before = None if was is None else len(LOADS) - was
    return Load(len(LOADS) - band(tasks_a_processor, LOADS, before))
