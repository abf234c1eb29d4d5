"""Settings of an application: declared as a class, given in the configuration, the same on every peer.

    class Poll(Application):
        class Settings(msgspec.Struct, frozen=True):
            question: str = "Tea or coffee?"

    apps: {poll: {question: "Where do we eat?"}}

The first server's enter the log, and all peers use those: `ctx.settings`. Two kinds of fields are read in a way of
their own: `FromFile[tuple[Question, ...]]` takes a value, or the path of a YAML or JSON file that holds it; `LocalPath`
is a path of this very peer, which enters no log, so that only preparations and local work have it.
"""

import re
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec

from tanist.config.loader import read
from tanist.config.nodes import Item, Node, from_python, plain
from tanist.config.problems import ConfigError, Problem, did_you_mean
from tanist.config.specs import App
from tanist.config.values import Invalid, path
from tanist.peer.application.hints import encodable
from tanist.peer.errors import Refused

SETTINGS_BYTES_MAX = 256 * 1024
"""Bytes of one application's settings as they enter the log: as much as a configuration file may have."""

Given = TypeVar("Given")


class FileMark:
    """Marks a setting that may stand in a file of its own."""


class LocalMark:
    """Marks a setting that is a path of this peer alone."""


FromFile = Annotated[Given, FileMark()]
"""A setting that is given as a value, or as the path of a YAML or JSON file that holds it."""
LocalPath = Annotated[str, LocalMark()]
"""A path of the peer that is configured, from the configuration's folder if it is relative; it enters no log."""

_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def fields_of(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields of a class of settings, by name, with their types and marks."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hints[name] for name in cls.__struct_fields__}


def local_fields(cls: type[msgspec.Struct]) -> list[str]:
    """The fields that are each peer's own."""
    return [name for name, hint in fields_of(cls).items() if _marked(hint, LocalMark)]


def is_from_file(hint: Any) -> bool:
    """Whether a setting may stand in a file of its own."""
    return _marked(hint, FileMark)


def _marked(hint: Any, mark: type) -> bool:
    return any(isinstance(extra, mark) for extra in getattr(hint, "__metadata__", ()))


def read_settings(cls: type[msgspec.Struct], app: App) -> msgspec.Struct:
    """The settings that a configuration gives an application; defaults where it gives none. Reads files.

    Raises `ConfigError` with all that is wrong, each at its place.
    """
    given = app.node or from_python(app.settings, f"apps.{app.name}")
    hints = fields_of(cls)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    items: dict[str, Item] = given.value if isinstance(given.value, dict) else {}
    for name, item in items.items():
        if name not in hints:
            hint = did_you_mean(name, hints) or f"it takes {', '.join(hints)}"
            problems.append(Problem(item.key_where, f'{app.name} has no setting "{name}"', hint))
            continue
        try:
            values[name] = _value(hints[name], item.node)
        except Invalid as error:
            problems += [Problem(p.where, f"{app.name}.{name}: {p.message}", p.hint) for p in error.problems]
    if problems:
        raise ConfigError(problems)
    try:
        settings = cls(**values)
        encode_settings(settings)
    except (ValueError, TypeError, Refused) as error:
        raise ConfigError([Problem(given.where, f"{app.name}: {error}")]) from None
    return settings


def no_settings(app: App) -> None:
    """Refuse settings of an application that declares none. Raises `ConfigError`."""
    given = app.node or from_python(app.settings, f"apps.{app.name}")
    if isinstance(given.value, dict) and given.value:
        name, item = next(iter(given.value.items()))
        raise ConfigError([Problem(item.key_where, f'{app.name} has no setting "{name}"', "it takes none")])


def _value(hint: Any, node: Node) -> Any:
    if _marked(hint, LocalMark):
        return path(node)
    if is_from_file(hint) and isinstance(node.value, str):
        node = _from_file(node)
    try:
        return msgspec.convert(plain(node), type=encodable(hint), strict=not node.words)
    except msgspec.ValidationError as error:
        message, _, steps = str(error).partition(" - at `$")
        raise Invalid(Problem(_at(node, steps).where, message[0].lower() + message[1:])) from None


def _from_file(node: Node) -> Node:
    """What stands in the file that a setting names. What is wrong in it has its place there, what is of it here."""
    file = path(node)
    try:
        found, problems = read(Path(file), mapping=False)
    except ConfigError as error:
        problems = error.problems
    if problems:
        of_it = [Problem(node.where, f"{file} {p.message}", p.hint) for p in problems if p.where == file]
        raise Invalid(*of_it, *(p for p in problems if p.where != file))
    return found


def _at(node: Node, steps: str) -> Node:
    """The node that msgspec's path leads to, as far as it can be followed: keys of free choice are not named in it."""
    for step in _STEP.finditer(steps):
        value = node.value
        if step[1] and isinstance(value, dict) and step[1] in value:
            node = value[step[1]].node
        elif step[2] and isinstance(value, tuple) and int(step[2]) < len(value):
            node = value[int(step[2])]
        else:
            break
    return node


def encode_settings(settings: msgspec.Struct) -> bytes:
    """Settings as they enter the log: without what is the peer's own. Raises ValueError if they are too large."""
    values = {name: getattr(settings, name) for name in settings.__struct_fields__}
    for name in local_fields(type(settings)):
        del values[name]
    data = msgspec.msgpack.encode(values)
    if len(data) > SETTINGS_BYTES_MAX:
        raise ValueError(f"its settings have {len(data)} bytes, at most {SETTINGS_BYTES_MAX}")
    return data


def decode_settings(cls: type[msgspec.Struct], data: bytes) -> msgspec.Struct:
    """Settings from the log; what is not in it has its default. Raises msgspec.MsgspecError."""
    return msgspec.msgpack.decode(data, type=cls)


def with_own(agreed: msgspec.Struct, own: msgspec.Struct) -> msgspec.Struct:
    """The settings of the cluster with what is this peer's own."""
    names = local_fields(type(own))
    return msgspec.structs.replace(agreed, **{name: getattr(own, name) for name in names}) if names else agreed


def differing(agreed: msgspec.Struct, own: msgspec.Struct) -> list[str]:
    """The settings in which a peer's own are not those of the cluster; what is its own by nature does not count."""
    local = local_fields(type(own))
    names = [name for name in own.__struct_fields__ if name not in local]
    return [name for name in names if getattr(agreed, name) != getattr(own, name)]
