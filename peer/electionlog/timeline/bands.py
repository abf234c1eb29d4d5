"""Faults that were injected, as bands, and marks: what whoever caused or watched all this noted about it."""

from collections import deque
from dataclasses import dataclass
from math import isfinite

from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.peer_events import FaultEnded, FaultInjected, PeerStarted
from tanist.peer.electionlog.timeline.states import KEPT_MAX

OPEN_MAX = 256
"""Faults that are open at once; more are drawn for as long as they said they would last."""
NOTED = "noted"
"""The failure of which only the note is to be told: it was done from outside (see tanist.peer.faults.requests)."""

_OPEN = float("inf")


@dataclass(frozen=True, slots=True)
class Mark:
    """A note: from when to when in milliseconds since 1970, what it says, and the peer (name or id) it is about.

    `kind` is one word, such as "kill" or "step". Without `until_ms` it is a moment; without a peer it is about all.
    """

    at_ms: float
    text: str
    kind: str = "mark"
    peer: str = ""
    until_ms: float | None = None

    @property
    def last_ms(self) -> float:
        """When it ends; its moment, where it is one."""
        return self.at_ms if self.until_ms is None else self.until_ms


@dataclass(slots=True)
class Fault:
    """A fault that befell a peer. `line` is the number of the line that tells; `last_ms` its end, once it is known."""

    peer: str
    kind: str
    begin: float
    last_ms: float
    text: str
    line: int
    for_ms: float


class Faults:
    """Takes lines with their moments and their numbers, in order."""

    def __init__(self) -> None:
        self._found: deque[Fault] = deque(maxlen=KEPT_MAX)
        self._open: dict[tuple[str, str], Fault] = {}

    def take(self, at: float, number: int, line: LogLine) -> None:
        """Take in one line."""
        match line.body:
            case FaultInjected(fault=name, failure=failure, detail=detail, for_ms=for_ms):
                meant = for_ms if isfinite(for_ms) else 0.0
                # What was done from outside says itself what it was.
                text = detail if failure == NOTED and detail else f"{failure} {detail}".rstrip()
                fault = Fault(line.peer, failure, at, _OPEN, text, number, meant)
                self._found.append(fault)
                if len(self._open) < OPEN_MAX:
                    self._open[line.peer, name] = fault
            case FaultEnded(fault=name):
                if ended := self._open.pop((line.peer, name), None):
                    ended.last_ms = at
            case PeerStarted() if self._open:
                # Faults inside a process end with it.
                for key in [key for key in self._open if key[0] == line.peer]:
                    self._open.pop(key).last_ms = at

    def finish(self, end: float) -> list[Fault]:
        """All faults; those that no line ends last as long as they were meant to, or until `end`."""
        for fault in self._found:
            if fault.last_ms == _OPEN:
                fault.last_ms = min(end, fault.begin + fault.for_ms) if fault.for_ms > 0 else end
        return list(self._found)
