"""One application in a machine that checks its rules, with sessions, a clock, and what each session heard."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened
from tanist.peer.application import Application, Blob, Refused
from tanist.peer.application.agreed import SETTINGS, USE, AppSettings
from tanist.peer.application.blobstore import BLOBS, PART, Part
from tanist.peer.application.events import Published
from tanist.peer.application.machine import Machine
from tanist.peer.application.replies import decode_reply
from tanist.peer.application.specification import describe, find, validate
from tanist.peer.gateways.words import lines_of

SECOND_NS = 10**9


class Room:
    """Sessions are called by letters. Arguments are text, as gateways get them. Time stands still until `wait`."""

    def __init__(self, app: type[Application], sessions: str) -> None:
        self.app = app
        self.name = describe(app).name
        self.machine = Machine({self.name: app()}, check=True)
        self.machine.on_event = self._hear
        self.time_ns = 1_000 * SECOND_NS
        self.seed = 0
        self.events: list[Published] = []
        self.heard: dict[str, list[str]] = {}
        self._sequences: dict[str, int] = {}
        for session in sessions:
            self.open(session)

    @property
    def state(self) -> Any:
        """The application itself."""
        return self.machine.applications[self.name]

    def open(self, session: str) -> None:
        """A client comes."""
        self.heard[session] = []
        self._sequences[session] = 0
        self.machine.local_sessions.add(session)
        self._apply(Kind.SESSION_OPENED, SessionOpened(session, "p"))

    def close(self, session: str) -> None:
        """A client leaves, or its peer is gone."""
        self._apply(Kind.SESSION_CLOSED, SessionClosed(session, "gone"))

    def call(self, session: str, name: str, *arguments: Any) -> Any:
        """A command's result. Raises what gateways and the application say against it."""
        raw = self._prepared(session, name, validate(self.app, name, arguments, text=True))
        sequence = self._sequences[session] = self._sequences[session] + 1
        (outcome,) = self._apply(Kind.COMMAND, Command(session, sequence, 1, self.name, name, msgspec.Raw(raw)))
        return decode_reply(outcome.reply)

    def part(self, session: str, data: bytes, *, upload: int = 1, offset: int = 0, last: bool = True) -> Blob | None:
        """Upload a part; what the last one gives. Raises what is said against it."""
        raw = msgspec.msgpack.encode(Part(upload, offset, data, last))
        sequence = self._sequences[session] = self._sequences[session] + 1
        (outcome,) = self._apply(Kind.COMMAND, Command(session, sequence, 1, BLOBS, PART, msgspec.Raw(raw)))
        given = decode_reply(outcome.reply)
        return None if given is None else msgspec.convert(given, type=Blob)

    def upload(self, session: str, data: bytes) -> Blob:
        """Upload bytes that fit into one part."""
        blob = self.part(session, data)
        assert blob is not None
        return blob

    def agree(self, **settings: object) -> None:
        """The first server's settings of the application enter the log."""
        self._apply(Kind.SETTINGS, AppSettings(self.name, msgspec.msgpack.encode(settings)))

    def change(self, session: str, **settings: object) -> None:
        """A peer's settings of the application become the cluster's."""
        body = msgspec.msgpack.encode(AppSettings(self.name, msgspec.msgpack.encode(settings)))
        sequence = self._sequences[session] = self._sequences[session] + 1
        (outcome,) = self._apply(Kind.COMMAND, Command(session, sequence, 1, SETTINGS, USE, msgspec.Raw(body)))
        decode_reply(outcome.reply)

    def _prepared(self, session: str, name: str, given: bytes) -> bytes:
        """What enters the log of what a caller gave."""
        preparation = describe(self.app).prepared.get(name)
        if preparation is None:
            return given
        decoded = msgspec.msgpack.decode(given, type=preparation.arguments)
        values = [getattr(decoded, parameter.name) for parameter in preparation.parameters]
        prepared = getattr(self.app(), preparation.method)(_Asking(self, session), *values)
        return validate(self.app, name, prepared, internal=True)

    def ask(self, session: str, name: str, *arguments: Any) -> Any:
        """A query's answer."""
        return self.machine.query(self.name, name, validate(self.app, name, arguments, text=True), session)

    def said(self, session: str, name: str, *arguments: Any) -> list[str]:
        """The lines that a person gets for a command or a query."""
        operation = find(self.app, name)
        value = (self.call if operation.is_command else self.ask)(session, name, *arguments)
        return lines_of(operation, value) or []

    def refused(self, session: str, name: str, *arguments: Any) -> str:
        """The code with which the application refuses."""
        with pytest.raises(Refused) as caught:
            self.said(session, name, *arguments)
        assert caught.value.message
        return caught.value.code

    def wait(self, seconds: float) -> None:
        """Let time pass, and the timers fire that come due in it, each at its own moment."""
        end_ns = self.time_ns + round(seconds * SECOND_NS)
        while (next_ns := self.machine.next_timer_ns()) is not None and next_ns <= end_ns:
            self.time_ns = max(self.time_ns, next_ns)
            for due in self.machine.due_timers(self.time_ns):
                self._apply(Kind.TIMER, due)
        self.time_ns = end_ns

    def drain(self, session: str) -> list[str]:
        """What a session heard since the last time."""
        lines, self.heard[session] = self.heard[session], []
        return lines

    def restart(self) -> None:
        """Go on from a snapshot, as a peer does that starts again."""
        data = self.machine.snapshot()
        fresh = Machine({self.name: self.app()}, check=True)
        fresh.restore(data)
        fresh.on_event, fresh.local_sessions = self._hear, self.machine.local_sessions
        assert self.machine.take_failures() == []
        self.machine = fresh

    def _hear(self, event: Published) -> None:
        self.events.append(event)
        for session, lines in self.heard.items():
            if event.is_for(session):
                lines.append(event.line)

    def _apply(self, kind: int, body: Any) -> Sequence[Any]:
        self.seed += 1
        entry = Entry(1, "p", kind, self.time_ns, self.seed, msgspec.msgpack.encode(body))
        return self.machine.apply(self.machine.applied + 1, [entry])


class _Asking:
    """What a preparation asks."""

    def __init__(self, room: Room, session: str) -> None:
        self._room, self._session = room, session

    def query(self, name: str, *arguments: Any) -> Any:
        return self._room.machine.query(self._room.name, name, arguments, self._session, internal=True)


@contextmanager
def room_of(app: type[Application], sessions: str = "abc") -> Iterator[Room]:
    """A room in which, whatever the test does, no rule of applications is broken."""
    room = Room(app, sessions)
    yield room
    assert room.machine.take_failures() == []
