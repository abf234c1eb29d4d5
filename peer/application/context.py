"""What a command gets besides its arguments: log time, chance, who called, and the ways to have an effect.

Nothing else may enter a command: no clock, no `random`, no file. All peers apply the same log, and the context is how
they come to the same state.
"""

import random
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import msgspec

from tanist.election.entries import Entry
from tanist.election.history import Term
from tanist.election.opensession import OpenSession
from tanist.peer.application.events import Event, event_fields, event_line, event_name
from tanist.peer.application.reporting import Misuse
from tanist.peer.application.specification import Operation, Specified, describe, validate
from tanist.peer.application.timers import TIMERS_MAX, Timer, TimerTable
from tanist.peer.errors import Refused

EFFECTS_MAX = 10_000
"""Events and timers of one command: a loop that never ends must not fill memory on every peer."""
AFTER_SECONDS_MAX = 1e9
"""The furthest a timer may be set, 31 years: further would not fit the nanoseconds of log time."""


class Session(msgspec.Struct, frozen=True):
    """Who called: a session's id, and its user or ""."""

    id: str
    user: str = ""


NOBODY = Session("")
"""The session of timers, and of queries without one."""


class Publish(msgspec.Struct, frozen=True):
    """An event to be published when the command has succeeded."""

    event: str
    fields: dict[str, Any]
    line: str
    to: tuple[str, ...] | None
    but: str | None


class Cancel(msgspec.Struct, frozen=True):
    """A timer to be cancelled when the command has succeeded."""

    handle: int


class Context:
    """The surroundings of one command. Reused for the next one: do not keep it."""

    __slots__ = ("_application", "_entry", "_random", "_session", "_timers", "app", "effects", "index", "settings")

    def __init__(self, application: Specified, app: str, timers: TimerTable) -> None:
        self._application = application
        self.app = app
        self._timers = timers
        self._entry = Entry(0, "", 0, 0, 0, b"")
        self._session: OpenSession | None = None
        self._random: random.Random | None = None
        self.index = 0
        declared = describe(application).settings
        self.settings: Any = None if declared is None else declared()
        """The settings that the cluster uses; None if the application declares none."""
        self.effects: list[Publish | Timer | Cancel] = []

    def begin(self, index: int, entry: Entry, session: OpenSession | None) -> None:
        """Stand for the entry at `index` from now on. For the machine."""
        self.index = index
        self._entry = entry
        self._session = session
        self._random = None

    @property
    def time_ns(self) -> int:
        """Log time: nanoseconds since 1970, the same on every peer, never going back."""
        return self._entry.time_ns

    @property
    def time(self) -> float:
        """Log time in seconds since 1970."""
        return self._entry.time_ns / 1e9

    @property
    def term(self) -> Term:
        """The term of the server that wrote this entry: a fencing token."""
        return self._entry.term

    @property
    def random(self) -> random.Random:
        """Random numbers that are the same on every peer."""
        if self._random is None:
            self._random = random.Random(self._entry.seed)
        return self._random

    @property
    def session(self) -> Session:
        """Who called; `NOBODY` when a timer did."""
        session = self._session
        return NOBODY if session is None else Session(session.id, session.user)

    def publish(
        self,
        event: Event,
        to: Session | str | Iterable[Session | str] | None = None,
        but: Session | str | None = None,
    ) -> None:
        """Tell sessions: all of them, or only `to`; never `but`. Nothing is told if the command fails or refuses."""
        self._room()
        if not isinstance(event, Event):
            raise Misuse(f"publish() takes an Event, such as `Added(text)`, and was given a {type(event).__name__}")
        fields = event_fields(event)
        line = event_line(event, fields)
        self.effects.append(Publish(event_name(type(event)), fields, line, _ids(to), None if but is None else _id(but)))

    def after(self, seconds: float, command: str | Callable[..., Any], *args: Any) -> int:
        """Run a command of this application later, by log time, also if the server changes until then.

        `command` is its name or the method; its session is `NOBODY`. Returns a handle for `cancel`. Raises
        BadRequest for arguments that do not fit, ValueError for impossible seconds.
        """
        self._room()
        if not 0 <= seconds <= AFTER_SECONDS_MAX:
            raise ValueError(f"after({seconds!r}): seconds from 0 to {AFTER_SECONDS_MAX:.0f}")
        if len(self._timers) + len(self.effects) >= TIMERS_MAX:
            raise Refused(f"{TIMERS_MAX} timers are set: no more", "too_many_timers")
        operation = self._operation(command)
        arguments = validate(self._application, operation.name, args, internal=True)
        handle = self._timers.reserve()
        due_ns = self.time_ns + int(seconds * 1e9)
        self.effects.append(Timer(handle, self.app, due_ns, operation.name, arguments))
        return handle

    def cancel(self, handle: int) -> None:
        """Cancel a timer; nothing happens if it ran already."""
        self._room()
        self.effects.append(Cancel(handle))

    def _room(self) -> None:
        if len(self.effects) >= EFFECTS_MAX:
            raise Misuse(f"more than {EFFECTS_MAX} events and timers in one command")

    def _operation(self, command: str | Callable[..., Any]) -> Operation:
        name = command if isinstance(command, str) else getattr(command, "__name__", "")
        for operation in describe(self._application).operations.values():
            if operation.method == name and operation.is_command:
                return operation
        found = describe(self._application).operations.get(name)
        if found is None or not found.is_command:
            commands = ", ".join(o.method for o in describe(self._application).operations.values() if o.is_command)
            raise Misuse(f"after() runs a command of this application, and {name!r} is none; there are: {commands}")
        return found


class QueryContext(Context):
    """The surroundings of a query: a look at the state, which changes nothing."""

    __slots__ = ()

    def publish(self, *args: Any, **options: Any) -> NoReturn:
        """Raises: one peer alone answers a query, so the others would not know."""
        raise Misuse("a query publishes nothing: make it a command")

    def after(self, *args: Any, **options: Any) -> NoReturn:
        """Raises: one peer alone answers a query, so the others would not know."""
        raise Misuse("a query sets no timer: make it a command")

    def cancel(self, *args: Any, **options: Any) -> NoReturn:
        """Raises: one peer alone answers a query, so the others would not know."""
        raise Misuse("a query cancels no timer: make it a command")


def _id(session: Session | str) -> str:
    return session if isinstance(session, str) else session.id


def _ids(to: Session | str | Iterable[Session | str] | None) -> tuple[str, ...] | None:
    if to is None:
        return None
    return (_id(to),) if isinstance(to, (str, Session)) else tuple(_id(session) for session in to)
