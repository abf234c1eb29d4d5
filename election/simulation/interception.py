"""Messages that a scenario keeps back, loses or doubles, by name and by way: what only one order of them shows."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from tanist.election.messages import Message

ANY = "*"
"""Stands for every peer."""


class Fate(StrEnum):
    """What becomes of messages."""

    HELD = "held"
    DROPPED = "dropped"
    TWICE = "twice"


class Interception:
    """The rules in force. A world asks for each message that it is about to send."""

    def __init__(self) -> None:
        self.rules: dict[tuple[str, str, str], Fate] = {}
        self.held: list[tuple[tuple[str, str, str], Callable[[], None]]] = []

    def copies(self, a: str, b: str, message: Message, send: Callable[[], None]) -> int:
        """How many times a message goes out now. `send` is kept for later if it is held."""
        kind = type(message).__name__
        ways = (a, b, kind), (a, ANY, kind), (ANY, b, kind), (ANY, ANY, kind)
        way = next((w for w in ways if w in self.rules), None)
        if way is None:
            return 1
        match self.rules[way]:
            case Fate.HELD:
                self.held.append((way, send))
                return 0
            case Fate.DROPPED:
                return 0
            case Fate.TWICE:
                return 2

    def lift(self, a: str, b: str, kind: str) -> list[Callable[[], None]]:
        """End the rule for this way and name; what it held is to be sent now, in order."""
        way = a, b, kind
        self.rules.pop(way, None)
        due = [send for at, send in self.held if at == way]
        self.held = [(at, send) for at, send in self.held if at != way]
        return due

    def end(self) -> None:
        """All rules end; what was held is lost."""
        self.rules.clear()
        self.held.clear()


__all__ = ["ANY", "Fate", "Interception"]
