"""Commands made ready to run: decoder, method and context found once, so that the log can run at full speed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import msgspec

from tanist.peer.application.api import Application
from tanist.peer.application.blob import holds_blobs
from tanist.peer.application.context import Context
from tanist.peer.application.specification import Operation, check_text, describe
from tanist.peer.application.superseded import Choice, Superseded
from tanist.peer.application.timers import TimerTable

Run = Callable[[Context, Any], Any]
Hook = Callable[[Context], None]
Healed = Callable[[Context, Superseded], Choice]


@dataclass(frozen=True, slots=True)
class Bound:
    """An operation of one application: `decode` gives typed arguments from MessagePack, `run` calls the method.

    `blob_parameters` may have blobs in them; `keeps_blobs` says whether the application's state may.
    """

    application: Application
    operation: Operation
    context: Context
    decode: Callable[[Any], Any]
    run: Run
    blob_parameters: tuple[str, ...]
    keeps_blobs: bool


@dataclass(frozen=True, slots=True)
class BoundApplication:
    """One application with its context, its operations by name, and its hooks if it has its own.

    `on_heal` is what it says of superseded commands, `healed` its own function for them, if it has one.
    """

    name: str
    application: Application
    context: Context
    operations: Mapping[str, Bound]
    opened: Hook | None
    closed: Hook | None
    on_heal: str
    healed: Healed | None
    keeps_blobs: bool


def bind(name: str, application: Application, timers: TimerTable) -> BoundApplication:
    """Make an application ready, under the name by which the cluster knows it."""
    context = Context(application, name, timers)
    keeps_blobs = bool(describe(application).blob_fields)
    operations = {
        operation.name: Bound(
            application,
            operation,
            context,
            _decoder(operation),
            _runner(getattr(application, operation.method), operation),
            tuple(p.name for p in operation.parameters if holds_blobs(p.hint)),
            keeps_blobs,
        )
        for operation in describe(application).operations.values()
    }
    own = type(application)
    return BoundApplication(
        name,
        application,
        context,
        operations,
        application.opened if own.opened is not Application.opened else None,
        application.closed if own.closed is not Application.closed else None,
        describe(application).on_heal,
        application.healed if own.healed is not Application.healed else None,
        keeps_blobs,
    )


def _decoder(operation: Operation) -> Callable[[Any], Any]:
    decode = msgspec.msgpack.Decoder(operation.arguments).decode
    if all(parameter.text_types is None for parameter in operation.parameters):
        return decode

    def decode_and_check(data: Any) -> Any:
        arguments = decode(data)
        check_text(operation, arguments)
        return arguments

    return decode_and_check


def _runner(method: Callable[..., Any], operation: Operation) -> Run:
    names = [parameter.name for parameter in operation.parameters]
    if not names:
        return lambda context, arguments: method(context)
    values = attrgetter(*names)
    if len(names) == 1:
        return lambda context, arguments: method(context, values(arguments))
    return lambda context, arguments: method(context, *values(arguments))
