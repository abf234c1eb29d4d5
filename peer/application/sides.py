"""The history that ended, as far as its sessions go: which of its commands had been applied there.

Its entries say what was asked, not what was answered. So its session table is followed from the fork on: it starts with
what this history's table knows of that time, and goes on with the archived entries, one by one, in their order. Where a
session went on here too since the fork, it starts behind what was applied here: that has its place already. (A command
that came there out of order just behind that counts as in order: its client sends it again, and finds it done.)
Where entries are missing in between (compacted there, or brought before), nothing follows from the order any more.
"""

import msgspec

from tanist.election.entries import Command
from tanist.election.opensession import FIRST_SEQUENCE
from tanist.election.sessions import SessionTable

SIDES_MAX = 32
"""Histories followed at a time: those whose heal has not ended, and those they had healed themselves."""


class SideSession(msgspec.Struct, array_like=True):
    """A session in the other history: the sequence it expects; `ours` if the heal opened it here."""

    expected: int
    open: bool = True
    ours: bool = False


class Side(msgspec.Struct, array_like=True):
    """One history that parts from this one behind `fork`; `within` is the heal that brings it.

    `sessions` are only those that this history knows too, so that their number has its bounds there.
    """

    heal: str
    within: str
    fork: int
    next: int
    broken: bool = False
    sessions: dict[str, SideSession] = {}

    def at(self, index: int) -> None:
        """The next archived entry has this old index."""
        self.broken = self.broken or index != self.next
        self.next = index + 1

    def session(self, session: str, table: SessionTable) -> SideSession | None:
        """A session as it is there now, None if it is not open there."""
        found = self.sessions.get(session)
        if found is None:
            expected = table.expected_after(session, self.fork)
            if expected is None:
                return None
            found = self.sessions[session] = SideSession(expected)
        return found if found.open else None

    def opened(self, session: str, table: SessionTable) -> bool:
        """A session is opened there; whether that began it: it was not open, nor had it ended."""
        if session in self.sessions or self.session(session, table) or table.ended_by(session, self.fork):
            return False
        self.sessions[session] = SideSession(FIRST_SEQUENCE)
        return True

    def applies(self, command: Command, session: SideSession) -> bool:
        """Whether a command was applied there, by the rules of the session table; then it counts as such."""
        sequence = command.sequence
        if self.broken:
            session.expected = max(session.expected, sequence + 1)
            return True
        if sequence != session.expected and not session.expected < sequence <= command.floor:
            return False
        session.expected = sequence + 1
        return True
