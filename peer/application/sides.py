"""The history that ended, as far as its sessions go: which of its commands had been applied there.

Its entries say what was asked, not what was answered. So its session table is followed from the fork on: it starts with
what this history's table knows of that time, and goes on with the archived entries, one by one, in their order. Where a
session went on here too since the fork, it starts behind what was applied here: that has its place already. (A command
that came there out of order just behind that counts as in order: its client sends it again, and finds it done.)
Where commands are missing in between, since only a snapshot held them, nothing follows from the order any more.
"""

import msgspec

from tanist.election.entries import Command
from tanist.election.opensession import FIRST_SEQUENCE
from tanist.election.sessions import SessionTable

SIDES_MAX = 32
"""Histories followed at a time: one heal goes on at once, and those that break off are ended by the next server."""


class SideSession(msgspec.Struct, array_like=True):
    """A session in the other history: the sequence it expects; `ours` if the heal opened it here."""

    expected: int
    open: bool = True
    ours: bool = False


class Side(msgspec.Struct, array_like=True):
    """One history that parts from this one behind `fork`; `broken` if commands of it are missing.

    `sessions` are only those that this history knows too, so that their number has its bounds there.
    """

    heal: str
    fork: int
    broken: bool = False
    sessions: dict[str, SideSession] = {}

    def parts_at(self, index: int) -> int:
        """The last index in common, as far as the entry of an old index shows it.

        That may be of a third history, which the other had itself taken over and which parts from this one earlier.
        """
        return min(self.fork, index - 1)

    def session(self, session: str, index: int, table: SessionTable) -> SideSession | None:
        """A session as it is there when the entry of old index `index` comes, None if it is not open there."""
        found = self.sessions.get(session)
        if found is None:
            expected = table.expected_after(session, self.parts_at(index))
            if expected is None:
                return None
            found = self.sessions[session] = SideSession(expected)
        return found if found.open else None

    def opened(self, session: str, index: int, table: SessionTable) -> bool:
        """A session is opened there; whether that began it: it was not open, nor had it ended."""
        if session in self.sessions or self.session(session, index, table):
            return False
        if table.ended_by(session, self.parts_at(index)):
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
