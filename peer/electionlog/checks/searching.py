"""Rules of losing a server: as many retries as configured and not too early, then the list, in its order."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tanist.election.events import (
    Event,
    FallbackChosen,
    FallbackStruck,
    ReignEnded,
    RetriesExhausted,
    RetryStarted,
    RoleChanged,
    ServerLost,
    Woke,
)
from tanist.election.roles import Role
from tanist.peer.electionlog.checks.book import Book, Handler, Rules, Start
from tanist.peer.electionlog.checks.rule import Place, Rule, place_of
from tanist.peer.electionlog.line import LogLine

EARLY_MS = 1.0
"""How much too early a retry may seem: times are told as floats, from a clock of nanoseconds."""

RETRY_COUNT = Rule(
    "retry-count",
    "Retries are numbered from 1 without a gap, and there are no more than `retry.attempts`.",
    "A peer gives up its server sooner, or later, than it was configured to.",
)
RETRY_SPACING = Rule(
    "retry-spacing",
    "Retry k starts no earlier than k times `retry.interval` after the loss.",
    "A server that is only slow is given up too soon.",
)
GAVE_UP = Rule(
    "gave-up-early",
    "The list is walked after all retries, or once something said that the server is gone for good.",
    "A server that would have answered is replaced.",
)
FALLBACK_ORDER = Rule(
    "fallback-order",
    "Whoever is gone to, or stands itself, is first in the list of those that were not struck off.",
    "Two peers can stand at once, or a worse one serves though a better one answers.",
)
LOST_SERVER = Rule(
    "lost-server",
    "A peer loses the server that it was a client of, and no other.",
    "It counts retries for a server that is not its own.",
)


@dataclass(slots=True)
class _Search:
    """One start's present search, and the reign it was a client of; None where that is not told."""

    term: str | None
    attempt: int = 0
    address: str = ""
    struck: set[str] = field(default_factory=set)
    whole: bool = True
    """Whether the search is told from its begin."""


class Searching(Rules):
    """Counts retries, and follows the walk through the list."""

    RULES = (RETRY_COUNT, RETRY_SPACING, GAVE_UP, FALLBACK_ORDER, LOST_SERVER)

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._searches: dict[Start, _Search] = {}
        self._joined: dict[Start, Place] = {}

    def handlers(self) -> Mapping[type[Event], Handler]:
        return {
            RoleChanged: self._role,
            ServerLost: self._lost,
            ReignEnded: self._anew,
            Woke: self._wakes,
            RetryStarted: self._retry,
            RetriesExhausted: self._exhausted,
            FallbackStruck: self._struck,
            FallbackChosen: self._chosen,
        }

    def _of(self, start: Start) -> _Search:
        search = self._searches.get(start)
        if search is None:
            search = self._searches[start] = _Search("" if start.whole else None, whole=start.whole)
        return search

    def _role(self, start: Start, line: LogLine, changed: RoleChanged) -> None:
        search = self._of(start)
        if changed.role == Role.CLIENT:
            search.term = changed.term
            self._joined[start] = place_of(line)
        elif changed.role == Role.SEEKING:
            # The retries of a search before it, if there were any, are over.
            search.attempt = 0

    def _lost(self, start: Start, line: LogLine, lost: ServerLost) -> None:
        search = self._of(start)
        if search.term is not None and search.term != lost.term:
            client = f"is a client of {search.term}" if search.term else "is no client of any"
            also = (self._joined[start],) if start in self._joined else ()
            self.book.found(LOST_SERVER, line, f"{line.name} loses the server of {lost.term}, and {client}", *also)
        self._anew(start, line, lost)

    def _anew(self, start: Start, line: LogLine, event: ServerLost | ReignEnded) -> None:
        """A search begins that knows nothing of those before."""
        search = self._of(start)
        search.attempt, search.struck, search.whole = 0, set(), True

    def _wakes(self, start: Start, line: LogLine, woke: Woke) -> None:
        self._of(start).attempt = 0

    def _retry(self, start: Start, line: LogLine, retry: RetryStarted) -> None:
        search, settings = self._of(start), start.settings
        next_one = retry.attempt == search.attempt + 1
        # At a first start one retry goes to several addresses.
        same = retry.attempt == search.attempt and retry.address != search.address
        most = settings.retry_attempts if settings is not None else 0
        if search.whole and not (next_one or same):
            self.book.found(RETRY_COUNT, line, f"{line.name} makes retry {retry.attempt} after retry {search.attempt}")
        elif most and max(retry.attempt, retry.attempts) > most:
            text = f"{line.name} makes retry {retry.attempt} of {retry.attempts}: configured are {most}"
            self.book.found(RETRY_COUNT, line, text)
        search.attempt, search.address = retry.attempt, retry.address
        least_ms = retry.attempt * settings.retry_interval_ms if settings is not None else 0.0
        if retry.after_ms < least_ms - EARLY_MS:
            text = (
                f"{line.name} makes retry {retry.attempt} {retry.after_ms:.0f} ms after the loss: "
                f"not before {least_ms:g} ms"
            )
            self.book.found(RETRY_SPACING, line, text)

    def _exhausted(self, start: Start, line: LogLine, exhausted: RetriesExhausted) -> None:
        settings = start.settings
        if settings is None or exhausted.ended_by or exhausted.attempts >= settings.retry_attempts:
            return
        text = f"{line.name} gives up after {exhausted.attempts} of {settings.retry_attempts} retries, without a reason"
        self.book.found(GAVE_UP, line, text)

    def _struck(self, start: Start, line: LogLine, struck: FallbackStruck) -> None:
        self._of(start).struck.add(struck.peer)

    def _chosen(self, start: Start, line: LogLine, chosen: FallbackChosen) -> None:
        search = self._of(start)
        passed = [peer for peer in chosen.before if peer not in search.struck] if search.whole else []
        if passed:
            to = "stands itself" if chosen.peer == line.peer else f"goes to {self.book.name(chosen.peer)}"
            names = ", ".join(map(self.book.name, passed))
            self.book.found(FALLBACK_ORDER, line, f"{line.name} {to}, and did not strike off {names} first")
