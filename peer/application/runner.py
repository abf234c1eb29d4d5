"""Runs commands, hooks and timers of applications, so that a bug ends in the same reply on every peer."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec

from tanist.election.entries import Command, Entry
from tanist.election.opensession import OpenSession
from tanist.peer.application.agreed import SETTINGS
from tanist.peer.application.api import Application
from tanist.peer.application.binding import Bound, BoundApplication, Hook, bind
from tanist.peer.application.blob import Blob, within
from tanist.peer.application.blobstore import BLOBS, BlobStore
from tanist.peer.application.context import Cancel, Context, Publish
from tanist.peer.application.events import Published
from tanist.peer.application.replies import encode_error, encode_refusal, encode_result
from tanist.peer.application.reporting import Misuse, without_message
from tanist.peer.application.specification import describe
from tanist.peer.application.state import StateError
from tanist.peer.application.timers import Timer, TimerTable
from tanist.peer.errors import ApplicationFailed, BadRequest, CallError, Counted, NotFound, Refused

FAILURES_MAX = 100
"""Failures kept until `take_failures`: one bug in a loop must not fill memory; the first ones tell the most."""
BLOB_UNKNOWN = "blob_unknown"
"""The code of a command that names bytes which are not here."""
MISSING_MAX = 100
"""Names of missing applications kept: a client can make up any number of them."""

UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""
BUGS = (Exception, SystemExit)
"""What an application may raise: SystemExit too, an `exit()` in one must not end the peer."""


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Something that went wrong while applying, for this peer's own log; not part of the state.

    `error` and `traceback` may quote what users entered. `said` does not: it is the one for logs that people pass on.
    """

    index: int
    app: str
    operation: str
    error: str
    traceback: str
    said: str


