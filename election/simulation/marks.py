"""Named marks on rare branches: which of them the runs so far came through.

The core already tells of its rare branches: every event that it emits, every transition of roles with its cause, and
every kind of message with its reason. A mark is the name of one of these, so that none costs anything in production.
A run as long as a night that leaves one unhit no longer tests what it seems to test.
"""

from __future__ import annotations

from collections.abc import Iterable

from tanist.election import events, messages
from tanist.election.events import Event, RoleChanged
from tanist.election.messages import Message, Oppose, Refuse, SnapshotChunk, Vote
from tanist.election.ready import Ready
from tanist.election.roles import TRANSITIONS

ELSEWHERE = {
    "event Implausible": ("only a peer that lies says such things", "tests/test_rules.py"),
    "event OlderData": ("a backup that nobody notices may vote twice", "tests/test_core_damage.py"),
    "message Outdated": ("it is the answer to a backup, see OlderData", "tests/test_core_damage.py"),
    "event LossAccepted": ("a person says so when no other copy is left", "tests/test_core_damage.py"),
}
"""Marks that no life can be promised to hit: why, and where else each branch is tested."""
REASONS = ("server_alive", "fresher", "better_rank", "stale_number")
"""Why a canvass is opposed; a vote is refused for the same."""


def all_marks() -> frozenset[str]:
    """Every mark there is."""
    marks = {f"event {cls.__name__}" for cls in events.EVENTS.values()}
    marks |= {f"role {was}: {cause}" for was, cause in TRANSITIONS}
    marks |= {f"message {cls.__name__}" for cls in messages.MESSAGES.values()}
    marks |= {f"opposed: {reason}" for reason in REASONS}
    marks |= {"archived", "rebuilt", "installed", "declined", "halted"}
    return frozenset(marks)


class Marks:
    """Collects the marks of one run. Kept cheap: what was hit is noted as it is, and named at the end."""

    def __init__(self) -> None:
        self._types: set[type[Event] | type[Message]] = set()
        self._named: set[str] = set()

    def note(self, ready: Ready) -> None:
        """One step of one peer."""
        for event in ready.events:
            self._types.add(type(event))
            if isinstance(event, RoleChanged):
                self._named.add(f"role {event.was}: {event.reason}")
        types = self._types
        if ready.snapshot_read:
            # The world reads the chunk, as the shell does, and sends it.
            types.add(SnapshotChunk)
        for _, message in ready.send:
            kind = type(message)
            types.add(kind)
            if kind is Oppose:
                self._named.add(f"opposed: {message.reason}")  # type: ignore[attr-defined]
            elif kind is Vote and not message.granted:  # type: ignore[attr-defined]
                self._named.add(f"vote refused: {message.reason}")  # type: ignore[attr-defined]
            elif kind is Refuse:
                self._named.add(f"refused: {message.code}")  # type: ignore[attr-defined]
        if ready.rebuild:
            self._named.add("installed" if ready.install is not None else "rebuilt")
        if ready.archive:
            self._named.add("archived")
        if ready.declined is not None:
            self._named.add("declined")
        if ready.halt is not None:
            self._named.add("halted")

    def named(self) -> set[str]:
        """All marks that were hit."""
        of_types = {f"{'event' if issubclass(t, Event) else 'message'} {t.__name__}" for t in self._types}
        return of_types | self._named


def unhit(hit: Iterable[str]) -> list[str]:
    """The marks that no run came through."""
    return sorted(all_marks() - ELSEWHERE.keys() - set(hit))


__all__ = ["ELSEWHERE", "Marks", "all_marks", "unhit"]
