"""What clients did and were told: for the check of linearizability, and for outages as they felt them."""

import time
from itertools import pairwise
from pathlib import Path

import msgspec

from tanist.election.linearizability.models import Kv
from tanist.election.linearizability.operations import Operation, Outcome
from tanist.election.linearizability.recorded import write_header, write_operation

OPERATIONS_MAX = 100_000
"""Operations of one history: an hour of several clients. Clients stop there, so that memory and checks stay bounded."""
OUTAGE_S = 0.25
"""A silence that counts as an outage: longer than an answer takes on a busy machine while somebody serves."""


class Silence(msgspec.Struct, frozen=True):
    """A time in which no write was answered, by the monotonic clock: from the last answer before to the first after."""

    began_s: float
    ended_s: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended_s - self.began_s


class History:
    """Operations of many clients, by one monotonic clock."""

    model = "kv"
    """What the objects should keep to (docs/reference/histories.md)."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._began_ns = time.monotonic_ns()
        self._answers: list[tuple[int, int]] = []
        """Of acknowledged writes: when each was asked for and answered, in the order of the answers."""
        self._writing = True

    @property
    def full(self) -> bool:
        """Whether no more is recorded."""
        return len(self.operations) >= OPERATIONS_MAX

    def add(self, done: Operation) -> None:
        """An operation has ended, or been given up."""
        self.operations.append(done)
        if done.outcome is Outcome.OK and not _reads(done):
            self._answers.append((done.began, done.ended))

    def ends(self) -> None:
        """Clients ask for nothing more: what follows is no silence."""
        self._writing = False

    # What it shows

    @property
    def acknowledged(self) -> int:
        """Writes that were answered."""
        return len(self._answers)

    @property
    def unknown(self) -> int:
        """Writes of which no client knows whether they are done."""
        return sum(1 for done in self.operations if done.outcome is Outcome.UNKNOWN and not _reads(done))

    @property
    def reads(self) -> int:
        """Reads that were answered."""
        return sum(1 for done in self.operations if done.outcome is Outcome.OK and _reads(done))

    def answered_since(self, began_s: float) -> bool:
        """Whether a write was acknowledged that was asked for after this moment of `time.monotonic`."""
        return any(began >= began_s * 1e9 for began, _ in reversed(self._answers))

    def silences(self, longer_than_s: float = OUTAGE_S) -> list[Silence]:
        """The outages: when no write of any client was answered for longer than this; the present one included."""
        moments = [self._began_ns, *(answered for _, answered in self._answers)]
        if self._writing:
            moments.append(time.monotonic_ns())
        pauses = (Silence(earlier / 1e9, later / 1e9) for earlier, later in pairwise(moments))
        return [pause for pause in pauses if pause.seconds > longer_than_s]

    def longest_silence_s(self) -> float:
        """The longest time in which no write was answered, the present one included."""
        return max((pause.seconds for pause in self.silences(0.0)), default=0.0)

    def silent_s(self) -> float:
        """How long no write has been answered by now; 0 once clients have ended."""
        last_ns = self._answers[-1][1] if self._answers else self._began_ns
        return (time.monotonic_ns() - last_ns) / 1e9 if self._writing else 0.0

    def write(self, path: Path) -> None:
        """Write it all as a file that `tanist check-history` reads."""
        with path.open("w", encoding="utf-8") as file:
            file.write(write_header(self.model) + "\n")
            file.writelines(write_operation(done) + "\n" for done in self.operations)


def _reads(done: Operation) -> bool:
    return Kv().reads(done) and done.call == "get"
