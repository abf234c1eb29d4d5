"""A drill as it stands in a file: what happens to a cluster, and what must be so in the end."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from tanist.election.settings import Safety
from tanist.election.simulation.conditions import Condition
from tanist.election.simulation.steps import Act

NAMES = ("anna", "ben", "carl", "dora", "emil", "fay", "gus", "hans", "ida")
"""What the peers of a drill are called, unless it is about peers that run already."""


class Step(msgspec.Struct, frozen=True):
    """One step: what is done, as it was written, where, and when.

    `at_ms` is the time since the drill began, in milliseconds; None is right after the step before.
    """

    act: Act
    text: str
    where: str
    at_ms: float | None = None


class Block(msgspec.Struct, frozen=True):
    """Steps that belong together: repeated, done for each peer of a group, or done in one safety mode only."""

    steps: tuple[Step | Block, ...]
    repeat: int = 1
    each: str = ""
    """A group of peers; within the block the word `peer` is one of them after the other."""
    only: Safety | None = None


class Expectation(msgspec.Struct, frozen=True):
    """What must be so in the end, as it was written, where; in one safety mode only, or in both."""

    fact: Condition
    text: str
    where: str
    only: Safety | None = None


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `peers` is how many it needs at least; it is run in each mode of `safety`."""

    name: str
    title: str
    about: str = ""
    safety: tuple[Safety, ...] = tuple(Safety)
    peers: int = 3
    steps: tuple[Step | Block, ...]
    expects: tuple[Expectation, ...] = ()

    def lines(self) -> Iterator[Step]:
        """Every step once, in the order in which they are written."""
        yield from _lines(self.steps)


def _lines(steps: tuple[Step | Block, ...]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Block):
            yield from _lines(step.steps)
        else:
            yield step


__all__ = ["NAMES", "Block", "Drill", "Expectation", "Step"]
