"""Rules of roles and of planned moves: what may follow what, and who may hand over to whom, and when."""

from collections.abc import Mapping

from tanist.election.events import BetterRanked, Event, HandoverBegan, ReignBegan, RoleChanged, Woke
from tanist.election.roles import TRANSITIONS, Role
from tanist.peer.electionlog.checks.book import Book, Handler, Rules, Start
from tanist.peer.electionlog.checks.rule import Place, Rule, place_of
from tanist.peer.electionlog.line import LogLine

EARLY_MS = 1.0
"""How much too early a hand-over may seem: the log's clock is read a little after the core's."""

TRANSITION = Rule(
    "transition",
    "A role is left for the one that the table of roles names for that cause, and each start begins seeking.",
    "A peer took a way into a role that the protocol does not have.",
)
HANDOVER_TO = Rule(
    "handover-to",
    "A server hands over to another peer, never to itself.",
    "The cluster is without a server for nothing.",
)
PREEMPTION = Rule(
    "preemption",
    "A better-ranked peer is handed to only after it was told to be better, and that long without a break.",
    "Two peers can take the reign from each other again and again.",
)

PREEMPTED = "it is ranked above this server"
"""How the reason of a hand-over begins that nobody asked for (see election/preempting.py)."""

_NEXT: dict[tuple[str, str], str] = {(was, cause): role for (was, cause), role in TRANSITIONS.items()}


class Moving(Rules):
    """Follows roles, and hand-overs that servers begin by themselves."""

    RULES = (TRANSITION, HANDOVER_TO, PREEMPTION)

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self._roles: dict[Start, tuple[str, Place]] = {}
        self._better: dict[Start, tuple[str, float, Place]] = {}
        """By start: who was told to be better, from when on it may take over, and where that is told."""

    def handlers(self) -> Mapping[type[Event], Handler]:
        return {
            RoleChanged: self._role,
            ReignBegan: self._reigns,
            BetterRanked: self._is_better,
            HandoverBegan: self._hands_over,
            Woke: self._wakes,
        }

    def _role(self, start: Start, line: LogLine, changed: RoleChanged) -> None:
        known = self._roles.get(start)
        was = known[0] if known is not None else Role.SEEKING if start.whole else changed.was
        also = (known[1],) if known is not None else ()
        if changed.was != was:
            self.book.found(TRANSITION, line, f"{line.name} was {changed.was}, and last told to be {was}", *also)
        elif _NEXT.get((changed.was, changed.reason)) != changed.role:
            text = f'{line.name} goes from {changed.was} to {changed.role} for "{changed.reason}"'
            self.book.found(TRANSITION, line, text)
        self._roles[start] = changed.role, place_of(line)

    def _reigns(self, start: Start, line: LogLine, began: ReignBegan) -> None:
        self._better.pop(start, None)

    def _is_better(self, start: Start, line: LogLine, better: BetterRanked) -> None:
        self._better[start] = better.peer, line.mono_ms + better.wait_ms, place_of(line)

    def _wakes(self, start: Start, line: LogLine, woke: Woke) -> None:
        """What clocks say across a sleep is not compared."""
        if known := self._better.get(start):
            self._better[start] = known[0], 0.0, known[2]

    def _hands_over(self, start: Start, line: LogLine, handover: HandoverBegan) -> None:
        heir = self.book.name(handover.heir)
        if handover.heir == line.peer:
            self.book.found(HANDOVER_TO, line, f"{line.name} hands over to itself")
        if not handover.reason.startswith(PREEMPTED):
            return
        known = self._better.get(start)
        if known is None or known[0] != handover.heir:
            if known is not None or start.whole:
                text = f"{line.name} hands over to {heir}, which it did not tell to be better"
                self.book.found(PREEMPTION, line, text, *((known[2],) if known else ()))
        elif line.mono_ms < known[1] - EARLY_MS:
            text = f"{line.name} hands over to {heir} {known[1] - line.mono_ms:.0f} ms too early"
            self.book.found(PREEMPTION, line, text, known[2])
