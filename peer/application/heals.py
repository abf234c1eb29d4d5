"""What the replicated state remembers of heals: of each archived entry its fate, and whom to tell.

The report names entries up to a bound; what is not named is counted. Keys of decided entries are kept as ranges, so
that a fate is decided once, however often an entry is brought.
"""

from bisect import bisect_right
from collections import OrderedDict
from enum import StrEnum

import msgspec

from tanist.election.archived import HealBegun, HealEnded
from tanist.election.history import NO_TERM, Term

HEALS_MAX = 100
"""Heals reported: years of a cluster whose network splits now and then."""
ENTRIES_MAX = 5_000
"""Entries named in all reports together, half a megabyte of a snapshot; those of the oldest heals go first."""
NOTICES_MAX = 10_000
"""Sessions that are to be told of superseded writes; the oldest notices go first."""
TERMS_MAX = 1_000
"""Terms of other histories whose decided entries are known: each heal brings a few."""
RANGES_MAX = 1_000
"""Ranges of decided entries of one term: entries of a reign come one after another."""


class Fate(StrEnum):
    """What became of an archived entry."""

    REPLAYED = "replayed"
    """Applied again, under its session and sequence."""
    REFUSED = "refused"
    """Tried again, and the application said no, or it failed: `code` says which."""
    DONE = "done"
    """The application's own function did what was to be done."""
    ARCHIVED = "archived"
    """Acknowledged once, and not applied: so the application has it."""
    UNKNOWN = "unknown"
    """Not applied, and nobody knows whether it was acknowledged."""
    KNOWN = "known"
    """This history has it already, under its session and sequence or its key."""
    VOID = "void"
    """The history that ended had not applied it either."""
    OTHER = "other"
    """No command: a roster, a session's begin or end, a timer."""


LOST = frozenset({Fate.REFUSED, Fate.ARCHIVED})
"""Fates of an acknowledged command of which its client is told."""


class HealedEntry(msgspec.Struct, frozen=True, array_like=True):
    """One archived entry and its fate. `index` and `term` are its old ones, `at` is its place in this log."""

    index: int
    term: Term
    at: int
    kind: int
    fate: str
    acknowledged: bool
    app: str = ""
    name: str = ""
    session: str = ""
    sequence: int = 0
    code: str = ""


class HealReport(msgspec.Struct, array_like=True):
    """One heal. `begun` and `ended` are indexes in this log (`ended` 0 while it goes on), times are log time.

    `fates` counts all entries by fate, `missing` those that were in a snapshot only, `unlisted` those whose names were
    dropped.
    """

    heal: str
    fork: int
    theirs: Term
    members: tuple[str, ...]
    begun: int
    begun_ns: int
    ended: int = 0
    ended_ns: int = 0
    missing: int = 0
    unlisted: int = 0
    fates: dict[str, int] = {}
    entries: list[HealedEntry] = []

    @property
    def archived(self) -> int:
        """How many entries it brought."""
        return sum(self.fates.values())


class Notice(msgspec.Struct, array_like=True):
    """Acknowledged commands of a session that do not hold: how many, and the last heal and index that said so."""

    session: str
    count: int
    heal: str
    at: int


class Decided(msgspec.Struct, array_like=True):
    """Entries of one term whose fate is decided: ranges of their old indexes, in order, both ends included."""

    term: Term
    ranges: list[tuple[int, int]]

    def has(self, index: int) -> bool:
        """Whether an entry is among them."""
        place = bisect_right(self.ranges, (index, index)) if self.ranges else 0
        around = self.ranges[max(0, place - 1) : place + 1]
        return any(first <= index <= last for first, last in around)

    def add(self, index: int) -> None:
        """Add an entry that is not among them."""
        place = bisect_right(self.ranges, (index, index))
        first = last = index
        if place < len(self.ranges) and self.ranges[place][0] == index + 1:
            last = self.ranges.pop(place)[1]
        if place > 0 and self.ranges[place - 1][1] == index - 1:
            place -= 1
            first = self.ranges.pop(place)[0]
        self.ranges.insert(place, (first, last))
        if len(self.ranges) > RANGES_MAX:
            # Joined, so that what lies between counts as decided: better once too few than twice.
            (begin, _), (_, end) = self.ranges[0], self.ranges[1]
            self.ranges[:2] = [(begin, end)]


