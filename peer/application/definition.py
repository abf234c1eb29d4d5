"""From an application's class to its specification, with errors that say where and what to write instead.

All that would make peers diverge, or a snapshot fail, and that a class can show, is refused when the class is
defined, long before a command runs.
"""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from types import FrameType, FunctionType
from typing import Annotated, Any, ClassVar

import msgspec

from tanist.peer.application import hints
from tanist.peer.application.blob import holds_blobs, is_blob
from tanist.peer.application.context import Context
from tanist.peer.application.here import EVERY_S_MIN, LOCAL
from tanist.peer.application.outside import outside
from tanist.peer.application.preparing import Asking, SecretMark
from tanist.peer.application.specification import LocalWork, Operation, Parameter, Specification
from tanist.peer.application.state import StateCodec, StateField, factory_for, factory_of
from tanist.peer.application.superseded import ON_HEAL

MARK = "__tanist_operation__"
"""The attribute by which decorators mark a method."""
PREPARES = "__tanist_prepares__"
"""The attribute by which a method says which command it prepares."""
HEALED = "healed"
"""The method that decides about superseded commands."""
EFFECT = "effect"
"""The method that is called for each event, once a peer."""
SETTINGS = "Settings"
"""The class of an application's settings, within it."""
HOOKS = ("opened", "closed", HEALED, EFFECT)
"""Methods that mean something to the machine: no state, command or query may be called so."""
WORDS = ("help", "quit")
"""Words of the line protocol and the console: a command of such a name could not be asked for there."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WRITTEN: Mapping[type, str] = {list: "list[str]", dict: "dict[str, int]", set: "dict[str, None]"}
"""What to write for a value whose type says nothing of what is in it."""


class DefinitionError(TypeError):
    """An application class that cannot work; the message begins with file and line."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a decorator says of a method."""

    is_command: bool
    internal: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a class is defined, and the names that its annotations may use besides its module's."""

    file: str
    line: int
    names: Mapping[str, Any]

    def error(self, message: str) -> DefinitionError:
        """A DefinitionError here."""
        return DefinitionError(f"{self.file}:{self.line}: {message}")

    def at(self, function: FunctionType) -> "Place":
        """The place of a method."""
        return Place(function.__code__.co_filename, function.__code__.co_firstlineno, self.names)


def place_of(body: FrameType) -> Place:
    """Where a class is defined, from the frame that defines it."""
    frame: FrameType | None = body
    # A metaclass of Python's own, such as abc's, may stand in between.
    while frame is not None and frame.f_code.co_filename.startswith("<frozen"):
        frame = frame.f_back
    frame = frame or body
    # A class within a function may use that function's names in its annotations.
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_locals)


def decorated(function: Any, decorator: str, body: FrameType) -> None:
    """Look at what a decorator was put on, in the body of a class. Raises DefinitionError."""
    place = place_of(body)
    if not isinstance(function, (FunctionType, classmethod, staticmethod)):
        given = repr(function) if isinstance(function, str) else f"a {type(function).__name__}"
        raise place.error(f"@{decorator} was given {given}: write `@{decorator}` alone, right above `def`")
    name = function.__name__
    if name != "<lambda>" and isinstance(getattr(body.f_locals.get(name), MARK, None), Mark):
        raise place.error(
            f"a command or query called {name!r} stands above already: each has one name and one set of "
            "arguments, some of which may have defaults"
        )


def define(cls: type, base: type, place: Place, on_heal: str | None = None) -> Specification:
    """Read a class that derives from `base`; `on_heal` is what it says of superseded commands, None if nothing.

    Raises DefinitionError.
    """
    name = cls.__name__.lower()
    if not _NAME.fullmatch(name):
        raise place.error(f"class {cls.__name__}: an application's name has letters, digits and _ only, in ASCII")
    operations: dict[str, Operation] = {}
    for method, function, mark in _marked(cls, base, place):
        operation = _operation(name, method, function, mark, place.at(function))
        if operation.name in operations:
            raise place.at(function).error(f"{cls.__name__} has two operations called {operation.name!r}")
        operations[operation.name] = operation
    for hook in HOOKS:
        _check_hook(cls, base, hook, place)
    prepared = _preparations(cls, base, name, operations, place)
    fields = _state(cls, base, place)
    codec = StateCodec(name, fields)
    state = {f.name: hints.text(f.hint) for f in fields}
    return Specification(
        name,
        _doc(cls),
        operations,
        state,
        codec,
        _on_heal(cls, base, on_heal, place),
        prepared,
        _local(cls, base, place),
        _settings(cls, place),
        tuple(field.name for field in fields if holds_blobs(field.hint)),
    )


