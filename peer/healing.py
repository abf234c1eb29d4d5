"""What a peer does about heals besides applying them: the readable files, and telling those whom they concern."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tanist.election.archived import ArchivedEntry
from tanist.election.events import Event
from tanist.peer.application.heals import Fate, HealedEntry, HealReport, Notice
from tanist.peer.application.machine import Machine
from tanist.peer.electionlog.peer_events import FatesDecided, HealFileFailed
from tanist.peer.errors import WriteSuperseded
from tanist.peer.storage.healfiles import HealFiles


class Healing:
    """The heals of one running peer, that started at `started_ns` of the wall clock.

    `sessions` gives the sessions that this process has had: what they had acknowledged concerns its own callers.
    """

    def __init__(
        self, directory: Path, started_ns: int, emit: Callable[[Event], None], sessions: Callable[[], Iterable[str]]
    ) -> None:
        self._files = HealFiles(directory)
        self._started_ns = started_ns
        self._emit = emit
        self._sessions = sessions
        self._told: dict[str, int] = {}
        self._failed = False

    def listen_to(self, machine: Machine) -> None:
        """Hear what a machine decides from now on."""
        machine.on_archived = self._archived
        machine.on_healed = self._healed

    def _archived(self, archived: ArchivedEntry, decided: HealedEntry) -> None:
        try:
            self._files.add(archived, decided)
        except OSError as error:
            self._fail(error)

    def _healed(self, report: HealReport) -> None:
        self.flush()
        if report.ended_ns < self._started_ns or not report.archived + report.missing:
            # Applied again after a restart: it was told then. Or nothing came of it.
            return
        count = report.fates.get
        lost = count(Fate.ARCHIVED, 0) + count(Fate.REFUSED, 0)
        applied = count(Fate.REPLAYED, 0) + count(Fate.DONE, 0)
        path = str(self._files.path(report.heal)) if report.archived else ""
        self._emit(
            FatesDecided(report.heal, report.archived, applied, lost, count(Fate.UNKNOWN, 0), report.missing, path)
        )

    def flush(self) -> None:
        """What was applied is in the files: after each batch of entries."""
        try:
            self._files.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        # The log has it all, and the same disk will be heard of in other ways: once is enough.
        if not self._failed:
            self._failed = True
            self._emit(HealFileFailed(str(error)))

    # Telling

    def notices(self, machine: Machine) -> list[Notice]:
        """Of this peer's own sessions: what they had acknowledged and does not hold."""
        found = (machine.heals.notices.get(session) for session in self._sessions())
        return [notice for notice in found if notice is not None]

    def tell_once(self, machine: Machine) -> None:
        """Raise `WriteSuperseded` if the caller was not told yet of writes of its own that do not hold."""
        for notice in self.notices(machine):
            if notice.at > self._told.get(notice.session, 0):
                self._told[notice.session] = notice.at
                raise WriteSuperseded(
                    f"{notice.count} acknowledged commands of this peer were superseded when a split healed, the last "
                    f"in heal {notice.heal}: they are archived and not in the state; see heals(), and ask again to read"
                )

    def header(self, machine: Machine) -> str:
        """For a gateway whose callers share this peer's sessions: `HEAL; commands=N`, or "" if all holds."""
        notices = self.notices(machine)
        if not notices:
            return ""
        last = max(notices, key=lambda notice: notice.at)
        heal = "".join(c if "!" <= c <= "~" and c != ";" else "-" for c in last.heal)
        return f"{heal}; commands={sum(notice.count for notice in notices)}"
