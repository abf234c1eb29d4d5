"""The usual form of a history: events `invoke`, `ok`, `fail` and `info`, as maps in EDN or JSON.

    {:process 0, :type :invoke, :f :write, :value 3, :time 17}
    {"process": 0, "type": "ok", "f": "write", "value": 3, "time": 20}

One event a line or all in one vector. A process does one thing at a time; one that is `info`, or never heard of again,
is of unknown outcome. The order of the events counts, and their times only tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tanist.election.linearizability.edn import Edn
from tanist.election.linearizability.operations import HistoryError, Operation, Outcome, operation

Event = Mapping[str, Any]

_READS = frozenset({"read", "get", "count", "numbers"})
"""Calls whose value is what they answered, and not what they were given."""


def read_jepsen(text: str, *, keyed: bool = False) -> list[Operation]:
    """A history from its text. `keyed`: every value is `[key value]`. Raises HistoryError."""
    return operations_of(_events(text), keyed=keyed)


def _events(text: str) -> list[Event]:
    values = _json(text)
    if values is None:
        values = Edn(text).values()
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    for number, value in enumerate(values, 1):
        if not isinstance(value, Mapping):
            raise HistoryError(f"event {number} is no map, but {value!r}")
    return values


def _json(text: str) -> list[Any] | None:
    """The values of a text that is JSON, or JSON lines; else None."""
    try:
        return [msgspec.json.decode(text)]
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
    except (msgspec.DecodeError, RecursionError):
        return None


def operations_of(events: Iterable[Event], *, keyed: bool = False) -> list[Operation]:
    """Operations from events in their order. Events of processes that are no number (nemesis) are left out."""
    found: list[Operation] = []
    called: dict[int, tuple[int, Event]] = {}
    for place, event in enumerate(events, 1):
        process = event.get("process")
        if not isinstance(process, int):
            continue
        kind = event.get("type")
        if kind == "invoke":
            if process in called:
                raise HistoryError(f"event {place}: process {process} does something else still: one thing at a time")
            called[process] = place, event
        elif kind in ("ok", "fail", "info"):
            if process not in called:
                raise HistoryError(f"event {place}: process {process} did not invoke what ends here")
            found.append(_operation(*called.pop(process), place, event, keyed))
        else:
            raise HistoryError(f"event {place}: type {kind!r}; it is invoke, ok, fail or info")
    found += [_operation(place, event, None, {}, keyed) for place, event in called.values()]
    return sorted(found, key=lambda o: o.place)


def _operation(began: int, invoked: Event, ended: int | None, answer: Event, keyed: bool) -> Operation:
    kind = answer.get("type", "info")
    call = invoked.get("f")
    if not isinstance(call, str):
        raise HistoryError(f"event {began}: it says not what is done: `f` is missing")
    key, given = _keyed(began, invoked, keyed)
    # Some clients give the value with the answer only, others the key too.
    _, told = _keyed(began, answer, keyed) if answer.get("value") is not None else (None, None)
    arguments: list[Any] = []
    result = told
    if call not in _READS:
        arguments = given if call == "cas" and isinstance(given, list) else [] if given is None else [given]
        # Such an answer repeats what was given, and that a compare-and-set was ok means that it matched.
        result = True if call == "cas" else None
    outcome = {"ok": Outcome.OK, "fail": Outcome.FAIL}.get(kind, Outcome.UNKNOWN)
    return operation(
        invoked["process"],
        call,
        *arguments,
        key=key,
        result=result if outcome is Outcome.OK else None,
        began=began,
        ended=ended if outcome is not Outcome.UNKNOWN else None,
        outcome=outcome,
        place=began,
    )


def _keyed(place: int, event: Event, keyed: bool) -> tuple[Any, Any]:
    value = event.get("value")
    if "key" in event or not keyed:
        return event.get("key"), value
    if not isinstance(value, list) or len(value) != 2:
        raise HistoryError(f"event {place}: the value {value!r} is no pair of key and value")
    return value[0], value[1]
