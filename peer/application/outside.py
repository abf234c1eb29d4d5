"""Finds what makes peers differ where a command plainly calls it: clocks, chance, files. Simulations find the rest."""

import builtins
import datetime
import dis
import os
import random
import time
import uuid
from collections.abc import Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

CLOCK = "asks this machine's clock, which differs from peer to peer: use ctx.time"
CHANCE = "draws chance of this peer's own: use ctx.random"
OUTSIDE = "reaches out of the log: do it in `effect`, or before the command in a method marked @prepare(…)"
_LOADS = ("LOAD_ATTR", "LOAD_METHOD")


def _reasons() -> list[tuple[Any, str]]:
    clocks = ["time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"]
    moments = [datetime.datetime.now, datetime.datetime.utcnow, datetime.datetime.today, datetime.date.today]
    return [
        *((getattr(time, name), CLOCK) for name in clocks),
        *((moment, CLOCK) for moment in moments),
        *((draw, CHANCE) for draw in (uuid.uuid1, uuid.uuid4, os.urandom)),
        *((reach, OUTSIDE) for reach in (builtins.open, builtins.input, time.sleep)),
    ]


_REASONS = _reasons()


def outside(function: FunctionType) -> tuple[str, int, str] | None:
    """The first thing that a command may not call and does: its name as written, the line, and what to do instead."""
    for name, line, value in _named(function):
        # Functions of the module `random` are methods of a generator that it hides.
        if isinstance(value, random.Random) or isinstance(getattr(value, "__self__", None), random.Random):
            return name, line, CHANCE
        if isinstance(value, (BuiltinFunctionType, FunctionType)):
            for known, reason in _REASONS:
                if value == known:
                    return name, line, reason
    return None


def _named(function: FunctionType) -> Iterator[tuple[str, int, Any]]:
    """What a function names of its module's variables and their attributes, each with the line and the value."""
    path, value, found = "", None, False
    for step in dis.get_instructions(function):
        if step.opname == "LOAD_GLOBAL":
            path = step.argval
            value = function.__globals__.get(path, getattr(builtins, path, None))
        elif found and step.opname in _LOADS and isinstance(value, (ModuleType, type)):
            # Of other objects nothing is asked here: that might do something.
            path, value = f"{path}.{step.argval}", getattr(value, step.argval, None)
        else:
            found = False
            continue
        found = value is not None
        line = step.positions.lineno if step.positions is not None else None
        yield path, line or function.__code__.co_firstlineno, value
