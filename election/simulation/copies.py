"""Copies and fingerprints of cores, so that a search can go on from one state in many ways, and know it again.

Whatever a core consists of is either plain data (structs, tuples, numbers, text, all immutable), a container, or an
object with attributes; nothing else is copied. What only says something to people or follows from the rest is left
out of a fingerprint.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from copy import copy
from enum import Enum
from random import Random
from typing import Any

import msgspec

from tanist.election.core import Core
from tanist.election.records import Stored

_PLAIN = (str, bytes, int, float, bool, type(None), tuple, frozenset, Enum, msgspec.Struct, Random, type)
_CONTAINERS = frozenset({dict, list, deque, set, OrderedDict})
_UNTOLD = frozenset({"out", "rng", "settings", "times", "me", "core", "node"})
"""Attributes that are the same for all states of a peer, or are filled anew at every step."""


def copy_core(core: Core) -> Core:
    """A core that goes its own way from here."""
    made: Core = _Copier().copy(core)
    return made


def copy_disk(disk: Stored) -> Stored:
    """A disk that goes its own way from here."""
    made = copy(disk)
    for name, value in vars(disk).items():
        if type(value) in _CONTAINERS:
            setattr(made, name, copy(value))
    return made


class _Copier:
    """One copy. `known` is short (a core has some twenty objects), so that it is searched from end to end."""

    def __init__(self) -> None:
        self.known: list[tuple[object, object]] = []

    def copy(self, value: Any) -> Any:
        kind = type(value)
        if _is_plain(kind):
            return value
        if kind in _CONTAINERS:
            # Of one kind throughout: where the first never changes, none does.
            first = next(iter(value.values() if issubclass(kind, dict) else value), None)
            if _is_plain(type(first)):
                return copy(value)
            if issubclass(kind, dict):
                return kind((key, self.copy(item)) for key, item in value.items())
            return kind(self.copy(item) for item in value)
        for old, new in self.known:
            if old is value:
                return new
        made: Any = object.__new__(kind)
        self.known.append((value, made))
        for name, item in _attributes(value):
            object.__setattr__(made, name, item if name == "out" else self.copy(item))
        return made


_plain_kinds: dict[type, bool] = {}


def _is_plain(kind: type) -> bool:
    """Whether values of this class never change."""
    known = _plain_kinds.get(kind)
    if known is None:
        frozen_dataclass = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
        known = _plain_kinds[kind] = bool(issubclass(kind, _PLAIN) or frozen_dataclass)
    return known


def fingerprint(plain: Any) -> bytes:
    """A digest that is the same for equal plain data."""
    return hashlib.blake2b(_encoder.encode(plain), digest_size=16).digest()


def picture(core: Core | None) -> Any:
    """A core as plain data: the same for two cores that will act the same."""
    return None if core is None else _Painter().paint(core)


class _Painter:
    def __init__(self) -> None:
        self.known: list[object] = []

    def paint(self, value: Any) -> Any:
        kind = type(value)
        if kind is set or kind is frozenset:
            return sorted(value)
        if _is_plain(kind):
            return value
        if kind in _CONTAINERS:
            # In order: who is asked first may depend on it.
            if not issubclass(kind, dict):
                return [self.paint(item) for item in value]
            plain = _is_plain(type(next(iter(value.values()), None)))
            return list(value.items()) if plain else [(key, self.paint(item)) for key, item in value.items()]
        for i, old in enumerate(self.known):
            if old is value:
                return ("same", i)
        self.known.append(value)
        told = [(name, self.paint(item)) for name, item in _attributes(value) if name not in _UNTOLD]
        if kind is Core:
            told.append(("node", self.paint(value.node)))
        return (kind.__name__, told)


_encoder = msgspec.msgpack.Encoder()
_slots: dict[type, tuple[str, ...]] = {}


def _attributes(value: Any) -> list[tuple[str, Any]]:
    kind = type(value)
    slots = _slots.get(kind)
    if slots is None:
        named = (getattr(base, "__slots__", ()) for base in kind.__mro__)
        slots = tuple(name for every in named for name in ((every,) if isinstance(every, str) else every))
        _slots[kind] = slots
    found = [(name, getattr(value, name)) for name in slots if hasattr(value, name)] if slots else []
    own = getattr(value, "__dict__", None)
    if own:
        found.extend(own.items())
    return found


__all__ = ["copy_core", "copy_disk", "fingerprint", "picture"]
