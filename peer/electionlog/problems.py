"""What could not be read of election logs, told to people while the rest is read."""

from collections import Counter
from pathlib import Path
from typing import TextIO

from tanist.peer.electionlog.reader import Problem
from tanist.peer.electionlog.terminal import printable

PROBLEMS_SHOWN_MAX = 20
"""Problems of one file that are told in full; the others are counted, a foreign file has one a line."""


class Problems:
    """Tells problems as they are met, and counts those of a file that has too many."""

    def __init__(self, errors: TextIO) -> None:
        self._errors = errors
        self._count: Counter[Path] = Counter()
        self.unreadable = False
        """Whether a whole file, or the rest of one, could not be read."""

    @property
    def count(self) -> int:
        """How many there were."""
        return self._count.total()

    def take(self, problem: Problem) -> None:
        """Tell or count one problem."""
        self.unreadable = self.unreadable or problem.line == 0
        self._count[problem.path] += 1
        if self._count[problem.path] <= PROBLEMS_SHOWN_MAX:
            self._errors.write(f"{printable(str(problem))}\n")

    def end(self) -> None:
        """Tell how many were only counted."""
        for path, count in self._count.items():
            if count > PROBLEMS_SHOWN_MAX:
                self._errors.write(f"{printable(str(path))}: and {count - PROBLEMS_SHOWN_MAX} more such lines\n")
