"""The story of a drill, told while it goes on: what is done to the peers, what they make of it, what clients see."""

from __future__ import annotations

import time

from tanist.election import events
from tanist.peer.drills.report import Tell
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.sentences import Names, sentence

SILENCE_S = 0.5
"""A silence that clients notice: longer than any answer takes while somebody serves."""
TOLD = frozenset(
    {
        events.ServerLost,
        events.RetriesExhausted,
        events.ReignBegan,
        events.ReignEnded,
        events.HandoverBegan,
        events.Woke,
        events.HealStarted,
        events.HealFinished,
        events.SuffixArchived,
        events.DiskStalled,
        events.DiskGaveOut,
        events.DamageFound,
    }
)
"""What a newcomer wants to hear of elections; `tanist log show` tells the rest."""


class Story:
    """Tells one drill through `say`: the moment in seconds, the kind of line (`step`, `log`, `clients`), who, what."""

    def __init__(self, say: Tell) -> None:
        self._say = say
        self._names = Names()
        self._began_s = time.monotonic()
        self._silent_since_s: float | None = None

    def step(self, text: str) -> None:
        """A step begins."""
        self._tell("step", "", text)

    def line(self, line: LogLine) -> None:
        """A peer wrote a line into its election log."""
        self._names.learn(line)
        if type(line.body) in TOLD:
            self._tell("log", line.name, sentence(line, self._names))

    def clients(self, silent_s: float) -> None:
        """For how long no client has been answered by now: told when it is noticed, and when it has ended."""
        now_s = time.monotonic()
        if silent_s >= SILENCE_S and self._silent_since_s is None:
            self._silent_since_s = now_s - silent_s
            self._tell("clients", "clients", "no answer")
        elif silent_s < SILENCE_S and self._silent_since_s is not None:
            waited_s = now_s - silent_s - self._silent_since_s
            self._silent_since_s = None
            self._tell("clients", "clients", f"answered again, after {waited_s * 1000:.0f} ms")

    def _tell(self, kind: str, who: str, text: str) -> None:
        self._say(time.monotonic() - self._began_s, kind, who, text)


__all__ = ["SILENCE_S", "TOLD", "Story"]
