"""The Application API: what a user imports to write a replicated application.

    class Poll(Application):
        votes: dict[str, int]

        @command
        def vote(self, ctx: Context, choice: int) -> int: ...

Rules that keep all peers the same:
- State is declared in the class, with types; nothing else is kept.
- A command uses its arguments, the state and `ctx`: no clock, chance, file or network of its own.
- `raise Refused(...)` is an answer: raise it *before* changing state, since a change made before it stays (events and
  timers of the command are dropped). `Machine(check=True)`, as used in tests, reports a command that breaks this.
  `Counted` is a refusal that changes the state on purpose: a wrong password that is counted.
- An object stands in one place of the state: two fields that share a list share it no more after a restore.
"""

import sys
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, overload

from tanist.peer.application.blob import Blob
from tanist.peer.application.context import NOBODY, Context, Session
from tanist.peer.application.definition import MARK, PREPARES, DefinitionError, Mark, decorated, define, place_of
from tanist.peer.application.events import Event, Published
from tanist.peer.application.here import Here, local
from tanist.peer.application.preparing import Asking, Secret
from tanist.peer.application.reporting import Misuse
from tanist.peer.application.settings import FromFile, LocalPath
from tanist.peer.application.specification import Specification
from tanist.peer.application.superseded import Choice, Superseded
from tanist.peer.errors import Counted, Refused

__all__ = [
    "NOBODY",
    "Application",
    "Asking",
    "Blob",
    "Choice",
    "Context",
    "Counted",
    "DefinitionError",
    "Event",
    "FromFile",
    "Here",
    "LocalPath",
    "Published",
    "Refused",
    "Secret",
    "Session",
    "Superseded",
    "command",
    "local",
    "prepare",
    "query",
]

Method = TypeVar("Method", bound=Callable[..., Any])


@overload
def command(method: Method, /) -> Method: ...
@overload
def command(*, internal: bool = False) -> Callable[[Method], Method]: ...
def command(method: Method | None = None, /, *, internal: bool = False) -> Method | Callable[[Method], Method]:
    """Makes a method a command: it may change state, and runs on every peer in the same order.

    `internal` ones are for timers: no gateway offers them. A trailing underscore of the method's name is dropped.
    Raises DefinitionError for what is no method.
    """
    body = sys._getframe(1)

    def mark(function: Method) -> Method:
        decorated(function, "command", body)
        setattr(function, MARK, Mark(is_command=True, internal=internal))
        return function

    return mark if method is None else mark(method)


@overload
def query(method: Method, /) -> Method: ...
@overload
def query(*, internal: bool = False) -> Callable[[Method], Method]: ...
def query(method: Method | None = None, /, *, internal: bool = False) -> Method | Callable[[Method], Method]:
    """Makes a method a query: it looks at the state and changes nothing, and runs on one peer.

    `internal` ones are for preparations: no gateway offers them. Raises DefinitionError for what is no method.
    """
    body = sys._getframe(1)

    def mark(function: Method) -> Method:
        decorated(function, "query", body)
        setattr(function, MARK, Mark(is_command=False, internal=internal))
        return function

    return mark if method is None else mark(method)


def prepare(command: str, /) -> Callable[[Method], Method]:
    """Makes a method the preparation of a command: it runs at the peer that was asked, and gives its arguments.

    Callers give the arguments of the preparation; only what it returns enters the log. See `preparing`.
    Raises DefinitionError if it is not told which command.
    """
    given: object = command
    if not isinstance(given, str):
        place = place_of(sys._getframe(1))
        raise place.error('@prepare says which command it prepares: write `@prepare("login")`')

    def mark(function: Method) -> Method:
        setattr(function, PREPARES, command)
        return function

    return mark


class Undeclared(Misuse, AttributeError):
    """State was set that the class does not declare."""


class Application:
    """Base of all applications. A subclass declares state, commands and queries."""

    __specification__: ClassVar[Specification]

    def __init_subclass__(cls, *, on_heal: str | None = None, **options: Any) -> None:
        place = place_of(sys._getframe(1))
        try:
            super().__init_subclass__(**options)
        except TypeError as error:
            raise place.error(
                f"class {cls.__name__}: there is no {', '.join(options)}; it may say on_heal=…"
            ) from error
        cls.__specification__ = define(cls, Application, place, on_heal)

    def __init__(self) -> None:
        if type(self) is Application:
            raise TypeError("Application is a base: write a class that derives from it")
        self.__specification__.codec.begin(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__specification__.codec.names:
            raise Undeclared(
                f"{type(self).__name__}.{name} is not declared: what is not declared is in no snapshot; "
                f"write `{name}: <type>` in the class"
            )
        object.__setattr__(self, name, value)

    def opened(self, ctx: Context) -> None:
        """A session began. May do what a command may."""

    def closed(self, ctx: Context) -> None:
        """A session ended: its program left, or its peer is gone. May do what a command may."""

    def effect(self, here: Here, happened: Published) -> None:
        """An event was published: what comes of it outside of the cluster, once a peer, such as a line in a file.

        Runs in a thread, some time after the command, in the order of the log. After a crash the last ones may come
        again (`happened.index` and `happened.number` tell them); those of entries that a peer only knows from a
        snapshot never come.
        """

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """A split healed, and the side that gave way had applied this command: what becomes of it here?

        Called once for each, in their old order, with `ctx.session` as it was, open again if it had ended here. May
        do what a command may, and returns "replay" (the command runs now), "archive" (it is in the archive alone, and
        its client is told) or "done" (this did all there was to do). Without this method, what is acknowledged has
        the fate that the class names, `class Poll(Application, on_heal="archive")`, by default "replay"; of the
        rest nobody knows whether it was, and it is archived.
        """
        return "replay" if lost.acknowledged and self.__specification__.on_heal != "archive" else "archive"
