"""What a virtual world may be given from outside: a state machine to apply the log to, and a codec of messages.

The core may import neither applications nor the transport, so whoever has them hands them in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Protocol

from tanist.election.entries import Entry, Proposal
from tanist.election.messages import Message
from tanist.election.settings import Safety


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


class Seen(Protocol):
    """What a client saw of one operation: `body` is what it asked, `reply` the answer where `outcome` is `ok`.

    Times are virtual nanoseconds; `outcome` is `open` or `pending` where nobody knows whether it is done.
    """

    process: str
    name: str
    body: bytes
    reply: bytes
    invoked_at: int
    returned_at: int

    @property
    def outcome(self) -> str: ...


class Guest(Protocol):
    """Applications that live one life, and their clients. Made anew for each life. May raise `Broken` anywhere."""

    def machine(self, name: str) -> Machine:
        """The state machine of a process of this peer that begins now."""
        ...

    def command(self, rng: Random, session: str, sequence: int) -> bytes:
        """The body of a random command."""
        ...

    def query(self, rng: Random) -> bytes:
        """Something that is to be read; empty if there is nothing to read."""
        ...

    def look(self, machine: Machine, query: bytes) -> bytes:
        """The answer to a query, from a peer's machine as it is now."""
        ...

    def was_done(self, reply: bytes) -> bool:
        """Whether a reply is the application's own; else nobody knows whether the command was done."""
        ...

    def due(self, machine: Machine, now_ns: int) -> Sequence[Proposal]:
        """What a server proposes by itself at a time of its wall clock: timers that are due."""
        ...

    def look_back(self, history: Sequence[Seen], safety: Safety) -> None:
        """The life has ended well, and this is what clients saw: is it as it should be? Raises `Broken` if not."""
        ...


__all__ = ["Answer", "Codec", "Guest", "Machine", "Seen"]
