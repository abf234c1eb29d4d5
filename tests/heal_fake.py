"""Two histories of one log, and what a heal writes: for the tests of fates, without a cluster."""

from __future__ import annotations

from typing import Any

import msgspec

from tanist.election.archived import BOOKKEEPING, ArchivedEntry, HealBegun, HealEnded, archived_entry
from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened
from tanist.election.roster import Member, Roster
from tanist.peer.application import Application, Context, Refused, command, query
from tanist.peer.application.events import Published
from tanist.peer.application.heals import HealReport
from tanist.peer.application.machine import Machine, Outcome
from tanist.peer.application.specification import validate
from tanist.peer.healing import Healing

SECOND = 10**9


class Ledger(Application):
    """Writes down what is added, and what its hooks hear."""

    lines: list[str]
    heard: list[str]

    @command
    def add(self, ctx: Context, text: str) -> int:
        if text == "bad":
            raise Refused("no", "bad_line")
        self.lines.append(f"{ctx.session.id}:{text}")
        return len(self.lines)

    @query
    def all(self, ctx: Context) -> list[str]:
        return self.lines

    def opened(self, ctx: Context) -> None:
        self.heard.append(f"opened {ctx.session.id}")

    def closed(self, ctx: Context) -> None:
        self.heard.append(f"closed {ctx.session.id}")


class Side:
    """A machine with a log; written to entry by entry, by the server of its side."""

    def __init__(self, number: int = 1, app: type[Application] = Ledger, name: str = "ledger") -> None:
        self.number = number
        self.name = name
        self.app = app
        self.log: list[Entry] = []
        self.machine = self.new_machine()
        self.outcomes: list[Outcome] = []
        self.healed: list[HealReport] = []
        self.events: list[Published] = []
        self.time_ns = 1000
        self.listening: Healing | None = None
        """Hears of heals instead of this."""

    def new_machine(self) -> Machine:
        return Machine({self.name: self.app()})

    def fork(self, number: int) -> Side:
        """Another history with the same past."""
        twin = Side(number, self.app, self.name)
        twin.time_ns = self.time_ns
        twin.machine.local_sessions = self.machine.local_sessions
        for entry in self.log:
            twin.put(entry)
        return twin

    def put(self, entry: Entry) -> list[Outcome]:
        self.log.append(entry)
        if self.listening is None:
            self.machine.on_healed = self.healed.append
        self.machine.on_event = self.events.append
        new = self.machine.apply(len(self.log), [entry])
        self.outcomes += new
        return new

    def write(self, kind: int, body: Any) -> list[Outcome]:
        data = body if isinstance(body, bytes) else msgspec.msgpack.encode(body)
        return self.put(Entry(self.number, f"server-{self.number}", kind, self.time_ns, 7, data))

    def open(self, *sessions: str, peer: str = "p") -> None:
        for session in sessions:
            self.write(Kind.SESSION_OPENED, SessionOpened(session, peer))

    def close(self, session: str) -> None:
        self.write(Kind.SESSION_CLOSED, SessionClosed(session, "gone"))

    def roster(self, *peers: str) -> None:
        self.write(Kind.ROSTER, Roster(tuple(Member(p, p, "") for p in peers)))

    def send(
        self,
        session: str,
        sequence: int,
        name: str = "add",
        *arguments: Any,
        floor: int | None = None,
        key: str = "",
        app: str = "",
    ) -> list[Outcome]:
        raw = validate(self.app, name, arguments or (str(sequence),))
        floor = sequence if floor is None else floor
        return self.write(
            Kind.COMMAND, Command(session, sequence, floor, app or self.name, name, msgspec.Raw(raw), key)
        )

    def begin(self, other: Side, heal: str = "h", first: int = 0) -> int:
        """Write that another history gives way to this one; gives the fork."""
        fork = 0
        for mine, theirs in zip(self.log, other.log, strict=False):
            if mine != theirs:
                break
            fork += 1
        self.write(Kind.HEAL, HealBegun(heal, fork, other.log[-1].term, ("p",), first or fork + 1))
        return fork

    def archive(self, other: Side, index: int, *, acknowledged: bool = True, heal: str = "h") -> list[Outcome]:
        """As the core does: bookkeeping is left out, and what was archived there keeps its first key."""
        entry = other.log[index - 1]
        if entry.kind in BOOKKEEPING:
            return []
        if entry.kind == Kind.ARCHIVED:
            return self.write(Kind.ARCHIVED, msgspec.structs.replace(archived_entry(entry), heal=heal))
        return self.write(Kind.ARCHIVED, ArchivedEntry(heal, index, entry, acknowledged))

    def end(self, heal: str = "h", missing: int = 0) -> HealReport:
        self.write(Kind.HEALED, HealEnded(heal, 0, missing))
        return self.machine.heals.reports[heal]

    def heal(self, other: Side, heal: str = "h", *, unknown_from: int | None = None, first: int = 0) -> HealReport:
        """A whole heal: all that the other history has behind the fork (or from `first` on)."""
        fork = self.begin(other, heal, first)
        for index in range(max(fork + 1, first), len(other.log) + 1):
            known = unknown_from is None or index < unknown_from
            self.archive(other, index, acknowledged=known, heal=heal)
        return self.end(heal)

    def ask(self, name: str = "all") -> Any:
        return self.machine.query(self.name, name)

    def copy(self) -> Side:
        """A peer that began with this one's snapshot."""
        other = Side(self.number, self.app, self.name)
        other.log = list(self.log)
        other.time_ns = self.time_ns
        other.machine.restore(self.machine.snapshot())
        other.machine.local_sessions = self.machine.local_sessions
        return other
