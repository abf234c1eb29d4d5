"""What objects promise: models say what an operation does to a state, and what it must answer there.

A model of your own is any class with what `Model` has.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from tanist.election.linearizability.operations import HistoryError, Operation, Truth, where

State = Any
"""A model's own; it must be hashable, equal only if the same, and never changed."""


class _Anything:
    """Equals no value; see ANY."""

    def __repr__(self) -> str:
        return "anything"


ANY = _Anything()
"""The answer of an operation that tells nothing of the state: whatever the client got is right."""


class Model(Protocol):
    """One object, or many of a kind with a key each. Deterministic: the same state and operation, the same answer."""

    by_key: bool
    """Whether each key is an object of its own: then each is checked alone, which is far quicker."""

    def initial(self) -> State:
        """The state before the first operation."""

    def apply(self, state: State, operation: Operation) -> tuple[State, Hashable]:
        """The state after an operation, and its answer (or ANY), both frozen.

        It must take every operation in every state. `operation.result` is no part of this. Raises HistoryError for
        an operation that it does not know.
        """

    def reads(self, operation: Operation) -> bool:
        """Whether an operation, with the result it had, never changes any state. False is always safe."""


class Register:
    """One value: `read`, `write value`, and `cas old new`, which answers whether it was `old`.

    A register that was never written holds `initial`. `get` and `set` are other names of the first two.
    """

    by_key = True

    def __init__(self, initial: Hashable = None) -> None:
        self._initial = initial

    def initial(self) -> State:
        """What nobody has written."""
        return self._initial

    def apply(self, state: State, operation: Operation) -> tuple[State, Hashable]:
        """See Model."""
        match operation.call, operation.arguments:
            case "read" | "get", ():
                return state, state
            case "write" | "set" | "put", (value,):
                return value, ANY
            case "cas", (old, new):
                return (new, Truth.TRUE) if state == old else (state, Truth.FALSE)
        raise unknown(operation, "read, write VALUE, cas OLD NEW")

    def reads(self, operation: Operation) -> bool:
        """Reads, and a compare-and-set that did not match."""
        return operation.call in ("read", "get") or (operation.call == "cas" and operation.result is Truth.FALSE)


class Kv:
    """Keys and values, as the application `kv`: `get`, `set value`, `cas old new`, `incr [by]`, `del`.

    A key that is not there holds nothing. Numbers are kept as text, and counted from 0; `incr` of what is no number
    is refused, which is a failure, and no answer. An `incr` or `del` recorded without a result says nothing.
    """

    by_key = True

    def initial(self) -> State:
        """Nothing."""
        return None

    def apply(self, state: State, operation: Operation) -> tuple[State, Hashable]:
        """See Model."""
        match operation.call, operation.arguments:
            case "get" | "read", ():
                return state, state
            case "set" | "put" | "write", (value,):
                return value, ANY
            case "cas", (old, new):
                return (new, Truth.TRUE) if state == old else (state, Truth.FALSE)
            case "incr", () | (int(),):
                total, answer = _increased(state, operation.arguments)
                return total, _unless_unsaid(operation, answer)
            case "del", ():
                return None, _unless_unsaid(operation, Truth(state is not None))
        raise unknown(operation, "get, set VALUE, cas OLD NEW, incr [BY], del")

    def reads(self, operation: Operation) -> bool:
        """Gets, a compare-and-set that did not match, and a removal of nothing."""
        return operation.call in ("get", "read") or (
            operation.call in ("cas", "del") and operation.result is Truth.FALSE
        )


def _unless_unsaid(operation: Operation, answer: Hashable) -> Hashable:
    return ANY if operation.result is None and answer is not REFUSED else answer


class _Refused:
    """The answer of an operation that cannot be done in this state: no client was given it as a result."""

    def __repr__(self) -> str:
        return "a refusal"


REFUSED = _Refused()


def _increased(state: State, arguments: tuple[Any, ...]) -> tuple[State, Hashable]:
    number = _number(state)
    if number is None:
        return state, REFUSED
    total = number + (arguments[0] if arguments else 1)
    # As the application: a number lives on as text. One that was set as a number stays one.
    return total if isinstance(state, int) else str(total), total


def _number(state: State) -> int | None:
    match state:
        case None:
            return 0
        case int():
            return state
        case str() if state.removeprefix("-").isascii() and state.removeprefix("-").isdigit():
            return int(state)
    return None


class Items:
    """The items of a log, as a chain that shares its beginning: an append costs the same however long it is.

    Two are equal only if they are one; `Log` sees to it that equal ones are.
    """

    __slots__ = ("before", "item", "length")

    def __init__(self, before: Items | None, item: Hashable) -> None:
        self.before = before
        self.item = item
        self.length: int = 1 if before is None else before.length + 1

    def __repr__(self) -> str:
        return repr(list(as_tuple(self)))


def as_tuple(items: Items | None) -> tuple[Hashable, ...]:
    """The items of a chain, first to last."""
    found: list[Hashable] = []
    while items is not None:
        found.append(items.item)
        items = items.before
    return tuple(reversed(found))


class Log:
    """An append-only log: `append item` answers how many there are then (or nothing), `read` gives all items."""

    by_key = True

    def __init__(self) -> None:
        self._grown: dict[tuple[Items | None, Hashable], Items] = {}

    def initial(self) -> State:
        """No items."""
        return None

    def apply(self, state: State, operation: Operation) -> tuple[State, Hashable]:
        """See Model."""
        match operation.call, operation.arguments:
            case "append" | "add" | "write", (item,):
                grown = self._grown.setdefault((state, item), Items(state, item))
                return grown, _unless_unsaid(operation, grown.length)
            case "read" | "get" | "numbers", ():
                return state, as_tuple(state)
            case "count", ():
                return state, 0 if state is None else state.length
        raise unknown(operation, "append ITEM, read, count")

    def reads(self, operation: Operation) -> bool:
        """All but `append`."""
        return operation.call in ("read", "get", "numbers", "count")


MODELS: dict[str, type[Model]] = {"register": Register, "cas-register": Register, "kv": Kv, "log": Log, "list": Log}
"""The models that come along, by name."""


def unknown(operation: Operation, known: str) -> HistoryError:
    """The error for an operation that a model does not know; `known` lists those it does."""
    took = " ".join([operation.call, *map(repr, operation.arguments)])
    return HistoryError(f"{where(operation.place)}: the model does not know {took!r}; it knows: {known}")
