"""Events that applications publish: Structs with a one-line template, and how they leave the machine."""

import functools
import inspect
import string
import typing
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from tanist.peer.application import hints
from tanist.peer.application.reporting import Misuse


class EventDefinitionError(Misuse, TypeError):
    """An event's template cannot be filled, or a field cannot be sent."""


class Event(msgspec.Struct):
    """Base of an application's events.

    `template` is its line for people, with fields in braces: `"[{nick}]: {text}"`. Without one the line is
    the event's name and its fields.
    """

    template: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        declared = {name for base in cls.__mro__ for name in inspect.get_annotations(base)}
        for field in _named(cls):
            if field is not None and field.partition(".")[0].partition("[")[0] not in declared:
                raise EventDefinitionError(
                    f"event {cls.__name__}: its template names {{{field}}}, which is no field of it; "
                    f"write `{field or 'text'}: str`"
                )


class Published(msgspec.Struct, frozen=True):
    """An event that came out of `apply`: entry `index`, the `number`-th of that entry (from 0), in log order.

    `to` are the sessions it is for (None: all), `but` the one it is not for. `line` never holds a line break.
    """

    index: int
    number: int
    app: str
    event: str
    fields: Mapping[str, Any]
    line: str
    to: tuple[str, ...] | None = None
    but: str | None = None

    def is_for(self, session: str) -> bool:
        """Whether a session is to get it."""
        return session != self.but and (self.to is None or session in self.to)


def _named(event: type[Event]) -> list[str]:
    """The fields that an event's template names."""
    try:
        return [field for _, field, _, _ in string.Formatter().parse(event.template) if field is not None]
    except (ValueError, TypeError) as error:
        raise EventDefinitionError(f"event {event.__name__}: its template {event.template!r}: {error}") from error


def event_name(event: type[Event]) -> str:
    """The fixed name of an event: its class in snake case."""
    return "".join("_" + c.lower() if c.isupper() else c for c in event.__name__).lstrip("_")


@functools.cache
def _refuse_sets(event: type[Event]) -> None:
    for name, hint in typing.get_type_hints(event, include_extras=True).items():
        problem = None if typing.get_origin(hint) is ClassVar else hints.problem(hint, kept=False)
        if problem:
            raise EventDefinitionError(f"event {event.__name__}: {name} is `{hints.text(hint)}`: {problem}")


def event_fields(event: Event) -> dict[str, Any]:
    """An event's fields as plain values, apart from the event: what it refers to may change later.

    Raises EventDefinitionError for sets.
    """
    _refuse_sets(type(event))
    return {name: msgspec.to_builtins(getattr(event, name), builtin_types=(bytes,)) for name in event.__struct_fields__}


def event_line(event: Event, fields: Mapping[str, Any]) -> str:
    """An event for people. Line breaks in a field become spaces, so that nobody forges a second event."""
    if event.template:
        line = event.template.format(**{name: getattr(event, name) for name in event.__struct_fields__})
    else:
        line = " ".join([event_name(type(event)), *(f"{name}={value}" for name, value in fields.items())])
    return " ".join(line.splitlines())
