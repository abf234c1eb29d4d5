"""What an application offers, read off its class: commands and queries, with parameters, types and docstrings.

Gateways, the command line and consoles know an application by this alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, get_args

import msgspec

from tanist.election.entries import BODY_BYTES_MAX
from tanist.peer.application import hints
from tanist.peer.application.blob import Blob
from tanist.peer.application.state import StateCodec
from tanist.peer.errors import BadRequest, NotFound, TooLarge

ARGUMENTS_BYTES_MAX = BODY_BYTES_MAX - 4096
"""Bytes of a command's arguments: an entry's body, less the command's names, session and key around them."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: `type_name` as people write it, `default` only if not `required`."""

    name: str
    type_name: str
    required: bool
    default: Any
    hint: Any
    text_types: tuple[type, ...] | None
    is_bytes: bool
    compound: bool
    secret: bool = False
    is_blob: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """A command or a query. `method` is the attribute, `arguments` the Struct that its arguments make.

    `returns` is the type of its result as people write it, `result` the type itself.
    """

    app: str
    name: str
    method: str
    is_command: bool
    internal: bool
    parameters: tuple[Parameter, ...]
    returns: str
    result: Any
    doc: str
    arguments: type[msgspec.Struct]

    @property
    def blob(self) -> Parameter | None:
        """The argument that is bytes, which a gateway takes from its client: always the last one."""
        last = self.parameters[-1] if self.parameters else None
        return last if last is not None and last.is_blob else None

    @property
    def gives_blob(self) -> bool:
        """Whether its result is bytes, which a gateway gives as they are."""
        return self.result is Blob or Blob in get_args(self.result)

    @property
    def kind(self) -> str:
        """`command` or `query`."""
        return "command" if self.is_command else "query"

    @property
    def usage(self) -> str:
        """Its line for people: `add [n=1]`."""
        words = [p.name if p.required else f"[{p.name}={p.default!r}]" for p in self.parameters]
        return " ".join([self.name, *words])


@dataclass(frozen=True, slots=True)
class LocalWork:
    """A method that each peer runs by itself, every so many seconds."""

    method: str
    every_s: float


@dataclass(frozen=True, slots=True)
class Specification:
    """All of an application class. `operations` has internal ones too; `state` is name to type.

    `prepared` has, by the name of a command that is prepared at the peer that was asked, what its callers give it: an
    operation whose method is the preparation. What it returns are the arguments of the command in `operations`.

    `on_heal` is what becomes of its acknowledged commands that a split superseded: `replay` or `archive`, or `own` if
    its method `healed` says. `settings` is the class of its settings, None if it has none;
    `blob_fields` are the names of its state that may have blobs in it.
    """

    name: str
    doc: str
    operations: Mapping[str, Operation]
    state: Mapping[str, str]
    codec: StateCodec
    on_heal: str
    prepared: Mapping[str, Operation]
    local: tuple[LocalWork, ...]
    settings: type[msgspec.Struct] | None = None
    blob_fields: tuple[str, ...] = ()

    @property
    def commands(self) -> list[Operation]:
        """The commands that gateways offer, in the order of their definition, with what callers give."""
        return [self.prepared.get(o.name, o) for o in self.operations.values() if o.is_command and not o.internal]

    @property
    def queries(self) -> list[Operation]:
        """The queries that gateways offer, in the order of their definition."""
        return [o for o in self.operations.values() if not o.is_command and not o.internal]


class Specified(Protocol):
    """An application, or its class."""

    @property
    def __specification__(self) -> Specification:
        """What its class offers."""


def describe(app: Specified | type[Specified]) -> Specification:
    """What an application, or its class, offers."""
    specification: Specification = app.__specification__  # type: ignore[assignment]
    return specification


def find(app: Specified | type[Specified], name: str, *, internal: bool = False) -> Operation:
    """A command or query by name, as its callers see it. Raises NotFound.

    With `internal` as the log has it: internal ones too, and a prepared command with the arguments that it gets then.
    """
    specification = describe(app)
    operation = specification.operations.get(name)
    if operation is None or (operation.internal and not internal):
        known = ", ".join(o.name for o in [*specification.commands, *specification.queries])
        raise NotFound(f"{specification.name} has no {name!r}; it has: {known}")
    return operation if internal else specification.prepared.get(name, operation)


