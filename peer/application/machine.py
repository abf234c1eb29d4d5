"""The replicated state machine: sessions, applications, timers and reign times, changed by the log alone.

Two machines that applied the same entries are in the same state, whatever happened to their peers. So nothing in
here looks at a clock, at chance, or at a hash order; and an application's bug ends in the same reply everywhere.
"""

import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened, TimerDue
from tanist.election.history import NO_TERM
from tanist.election.sessions import OpenSession, SessionTable
from tanist.peer.application.api import Application
from tanist.peer.application.binding import Bound, Hook, bind
from tanist.peer.application.context import Cancel, Context, Publish, QueryContext
from tanist.peer.application.events import Published
from tanist.peer.application.replies import encode_error, encode_refusal, encode_result
from tanist.peer.application.snapshot import (
    SNAPSHOT_VERSION,
    ReignStart,
    Snapshot,
    SnapshotError,
    decode_snapshot,
    encode_snapshot,
)
from tanist.peer.application.specification import describe, find, validate
from tanist.peer.application.state import StateError
from tanist.peer.application.timers import Timer, TimerTable
from tanist.peer.errors import ApplicationFailed, BadRequest, NotFound, Refused

REIGNS_MAX = 1000
"""Reigns remembered: years of a quiet cluster, and 30 KiB of a snapshot."""
FAILURES_MAX = 100
"""Failures kept until `take_failures`: one bug in a loop must not fill memory; the first ones tell the most."""
MISSING_MAX = 100
"""Names of missing applications kept: a client can make up any number of them."""

_COMMAND = int(Kind.COMMAND)
"""A plain integer: every entry is compared with it, and an IntEnum member is slower."""

_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_opened = msgspec.msgpack.Decoder(SessionOpened).decode
_decode_closed = msgspec.msgpack.Decoder(SessionClosed).decode
_decode_due = msgspec.msgpack.Decoder(TimerDue).decode

_UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# SystemExit too: an `exit()` in an application is a bug, and must not end the peer.
_BUGS = (Exception, SystemExit)


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The answer to a command of a local session, applied at `index`; `reply` is for `decode_reply`."""

    session: str
    sequence: int
    index: int
    reply: bytes


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Something that went wrong while applying, for this peer's own log; not part of the state."""

    index: int
    app: str
    operation: str
    error: str
    traceback: str


