"""The search for an order: Wing and Gong's, with Lowe's just-in-time linearization and a memo.

Time goes from answer to answer. An answer can be passed when its operation has been put into the order; only where it
has not, others that are under way are tried before it. What keeps the search small, each without changing what it
finds:

- A configuration is (answers passed, operations under way that are in the order already, state); none is tried twice.
- A read that fits the state goes into the order at once: it changes nothing, so that no later place suits it better.
- An operation of unknown outcome need never be in the order. So of two configurations that differ in those alone, the
  one that has used fewer of them can do all the other can, and of two equal ones under way the first is as good.
- Orders that use fewer operations before the answer are tried first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from tanist.election.linearizability.models import ANY, Model, State
from tanist.election.linearizability.operations import Operation, Outcome, freeze

STATES_MAX = 5
"""States told of where the search ended: more would not be read."""


class Found(msgspec.Struct, frozen=True):
    """What one search found. `order` is whole where there is one, else the longest that was found.

    `unplaced` is then the first operation that no order could take, `states` those it met, and `beside` what was
    under way with it and not in the longest order.
    """

    exists: bool | None
    steps: int
    order: tuple[Operation, ...]
    unplaced: Operation | None = None
    states: tuple[str, ...] = ()
    beside: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class _Open:
    """An operation under way: its bit among those like it."""

    operation: Operation
    bit: int
    reads: bool
    twins: int = 0
    """The bits of earlier ones of unknown outcome that are just like it."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """An answer: its operation, the others to be answered under way then, and how many unknown ones there were."""

    mine: _Open
    others: tuple[_Open, ...]
    unknown: int


class _Path:
    """An order as a chain that shares its beginning."""

    __slots__ = ("before", "operation")

    def __init__(self, before: _Path | None, operation: Operation) -> None:
        self.before = before
        self.operation = operation


@dataclass(frozen=True, slots=True)
class _Configuration:
    """`placed` and `used` are bits of the operations under way that are in the order: to be answered, and unknown."""

    placed: int
    used: int
    state: State
    path: _Path | None


class OutOfSteps(Exception):
    """The budget is used up."""


class Search:
    """One search over the operations of one object. `budget` is how many steps of the model it may take."""

    def __init__(self, model: Model, operations: Sequence[Operation], budget: int) -> None:
        self._model = model
        self._stops, self._unknown = _timeline(model, operations)
        self._budget = budget
        self.steps = 0
        self._furthest = 0
        self._best: _Configuration | None = None
        self._states: dict[str, None] = {}
        self._seen: dict[int, dict[tuple[int, State], list[int]]] = {}
        """The memo: by answer, then by what is in the order of those under way and by state, the `used` tried there.

        It is searched depth first, so what stands in it has failed, or is still waiting in the search of that answer.
        """

    def run(self) -> Found:
        """Search. Raises HistoryError for operations that the model does not know."""
        start = _Configuration(0, 0, self._model.initial(), None)
        self._best = start
        if not self._stops:
            return Found(True, 0, ())
        try:
            end = self._descend(start)
        except OutOfSteps:
            return self._failed(None)
        if end is None:
            return self._failed(False)
        return Found(True, self.steps, _order(end.path))

    def _descend(self, start: _Configuration) -> _Configuration | None:
        """Depth first over the answers, without recursion: one generator for each that had to be searched."""
        stack: list[tuple[int, Iterator[_Configuration]]] = []
        at, configuration = self._pass(0, start)
        while at < len(self._stops):
            stack.append((at, self._ways(at, configuration)))
            while stack:
                at, ways = stack[-1]
                following = next(ways, None)
                if following is not None:
                    at, configuration = self._pass(at + 1, following)
                    break
                stack.pop()
            else:
                return None
        return configuration

    def _pass(self, at: int, configuration: _Configuration) -> tuple[int, _Configuration]:
        """Pass all answers whose operations are in the order already."""
        placed = configuration.placed
        while at < len(self._stops) and placed & self._stops[at].mine.bit:
            placed &= ~self._stops[at].mine.bit
            at += 1
        configuration = _Configuration(placed, configuration.used, configuration.state, configuration.path)
        if at > self._furthest:
            self._furthest, self._best = at, configuration
            self._states.clear()
        return at, configuration

    def _ways(self, at: int, start: _Configuration) -> Iterator[_Configuration]:
        """The ways to pass an answer, those with the fewest others before it first."""
        stop = self._stops[at]
        seen = self._seen.setdefault(at, {})
        first = self._with_reads(stop, start)
        if first.placed & stop.mine.bit:
            yield _passed(stop, first)
            return
        waiting = deque([first])
        while waiting:
            now = waiting.popleft()
            if at == self._furthest and len(self._states) < STATES_MAX:
                self._states.setdefault(repr(now.state))
            earlier = seen.setdefault((now.placed, now.state), [])
            if any(used & now.used == used for used in earlier):
                continue
            earlier.append(now.used)
            if not stop.mine.reads and (done := self._place(now, stop.mine)) is not None:
                yield _passed(stop, done)
            for more in self._others(stop, now):
                read = self._with_reads(stop, more)
                if read.placed & stop.mine.bit:
                    yield _passed(stop, read)
                else:
                    waiting.append(read)

    def _others(self, stop: _Stop, now: _Configuration) -> Iterator[_Configuration]:
        """The configurations with one operation more that is not the one to be answered now."""
        for other in stop.others:
            if not now.placed & other.bit and not other.reads and (more := self._place(now, other)) is not None:
                yield more
        for unknown in self._unknown[: stop.unknown]:
            if now.used & unknown.bit or now.used & unknown.twins != unknown.twins:
                continue
            placed = self._place(now, unknown)
            # One that changes nothing here is better kept.
            if placed is not None and placed.state != now.state:
                yield placed

    def _with_reads(self, stop: _Stop, now: _Configuration) -> _Configuration:
        placed, path = now.placed, now.path
        for open_ in (stop.mine, *stop.others):
            if open_.reads and not placed & open_.bit and self._answers(now.state, open_.operation):
                placed |= open_.bit
                path = _Path(path, open_.operation)
        return now if placed == now.placed else _Configuration(placed, now.used, now.state, path)

    def _answers(self, state: State, operation: Operation) -> bool:
        return self._applied(state, operation) is not None

    def _place(self, now: _Configuration, next_: _Open) -> _Configuration | None:
        """The configuration with one more operation in the order; None if it would have been answered otherwise."""
        applied = self._applied(now.state, next_.operation)
        if applied is None:
            return None
        path = _Path(now.path, next_.operation)
        if next_.operation.outcome is Outcome.UNKNOWN:
            return _Configuration(now.placed, now.used | next_.bit, applied[0], path)
        return _Configuration(now.placed | next_.bit, now.used, applied[0], path)

    def _applied(self, state: State, operation: Operation) -> tuple[State] | None:
        if self.steps >= self._budget:
            raise OutOfSteps
        self.steps += 1
        after, answer = self._model.apply(state, operation)
        if operation.outcome is Outcome.UNKNOWN or answer is ANY:
            return (after,)
        if isinstance(answer, (bool, list, dict)):
            # A model of one's own may answer in plain values.
            answer = freeze(answer)
        return (after,) if answer == operation.result else None

    def _failed(self, exists: bool | None) -> Found:
        best = self._best
        assert best is not None
        stop = self._stops[self._furthest]
        missing = [o for o in stop.others if not best.placed & o.bit]
        missing += [o for o in self._unknown[: stop.unknown] if not best.used & o.bit]
        beside = tuple(o.operation for o in missing)
        return Found(exists, self.steps, _order(best.path), stop.mine.operation, tuple(self._states), beside)


def _passed(stop: _Stop, configuration: _Configuration) -> _Configuration:
    # The bit stays until `_pass` takes it away, as it does for those that were in the order before.
    return _Configuration(
        configuration.placed & ~stop.mine.bit, configuration.used, configuration.state, configuration.path
    )


def _order(path: _Path | None) -> tuple[Operation, ...]:
    found: list[Operation] = []
    while path is not None:
        found.append(path.operation)
        path = path.before
    return tuple(reversed(found))


def _timeline(model: Model, operations: Sequence[Operation]) -> tuple[list[_Stop], list[_Open]]:
    """The answers in the order of time, and all operations of unknown outcome that may change something.

    A call and an answer at the same moment count as concurrent: the clock cannot tell.
    """
    events: list[tuple[int, int, int, Operation]] = []
    for number, operation in enumerate(operations):
        if operation.outcome is Outcome.FAIL:
            continue
        if operation.outcome is Outcome.UNKNOWN:
            # A read that nobody heard is no matter. (One that says what it answered all the same is not believed.)
            if operation.result is not None or not model.reads(operation):
                events.append((operation.began, 0, number, operation))
            continue
        events.append((operation.began, 0, number, operation))
        events.append((operation.ended, 1, number, operation))
    events.sort(key=lambda event: event[:3])
    stops: list[_Stop] = []
    unknown: list[_Open] = []
    twins: dict[Hashable, int] = {}
    open_: dict[int, _Open] = {}
    free: list[int] = []
    for _, is_answer, number, operation in events:
        if operation.outcome is Outcome.UNKNOWN:
            alike, bit = (operation.call, operation.arguments, operation.key), 1 << len(unknown)
            unknown.append(_Open(operation, bit, False, twins.get(alike, 0)))
            twins[alike] = twins.get(alike, 0) | bit
        elif is_answer:
            mine = open_.pop(number)
            stops.append(_Stop(mine, tuple(open_.values()), len(unknown)))
            free.append(mine.bit)
        else:
            # Bits are used again, so that the masks stay as small as the number of clients.
            bit = free.pop() if free else 1 << len(open_)
            open_[number] = _Open(operation, bit, model.reads(operation))
    return stops, unknown
