"""Bounded exhaustive search: every way that a small cluster's life can go, up to so many departures from the usual.

From each state one event is the usual next one: the first message on its way arrives, else the oldest write ends, else
time passes to the next deadline. Everything else that can happen in a state is a departure: another message first, a
message lost, a connection broken, a process dead or started, a disk that is done early, a command. A search takes every
path with at most `departures` of them (and at most `events` events since the last), so it covers whole elections
with every placing of a few faults (delay-bounded scheduling, Emmi et al. 2011), and with many departures and few events
all interleavings. States are known again by a fingerprint of all cores, disks, messages and facts.

All invariants of `facts` hold at every event. Wherever a path ends, what is cut is mended, all that is dead starts
again, and within a bounded number of usual events one server must be followed by all, with nothing lost that was
acknowledged; with `mourning`, the same once for each peer that never comes back, if the promises cover its death.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from tanist.election.simulation.broken import Broken
from tanist.election.simulation.cell import Cell, Event

ENDING_EVENTS_MAX = 3000
"""Usual events until all have settled; heartbeats and retries included, far more than the slowest way takes."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How far a search goes."""

    departures: int
    """How many events of a path may be other than the usual next one."""
    events: int
    """How many usual events may follow the last departure before a path ends."""
    crashes: int = 2
    losses: int = 2
    """Messages lost, and connections broken."""
    commands: int = 1
    mourning: bool = True


class Found(NamedTuple):
    """What a search went through."""

    states: int
    events: int
    endings: int


class Search:
    """One search from one state. `run` returns what it saw, or raises Broken with the events that lead there."""

    def __init__(self, root: Cell, bounds: Bounds) -> None:
        self.root = root
        self.bounds = bounds
        self.seen: dict[bytes, tuple[int, int]] = {}
        self.ended: set[bytes] = set()
        self.events = 0
        self.endings = 0

    def run(self) -> Found:
        """Take every path, depth first."""
        waiting: list[tuple[Cell, int, int]] = [(self.root, 0, 0)]
        while waiting:
            cell, departed, since = waiting.pop()
            for event, cost in self._ways(cell, departed, since):
                following = cell.after(event)
                self.events += 1
                spent = departed + cost
                steps = 0 if cost else since + 1
                if self._worth(following, spent, steps):
                    waiting.append((following, spent, steps))
        return Found(len(self.seen), self.events, self.endings)

    def _worth(self, cell: Cell, departed: int, since: int) -> bool:
        """Whether this state was not reached with as much left to spend."""
        key = cell.fingerprint()
        known = self.seen.get(key)
        if known is not None and known[0] <= departed and known[1] <= since:
            return False
        self.seen[key] = (departed, since) if known is None else min(known, (departed, since))
        return True

    def _ways(self, cell: Cell, departed: int, since: int) -> Iterator[tuple[Event, int]]:
        usual = cell.usual()
        if usual is None or cell.quiet() or since >= self.bounds.events:
            self._end(cell)
        else:
            yield usual, 0
        if departed < self.bounds.departures:
            for event in cell.departures(self.bounds.crashes, self.bounds.losses, self.bounds.commands):
                if event != usual:
                    yield event, 1

    # Endings

    def _end(self, cell: Cell) -> None:
        key = cell.fingerprint()
        if key in self.ended:
            return
        self.ended.add(key)
        self._settle(cell, frozenset())
        if self.bounds.mourning and cell.facts.acknowledged:
            for name in cell.names:
                if cell.bears_loss_of(name):
                    self._settle(cell, frozenset({name}))

    def _settle(self, cell: Cell, buried: frozenset[str]) -> None:
        """Start all but the buried, and let the usual happen until they agree."""
        self.endings += 1
        cell = cell.mended()
        for name in sorted(buried):
            if cell.cores[name] is not None:
                cell = cell.after(Event("crash", name))
        for name in cell.names:
            if cell.cores[name] is None and name not in buried:
                cell = cell.after(Event("start", name))
        for _ in range(ENDING_EVENTS_MAX):
            if cell.quiet():
                cell.final()
                return
            usual = cell.usual()
            assert usual is not None, "somebody runs, and asks for no deadline"
            cell = cell.after(usual, kept=True)
            self.events += 1
        raise Broken("liveness", f"not settled after {ENDING_EVENTS_MAX} usual events\n{cell.describe()}")


def explore(root: Cell, bounds: Bounds) -> Found:
    """Search from one state. Raises Broken, with the events that lead to it."""
    return Search(root, bounds).run()


__all__ = ["Bounds", "Found", "Search", "explore"]
