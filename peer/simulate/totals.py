"""What many lives added up to."""

from collections import Counter
from dataclasses import dataclass, field

from tanist.election.simulation.marks import unhit


@dataclass
class Found:
    """A life that broke an invariant: the seed, what broke, and all that is needed to see it again."""

    seed: int
    invariant: str
    detail: str
    replay: str
    """The line for `--replay`."""
    scenario: str = ""
    """The scenario it was shrunk to, in the language of scenario files; "" until it is."""
    timeline: str = ""
    history: str = ""
    """What clients saw in the whole life, as `check-history` reads it."""


@dataclass
class Totals:
    """The sums of a run. `took_s` is by the clock on the wall."""

    lives: int = 0
    events: int = 0
    steps: int = 0
    simulated_ns: int = 0
    took_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    marks: set[str] = field(default_factory=set)
    safeties: Counter[str] = field(default_factory=Counter)
    checked_operations: int = 0
    """Operations of clients that were held against a model."""
    commands: int = 0
    """Commands of the applications under test, counted once an entry."""
    failures: list[Found] = field(default_factory=list)

    def add(self, other: "Totals") -> None:
        """Add the sums of other lives."""
        self.lives += other.lives
        self.events += other.events
        self.steps += other.steps
        self.simulated_ns += other.simulated_ns
        self.faults += other.faults
        self.marks |= other.marks
        self.safeties += other.safeties
        self.checked_operations += other.checked_operations
        self.commands += other.commands
        self.failures += other.failures

    @property
    def events_per_second(self) -> float:
        """Events a second, all processes together."""
        return self.events / self.took_s if self.took_s else 0.0

    @property
    def simulated_hours(self) -> float:
        """Hours that passed in virtual worlds: of clusters, not of peers."""
        return self.simulated_ns / 3_600e9

    @property
    def unhit(self) -> list[str]:
        """Marks on rare branches that no life came through."""
        return unhit(self.marks)

    @property
    def first_failure(self) -> Found | None:
        """The failure of the lowest seed."""
        return min(self.failures, key=lambda found: found.seed, default=None)
