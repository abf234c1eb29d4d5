"""What all rules share: the starts that wrote the lines, how complete each log is, and what was found so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tanist.election.events import Event
from tanist.election.settings import Safety
from tanist.peer.electionlog.checks.rule import Finding, Place, Rule, place_of
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.peer_events import PeerStarted
from tanist.peer.electionlog.sentences import Names

FINDINGS_MAX = 1000
"""Findings kept: whoever has more looks at the first ones; the others are counted."""


@dataclass(slots=True)
class PeerLog:
    """What the files tell of one peer.

    `since` is the lowest number that its lines tell from where they are without a gap; what lies between it and
    `highest` happened in lines that are here. 0 is the begin of all; None while nothing is told since a gap.
    """

    peer: str
    counter: int = 0
    since: int | None = 0
    highest: int = 0

    @property
    def from_begin(self) -> bool:
        """Whether all that this peer ever told so far is in the lines."""
        return self.since == 0

    def number(self, number: int) -> None:
        """A line tells of a number that this peer was in."""
        self.since = number if self.since is None else self.since
        self.highest = max(self.highest, number)

    def covers(self, number: int) -> bool:
        """Whether all that this peer did in a number is in the lines for certain."""
        return self.since is not None and self.since < number < self.highest


@dataclass(slots=True, eq=False)
class Start:
    """The lines of one start of a peer; those after a gap count as another, of which nothing is known.

    `whole`: its lines are here from the first on. `settings` is what it said of itself.
    """

    peer: str
    name: str
    log: PeerLog
    whole: bool
    seq: int
    settings: PeerStarted | None = None


Handler = Callable[[Start, LogLine, Any], None]
"""Takes in one line, with the start that wrote it and its event."""


@dataclass
class Book:
    """Knows who wrote a line, and keeps what was found."""

    findings: list[Finding] = field(default_factory=list)
    uncounted: int = 0
    """Findings beyond `FINDINGS_MAX`."""
    names: Names = field(default_factory=Names)
    logs: dict[str, PeerLog] = field(default_factory=dict)
    quorum: bool = False
    """Whether any peer said that the cluster is one of quorum mode: modes do not mix."""
    _starts: dict[tuple[str, str], Start] = field(default_factory=dict)

    def start_of(self, line: LogLine) -> Start | None:
        """The start that wrote a line, or None where that line was taken in before: of a file that was given twice."""
        start = self._starts.get((line.peer, line.incarnation))
        if start is None:
            return self._begin(line)
        if line.seq == start.seq + 1:
            start.seq = line.seq
            return start
        return self._after_gap(start, line) if line.seq > start.seq else None

    def found(self, rule: Rule, line: LogLine, text: str, *also: Place) -> None:
        """A line breaks a rule."""
        self.found_at(rule, place_of(line), line.event, line.peer, text, *also)

    def found_at(self, rule: Rule, place: Place, event: str, peer: str, text: str, *also: Place) -> None:
        """A line breaks a rule, as is known only now."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(rule, place, event, peer, place.name, text, also))
        else:
            self.uncounted += 1

    def name(self, peer: str) -> str:
        """A peer for people."""
        return self.names.of(peer)

    def _after_gap(self, start: Start, line: LogLine) -> Start:
        """Lines are missing: what this start did before says nothing about what it may do now."""
        start.log.since = None
        again = Start(line.peer, line.name, start.log, False, line.seq, start.settings)
        self._starts[line.peer, line.incarnation] = again
        return again

    def _begin(self, line: LogLine) -> Start:
        log = self.logs.get(line.peer)
        counter = _counter(line.incarnation)
        whole = line.seq == 1 and isinstance(line.body, PeerStarted)
        if log is None:
            log = self.logs[line.peer] = PeerLog(line.peer, since=0 if whole and counter == 1 else None)
        elif not whole or counter != log.counter + 1:
            log.since = None
        log.counter = counter
        self.names.add(line.peer, line.name)
        start = self._starts[line.peer, line.incarnation] = Start(line.peer, line.name, log, whole, line.seq)
        if isinstance(line.body, PeerStarted):
            start.settings = line.body
            self.quorum = self.quorum or line.body.safety == Safety.QUORUM
        return start


class Rules:
    """Base of a set of rules that belong together: takes in the events it asks for, and concludes at the end."""

    RULES: tuple[Rule, ...] = ()

    def __init__(self, book: Book) -> None:
        self.book = book

    def handlers(self) -> Mapping[type[Event], Handler]:
        """What takes in which events."""
        raise NotImplementedError

    def finish(self) -> None:
        """All lines were taken in: find what only all of them together show."""


def term_of(term: str) -> tuple[int, str]:
    """Number and holder of a term written "number@holder"; (0, "") of any other text."""
    number, at, holder = term.partition("@")
    return (int(number), holder) if at and number.isascii() and number.isdecimal() and len(number) < 20 else (0, "")


def _counter(incarnation: str) -> int:
    head = incarnation.partition("-")[0]
    return int(head) if head.isascii() and head.isdecimal() and len(head) < 20 else 0
