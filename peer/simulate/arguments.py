"""Random commands for an application, made from the signatures of its commands alone.

Values come from small sets, so that clients meet on the same keys, repeat each other and are refused.
"""

from collections.abc import Callable, Container, Mapping
from hashlib import blake2b
from random import Random
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import inspect

from tanist.peer.application.blob import Blob, holds_blobs
from tanist.peer.application.blobstore import BLOBS, PART, Part
from tanist.peer.application.hints import encodable
from tanist.peer.application.specification import (
    Operation,
    Parameter,
    Specification,
    Specified,
    describe,
    validate,
)
from tanist.peer.errors import CallError

TEXTS = ("a", "b", "c", "1", "-1", "x y", "ä", "")
INTEGERS = (0, 1, 2, 3, -1, 10)
FLOATS = (0.0, 1.0, 0.5, -1.5)
ITEMS_MAX = 3
"""Items in a list or a map that is made up."""
DEPTH_MAX = 4
"""Nesting of values that are made up: a type that holds itself would go on for ever."""
TRIES = 20
"""Arguments drawn until some fit: constraints may exclude most."""
CONTENTS = (b"", b"a", b"x y", "ä".encode())
"""What is uploaded, for commands that take bytes."""
UPLOADED = 0.3
"""How often a command is an upload, where some take bytes."""
LEFT_OUT = 0.5
"""How often a parameter that has a default is left to it."""


class CannotMake(Exception):
    """No arguments could be made up for a command: which, and why."""


class Commands:
    """Draws commands of applications: `draw` gives the application's name, the command's, and its arguments.

    `only` names the commands to draw of an application; of those that it does not name, all are drawn.
    """

    def __init__(
        self, classes: Mapping[str, type[Specified]], only: Mapping[str, Container[str]] = MappingProxyType({})
    ) -> None:
        self._classes = classes
        logged = [(name, o) for name, cls in classes.items() for o in _logged(describe(cls))]
        self._choices = [(name, o) for name, o in logged if name not in only or o.name in only[name]]
        self._queries = [(name, o) for name, cls in classes.items() for o in describe(cls).queries]
        self._uploads = any(holds_blobs(p.hint) for _, operation in self._choices for p in operation.parameters)
        if not self._choices:
            raise CannotMake("the applications have no command: there is nothing to simulate")

    def draw(self, rng: Random) -> tuple[str, str, bytes]:
        """One command. Raises CannotMake for one whose arguments never fit."""
        if self._uploads and rng.random() < UPLOADED:
            return BLOBS, PART, msgspec.msgpack.encode(Part(rng.randint(1, 3), 0, rng.choice(CONTENTS), True))
        return self._made(rng, *rng.choice(self._choices))

    def draw_query(self, rng: Random) -> tuple[str, str, bytes] | None:
        """One query, in the same form; None where there are none. Raises CannotMake."""
        return self._made(rng, *rng.choice(self._queries)) if self._queries else None

    def _made(self, rng: Random, app: str, operation: Operation) -> tuple[str, str, bytes]:
        error: Exception | None = None
        for _ in range(TRIES):
            try:
                given = _arguments(operation, rng)
                return app, operation.name, validate(self._classes[app], operation.name, given, internal=True)
            except CallError as told:
                error = told
        raise CannotMake(f"no arguments could be made up for {app} {operation.usage}: {error}")


def _logged(specification: Specification) -> list[Operation]:
    """The commands that clients have done, with the arguments that the log gets."""
    return [o for o in specification.operations.values() if o.is_command and not o.internal]


def _arguments(operation: Operation, rng: Random) -> dict[str, Any]:
    return {p.name: _value(p, rng) for p in operation.parameters if p.required or rng.random() >= LEFT_OUT}


def _value(parameter: Parameter, rng: Random) -> Any:
    if parameter.text_types is not None:
        return rng.choice([None] if type(None) in parameter.text_types and rng.random() < 0.2 else TEXTS)
    value = _made(inspect.type_info(encodable(parameter.hint)), rng, 0)
    # `validate` takes plain values: structs as maps, enums as what they stand for.
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def _made(info: Any, rng: Random, depth: int) -> Any:
    """A plain value of a type."""
    match info:
        case inspect.Metadata(type=inner):
            return _made(inner, rng, depth)
        case inspect.StructType(cls=cls) if cls is Blob:
            content = rng.choice(CONTENTS)
            return {"hash": blake2b(content, digest_size=32).hexdigest(), "size": len(content)}
        case inspect.IntType():
            return _number(info, rng.choice(INTEGERS), 1)
        case inspect.FloatType():
            return _number(info, rng.choice(FLOATS), 0.5)
        case inspect.StrType(min_length=least, max_length=most):
            return _sized(rng.choice(TEXTS), "a", least, most)
        case inspect.BytesType(min_length=least, max_length=most):
            return _sized(rng.choice(TEXTS).encode(), b"a", least, most)
        case inspect.LiteralType(values=values):
            return rng.choice(list(values))
        case inspect.EnumType(cls=cls):
            return rng.choice(list(cls))
        case inspect.UnionType(types=types):
            return _made(rng.choice(types), rng, depth)
        case (
            inspect.StructType(fields=fields)
            | inspect.TypedDictType(fields=fields)
            | inspect.DataclassType(fields=fields)
        ):
            return {f.encode_name: _made(f.type, rng, depth + 1) for f in fields if f.required or rng.random() > 0.5}
    return _collection(info, rng, depth)


def _collection(info: Any, rng: Random, depth: int) -> Any:
    count = rng.randint(0, ITEMS_MAX) if depth < DEPTH_MAX else 0
    match info:
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return [_made(item, rng, depth + 1) for _ in range(max(count, info.min_length or 0))]
        case inspect.TupleType(item_types=items):
            return [_made(item, rng, depth + 1) for item in items]
        case inspect.DictType(key_type=key, value_type=value):
            return {_made(key, rng, depth + 1): _made(value, rng, depth + 1) for _ in range(count)}
    made = _SIMPLE.get(type(info))
    return made(rng) if made is not None else rng.choice((None, True, 1, "a"))


_SIMPLE: dict[type, Callable[[Random], Any]] = {
    inspect.BoolType: lambda rng: rng.random() < 0.5,
    inspect.NoneType: lambda rng: None,
    inspect.DateTimeType: lambda rng: rng.choice(("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")),
    inspect.DateType: lambda rng: rng.choice(("2026-01-01", "2026-02-28")),
    inspect.TimeType: lambda rng: rng.choice(("00:00:00", "12:30:00")),
    inspect.UUIDType: lambda rng: f"00000000-0000-4000-8000-00000000000{rng.randrange(3)}",
    inspect.DecimalType: lambda rng: rng.choice(("0", "1.5")),
}


def _number(info: Any, value: Any, step: Any) -> Any:
    """A number moved into the bounds of its type, if it has any."""
    least = info.ge if info.ge is not None else None if info.gt is None else info.gt + step
    most = info.le if info.le is not None else None if info.lt is None else info.lt - step
    if least is not None and value < least:
        value = least + (value % 3) * step
    if most is not None and value > most:
        value = most
    if info.multiple_of is not None:
        value -= value % info.multiple_of
    return value


def _sized(value: Any, filler: Any, least: int | None, most: int | None) -> Any:
    value += filler * ((least or 0) - len(value))
    return value if most is None else value[:most]
