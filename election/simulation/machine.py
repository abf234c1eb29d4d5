"""What a virtual world may be given from outside: a state machine to apply the log to, and a codec of messages.

The core may import neither applications nor the transport, so whoever has them hands them in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from tanist.election.entries import Entry
from tanist.election.messages import Message


class Answer(Protocol):
    """The reply to one command of a session, applied at `index`."""

    @property
    def session(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def index(self) -> int: ...
    @property
    def reply(self) -> bytes: ...


class Machine(Protocol):
    """A replicated state machine: a pure function of the log. None of its methods raises or waits."""

    def apply(self, first: int, entries: Sequence[Entry]) -> Iterable[Answer]:
        """Apply committed entries, the first at index `first`; the answers to their commands, in log order."""
        ...

    def snapshot(self) -> bytes:
        """The whole state, up to what was applied last."""
        ...

    def restore(self, state: bytes) -> None:
        """Become what `snapshot` gave, here or at another peer."""
        ...

    def digest(self) -> bytes | int:
        """Equal for equal states: compared between peers that applied up to the same entry."""
        ...


class Codec(Protocol):
    """Messages to bytes and back, as they would be on the wire."""

    def encode(self, message: Message) -> bytes:
        """The bytes of a message."""
        ...

    def decode(self, data: bytes) -> Message:
        """The message of such bytes. Raises when they are none."""
        ...


__all__ = ["Answer", "Codec", "Machine"]
