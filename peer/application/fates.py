"""The fates of archived commands: each is decided once, when its entry is applied, and so the same on every peer.

An entry is decided as it comes, in the old order, like any command: no more work at a time, nothing to be kept for
later, and a heal that breaks off leaves nothing undecided. A losing member's entries are all in the log before it
proposes anything in it, so that what its clients ask next comes after what they had.

| the archived command                            | its fate                                           |
| ----------------------------------------------- | -------------------------------------------------- |
| was not applied by the history that ended       | `void`                                             |
| has its place in this history, or its key has   | `known`                                            |
| is of an application with its own function      | as that says                                       |
| is acknowledged, of an application that replays | applied now, in its place: `replayed` or `refused` |
| is acknowledged, of another                     | `archived`                                         |
| is perhaps acknowledged, nobody knows           | `unknown`                                          |
"""

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from tanist.election.archived import ArchivedEntry, HealBegun, HealEnded
from tanist.election.entries import Command, Kind, SessionClosed, SessionOpened
from tanist.election.opensession import OpenSession
from tanist.election.sessions import UNKNOWN_SESSION, SessionTable
from tanist.peer.application.agreed import SETTINGS
from tanist.peer.application.binding import BoundApplication
from tanist.peer.application.blobstore import BLOBS
from tanist.peer.application.heals import Fate, HealedEntry, HealRecords, HealReport
from tanist.peer.application.replies import encode_error, encode_result, error_code
from tanist.peer.application.runner import UNDECODABLE, Runner
from tanist.peer.application.sides import SIDES_MAX, Side
from tanist.peer.application.superseded import Superseded
from tanist.peer.errors import NotFound, WriteSuperseded

_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_opened = msgspec.msgpack.Decoder(SessionOpened).decode
_decode_closed = msgspec.msgpack.Decoder(SessionClosed).decode


class Answered(NamedTuple):
    """What a retry of an archived command finds."""

    session: str
    sequence: int
    reply: bytes


class _Verdict(NamedTuple):
    fate: Fate
    reply: bytes
    code: str = ""