def validate(
    app: Specified | type[Specified],
    name: str,
    arguments: Mapping[str, Any] | Sequence[Any],
    *,
    text: bool = False,
    internal: bool = False,
) -> bytes:
    """Arguments as they go into a command: MessagePack of a map, converted to their types, defaults left out.

    `arguments` are by name or in order. With `text` (a URL, a command line) strings become what is declared: JSON where
    that is a list or a map, and a word of a fixed set in whatever case. Raises NotFound, BadRequest naming the
    argument, or TooLarge.
    """
    operation = find(app, name, internal=internal)
    named = dict(arguments) if isinstance(arguments, Mapping) else _by_position(operation, arguments)
    for parameter in operation.parameters:
        value = named.get(parameter.name)
        if isinstance(value, str):
            if parameter.is_bytes:
                named[parameter.name] = _encoded(operation, parameter, value)
            elif text and parameter.compound:
                named[parameter.name] = _from_json(operation, parameter, value)
            elif text:
                named[parameter.name] = hints.choice(parameter.hint, value)
    try:
        converted = msgspec.convert(named, operation.arguments, strict=not text, builtin_types=(bytes,))
        check_text(operation, converted)
        data = msgspec.msgpack.encode(converted)
    except msgspec.ValidationError as error:
        raise _explained(operation, named, error, text) from None
    except OverflowError:
        # The only thing that msgspec cannot put into MessagePack for its size.
        raise BadRequest(f"{operation.app} {operation.name}: whole numbers are from -2**63 to 2**64 - 1") from None
    except (UnicodeEncodeError, RecursionError, TypeError) as error:
        raise BadRequest(f"{operation.app} {operation.name}: an argument cannot be sent: {error}") from None
    if len(data) > ARGUMENTS_BYTES_MAX:
        raise TooLarge(
            f"{operation.app} {operation.name}: {len(data)} bytes of arguments, at most {ARGUMENTS_BYTES_MAX}"
        )
    return data


def check_text(operation: Operation, arguments: msgspec.Struct) -> None:
    """Check the types that msgspec was not told of. Raises ValidationError as msgspec does."""
    for parameter in operation.parameters:
        if parameter.text_types is not None:
            value = getattr(arguments, parameter.name)
            if not isinstance(value, parameter.text_types):
                raise msgspec.ValidationError(
                    f"Expected `{parameter.type_name}`, got `{type(value).__name__}` - at `$.{parameter.name}`"
                )


def _by_position(operation: Operation, arguments: Sequence[Any]) -> dict[str, Any]:
    if isinstance(arguments, (str, bytes)):
        raise BadRequest(f"{operation.app} {operation.name}: arguments come as a map or a list")
    if len(arguments) > len(operation.parameters):
        raise BadRequest(f"{operation.app} {operation.name}: {len(arguments)} arguments; usage: {operation.usage}")
    return {p.name: value for p, value in zip(operation.parameters, arguments, strict=False)}


def _encoded(operation: Operation, parameter: Parameter, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"{operation.app} {operation.name}: {parameter.name}: {error}") from None


def _from_json(operation: Operation, parameter: Parameter, value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        raise BadRequest(
            f"{operation.app} {operation.name}: {parameter.name}: expected {parameter.type_name} as JSON"
        ) from None


def _explained(operation: Operation, named: dict[str, Any], error: msgspec.ValidationError, text: bool) -> BadRequest:
    where = f"{operation.app} {operation.name}"
    names = [p.name for p in operation.parameters]
    unknown = [str(name) for name in named if name not in names]
    if unknown:
        takes = ", ".join(names) if names else "none"
        return BadRequest(f"{where}: no argument {unknown[0]!r}; it takes: {takes}")
    for parameter in operation.parameters:
        if parameter.required and parameter.name not in named:
            return BadRequest(f"{where}: the argument {parameter.name!r} ({parameter.type_name}) is missing")
    message, _, path = str(error).partition(" - at `$.")
    name = path.rstrip("`")
    for parameter in operation.parameters:
        wanted = hints.wanted(parameter.hint) if text and parameter.name == name else ""
        # Text that is of the right kind and out of bounds is told of as msgspec does: it names the bound.
        if wanted and (message.endswith("got `str`") or message.startswith("Invalid enum value")):
            message = f"expected {wanted}"
    return BadRequest(f"{where}: {name}: {message}" if name else f"{where}: {message}")