def _local(cls: type, base: type, place: Place) -> tuple[LocalWork, ...]:
    """The methods that each peer runs by itself."""
    found = []
    for method, function in _attributes(cls, base).items():
        every_s = getattr(function, LOCAL, None)
        if every_s is None:
            continue
        if not isinstance(function, FunctionType) or list(inspect.signature(function).parameters)[1:] != ["here"]:
            raise place.error(f"{cls.__name__}.{method}: write local work as `def {method}(self, here: Here) -> None`")
        _check_plain(function, place.at(function))
        if not isinstance(every_s, (int, float)) or not EVERY_S_MIN <= every_s < inf:
            raise place.at(function).error(f"{method}(): every={every_s!r}: say seconds, {EVERY_S_MIN} at least")
        if getattr(function, MARK, None) is not None:
            raise place.at(function).error(f"{method}() is local work: it cannot be a command or query too")
        found.append(LocalWork(method, float(every_s)))
    return tuple(found)


def _settings(cls: type, place: Place) -> type[msgspec.Struct] | None:
    """The class of an application's settings."""
    found = getattr(cls, SETTINGS, None)
    if found is None:
        return None
    what = f"{cls.__name__}.{SETTINGS}"
    if not (isinstance(found, type) and issubclass(found, msgspec.Struct) and found.__struct_config__.frozen):
        raise place.error(f"{what}: write `class {SETTINGS}(msgspec.Struct, frozen=True)`")
    try:
        hints_of = typing.get_type_hints(found, localns=dict(place.names), include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise place.error(f"{what}: its type hints cannot be read: {error}") from error
    for field in msgspec.structs.fields(found):
        if field.required:
            raise place.error(f"{what}.{field.name} has no default: who configures nothing must have one")
        _check_hint(hints_of[field.name], f"{what}.{field.name} is", place, kept=True)
    return found


def _preparations(
    cls: type, base: type, app: str, operations: Mapping[str, Operation], place: Place
) -> dict[str, Operation]:
    """The methods that prepare commands, by the command's name: each as the operation that callers see."""
    found: dict[str, Operation] = {}
    for method, function in _attributes(cls, base).items():
        name = getattr(function, PREPARES, None)
        if not isinstance(name, str):
            continue
        if not isinstance(function, FunctionType):
            raise place.error(f"{cls.__name__}.{method}: a preparation is a plain method, `def {method}(self, …)`")
        where = place.at(function)
        command = operations.get(name)
        if command is None or not command.is_command or command.internal:
            offered = ", ".join(o.name for o in operations.values() if o.is_command and not o.internal) or "none"
            raise where.error(
                f"{method}() prepares {name!r}, which is no command that is offered; there are: {offered}"
            )
        if name in found:
            raise where.error(f"{name!r} is prepared by {found[name].method}() and by {method}(): one must do")
        if getattr(function, MARK, None) is not None:
            raise where.error(
                f"{method}() cannot be a command or query itself: it runs before the command that it prepares"
            )
        shown = _operation(app, name, function, Mark(True, False), where, first=Asking)
        found[name] = dataclasses.replace(
            shown, method=method, returns=command.returns, result=command.result, doc=command.doc
        )
    return found


def _on_heal(cls: type, base: type, said: Any, place: Place) -> str:
    """What becomes of superseded commands: as the class says, or the nearest class that it derives from."""
    own = getattr(cls, HEALED) is not getattr(base, HEALED)
    if said is not None:
        if said not in ON_HEAL:
            choices = " or ".join(f'"{choice}"' for choice in ON_HEAL)
            raise place.error(
                f"{cls.__name__}: on_heal={said!r}: say {choices}, or write "
                f"`def {HEALED}(self, ctx: Context, lost: Superseded) -> Choice`"
            )
        if own:
            raise place.error(
                f"{cls.__name__} has on_heal={said!r} and a method {HEALED}() of its own: one decides, drop the other"
            )
        return str(said)
    if own:
        return "own"
    for parent in cls.__mro__[1:]:
        if isinstance(found := vars(parent).get("__specification__"), Specification):
            return found.on_heal
    return ON_HEAL[0]


def _doc(thing: Any) -> str:
    # Not inspect.getdoc: that would give a class without a docstring the one of its base.
    return inspect.cleandoc(thing.__doc__) if thing.__doc__ else ""


def _attributes(cls: type, base: type) -> dict[str, Any]:
    """The attributes that a class and its bases below `base` define; the nearest definition counts."""
    found: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        if owner is not base and not issubclass(base, owner):
            found.update(vars(owner))
    return found


def _marked(cls: type, base: type, place: Place) -> Iterator[tuple[str, FunctionType, Mark]]:
    for name, value in _attributes(cls, base).items():
        mark = getattr(value.fget if isinstance(value, property) else value, MARK, None)
        if not isinstance(mark, Mark):
            continue
        if not isinstance(value, FunctionType):
            raise place.error(
                f"{cls.__name__}.{name}: commands and queries are plain methods, `def {name}(self, ctx: …)`"
            )
        yield name, value, mark


def _operation(
    app: str, method: str, function: FunctionType, mark: Mark, place: Place, first: type = Context
) -> Operation:
    name = method.removesuffix("_")
    if method in HOOKS or name in WORDS or not _NAME.fullmatch(name):
        why = (
            "is reserved" if _NAME.fullmatch(name) else "must be lower-case letters, digits and _ (it stands in paths)"
        )
        raise place.error(f"the name {method!r} {why}: rename the method")
    _check_plain(function, place)
    if mark.is_command and first is Context:
        _check_inside(function, place)
    types = _hints(function, place)
    declared = list(inspect.signature(function).parameters.values())
    _check_first(method, declared, types, place, first)
    if "return" not in types:
        raise place.error(f"{method}() does not say what it returns: add `-> …` (`-> None` for nothing)")
    _check_hint(types["return"], f"{method}() returns", place, kept=False)
    parameters = tuple(_parameter(method, p, types, place, secrets=first is Asking) for p in declared[2:])
    if not mark.internal and any(parameter.is_blob for parameter in parameters[:-1]):
        raise place.error(f"{method}(): a Blob comes last: its bytes follow whatever else is given")
    return Operation(
        app=app,
        name=name,
        method=method,
        is_command=mark.is_command,
        internal=mark.internal,
        parameters=parameters,
        returns=hints.text(types["return"]),
        result=types["return"],
        doc=_doc(function),
        arguments=_arguments(app, name, parameters, place),
    )


def _check_plain(function: FunctionType, place: Place) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise place.error(f"{function.__name__}() is `async def`, and nothing would wait for it: use `def`")
    if inspect.isgeneratorfunction(function):
        raise place.error(f"{function.__name__}() is a generator: return a list")


def _check_inside(function: FunctionType, place: Place) -> None:
    found = outside(function)
    if found is not None:
        name, line, instead = found
        raise Place(place.file, line, {}).error(f"{function.__name__}(): {name} {instead}")


def _hints(function: FunctionType, place: Place) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, localns=dict(place.names), include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise place.error(f"{function.__name__}(): its type hints cannot be read: {error}") from error


def _check_first(
    method: str, declared: list[inspect.Parameter], types: Mapping[str, Any], place: Place, wanted: type
) -> None:
    first = types.get(declared[1].name) if len(declared) > 1 else None
    if isinstance(first, type) and issubclass(first, wanted):
        return
    if wanted is Context:
        what, written = "the context", "ctx: Context"
    else:
        what, written = "what it may ask", "asking: Asking"
    raise place.error(f"{method}(): the first parameter after self must be {what}: `def {method}(self, {written}, …)`")


def _parameter(
    method: str, declared: inspect.Parameter, types: Mapping[str, Any], place: Place, *, secrets: bool
) -> Parameter:
    name = declared.name
    if declared.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise place.error(f"{method}(): {name!r}: write plain parameters, without *, ** or /")
    if name not in types:
        raise place.error(f"{method}(): the parameter {name!r} has no type: write `{name}: str` or the like")
    hint = types[name]
    secret = secrets and typing.get_origin(hint) is Annotated and _is_secret(hint)
    if secret:
        hint = typing.get_args(hint)[0]
    _check_hint(hint, f"{method}(): {name!r} is", place, kept=False)
    required = declared.default is inspect.Parameter.empty
    if not required:
        _check_default(declared.default, hint, f"{method}(): {name!r}", place)
    choices = typing.get_args(hint) if hints.is_union(hint) else (hint,)
    return Parameter(
        name=name,
        type_name=hints.text(hint),
        required=required,
        default=None if required else declared.default,
        hint=hint,
        text_types=hints.text_types(hint),
        is_bytes=bytes in choices and str not in choices,
        compound=hints.is_compound(hint),
        secret=secret,
        is_blob=is_blob(hint),
    )


def _is_secret(hint: Any) -> bool:
    """Whether a hint is a secret, or has one somewhere in it."""
    marks = getattr(hint, "__metadata__", ())
    return any(isinstance(mark, SecretMark) for mark in marks) or any(map(_is_secret, typing.get_args(hint)))


def _check_hint(hint: Any, what: str, place: Place, *, kept: bool) -> None:
    if _is_secret(hint):
        raise place.error(
            f"{what} a secret, which would enter the log: only an argument of a method marked @prepare(…) is one, "
            "and that returns what may be kept"
        )
    if isinstance(hint, (list, dict, tuple, str, bytes, int, float)):
        raise place.error(f"{what} {hint!r}, which is a value: a type stands there, such as list[str] or int")
    try:
        found = hints.problem(hint, kept=kept)
    except TypeError as error:
        raise place.error(f"{what} `{hints.text(hint)}`, which {hints.UNSENDABLE}; {error}") from error
    if found:
        raise place.error(f"{what} `{hints.text(hint)}`: {found}")


def _check_default(default: Any, hint: Any, what: str, place: Place) -> None:
    try:
        data = msgspec.msgpack.encode(default)
        msgspec.msgpack.decode(data, type=hints.encodable(hint))
    except Exception as error:
        advice = f"; write `{hints.text(hint)} | None`" if default is None else ""
        raise place.error(
            f"{what} begins with {default!r}, which is no `{hints.text(hint)}`: {error}{advice}"
        ) from error


def _arguments(app: str, name: str, parameters: tuple[Parameter, ...], place: Place) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for p in parameters:
        hint = hints.encodable(p.hint)
        if p.required:
            fields.append((p.name, hint))
        elif isinstance(p.default, (str, bytes, int, float, type(None))):
            fields.append((p.name, hint, p.default))
        else:
            fields.append((p.name, hint, msgspec.field(default_factory=factory_of(p.default))))
    try:
        return msgspec.defstruct(f"{app}_{name}", fields, omit_defaults=True, forbid_unknown_fields=True)
    except TypeError as error:
        raise place.error(f"{name}(): {error}") from error


def _check_hook(cls: type, base: type, hook: str, place: Place) -> None:
    function = getattr(cls, hook)
    form = f"`def {hook}(self, ctx: Context) -> None`"
    if hook == HEALED:
        form = f"`def {HEALED}(self, ctx: Context, lost: Superseded) -> Choice`"
    elif hook == EFFECT:
        form = f"`def {EFFECT}(self, here: Here, happened: Published) -> None`"
    if not isinstance(function, FunctionType):
        raise place.error(f"{cls.__name__}.{hook} is reserved for {form}")
    _check_plain(function, place.at(function))
    if hook != EFFECT:
        _check_inside(function, place.at(function))
    wanted, given = (inspect.signature(f).parameters for f in (getattr(base, hook), function))
    if len(given) != len(wanted):
        raise place.at(function).error(f"write {form}")
    # Names are free; types that are given must be those that come.
    expected, types = (_hints(f, place.at(function)) for f in (getattr(base, hook), function))
    for theirs, ours in zip(given, wanted, strict=True):
        if theirs in types and types[theirs] != expected[ours]:
            raise place.at(function).error(f"{hook}(): {theirs!r} is not that: write {form}")


def _state(cls: type, base: type, place: Place) -> list[StateField]:
    attributes = _attributes(cls, base)
    try:
        types = typing.get_type_hints(cls, localns=dict(place.names), include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise place.error(f"class {cls.__name__}: the types of its state cannot be read: {error}") from error
    state = {name: hint for name, hint in types.items() if not _is_class_variable(hint)}
    _check_attributes(cls, attributes, types, place)
    fields = []
    for name, hint in state.items():
        what = f"{cls.__name__}.{name}"
        if name in HOOKS or getattr(attributes.get(name), MARK, None) is not None:
            raise place.error(f"{what}: the name is taken by a method: rename this state")
        _check_hint(hint, f"{what} is", place, kept=True)
        fields.append(StateField(name, hint, _begin(what, hint, name in attributes, attributes.get(name), place)))
    return fields


def _begin(what: str, hint: Any, given: bool, default: Any, place: Place) -> Callable[[], Any]:
    if given:
        _check_default(default, hint, what, place)
        return factory_of(default)
    factory = factory_for(hint)
    if factory is None:
        raise place.error(f"{what} is `{hints.text(hint)}`, which has no empty value: give it a default")
    return factory


def _is_class_variable(hint: Any) -> bool:
    return hint is ClassVar or typing.get_origin(hint) is ClassVar


def _check_attributes(cls: type, attributes: Mapping[str, Any], types: Mapping[str, Any], place: Place) -> None:
    for name, value in attributes.items():
        if name == "__init__":
            raise place.error(
                f"{cls.__name__} has an __init__, which would not run again after a restore: "
                "declare state in the class, `votes: dict[str, int]`"
            )
        # What abc.ABC puts into a class is nobody's state.
        if name.startswith(("__", "_abc_")) or name in types or name.isupper():
            continue
        if not callable(value) and not isinstance(value, (property, classmethod, staticmethod)):
            written = _WRITTEN.get(type(value), hints.text(type(value)))
            raise place.error(
                f"{cls.__name__}.{name} is state without a type: write `{name}: {written} = …`, "
                "or name it in capitals if it never changes"
            )
