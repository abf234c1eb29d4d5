"""An application's declared state: where it begins, and its bytes in a snapshot."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import inspect

from tanist.peer.application.hints import encodable

Factory = Callable[[], Any]


class StateField(msgspec.Struct, frozen=True):
    """One piece of declared state: its name, type, and what makes its first value."""

    name: str
    hint: Any
    begin: Factory


STATE_CHECKED_BYTES_MAX = 1 << 20
"""Bytes of state that are read back before they count: some milliseconds. Larger states are of applications that have
been in use for a while."""


class StateError(Exception):
    """State that cannot be encoded as declared, or bytes that are not this application's state."""

    def __init__(self, message: str, app: str = "") -> None:
        super().__init__(message)
        self.app = app


def factory_of(default: Any) -> Factory:
    """Makes copies of a default, so that two applications never share one list."""
    return lambda: copy.deepcopy(default)


def factory_for(hint: Any) -> Factory | None:
    """What a type begins with when no default is given: nothing, zero or empty; None if it has no such value."""
    return _factory(inspect.type_info(encodable(hint)))


_EMPTY: dict[type, Factory] = {
    inspect.DictType: dict,
    inspect.ListType: list,
    inspect.VarTupleType: tuple,
    inspect.IntType: int,
    inspect.StrType: str,
    inspect.FloatType: float,
    inspect.BoolType: bool,
    inspect.BytesType: bytes,
    inspect.NoneType: lambda: None,
}


def _factory(info: Any) -> Factory | None:
    match info:
        case inspect.UnionType(types=types) if any(isinstance(t, inspect.NoneType) for t in types):
            return lambda: None
        case inspect.Metadata(type=inner):
            return _factory(inner)
        case inspect.StructType(cls=cls, fields=fields) if not any(field.required for field in fields):
            return cls
        case inspect.TupleType(item_types=items):
            makers = [maker for maker in map(_factory, items) if maker is not None]
            return (lambda: tuple(maker() for maker in makers)) if len(makers) == len(items) else None
    return _EMPTY.get(type(info))


class StateCodec:
    """The declared state of one application class, to bytes and back. Order within dicts is kept."""

    def __init__(self, name: str, fields: Sequence[StateField]) -> None:
        self.name = name
        self.fields = tuple(fields)
        self.names = frozenset(field.name for field in fields)
        self._struct = msgspec.defstruct(
            f"{name}_state",
            [(f.name, encodable(f.hint), msgspec.field(default_factory=f.begin)) for f in fields],
        )
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(self._struct)

    def begin(self, target: object) -> None:
        """Give an application its first state."""
        for field in self.fields:
            object.__setattr__(target, field.name, field.begin())

    def encode(self, source: object) -> bytes:
        """The state of an application. Raises StateError naming the field that does not fit its type's encoding."""
        try:
            return self._encoder.encode({field.name: getattr(source, field.name) for field in self.fields})
        except Exception as error:
            raise StateError(
                f"the state of {self.name} cannot be encoded: {self._culprit(source)}{error}", self.name
            ) from error

    def _culprit(self, source: object) -> str:
        for field in self.fields:
            try:
                self._encoder.encode(getattr(source, field.name, None))
            except Exception:
                return f"{field.name}: "
        return ""

    def decode(self, data: bytes | msgspec.Raw) -> object:
        """State that `adopt` takes. A field that is missing there begins anew. Raises StateError."""
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise StateError(f"these bytes are no state of {self.name} as it is declared now: {error}") from error

    def check(self, data: bytes | msgspec.Raw) -> None:
        """See that a peer could begin with encoded state. Raises StateError naming what is not of its declared type."""
        if memoryview(data).nbytes > STATE_CHECKED_BYTES_MAX:
            return
        try:
            self._decoder.decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise StateError(f"the state of {self.name} is not of its declared types: {error}", self.name) from error

    def adopt(self, target: object, state: object) -> None:
        """Give an application a state that `decode` made."""
        for field in self.fields:
            object.__setattr__(target, field.name, getattr(state, field.name))
