"""The replicated state machine: sessions, applications, timers, heals, reigns and records, changed by the log alone.

Two machines that applied the same entries are in the same state, whatever happened to their peers. So nothing in
here looks at a clock, at chance, or at a hash order; and an application's bug ends in the same reply everywhere.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from tanist.election.archived import ArchivedEntry, HealBegun, HealEnded
from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened, TimerDue
from tanist.election.history import NO_TERM
from tanist.election.roster import Roster
from tanist.election.sessions import SessionTable
from tanist.peer.application.agreed import Agreed
from tanist.peer.application.api import Application
from tanist.peer.application.binding import Bound
from tanist.peer.application.blobstore import BlobStore
from tanist.peer.application.context import QueryContext
from tanist.peer.application.events import Published
from tanist.peer.application.fates import Fates
from tanist.peer.application.heals import HealedEntry, HealRecords, HealReport
from tanist.peer.application.replies import encode_error
from tanist.peer.application.runner import BUGS, UNDECODABLE, Failure, Runner
from tanist.peer.application.snapshot import (
    SNAPSHOT_VERSION,
    ReignStart,
    Snapshot,
    SnapshotError,
    decode_snapshot,
    encode_snapshot,
    snapshot_pieces,
)
from tanist.peer.application.specification import describe, find, validate
from tanist.peer.application.state import StateError
from tanist.peer.application.timers import TimerTable
from tanist.peer.errors import ApplicationFailed, BadRequest, NotFound, Refused
from tanist.peer.past.account import decode_statement
from tanist.peer.past.records import ReignRecords

REIGNS_MAX = 1000
"""Reigns remembered: years of a quiet cluster, and 30 KiB of a snapshot."""

_COMMAND = int(Kind.COMMAND)
"""A plain integer: every entry is compared with it, and an IntEnum member is slower."""

_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_opened = msgspec.msgpack.Decoder(SessionOpened).decode
_decode_closed = msgspec.msgpack.Decoder(SessionClosed).decode
_decode_due = msgspec.msgpack.Decoder(TimerDue).decode
_decode_roster = msgspec.msgpack.Decoder(Roster).decode
_decode_begun = msgspec.msgpack.Decoder(HealBegun).decode
_decode_archived = msgspec.msgpack.Decoder(ArchivedEntry).decode
_decode_ended = msgspec.msgpack.Decoder(HealEnded).decode


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The answer to a command of a local session, applied at `index`; `reply` is for `decode_reply`."""

    session: str
    sequence: int
    index: int
    reply: bytes


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
        self.on_archived: Callable[[ArchivedEntry, HealedEntry], None] | None = None
        self.on_healed: Callable[[HealReport], None] | None = None
        self.heals = HealRecords()
        self.records = ReignRecords()
        self.agreed = Agreed({name: describe(app).settings for name, app in self.applications.items()})
        self._runner = Runner(self.applications, self.timers, check=check)
        self._runner.on_settings = lambda body: self._use_settings(self.agreed.take(body, instead=True))
        self._fates = Fates(self.sessions, self._runner, self.heals)

    @property
    def missing(self) -> set[str]:
        """Applications that the log or a snapshot names and this peer lacks."""
        return self._runner.missing

    @property
    def failures(self) -> list[Failure]:
        """What went wrong since `take_failures`."""
        return self._runner.failures

    @property
    def blobs(self) -> BlobStore:
        """The bytes that applications keep."""
        return self._runner.blobs

    @property
    def on_event(self) -> Callable[[Published], None] | None:
        """Called for each event that an application publishes; must not raise."""
        return self._runner.on_event

    @on_event.setter
    def on_event(self, listener: Callable[[Published], None] | None) -> None:
        self._runner.on_event = listener

    # The log

    def apply(self, first_index: int, entries: Sequence[Entry]) -> list[Outcome]:
        """Apply committed entries, the first of which is at `first_index`; those applied before are skipped.

        Returns the answers to commands of `local_sessions`, in log order, also of commands that were applied
        earlier. Calls `on_event` for each event, `on_archived` for each entry that a heal brings and `on_healed` at its
        end, which must not raise. Raises ValueError if entries are missing.
        """
        if first_index > self.applied + 1:
            raise ValueError(f"entries from {first_index} on, but only {self.applied} were applied: some are missing")
        outcomes: list[Outcome] = []
        local, runner = self.local_sessions, self._runner
        for index, entry in enumerate(entries, first_index):
            if index <= self.applied:
                continue
            runner.at(index, entry)
            self.time_ns = max(self.time_ns, entry.time_ns)
            if entry.kind == _COMMAND:
                try:
                    command = _decode_command(entry.body)
                except UNDECODABLE as error:
                    runner.note("", "command", error)
                else:
                    reply = self.sessions.once(command, self.time_ns, runner.execute, index)
                    if command.session in local:
                        outcomes.append(Outcome(command.session, command.sequence, index, reply))
            else:
                try:
                    self._apply_other(index, entry, outcomes)
                except UNDECODABLE as error:
                    runner.note("", f"entry of kind {entry.kind}", error)
            self.applied = index
        return outcomes

    def _apply_other(self, index: int, entry: Entry, outcomes: list[Outcome]) -> None:
        match entry.kind:
            case Kind.REIGN:
                self.reigns.append(ReignStart(entry.term, index, entry.time_ns))
            case Kind.ROSTER:
                self.sessions.roster(_decode_roster(entry.body).ids())
            case Kind.SESSION_OPENED:
                session = self.sessions.open(_decode_opened(entry.body), index, self.time_ns)
                if session is not None:
                    self._runner.call_hooks("opened", session)
            case Kind.SESSION_CLOSED:
                session = self.sessions.close(_decode_closed(entry.body).session, self.time_ns, index)
                if session is not None:
                    self._runner.call_hooks("closed", session)
            case Kind.TIMER:
                timer = self.timers.take(_decode_due(entry.body), self.time_ns)
                if timer is not None:
                    self._runner.fire(timer)
            case Kind.HEAL:
                self._fates.begun(_decode_begun(entry.body), self.time_ns)
            case Kind.ARCHIVED:
                archived = _decode_archived(entry.body)
                decided, answered = self._fates.archived(archived, self.time_ns)
                if decided is not None and self.on_archived is not None:
                    self.on_archived(archived, decided)
                if answered is not None and answered.session in self.local_sessions:
                    outcomes.append(Outcome(answered.session, answered.sequence, index, answered.reply))
            case Kind.HEALED:
                report = self._fates.ended(_decode_ended(entry.body), self.time_ns)
                if self.on_healed is not None:
                    self.on_healed(report)
            case Kind.ACCOUNT:
                self.records.add(decode_statement(entry.body), entry.number)
            case Kind.SETTINGS:
                self._use_settings(self.agreed.take(entry.body))

    def _use_settings(self, app: str) -> None:
        """Have an application use the settings that are agreed on. Those that do not fit its class count as none."""
        bound = self._runner.bound.get(app)
        if bound is None:
            return
        try:
            bound.context.settings = self.agreed.of(app)
        except UNDECODABLE as error:
            self._runner.note(app, "settings", error)

    def settings_of(self, app: str) -> Any:
        """The settings that an application of this peer uses; None if it declares none."""
        return self._runner.bound[app].context.settings

    # Timers

    def next_timer_ns(self) -> int | None:
        """When the next timer is due, in nanoseconds of log time; None without timers."""
        return self.timers.next_ns()

    def due_timers(self, now_ns: int) -> list[TimerDue]:
        """Timers that the server is to propose at `now_ns`, at most `DUE_MAX`, again until they are applied."""
        return self.timers.due(now_ns)

    # Queries

    def query(
        self,
        app: str,
        name: str,
        arguments: bytes | Mapping[str, Any] | Sequence[Any] = b"\x80",
        session: str | None = None,
        *,
        internal: bool = False,
    ) -> Any:
        """Answer a query from the state as it is here and now, in plain values that share nothing with it.

        `arguments` are by name, in order, or encoded by `validate`; `session` is an id; `internal` finds internal ones
        too. Raises NotFound, BadRequest, the application's Refused, or ApplicationFailed.
        """
        bound, runner = self._find_query(app, name, internal), self._runner
        where = self.applications[app]
        context = QueryContext(where, app, self.timers)
        context.settings = bound.context.settings
        term = self.reigns[-1].term if self.reigns else NO_TERM
        # Chance of its own: a query's answer need not be the same on every peer.
        entry = Entry(term.number, term.holder, 0, self.time_ns, self.applied, b"")
        context.begin(self.applied, entry, self.sessions.get(session) if session else None)
        raw = arguments if isinstance(arguments, bytes) else validate(where, name, arguments, internal=internal)
        try:
            decoded = bound.decode(raw)
        except UNDECODABLE as error:
            raise BadRequest(f"{app} {name}: {error}; usage: {bound.operation.usage}") from None
        before = runner.state_of(where) if runner.check else b""
        try:
            return msgspec.msgpack.decode(msgspec.msgpack.encode(bound.run(context, decoded)))
        except Refused:
            raise
        except BUGS as error:
            text = runner.note(app, name, error)
            raise ApplicationFailed(f"{app} {name} failed: {text}") from error
        finally:
            if runner.check and runner.state_of(where) != before:
                runner.complain(app, name, "a query changed the state: make it a command")

    def _find_query(self, app: str, name: str, internal: bool) -> Bound:
        where = self._runner.bound.get(app)
        if where is None:
            raise NotFound(f"no application {app!r} here; there are: {', '.join(self.applications) or 'none'}")
        if find(where.application, name, internal=internal).is_command:
            raise NotFound(f"{app} {name} is a command, not a query")
        return where.operations[name]

    # Snapshots

    def snapshot(self) -> bytes:
        """The whole state. Raises StateError if an application's state cannot be encoded as it is declared."""
        return encode_snapshot(self._whole_state())

    def snapshot_pieces(self) -> list[bytes]:
        """What `snapshot` gives, in pieces that copy no blob, for a peer to begin with.

        Raises StateError if none could: the state of an application is not of its declared types.
        """
        whole = self._whole_state()
        for name, app in self.applications.items():
            describe(app).codec.check(whole.applications[name])
        return snapshot_pieces(whole)

    def _whole_state(self) -> Snapshot:
        states = {name: describe(app).codec.encode(app) for name, app in self.applications.items()}
        states.update(self._runner.foreign)
        return Snapshot(
            version=SNAPSHOT_VERSION,
            applied=self.applied,
            time_ns=self.time_ns,
            reigns=list(self.reigns),
            sessions=self.sessions.state(),
            timers=self.timers.state(),
            applications={name: msgspec.Raw(states[name]) for name in sorted(states)},
            heals=self.heals.state(),
            sides=self._fates.state(),
            records=self.records.state(),
            settings=self.agreed.state(),
            blobs=self.blobs.state(),
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
        # State of applications that this peer lacks: it is not ours to drop.
        foreign = {n: bytes(raw) for n, raw in snapshot.applications.items() if n not in self.applications}
        self._runner.foreign, self._runner.missing = foreign, set(foreign)
        self.timers.restore(snapshot.timers)
        self.heals.restore(snapshot.heals)
        self._fates.restore(snapshot.sides)
        self.records.restore(snapshot.records)
        self.blobs.restore(snapshot.blobs)
        self.agreed.restore(snapshot.settings)
        for name in self.applications:
            self._use_settings(name)
        self.reigns = deque(snapshot.reigns, maxlen=REIGNS_MAX)
        self.applied, self.time_ns = snapshot.applied, snapshot.time_ns

    def digest(self) -> str:
        """A hash of the whole state, 32 hex digits: the same on peers that applied the same entries."""
        return blake2b(self.snapshot(), digest_size=16).hexdigest()

    def take_failures(self) -> list[Failure]:
        """What went wrong since the last call, at most `FAILURES_MAX`, for the peer to log."""
        return self._runner.take_failures()
