"""Plays the exchanges of `exchanges.txt` on the applications themselves, for their reference."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tanist.election.entries import Command, Entry, Kind, SessionOpened
from tanist.peer.application.api import Application
from tanist.peer.application.events import Published
from tanist.peer.application.machine import Machine, Outcome
from tanist.peer.application.replies import decode_reply
from tanist.peer.application.specification import describe, validate
from tanist.peer.errors import CallError
from tanist.peer.gateways import words
from tanist.peer.gateways.line import done, undone

SECOND_NS = 10**9
BEGIN_NS = 1_790_000_000 * SECOND_NS
"""The log time of all exchanges: the page must not change by itself."""


def scripts() -> dict[str, list[str]]:
    """The lines of the file, by application."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (Path(__file__).parent / "exchanges.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        if "> " in line or line.startswith("wait "):
            lines.append(line)
        else:
            lines = found[line] = []
    return found


class Exchange:
    """An application in a machine, with a clock that is moved by hand."""

    def __init__(self, application: Application) -> None:
        self._app, self._name = application, describe(application).name
        self._machine = Machine({self._name: application})
        self._machine.on_event = self._hear
        self._time_ns = BEGIN_NS
        self._sessions: dict[str, int] = {}
        self._heard: list[str] = []
        self.settings = self._machine.settings_of(self._name)

    def play(self, script: Sequence[str]) -> Iterator[str]:
        """The script, each line with what comes of it."""
        for who in sorted({line.partition("> ")[0] for line in script if "> " in line}):
            self._sessions[who] = 0
            self._machine.local_sessions.add(who)
            self._apply(Kind.SESSION_OPENED, SessionOpened(who, "p"))
        for line in script:
            who, told, said = line.partition("> ")
            if told:
                yield line
                yield from self._answer(who, said).decode().splitlines()
            else:
                seconds = int(line.removeprefix("wait "))
                yield f"({seconds} s later)"
                self._wait(seconds)
            yield from self._heard
            self._heard.clear()

    def query(self, name: str, *given: Any) -> Any:
        """A query's answer, for a preparation."""
        return self._machine.query(self._name, name, given, internal=True)

    def _answer(self, who: str, line: str) -> bytes:
        try:
            operation, given = words.read(self._app, line)
            if not operation.is_command:
                return done(operation, self._machine.query(self._name, operation.name, given, who))
            if (preparation := describe(self._app).prepared.get(operation.name)) is not None:
                given = getattr(self._app, preparation.method)(self, *given)
            raw = validate(self._app, operation.name, given, internal=True)
            sequence = self._sessions[who] = self._sessions[who] + 1
            command = Command(who, sequence, sequence, self._name, operation.name, msgspec.Raw(raw))
            (outcome,) = self._apply(Kind.COMMAND, command)
            return done(operation, decode_reply(outcome.reply))
        except CallError as why:
            return undone(why)

    def _wait(self, seconds: int) -> None:
        end_ns = self._time_ns + seconds * SECOND_NS
        while (next_ns := self._machine.next_timer_ns()) is not None and next_ns <= end_ns:
            self._time_ns = max(self._time_ns, next_ns)
            for due in self._machine.due_timers(self._time_ns):
                self._apply(Kind.TIMER, due)
        self._time_ns = end_ns

    def _hear(self, happened: Published) -> None:
        self._heard += [f"{who}< {happened.line}" for who in self._sessions if happened.is_for(who)]

    def _apply(self, kind: Kind, body: Any) -> list[Outcome]:
        index = self._machine.applied + 1
        entry = Entry(1, "p", kind, self._time_ns, index, msgspec.msgpack.encode(body))
        return self._machine.apply(index, [entry])


def exchange(application: Application, script: Sequence[str]) -> str:
    """A script as it goes, in a block of text."""
    return "\n".join(["```text", *map(str.rstrip, Exchange(application).play(script)), "```"])