class Runner:
    """The applications of one machine, at the entry that `at` named last.

    `check` looks after every command whether it kept the rules (see the API): slow, for tests and simulations.
    """

    def __init__(self, applications: Mapping[str, Application], timers: TimerTable, *, check: bool = False) -> None:
        self.check = check
        self.missing: set[str] = set()
        self.failures: list[Failure] = []
        self.on_event: Callable[[Published], None] | None = None
        self.on_settings: Callable[[bytes], None] | None = None
        """Takes other settings, an encoded `AppSettings`. Raises msgspec.MsgspecError."""
        self.index = 0
        self.entry = Entry(0, "", 0, 0, 0, b"")
        self._timers = timers
        self.bound = {name: bind(name, app, timers) for name, app in applications.items()}
        self._events_of_entry = 0
        self.blobs = BlobStore(self._in_state)
        self.foreign: Mapping[str, bytes] = {}
        """State of applications that this peer lacks."""

    def at(self, index: int, entry: Entry) -> None:
        """What runs from now on does so because of this entry."""
        self.index, self.entry, self._events_of_entry = index, entry, 0

    def execute(self, command: Command, session: OpenSession) -> bytes:
        """Have a session's command done; its reply."""
        app = self.bound.get(command.app)
        if app is None:
            if command.app == BLOBS:
                return self._of_blobs(command, session)
            if command.app == SETTINGS:
                return self._of_settings(command)
            self.miss(command.app)
            return encode_error(NotFound.code, f"no application {command.app[:100]!r} here")
        bound = app.operations.get(command.name)
        if bound is None or not bound.operation.is_command or bound.operation.internal:
            return encode_error(NotFound.code, f"{command.app} has no command {command.name[:100]!r}")
        return self._run(bound, session, command.arguments)

    def _of_blobs(self, command: Command, session: OpenSession) -> bytes:
        try:
            return encode_result(self.blobs.execute(command, session.id, self.entry.time_ns))
        except CallError as refused:
            return encode_error(refused.code, refused.message)
        except UNDECODABLE:
            return encode_error(BadRequest.code, "this is no part of an upload")

    def _of_settings(self, command: Command) -> bytes:
        try:
            if self.on_settings is not None:
                self.on_settings(bytes(command.arguments))
        except UNDECODABLE:
            return encode_error(BadRequest.code, "these are no settings")
        return encode_result(None)

    def fire(self, timer: Timer) -> None:
        """Run the command of a timer."""
        app = self.bound.get(timer.app)
        bound = app.operations.get(timer.command) if app is not None else None
        if bound is None:
            self.miss(timer.app)
        else:
            self._run(bound, None, timer.arguments)

    def _run(self, bound: Bound, session: OpenSession | None, raw_arguments: Any) -> bytes:
        context = bound.context
        context.begin(self.index, self.entry, session)
        before = self.state_of(bound.application) if self.check else b""
        try:
            arguments = bound.decode(raw_arguments)
        except UNDECODABLE:
            return encode_error(BadRequest.code, f"the arguments do not fit {bound.operation.usage}")
        if bound.blob_parameters and not self._has_blobs(bound, arguments, session):
            return encode_error(BLOB_UNKNOWN, "its bytes are not here: upload them first")
        try:
            reply = encode_result(bound.run(context, arguments))
        except Refused as refused:
            context.effects.clear()
            reply = encode_refusal(refused)
            if self.check and not isinstance(refused, Counted) and self.state_of(bound.application) != before:
                self.complain(
                    context.app, bound.operation.name, "it refused after it had changed the state: refuse first"
                )
        except BUGS as error:
            context.effects.clear()
            self.note(context.app, bound.operation.name, error)
            # Other errors' messages may hold what differs from peer to peer, such as an address in memory.
            why = str(error) if isinstance(error, Misuse) else type(error).__name__
            reply = encode_error(ApplicationFailed.code, f"{context.app} {bound.operation.name} failed: {why}")
        else:
            if context.effects:
                self._carry_out(context)
        if self.check:
            self._check_state(bound.application, context.app, bound.operation.name)
        if bound.keeps_blobs:
            self.blobs.changed()
        return reply

    def _has_blobs(self, bound: Bound, arguments: Any, session: OpenSession | None) -> bool:
        """Whether all blobs that a command names are here; from now on none of them is held for its session."""
        named = [b for name in bound.blob_parameters for b in within(getattr(arguments, name)) if b is not None]
        if session is not None:
            self.blobs.named(session.id, named)
        return all(self.blobs.parts(blob) is not None for blob in named)

    def _in_state(self) -> Iterator[Blob | None] | None:
        """Walk through all states that may name a blob; None if there are some that nobody here can read."""
        if self.foreign:
            return None
        applications = [app.application for app in self.bound.values()]
        return chain.from_iterable(
            within(getattr(application, name))
            for application in applications
            for name in describe(application).blob_fields
        )

    def call_hooks(self, name: str, session: OpenSession) -> None:
        """Tell all applications that a session has `opened` or `closed`."""
        for app in self.bound.values():
            hook: Hook | None = app.opened if name == "opened" else app.closed
            if hook is not None:
                self.guarded(app, name, session, hook)
        if name == "closed":
            self.blobs.ended(session.id)

    def guarded(self, app: BoundApplication, name: str, session: OpenSession, hook: Callable[[Context], Any]) -> Any:
        """Call a method that may do what a command may; what it returns, None if it failed."""
        context = app.context
        context.begin(self.index, self.entry, session)
        try:
            result = hook(context)
        except BUGS as error:
            context.effects.clear()
            self.note(app.name, name, error)
            return None
        self._carry_out(context)
        if app.keeps_blobs:
            self.blobs.changed()
        return result

    def _carry_out(self, context: Context) -> None:
        effects, context.effects = context.effects, []
        for effect in effects:
            match effect:
                case Publish(event, fields, line, to, but):
                    number = self._events_of_entry
                    self._events_of_entry += 1
                    if self.on_event is not None:
                        self.on_event(Published(self.index, number, context.app, event, fields, line, to, but))
                case Timer():
                    self._timers.set(effect)
                case Cancel(handle):
                    self._timers.cancel(context.app, handle)

    # Failures

    def take_failures(self) -> list[Failure]:
        """What went wrong since the last call, at most `FAILURES_MAX`, for the peer to log."""
        failures, self.failures = self.failures, []
        return failures

    def miss(self, app: str) -> None:
        """An application was asked for that is not here."""
        if len(self.missing) < MISSING_MAX:
            self.missing.add(app)

    def note(self, app: str, operation: str, error: BaseException) -> str:
        """Keep an error as a failure, and return its text; `traceback` survives errors whose `str` fails."""
        text = traceback.format_exception_only(error)[-1].strip()
        if len(self.failures) < FAILURES_MAX:
            trace = "".join(traceback.format_exception(error))
            self.failures.append(Failure(self.index, app, operation, text, trace, without_message(error)))
        return text

    def complain(self, app: str, operation: str, what: str) -> None:
        """Keep a broken rule as a failure."""
        if len(self.failures) < FAILURES_MAX:
            self.failures.append(Failure(self.index, app, operation, what, "", what))

    def state_of(self, application: Application) -> bytes:
        """An application's encoded state, to see whether it changed."""
        try:
            return describe(application).codec.encode(application)
        except StateError:
            # `_check_state` has told of the command that did this.
            return b""

    def _check_state(self, application: Application, app: str, operation: str) -> None:
        codec = describe(application).codec
        try:
            data = codec.encode(application)
            again = codec.encode(codec.decode(data))
        except StateError as error:
            self.complain(app, operation, f"after it {error}")
        else:
            if data != again:
                self.complain(
                    app, operation, "after it the state is not of its declared types: a snapshot would change it"
                )
