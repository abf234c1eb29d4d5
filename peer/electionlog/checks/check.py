"""Checks election logs: `check` for lines that are all there, `Checker` for a stream of them."""

from collections.abc import Iterable

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


class _Cluster:
    """The logs of one cluster: all rules, and what they share."""

    def __init__(self) -> None:
        self.book = Book()
        self.reigning = Reigning(self.book)
        self.sets: list[Rules] = [self.reigning, *(rules(self.book) for rules in SETS if rules is not Reigning)]
        self._handlers: dict[type, list[Handler]] = {}
        for rules in self.sets:
            for cls, handler in rules.handlers().items():
                self._handlers.setdefault(cls, []).append(handler)

    def take(self, line: LogLine) -> bool:
        """Take in one line. Returns whether it was not there before."""
        start = self.book.start_of(line)
        if start is None:
            return False
        for handler in self._handlers.get(type(line.body), ()):
            handler(start, line, line.body)
        return True

    def finish(self) -> list[Finding]:
        """Gives what was found, of the rules that hold in the cluster's mode."""
        for rules in self.sets:
            rules.finish()
        return [found for found in self.book.findings if self.book.quorum or not found.rule.quorum]


class Checker:
    """Takes lines in, those of one log in order, and says at the end which rules they break.

    Its size grows with reigns and starts, not with lines. Logs may begin in the middle (the oldest files are thrown
    away), have gaps, or lack peers: what then is not known breaks no rule. Clusters of several names are checked each
    for itself.
    """

    def __init__(self) -> None:
        self._clusters: dict[str, _Cluster] = {}
        self.events = 0
        """Lines taken in, each once."""

    def take(self, line: LogLine) -> None:
        """Take in one line."""
        cluster = self._clusters.get(line.cluster)
        if cluster is None:
            cluster = self._clusters[line.cluster] = _Cluster()
        self.events += cluster.take(line)

    def finish(self) -> list[Finding]:
        """All lines were taken in. Gives what was found, in the order it was met; call it once."""
        return [found for cluster in self._clusters.values() for found in cluster.finish()]

    @property
    def rules(self) -> list[Rule]:
        """The rules that were checked: some hold in quorum mode only."""
        quorum = any(cluster.book.quorum for cluster in self._clusters.values())
        return [rule for rule in RULES if quorum or not rule.quorum]

    @property
    def peers(self) -> int:
        """How many peers wrote lines."""
        return sum(len(cluster.book.logs) for cluster in self._clusters.values())

    @property
    def reigns(self) -> int:
        """How many reigns are told of."""
        return sum(cluster.reigning.count for cluster in self._clusters.values())

    @property
    def more(self) -> int:
        """Findings that were only counted, since there were too many."""
        return sum(cluster.book.uncounted for cluster in self._clusters.values())


def check(lines: Iterable[LogLine]) -> list[Finding]:
    """What breaks a rule in these lines of any number of peers; the lines of each peer come in order."""
    checker = Checker()
    for line in lines:
        checker.take(line)
    return checker.finish()