class Fates:
    """Decides; the session table, the applications and the records change with it."""

    def __init__(self, sessions: SessionTable, runner: Runner, records: HealRecords) -> None:
        self._sessions = sessions
        self._runner = runner
        self._records = records
        self._sides: OrderedDict[str, Side] = OrderedDict()
        self._time_ns = 0

    def begun(self, begun: HealBegun, time_ns: int) -> None:
        """The entry that begins a heal is applied."""
        self._records.begin(begun, self._runner.index, time_ns)
        self._side(begun.heal, begun.fork).broken |= begun.first - 1 > begun.fork

    def ended(self, ended: HealEnded, time_ns: int) -> HealReport:
        """The entry that ends a heal is applied; its report."""
        self._sides.pop(ended.heal, None)
        return self._records.end(ended, self._runner.index, time_ns)

    def archived(self, archived: ArchivedEntry, time_ns: int) -> tuple[HealedEntry | None, Answered | None]:
        """An archived entry is applied: its fate, None if that was decided before; and what a retry of it finds now.

        The latter is None if that has not changed.
        """
        self._time_ns = time_ns
        report = self._records.report(archived.heal, self._runner.index, time_ns, archived.index - 1)
        side = self._side(archived.heal, report.fork)
        if self._records.is_decided(archived.index, archived.entry.term):
            return None, None
        listed, answered = self._decide(archived, side)
        self._records.add(report, listed)
        return listed, answered

    def _side(self, heal: str, fork: int) -> Side:
        side = self._sides.get(heal)
        if side is None:
            side = self._sides[heal] = Side(heal, fork, sessions={})
            if len(self._sides) > SIDES_MAX:
                self._sides.popitem(last=False)
        return side

    def _decide(self, old: ArchivedEntry, side: Side) -> tuple[HealedEntry, Answered | None]:
        entry = old.entry
        plain = HealedEntry(old.index, entry.term, self._runner.index, entry.kind, str(Fate.OTHER), old.acknowledged)
        try:
            match entry.kind:
                case Kind.COMMAND:
                    return self._command(old, _decode_command(entry.body), side, plain)
                case Kind.SESSION_OPENED:
                    self._opened(_decode_opened(entry.body), old.index, side)
                case Kind.SESSION_CLOSED:
                    self._closed(_decode_closed(entry.body).session, old.index, side)
        except UNDECODABLE as error:
            self._runner.note("", f"archived entry of kind {entry.kind}", error)
        return plain, None

    # Sessions

    def _opened(self, opened: SessionOpened, index: int, side: Side) -> None:
        if not side.opened(opened.session, index, self._sessions):
            return
        session = self._sessions.adopt(opened)
        if session is not None:
            side.sessions[opened.session].ours = True
            self._runner.call_hooks("opened", session)

    def _closed(self, session: str, index: int, side: Side) -> None:
        """It ends here too only if the heal opened it: its client may have gone on in this history."""
        known = side.session(session, index, self._sessions)
        if known is None:
            return
        known.open = False
        if known.ours:
            closed = self._sessions.close(session, self._time_ns, self._runner.index)
            if closed is not None:
                self._runner.call_hooks("closed", closed)

    def _session(self, session: str, side: Side) -> OpenSession | None:
        """A session that is open in the other history; one that ended here meanwhile is open here again."""
        found = self._sessions.get(session)
        if found is None:
            found = self._sessions.reopen(session)
            if found is not None:
                side.sessions[session].ours = True
                self._runner.call_hooks("opened", found)
        return found

    # Commands

    def _command(
        self, old: ArchivedEntry, command: Command, side: Side, plain: HealedEntry
    ) -> tuple[HealedEntry, Answered | None]:
        def listed(fate: Fate, code: str = "") -> HealedEntry:
            return msgspec.structs.replace(
                plain,
                fate=str(fate),
                app=command.app,
                name=command.name,
                session=command.session,
                sequence=command.sequence,
                code=code,
            )

        there = side.session(command.session, old.index, self._sessions)
        applied = there is not None and side.applies(command, there)
        if there is not None and self._sessions.has(command):
            return listed(Fate.KNOWN), None
        if not applied:
            return listed(Fate.VOID), None
        session = self._session(command.session, side)
        if session is None:
            return listed(Fate.ARCHIVED if old.acknowledged else Fate.UNKNOWN, UNKNOWN_SESSION), None
        verdict: _Verdict | None = None

        def decide(command: Command, session: OpenSession) -> bytes:
            nonlocal verdict
            verdict = self._verdict(old, command, session, side.parts_at(old.index))
            return verdict.reply

        reply = self._sessions.enter(command, self._time_ns, decide)
        assert reply is not None, "it has no place yet, and its session is open"
        if verdict is None:
            # Its key was used here: for the same command, or for another.
            code = error_code(reply)
            verdict = _Verdict(Fate.REFUSED if code else Fate.KNOWN, reply, code)
        return listed(verdict.fate, verdict.code), Answered(command.session, command.sequence, reply)

    def _verdict(self, old: ArchivedEntry, command: Command, session: OpenSession, fork: int) -> _Verdict:
        app = self._runner.bound.get(command.app)
        if command.app == BLOBS and old.acknowledged:
            # The bytes that a later command names: whatever becomes of that one, it must find them.
            return self._replayed(command, session)
        if command.app == SETTINGS:
            # Each side has used its own since; those of the side that goes on hold.
            return _archived(old, command)
        if app is None:
            self._runner.miss(command.app)
            return _archived(old, command, NotFound.code)
        choice = app.on_heal if old.acknowledged else "archive"
        if app.healed is not None:
            choice = self._own(app, old, command, session, fork)
        match choice:
            case "replay":
                return self._replayed(command, session)
            case "done":
                return _Verdict(Fate.DONE, encode_result(None))
        return _archived(old, command)

    def _replayed(self, command: Command, session: OpenSession) -> _Verdict:
        reply = self._runner.execute(command, session)
        code = error_code(reply)
        return _Verdict(Fate.REFUSED if code else Fate.REPLAYED, reply, code)

    def _own(self, app: BoundApplication, old: ArchivedEntry, command: Command, session: OpenSession, fork: int) -> str:
        """What the application's own function says; `archive` when it fails, or says nothing that is known."""
        healed = app.healed
        assert healed is not None
        bound = app.operations.get(command.name)
        if bound is None:
            return "archive"
        try:
            arguments = bound.decode(command.arguments)
        except UNDECODABLE:
            return "archive"
        lost = Superseded(
            command=command.name,
            arguments={p.name: getattr(arguments, p.name) for p in bound.operation.parameters},
            acknowledged=old.acknowledged,
            time_ns=old.entry.time_ns,
            index=old.index,
            term=old.entry.term,
            fork=fork,
        )
        choice = self._runner.guarded(app, "healed", session, lambda context: healed(context, lost))
        if choice in ("replay", "archive", "done"):
            return str(choice)
        if choice is not None:
            self._runner.complain(app.name, "healed", f"it gave {choice!r:.100}: give 'replay', 'archive' or 'done'")
        return "archive"

    # Snapshots

    def state(self) -> list[Side]:
        """The histories that are followed, for a snapshot."""
        return list(self._sides.values())

    def restore(self, state: list[Side]) -> None:
        """Become what `state` was taken from."""
        self._sides = OrderedDict((side.heal, side) for side in state)


def _archived(old: ArchivedEntry, command: Command, code: str = "") -> _Verdict:
    fate = Fate.ARCHIVED if old.acknowledged else Fate.UNKNOWN
    text = f"{command.app} {command.name} was done on a side of a split that gave way: it is archived and not done here"
    return _Verdict(fate, encode_error(WriteSuperseded.code, text), code)
