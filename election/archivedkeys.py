"""Which old entries a log has archived, and which heals are not ended in it: compact, and kept across compaction."""

from bisect import bisect_right
from collections.abc import Iterable

import msgspec

from tanist.election.archived import Key, Reported, archived_entry, heal_begun, heal_ended
from tanist.election.entries import Entry, Kind
from tanist.election.history import Term


class KeyRun(msgspec.Struct, frozen=True, array_like=True):
    """Old indexes of one term that are archived, from `first` to `last` without a gap."""

    term: Term
    first: int
    last: int


class OpenHeal(msgspec.Struct, frozen=True, array_like=True):
    """A heal without its end: how many entries were archived under it so far."""

    heal: str
    archived: int


class Archives(msgspec.Struct, frozen=True, array_like=True):
    """All that a log has archived up to an index, for a snapshot's description."""

    runs: tuple[KeyRun, ...] = ()
    open: tuple[OpenHeal, ...] = ()
    reported: tuple[Reported, ...] = ()


NO_ARCHIVES = Archives()

REPORTS_MAX = 256
"""Heals that reported entries in snapshots only: each is a split too long for what logs keep. The newest are known."""


class ArchivedKeys:
    """The archived keys of one log. A suffix is archived in runs of one term, so that this stays small."""

    def __init__(self, archives: Archives = NO_ARCHIVES) -> None:
        self._runs: dict[Term, list[tuple[int, int]]] = {}
        self.open: dict[str, int] = {heal.heal: heal.archived for heal in archives.open}
        """Heals without their end, oldest first, and how many entries each has so far."""
        self.reported: dict[str, int] = {report.heal: report.missing for report in archives.reported}
        """How many commands heals said to be in snapshots only, oldest first."""
        for run in archives.runs:
            self._runs.setdefault(run.term, []).append((run.first, run.last))

    def __contains__(self, key: Key) -> bool:
        index, term = key
        runs = self._runs.get(term)
        return runs is not None and self._at(runs, index) is not None

    @staticmethod
    def _at(runs: list[tuple[int, int]], index: int) -> int | None:
        """Which run holds an index."""
        i = bisect_right(runs, (index, 1 << 62)) - 1
        return i if i >= 0 and runs[i][1] >= index else None

    def take(self, entry: Entry) -> None:
        """An entry of a heal was written."""
        match entry.kind:
            case Kind.HEAL:
                self.open[heal_begun(entry).heal] = 0
            case Kind.ARCHIVED:
                kept = archived_entry(entry)
                if kept.heal in self.open:
                    self.open[kept.heal] += 1
                self._add(*kept.key)
            case Kind.HEALED:
                ended = heal_ended(entry)
                self.open.pop(ended.heal, None)
                self.reported.update((report.heal, report.missing) for report in ended.reports())
                while len(self.reported) > REPORTS_MAX:
                    del self.reported[next(iter(self.reported))]

    def undo(self, entry: Entry) -> None:
        """An entry of a heal was cut: the newest first."""
        match entry.kind:
            case Kind.HEAL:
                self.open.pop(heal_begun(entry).heal, None)
            case Kind.ARCHIVED:
                kept = archived_entry(entry)
                if kept.heal in self.open:
                    self.open[kept.heal] -= 1
                self._remove(*kept.key)
            case Kind.HEALED:
                ended = heal_ended(entry)
                self.open[ended.heal] = ended.archived
                for report in ended.reports():
                    self.reported.pop(report.heal, None)

    def archives(self) -> Archives:
        """All of it, for a snapshot's description."""
        runs = tuple(KeyRun(term, first, last) for term, found in self._runs.items() for first, last in found)
        reported = tuple(Reported(heal, missing) for heal, missing in self.reported.items())
        return Archives(runs, tuple(OpenHeal(heal, count) for heal, count in self.open.items()), reported)

    def count(self, term: Term, first: int, last: int) -> int:
        """How many old indexes of a term between two (both included) are archived."""
        return sum(max(0, min(b, last) - max(a, first) + 1) for a, b in self._runs.get(term, ()))

    def copy(self, without: Iterable[Entry] = ()) -> "ArchivedKeys":
        """The same, without what these entries (the newest first) brought."""
        found = ArchivedKeys(self.archives())
        for entry in without:
            found.undo(entry)
        return found

    def _add(self, index: int, term: Term) -> None:
        runs = self._runs.setdefault(term, [])
        if self._at(runs, index) is not None:
            return
        i = bisect_right(runs, (index, 1 << 62))
        first = last = index
        if i < len(runs) and runs[i][0] == index + 1:
            last = runs.pop(i)[1]
        if i and runs[i - 1][1] == index - 1:
            i -= 1
            first = runs.pop(i)[0]
        runs.insert(i, (first, last))

    def _remove(self, index: int, term: Term) -> None:
        runs = self._runs.get(term, [])
        i = self._at(runs, index)
        if i is None:
            return
        first, last = runs[i]
        runs[i : i + 1] = [r for r in ((first, index - 1), (index + 1, last)) if r[0] <= r[1]]
        if not runs:
            del self._runs[term]
