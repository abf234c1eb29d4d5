"""Real applications as the state machines of virtual peers, each step of them looked at by a referee."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from tanist.election.archived import ArchivedEntry, archived_entry
from tanist.election.entries import Entry, Kind
from tanist.election.simulation.broken import Broken
from tanist.peer.application.api import Application
from tanist.peer.application.events import Published
from tanist.peer.application.machine import Machine, Outcome
from tanist.peer.application.replies import encode_refusal, encode_result
from tanist.peer.errors import ApplicationFailed, Refused
from tanist.peer.simulate.referee import APPLICATION, Key, Referee, said

REPORTED = "heal-reported"


class _Everyone(set[str]):
    """The sessions of all: the virtual clients move from peer to peer, and any may be asked for."""

    def __contains__(self, session: object) -> bool:
        return True


class ApplicationMachine:
    """The applications of one virtual process."""

    def __init__(self, peer: str, applications: Mapping[str, Application], referee: Referee) -> None:
        self._peer = peer
        self._referee = referee
        self._before: Key | None = (0, 0, "")
        self._events: list[Published] = []
        self._digest = b""
        self.machine = Machine(applications, check=True)
        self.machine.local_sessions = _Everyone()
        self.machine.on_event = self._events.append

    def apply(self, first: int, entries: Sequence[Entry]) -> list[Outcome]:
        """Apply entries, one at a time. Raises Broken where an application breaks a rule."""
        outcomes: list[Outcome] = []
        for index, entry in enumerate(entries, first):
            outcomes += self.machine.apply(index, [entry])
            for failure in self.machine.take_failures():
                # The machine saw a rule broken, or the command raised something: to clients either is a failure.
                raise Broken(APPLICATION, f"entry {index}, {said(entry)}: {failure.error}\n{failure.traceback}".strip())
            self._digest = self._referee.applied(self._peer, index, entry, self._before, self.machine, self._events)
            self._events.clear()
            if entry.kind == Kind.ARCHIVED:
                self._reported(index, archived_entry(entry))
            self._before = index, entry.number, entry.holder
        return outcomes

    def _reported(self, index: int, archived: ArchivedEntry) -> None:
        """Every entry of a history that ended has one fate, and the heal's report names it. Raises Broken if not."""
        old, term = archived.key
        reports = self.machine.heals.reports.values()
        named = [e for report in reports for e in report.entries if (e.index, e.term) == archived.key]
        unlisted = any(report.unlisted for report in reports)
        if len(named) > 1 or (not named and not unlisted) or not self.machine.heals.is_decided(old, term):
            fates = [e.fate for e in named]
            raise Broken(REPORTED, f"{self._peer}: entry {index} keeps {old} of {term}, of which reports say {fates}")

    def snapshot(self) -> bytes:
        """The whole state."""
        return self.machine.snapshot()

    def restore(self, state: bytes) -> None:
        """Become what a snapshot was taken of. Raises Broken if that is not what comes of it."""
        self.machine.restore(state)
        self._before, self._digest = None, b""
        self._referee.restored(self._peer, state, self.machine)

    def digest(self) -> bytes:
        """Equal for equal states."""
        return self._digest or blake2b(self.machine.snapshot(), digest_size=16).digest()

    def query(self, app: str, name: str, arguments: bytes) -> bytes:
        """The reply to a query. Raises Broken where the application breaks a rule, or raises."""
        reply = b""
        try:
            reply = encode_result(self.machine.query(app, name, arguments))
        except Refused as refused:
            reply = encode_refusal(refused)
        except ApplicationFailed:
            pass
        for failure in self.machine.take_failures():
            raise Broken(APPLICATION, f"the query {app} {name}: {failure.error}\n{failure.traceback}".strip())
        return reply