class Machine:
    """Applies committed entries to applications. Not thread-safe; nothing in it waits.

    `applications` are by the name under which the cluster knows them; the machine owns their state from now on.
    `check` looks after every command whether it kept the rules (see the API): slow, for tests and simulations.
    """

    def __init__(self, applications: Mapping[str, Application], *, check: bool = False) -> None:
        self.applied = 0
        self.time_ns = 0
        self.reigns: deque[ReignStart] = deque(maxlen=REIGNS_MAX)
        self.sessions = SessionTable(encode_error)
        self.timers = TimerTable()
        # By name, so that peers with another order of `--app` call the hooks in the same order.
        self.applications = {name: applications[name] for name in sorted(applications)}
        self.local_sessions: set[str] = set()
        self.missing: set[str] = set()
        self.on_event: Callable[[Published], None] | None = None
        self._check = check
        self.failures: list[Failure] = []
        self._bound = {name: bind(name, app, self.timers) for name, app in self.applications.items()}
        # State of applications that this peer lacks: it is not ours to drop.
        self._foreign: dict[str, bytes] = {}
        self._entry = Entry(0, "", 0, 0, 0, b"")
        self._index = 0
        self._events_of_entry = 0

    # The log

    def apply(self, first_index: int, entries: Sequence[Entry]) -> list[Outcome]:
        """Apply committed entries, the first of which is at `first_index`; those applied before are skipped.

        Returns the answers to commands of `local_sessions`, in log order, also of commands that were applied
        earlier. Calls `on_event` for each event, which must not raise. Raises ValueError if entries are missing.
        """
        if first_index > self.applied + 1:
            raise ValueError(f"entries from {first_index} on, but only {self.applied} were applied: some are missing")
        outcomes: list[Outcome] = []
        local = self.local_sessions
        for index, entry in enumerate(entries, first_index):
            if index <= self.applied:
                continue
            self._index, self._entry, self._events_of_entry = index, entry, 0
            self.time_ns = max(self.time_ns, entry.time_ns)
            if entry.kind == _COMMAND:
                try:
                    command = _decode_command(entry.body)
                except _UNDECODABLE as error:
                    self._note("", "command", error)
                else:
                    reply = self.sessions.once(command, self.time_ns, self._execute)
                    if command.session in local:
                        outcomes.append(Outcome(command.session, command.sequence, index, reply))
            else:
                self._apply_other(entry)
            self.applied = index
        return outcomes

    def _apply_other(self, entry: Entry) -> None:
        try:
            match entry.kind:
                case Kind.REIGN:
                    self.reigns.append(ReignStart(entry.term, self._index, entry.time_ns))
                case Kind.SESSION_OPENED:
                    session = self.sessions.open(_decode_opened(entry.body))
                    if session is not None:
                        self._call_hooks("opened", session)
                case Kind.SESSION_CLOSED:
                    session = self.sessions.close(_decode_closed(entry.body).session, self.time_ns)
                    if session is not None:
                        self._call_hooks("closed", session)
                case Kind.TIMER:
                    self._fire(_decode_due(entry.body))
        except _UNDECODABLE as error:
            self._note("", f"entry of kind {entry.kind}", error)

    def _execute(self, command: Command, session: OpenSession) -> bytes:
        app = self._bound.get(command.app)
        if app is None:
            self._miss(command.app)
            return encode_error(NotFound.code, f"no application {command.app[:100]!r} here")
        bound = app.operations.get(command.name)
        if bound is None or not bound.operation.is_command or bound.operation.internal:
            return encode_error(NotFound.code, f"{command.app} has no command {command.name[:100]!r}")
        return self._run(bound, session, command.arguments)

    def _run(self, bound: Bound, session: OpenSession | None, raw_arguments: Any) -> bytes:
        context = bound.context
        context.begin(self._index, self._entry, session)
        before = self._state_of(bound) if self._check else b""
        try:
            arguments = bound.decode(raw_arguments)
        except _UNDECODABLE:
            return encode_error(BadRequest.code, f"the arguments do not fit {bound.operation.usage}")
        try:
            reply = encode_result(bound.run(context, arguments))
        except Refused as refused:
            context.effects.clear()
            reply = encode_refusal(refused)
            if self._check and self._state_of(bound) != before:
                self._complain(bound, "it refused after it had changed the state: refuse first")
        except _BUGS as error:
            context.effects.clear()
            self._note(context.app, bound.operation.name, error)
            reply = encode_error(
                ApplicationFailed.code, f"{context.app} {bound.operation.name} failed: {type(error).__name__}"
            )
        else:
            if context.effects:
                self._carry_out(context)
        if self._check:
            self._check_state(bound)
        return reply

    def _carry_out(self, context: Context) -> None:
        effects, context.effects = context.effects, []
        for effect in effects:
            match effect:
                case Publish(event, fields, line, to, but):
                    number = self._events_of_entry
                    self._events_of_entry += 1
                    if self.on_event is not None:
                        self.on_event(Published(self._index, number, context.app, event, fields, line, to, but))
                case Timer():
                    self.timers.set(effect)
                case Cancel(handle):
                    self.timers.cancel(context.app, handle)

    def _call_hooks(self, name: str, session: OpenSession) -> None:
        for app in self._bound.values():
            hook: Hook | None = app.opened if name == "opened" else app.closed
            if hook is None:
                continue
            app.context.begin(self._index, self._entry, session)
            try:
                hook(app.context)
            except _BUGS as error:
                app.context.effects.clear()
                self._note(app.name, name, error)
            else:
                self._carry_out(app.context)

    # Timers

    def next_timer_ns(self) -> int | None:
        """When the next timer is due, in nanoseconds of log time; None without timers."""
        return self.timers.next_ns()

    def due_timers(self, now_ns: int) -> list[TimerDue]:
        """Timers that the server is to propose at `now_ns`, at most `DUE_MAX`, again until they are applied."""
        return self.timers.due(now_ns)

    def _fire(self, due: TimerDue) -> None:
        timer = self.timers.take(due, self.time_ns)
        if timer is None:
            return
        app = self._bound.get(timer.app)
        bound = app.operations.get(timer.command) if app is not None else None
        if bound is None:
            self._miss(timer.app)
        else:
            self._run(bound, None, timer.arguments)

    # Queries

    def query(
        self,
        app: str,
        name: str,
        arguments: bytes | Mapping[str, Any] | Sequence[Any] = b"\x80",
        session: str | None = None,
    ) -> Any:
        """Answer a query from the state as it is here and now, in plain values that share nothing with it.

        `arguments` are by name, in order, or encoded by `validate`; `session` is an id. Raises NotFound,
        BadRequest, the application's Refused, or ApplicationFailed.
        """
        bound = self._find_query(app, name)
        where = self._bound[app]
        context = QueryContext(where.application, app, self.timers)
        term = self.reigns[-1].term if self.reigns else NO_TERM
        # Chance of its own: a query's answer need not be the same on every peer.
        entry = Entry(term.number, term.holder, 0, self.time_ns, self.applied, b"")
        context.begin(self.applied, entry, self.sessions.get(session) if session else None)
        raw = arguments if isinstance(arguments, bytes) else validate(where.application, name, arguments)
        try:
            decoded = bound.decode(raw)
        except _UNDECODABLE as error:
            raise BadRequest(f"{app} {name}: {error}; usage: {bound.operation.usage}") from None
        before = self._state_of(bound) if self._check else b""
        try:
            return msgspec.msgpack.decode(msgspec.msgpack.encode(bound.run(context, decoded)))
        except Refused:
            raise
        except _BUGS as error:
            text = self._note(app, name, error)
            raise ApplicationFailed(f"{app} {name} failed: {text}") from error
        finally:
            if self._check and self._state_of(bound) != before:
                self._complain(bound, "a query changed the state: make it a command")

    def _find_query(self, app: str, name: str) -> Bound:
        where = self._bound.get(app)
        if where is None:
            raise NotFound(f"no application {app!r} here; there are: {', '.join(self._bound) or 'none'}")
        if find(where.application, name).is_command:
            raise NotFound(f"{app} {name} is a command, not a query")
        return where.operations[name]

    # Snapshots

    def snapshot(self) -> bytes:
        """The whole state. Raises StateError if an application's state cannot be encoded as it is declared."""
        states = {name: describe(app).codec.encode(app) for name, app in self.applications.items()}
        states.update(self._foreign)
        return encode_snapshot(
            Snapshot(
                version=SNAPSHOT_VERSION,
                applied=self.applied,
                time_ns=self.time_ns,
                reigns=list(self.reigns),
                sessions=self.sessions.state(),
                timers=self.timers.state(),
                applications={name: msgspec.Raw(states[name]) for name in sorted(states)},
            )
        )

    def restore(self, data: bytes) -> None:
        """Become the machine that a snapshot was taken from. Raises SnapshotError; then nothing has changed.

        Applications that were not in it begin anew; those that this peer lacks are `missing`, and kept as they are.
        """
        snapshot = decode_snapshot(data)
        try:
            states = {
                name: describe(self.applications[name]).codec.decode(raw)
                for name, raw in snapshot.applications.items()
                if name in self.applications
            }
            self.sessions.restore(snapshot.sessions)
        except (StateError, ValueError) as error:
            raise SnapshotError(str(error)) from error
        for name, app in self.applications.items():
            codec = describe(app).codec
            if name in states:
                codec.adopt(app, states[name])
            else:
                codec.begin(app)
        self._foreign = {n: bytes(raw) for n, raw in snapshot.applications.items() if n not in self.applications}
        self.missing = set(self._foreign)
        self.timers.restore(snapshot.timers)
        self.reigns = deque(snapshot.reigns, maxlen=REIGNS_MAX)
        self.applied, self.time_ns = snapshot.applied, snapshot.time_ns

    def digest(self) -> str:
        """A hash of the whole state, 32 hex digits: the same on peers that applied the same entries."""
        return blake2b(self.snapshot(), digest_size=16).hexdigest()

    # Failures

    def take_failures(self) -> list[Failure]:
        """What went wrong since the last call, at most `FAILURES_MAX`, for the peer to log."""
        failures, self.failures = self.failures, []
        return failures

    def _miss(self, app: str) -> None:
        if len(self.missing) < MISSING_MAX:
            self.missing.add(app)

    def _note(self, app: str, operation: str, error: BaseException) -> str:
        """Keep an error as a failure, and return its text; `traceback` survives errors whose `str` fails."""
        text = traceback.format_exception_only(error)[-1].strip()
        if len(self.failures) < FAILURES_MAX:
            trace = "".join(traceback.format_exception(error))
            self.failures.append(Failure(self._index, app, operation, text, trace))
        return text

    def _complain(self, bound: Bound, what: str) -> None:
        if len(self.failures) < FAILURES_MAX:
            self.failures.append(Failure(self._index, bound.context.app, bound.operation.name, what, ""))

    def _state_of(self, bound: Bound) -> bytes:
        try:
            return describe(bound.application).codec.encode(bound.application)
        except StateError:
            # `_check_state` has told of the command that did this.
            return b""

    def _check_state(self, bound: Bound) -> None:
        codec = describe(bound.application).codec
        try:
            data = codec.encode(bound.application)
            again = codec.encode(codec.decode(data))
        except StateError as error:
            self._complain(bound, f"after it {error}")
        else:
            if data != again:
                self._complain(bound, "after it the state is not of its declared types: a snapshot would change it")
