"""Type hints of state, arguments and results: which may stand there, and how they are written for people."""

import types
import typing
from enum import Enum
from typing import Annotated, Any, Union

import msgspec
from msgspec import inspect

_TEXT_MARK = "tanist.text"
_TEXT = Annotated[Any, msgspec.Meta(extra={_TEXT_MARK: True})]
"""Stands for a union of `str` and `bytes`, which msgspec refuses; MessagePack itself tells the two apart."""

SETS = "iterates in hash order, which differs from peer to peer: use dict[str, None] or a sorted list"
UNTYPED = "does not say what is in it: a snapshot would give tuples back as lists; write dict[str, int] or the like"
CUSTOM = "cannot be kept in a snapshot: use a msgspec.Struct, or plain types"
UNSENDABLE = "cannot be sent: use a msgspec.Struct, or plain types (list[str], dict[str, int] and the like)"


def is_union(hint: Any) -> bool:
    """Whether a hint is `A | B`, `Union[A, B]` or `Optional[A]`."""
    return typing.get_origin(hint) in (Union, types.UnionType)


def encodable(hint: Any) -> Any:
    """The hint as msgspec takes it: any union that has both `str` and `bytes` becomes one that is not looked into."""
    arguments = typing.get_args(hint)
    if is_union(hint):
        if str in arguments and bytes in arguments:
            return _TEXT
        return Union[tuple(encodable(a) for a in arguments)]  # noqa: UP007
    origin = typing.get_origin(hint)
    if origin in (dict, list, tuple):
        return origin[tuple(a if a is ... else encodable(a) for a in arguments)]
    return hint


def text_types(hint: Any) -> tuple[type, ...] | None:
    """The classes a value may have where `encodable` gave up looking; None where msgspec looks by itself."""
    if not is_union(hint):
        return None
    arguments = typing.get_args(hint)
    return tuple(arguments) if str in arguments and bytes in arguments else None


_NUMBERS = (inspect.IntType, inspect.FloatType, inspect.BoolType, inspect.NoneType)
_WORDS = (
    inspect.StrType,
    inspect.BytesType,
    inspect.LiteralType,
    inspect.EnumType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.UUIDType,
    inspect.DecimalType,
)


def is_compound(hint: Any) -> bool:
    """Whether text for it must be JSON: a list, a map or anything. A number or a word is written as it is."""
    info = inspect.type_info(encodable(hint))
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    if text_types(hint) is not None or any(isinstance(t, _WORDS) for t in types):
        return False
    return not all(isinstance(t, _NUMBERS) for t in types)


def choices(hint: Any) -> list[str]:
    """The words of a fixed set that may stand there, as they are typed: of a `Literal` or an `Enum`, alone or not."""
    if typing.get_origin(hint) is typing.Literal:
        return [str(word) for word in typing.get_args(hint) if type(word) in (str, int)]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return [str(member.value) for member in hint]
    return [word for inner in typing.get_args(hint) for word in choices(inner)] if is_union(hint) else []


def only_choices(hint: Any) -> list[str]:
    """Those words, where nothing else may stand there but nothing at all."""
    parts = typing.get_args(hint) if is_union(hint) else (hint,)
    every = all(choices(part) for part in parts if part is not types.NoneType)
    return choices(hint) if every else []


def choice(hint: Any, given: str) -> str:
    """The word of a fixed set that somebody typed in whatever case; what was typed where there is none such."""
    return next((word for word in choices(hint) if word.lower() == given.lower()), given)


def wanted(hint: Any) -> str:
    """What is to be typed there, for one who typed something else; "" where nothing simple can be said."""
    words = choices(hint)
    if len(words) > 1:
        return f"{', '.join(words[:-1])} or {words[-1]}"
    info = inspect.type_info(encodable(hint))
    types = info.types if isinstance(info, inspect.UnionType) else (info,)
    kinds = {type(t) for t in types if not isinstance(t, inspect.NoneType)}
    if len(kinds) != 1:
        return ""
    return _TYPED.get(kinds.pop(), "")


_TYPED = {inspect.IntType: "a whole number", inspect.FloatType: "a number", inspect.BoolType: "true or false"}


def problem(hint: Any, *, kept: bool) -> str | None:
    """Why a hint may not stand there, as "`part` reason", or None.

    Sets are refused everywhere. `kept` (state) refuses also what a snapshot would not give back as it was.
    Raises TypeError for what msgspec does not support at all.
    """
    return _problem(inspect.type_info(encodable(hint)), kept, set())


def _problem(info: Any, kept: bool, seen: set[int]) -> str | None:
    if id(info) in seen:
        return None
    seen.add(id(info))
    match info:
        case inspect.SetType() | inspect.FrozenSetType():
            return f"a set {SETS}"
        case inspect.Metadata(extra={"tanist.text": True}):
            return None
        case inspect.AnyType() | inspect.RawType() if kept:
            return f"an untyped value {UNTYPED}"
        case inspect.CustomType(cls=cls):
            return f"`{cls.__name__}` {CUSTOM if kept else UNSENDABLE}"
    for child in children(info):
        found = _problem(child, kept, seen)
        if found:
            return found
    return None


def children(info: Any) -> list[Any]:
    """The types within a type that msgspec has looked at."""
    found = [getattr(info, name) for name in ("type", "item_type", "key_type", "value_type") if hasattr(info, name)]
    found += getattr(info, "types", ()) + getattr(info, "item_types", ())
    return found + [field.type for field in getattr(info, "fields", ())]


def text(hint: Any) -> str:
    """A hint as a person would write it: `dict[str, int]`, `str | bytes`, `Tally`."""
    if hint is None or hint is type(None):
        return "None"
    if hint is ...:
        return "..."
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return text(arguments[0])
    if is_union(hint):
        return " | ".join(text(a) for a in arguments)
    if origin is typing.Literal:
        return " | ".join(repr(a) for a in arguments)
    if origin is not None:
        return f"{getattr(origin, '__name__', origin)}[{', '.join(text(a) for a in arguments)}]"
    return getattr(hint, "__name__", str(hint))
