"""Entries of the replicated log, and the commands that peers submit."""

from enum import IntEnum

import msgspec

from tanist.election.history import Term


class Kind(IntEnum):
    """What an entry means. Unknown kinds are kept and skipped, so that older peers hold newer logs."""

    REIGN = 1
    """Opens a reign; commits what came before it. Empty body."""
    ROSTER = 2
    """The members from here on. Body: an encoded `Roster`."""
    COMMAND = 3
    """An application command. Body: an encoded `Command`."""
    SESSION_OPENED = 4
    """A session begins. Body: an encoded `SessionOpened`."""
    SESSION_CLOSED = 5
    """A session ends. Body: an encoded `SessionClosed`."""
    TIMER = 6
    """A replicated timer of an application is due. Body: an encoded `TimerDue`."""
    HEAL = 7
    """A history that ended enters this log. Body: an encoded `HealBegun` (see `archived`)."""
    ARCHIVED = 8
    """One of its entries. Body: an encoded `ArchivedEntry`."""
    HEALED = 9
    """All of it is here: its entries' fate is decided. Body: an encoded `HealEnded`."""
    ACCOUNT = 10
    """What one peer saw of a change of servers. Its body is the running peer's; elections look into none."""
    SETTINGS = 11
    """Settings of an application as its first server has them. Its body is the running peer's, too."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry; its index is its place in the log. Stamped by the server that wrote it.

    `time_ns` is log time (never goes back); `seed` makes an application's random numbers the same on
    every peer. `body` is opaque to the election, but for rosters.
    """

    number: int
    holder: str
    kind: int
    time_ns: int
    seed: int
    body: bytes

    @property
    def term(self) -> Term:
        """The term in which it was written."""
        return Term(self.number, self.holder)


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a session asks of an application.

    `floor` is the lowest sequence its session still waits for: what lies below is never waited for.
    `arguments` is MessagePack: a map of the arguments by name. `key` is an idempotency key, or "". `given` is a digest
    of what its caller gave, if the peer that was asked made other arguments of it, not the same ones each time.
    """

    session: str
    sequence: int
    floor: int
    app: str
    name: str
    arguments: msgspec.Raw
    key: str = ""
    given: bytes = b""


class SessionOpened(msgspec.Struct, frozen=True, array_like=True):
    """A session begins: its random id, made by the client, the peer it is at, and its user or ""."""

    session: str
    peer: str
    user: str = ""


class SessionClosed(msgspec.Struct, frozen=True, array_like=True):
    """A session ends, and why."""

    session: str
    reason: str


class TimerDue(msgspec.Struct, frozen=True, array_like=True):
    """A timer that an application set is due: the application and the timer's handle."""

    app: str
    handle: int


class Proposal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is submitted to the server to become an entry: its kind and its body."""

    kind: int
    body: bytes


PROPOSED_KINDS = frozenset({Kind.COMMAND, Kind.SESSION_OPENED, Kind.SESSION_CLOSED, Kind.ACCOUNT})
"""Kinds that a peer may propose; the others only the server writes."""
BODY_BYTES_MAX = 1 << 20
"""Bytes of one entry's body: a larger thing is streamed in parts."""
