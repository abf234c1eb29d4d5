"""Checks election logs: `check` for lines that are all there, `Checker` for a stream of them."""

from collections.abc import Iterable

from tanist.election.events import Event
from tanist.peer.electionlog.checks.acknowledging import Acknowledging
from tanist.peer.electionlog.checks.book import Book, Handler, Rules
from tanist.peer.electionlog.checks.listing import Listing
from tanist.peer.electionlog.checks.moving import Moving
from tanist.peer.electionlog.checks.reigning import Reigning
from tanist.peer.electionlog.checks.rule import Finding, Rule
from tanist.peer.electionlog.checks.searching import Searching
from tanist.peer.electionlog.checks.voting import Voting
from tanist.peer.electionlog.line import LogLine

SETS: tuple[type[Rules], ...] = (Reigning, Voting, Acknowledging, Listing, Searching, Moving)
"""All rules, by what they are about."""
RULES: tuple[Rule, ...] = tuple(rule for rules in SETS for rule in rules.RULES)


class Checker:
    """Takes lines in, those of one log in order, and says at the end which rules they break.

    Its size grows with reigns and starts, not with lines. Logs may begin in the middle (the oldest files are thrown
    away), have gaps, or lack peers: what then is not known breaks no rule.
    """

    def __init__(self) -> None:
        self._book = Book()
        self._sets = [rules(self._book) for rules in SETS]
        self._handlers: dict[type[Event], list[Handler]] = {}
        for rules in self._sets:
            for cls, handler in rules.handlers().items():
                self._handlers.setdefault(cls, []).append(handler)
        self._reigning = self._sets[0]
        self.events = 0
        """Lines taken in, each once."""

    def take(self, line: LogLine) -> None:
        """Take in one line."""
        start = self._book.start_of(line)
        if start is None:
            return
        self.events += 1
        for handler in self._handlers.get(type(line.body), ()):  # type: ignore[arg-type]
            handler(start, line, line.body)

    def finish(self) -> list[Finding]:
        """All lines were taken in. Gives what was found, in the order it was met; call it once."""
        for rules in self._sets:
            rules.finish()
        return [found for found in self._book.findings if self._book.quorum or not found.rule.quorum]

    @property
    def rules(self) -> list[Rule]:
        """The rules that were checked: some hold in quorum mode only."""
        return [rule for rule in RULES if self._book.quorum or not rule.quorum]

    @property
    def peers(self) -> int:
        """How many peers wrote lines."""
        return len(self._book.logs)

    @property
    def reigns(self) -> int:
        """How many reigns are told of."""
        assert isinstance(self._reigning, Reigning)
        return self._reigning.count

    @property
    def more(self) -> int:
        """Findings that were only counted, since there were too many."""
        return self._book.uncounted


def check(lines: Iterable[LogLine]) -> list[Finding]:
    """What breaks a rule in these lines of any number of peers; the lines of each peer come in order."""
    checker = Checker()
    for line in lines:
        checker.take(line)
    return checker.finish()
