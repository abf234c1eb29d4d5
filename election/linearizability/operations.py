"""What clients did: operations with their calls, answers and times, and their values made comparable."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from enum import Enum, StrEnum
from typing import Any

import msgspec

FOREVER = 1 << 200
"""When an operation ends whose end nobody saw: after everything."""


class HistoryError(ValueError):
    """A history, or an operation in it, that cannot be understood: what, where, and what to do."""


class Outcome(StrEnum):
    """What a client knows of the operation it called."""

    OK = "ok"
    """It was answered: it happened, at some moment between call and answer."""
    FAIL = "fail"
    """It certainly did not happen, and never will."""
    UNKNOWN = "unknown"
    """No answer in time: it may happen at any moment after its call, or never."""


class Truth(Enum):
    """A boolean among the values of a history. Not Python's own, which equals 1 or 0."""

    TRUE = True
    FALSE = False

    def __repr__(self) -> str:
        return str(self.value)


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One operation of one client. Values are frozen (see `freeze`); times are in one clock, of any unit.

    `key` names the object it works on, or is None; `result` counts only where `outcome` is OK. `place` is where it
    stands in its source, for people, from 1 (0: nowhere).
    """

    client: Hashable
    call: str
    key: Hashable
    arguments: tuple[Hashable, ...]
    outcome: Outcome
    result: Hashable
    began: int
    ended: int
    place: int = 0

    def __str__(self) -> str:
        words = [self.call]
        if self.key is not None:
            words.append(str(self.key))
        words += [show(argument) for argument in self.arguments]
        text = f"{self.client}: {' '.join(words)}"
        match self.outcome:
            case Outcome.OK:
                text += f" -> {show(self.result)}"
            case Outcome.FAIL:
                text += " failed"
            case Outcome.UNKNOWN:
                text += " -> ?"
        return f"{text} (line {self.place})" if self.place else text


def operation(
    client: Hashable,
    call: str,
    *arguments: Any,
    key: Any = None,
    result: Any = None,
    began: int,
    ended: int | None = None,
    outcome: Outcome | None = None,
    place: int = 0,
) -> Operation:
    """An operation from plain values. Without `ended` its outcome is unknown. Raises HistoryError."""
    known = outcome if outcome is not None else (Outcome.UNKNOWN if ended is None else Outcome.OK)
    if known is Outcome.OK and ended is None:
        raise HistoryError(f"{where(place)}: {call} was answered, but not said when: give it an end")
    if ended is not None and ended < began:
        raise HistoryError(f"{where(place)}: {call} ended at {ended}, before it began at {began}: check the clock")
    return Operation(
        client,
        call,
        freeze(key),
        tuple(freeze(argument) for argument in arguments),
        known,
        freeze(result) if known is Outcome.OK else None,
        began,
        FOREVER if known is Outcome.UNKNOWN or ended is None else ended,
        place,
    )


def where(place: int) -> str:
    """A place in a source, for people."""
    return f"line {place}" if place else "an operation"


def freeze(value: Any) -> Hashable:
    """A plain value as one that can be hashed and compared: lists become tuples, booleans `Truth`."""
    match value:
        case bool():
            return Truth(value)
        case list() | tuple():
            return tuple(freeze(item) for item in value)
        case Mapping():
            return ("{}", frozenset((freeze(k), freeze(v)) for k, v in value.items()))
        case set() | frozenset():
            return frozenset(freeze(item) for item in value)
        case _ if isinstance(value, Hashable):
            return value
    raise HistoryError(f"{value!r} cannot be compared: use text, numbers, booleans, null, lists and maps")


def show(value: Hashable) -> str:
    """A frozen value, for people."""
    match value:
        case None:
            return "nothing"
        case tuple():
            return f"[{', '.join(map(show, value))}]"
        case _:
            return repr(value)