class HealsState(msgspec.Struct, frozen=True, array_like=True):
    """All of the records in a snapshot."""

    reports: list[HealReport] = []
    decided: list[Decided] = []
    notices: list[Notice] = []


class HealRecords:
    """The heals that a log tells of."""

    def __init__(self) -> None:
        self.reports: OrderedDict[str, HealReport] = OrderedDict()
        self.notices: OrderedDict[str, Notice] = OrderedDict()
        self._decided: OrderedDict[Term, Decided] = OrderedDict()
        self._listed = 0

    def begin(self, begun: HealBegun, index: int, time_ns: int) -> HealReport:
        """A heal begins, or begins again; its report."""
        report = self.reports.get(begun.heal)
        if report is None:
            report = HealReport(
                begun.heal, begun.fork, begun.theirs, begun.members, index, time_ns, fates={}, entries=[]
            )
            self.reports[begun.heal] = report
            while len(self.reports) > HEALS_MAX:
                _, oldest = self.reports.popitem(last=False)
                self._listed -= len(oldest.entries)
        return report

    def report(self, heal: str, index: int, time_ns: int, fork: int) -> HealReport:
        """The report of a heal, also of one whose begin was forgotten: then `fork` is what is known of it."""
        return self.reports.get(heal) or self.begin(HealBegun(heal, fork, NO_TERM, ()), index, time_ns)

    def end(self, ended: HealEnded, index: int, time_ns: int) -> HealReport:
        """A heal ends; its report."""
        report = self.report(ended.heal, index, time_ns, 0)
        report.ended, report.ended_ns, report.missing = index, time_ns, ended.missing
        return report

    def is_decided(self, index: int, term: Term) -> bool:
        """Whether an old entry's fate is decided."""
        decided = self._decided.get(term)
        return decided is not None and decided.has(index)

    def add(self, report: HealReport, entry: HealedEntry) -> None:
        """Remember an entry's fate."""
        decided = self._decided.get(entry.term)
        if decided is None:
            decided = self._decided[entry.term] = Decided(entry.term, [])
            while len(self._decided) > TERMS_MAX:
                self._decided.popitem(last=False)
        decided.add(entry.index)
        report.fates[entry.fate] = report.fates.get(entry.fate, 0) + 1
        report.entries.append(entry)
        self._listed += 1
        if self._listed > ENTRIES_MAX:
            self._unlist()
        if entry.acknowledged and entry.fate in LOST:
            self._notice(entry, report.heal)

    def _unlist(self) -> None:
        """Name one entry less: of the oldest heal that names some, its last, since the first tell the most."""
        for report in self.reports.values():
            if report.entries:
                report.entries.pop()
                report.unlisted += 1
                self._listed -= 1
                return

    def _notice(self, entry: HealedEntry, heal: str) -> None:
        notice = self.notices.pop(entry.session, None) or Notice(entry.session, 0, heal, entry.at)
        notice.count, notice.heal, notice.at = notice.count + 1, heal, entry.at
        self.notices[entry.session] = notice
        while len(self.notices) > NOTICES_MAX:
            self.notices.popitem(last=False)

    def state(self) -> HealsState:
        """All of the records, for a snapshot."""
        return HealsState(list(self.reports.values()), list(self._decided.values()), list(self.notices.values()))

    def restore(self, state: HealsState) -> None:
        """Become the records that `state` was taken from."""
        self.reports = OrderedDict((report.heal, report) for report in state.reports)
        self._decided = OrderedDict((decided.term, decided) for decided in state.decided)
        self.notices = OrderedDict((notice.session, notice) for notice in state.notices)
        self._listed = sum(len(report.entries) for report in state.reports)
