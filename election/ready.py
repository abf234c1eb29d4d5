"""What goes into the core, and what comes out: one value whose fields are the order of carrying it out.

`persist`, then `send`, then `apply`. What must wait for the disk (votes, acknowledgements) is not in the
`send` of the same step: it comes out of the later step that takes in `Persisted`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tanist.election.condition import Load, Power
from tanist.election.entries import Entry, Proposal
from tanist.election.evidence import Evidence
from tanist.election.messages import Message, SnapshotMeta
from tanist.election.records import Record

if TYPE_CHECKING:
    from tanist.election.events import Event

# Inputs


@dataclass(frozen=True, slots=True)
class Remote:
    """Who is at the other end of a link, as its hello said.

    `incarnation` is the stored counter and the random part of its start.
    """

    id: str
    name: str
    address: str
    incarnation: tuple[int, int]
    serve: bool
    priority: int
    founding: str = ""
    """Quorum mode: the founding of its cluster, once there is one."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A link to a peer is open, hellos exchanged. `dialed` is the address that was dialed, or None."""

    remote: Remote
    dialed: str | None


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The last link to a peer ended."""

    peer: str
    evidence: Evidence
    detail: str


@dataclass(frozen=True, slots=True)
class DialFailed:
    """A dial that the core asked for came to nothing."""

    address: str
    evidence: Evidence
    detail: str


@dataclass(frozen=True, slots=True)
class Received:
    """A message from a linked peer."""

    peer: str
    message: Message


@dataclass(frozen=True, slots=True)
class Submit:
    """Commands and sessions of this peer's own clients, on their way into the log."""

    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class Persisted:
    """All records of `Ready`s up to `persist_id` are on disk."""

    persist_id: int


@dataclass(frozen=True, slots=True)
class DiskFailed:
    """The disk does not take what must be on it: a reign ends, and this peer stands for none."""

    detail: str


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """The application's state up to `meta.index` is on disk."""

    meta: SnapshotMeta


@dataclass(frozen=True, slots=True)
class SnapshotReceived:
    """An offered snapshot arrived whole and was checked (`error` empty), or did not."""

    meta: SnapshotMeta
    error: str


@dataclass(frozen=True, slots=True)
class ReadAsked:
    """A client of this peer wants to read what is true at the server; `prove`: linearizably."""

    request: int
    prove: bool


@dataclass(frozen=True, slots=True)
class HandOverAsked:
    """Hand the reign to a peer, or to the heir (None)."""

    to: str | None


@dataclass(frozen=True, slots=True)
class LeaveAsked:
    """Take a member (this one or another) out of the roster."""

    peer: str


@dataclass(frozen=True, slots=True)
class AbandonAsked:
    """A person gives up a founding attempt that waits for somebody who will not come."""


@dataclass(frozen=True, slots=True)
class LossAccepted:
    """A person goes on from what is sound of damaged data, since no other copy is left (survivor mode)."""


@dataclass(frozen=True, slots=True)
class GoodbyeAsked:
    """This peer ends now, cleanly: tell everyone."""

    reason: str


@dataclass(frozen=True, slots=True)
class ConditionRead:
    """How this peer's machine is powered and loaded now; told when it changed."""

    power: Power
    load: Load


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """Others reach this peer at another address from now on: its host has moved to another network.

    Tell it before the next link is up. Links made before go on as long as they hold.
    """

    address: str


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline has come."""


Input = (
    LinkUp
    | LinkDown
    | DialFailed
    | Received
    | Submit
    | Persisted
    | DiskFailed
    | SnapshotTaken
    | SnapshotReceived
    | ReadAsked
    | HandOverAsked
    | LeaveAsked
    | AbandonAsked
    | LossAccepted
    | GoodbyeAsked
    | ConditionRead
    | AddressChanged
    | Tick
)

# Outputs


@dataclass(frozen=True, slots=True)
class Dial:
    """Open a link: connect and hello within `timeout_ns`, answered by `LinkUp` or `DialFailed`."""

    address: str
    timeout_ns: int


@dataclass(frozen=True, slots=True)
class Archive:
    """Entries that leave the log without having been everyone's: keep them readable before they go.

    Written to disk before `persist` of the same `Ready`. `acknowledged_to` is the last index in them that
    this peer knows to have been committed. `snapshot` is set when entries before `first` leave too that only
    this peer's snapshot still holds: keep a copy of its file.
    """

    first: int
    entries: tuple[Entry, ...]
    acknowledged_to: int
    reason: str
    snapshot: SnapshotMeta | None = None


@dataclass(frozen=True, slots=True)
class Apply:
    """Entries that are committed now: `first` is the index of the first of them. With the receipt."""

    first: int
    entries: Sequence[Entry]
    durability: str
    reach: int
    members: int


@dataclass(frozen=True, slots=True)
class SnapshotRead:
    """A peer wants bytes of a snapshot this peer has: read at most `bytes_max` and send them as a `SnapshotChunk`."""

    peer: str
    index: int
    digest: str
    offset: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class SnapshotWrite:
    """Bytes of an offered snapshot: keep them at `offset`, and say `SnapshotReceived` when whole."""

    meta: SnapshotMeta
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """Apply up to `index`, then read; -1 when there is nobody to say."""

    request: int
    index: int


@dataclass(frozen=True, slots=True)
class Halt:
    """This peer cannot go on: an exit status and a sentence that says what to do."""

    code: str
    text: str


@dataclass(slots=True)
class Ready:
    """All that one step asks for. Carry it out from top to bottom."""

    archive: list[Archive] = field(default_factory=list)
    persist: list[Record] = field(default_factory=list)
    persist_id: int = 0
    """Say `Persisted(persist_id)` when `persist` is on disk; ids only grow."""
    send: list[tuple[str, Message]] = field(default_factory=list)
    """To peers by id. A peer without a link is skipped: the core learns of lost links by `LinkDown`."""
    dial: list[Dial] = field(default_factory=list)
    close: list[tuple[str, str]] = field(default_factory=list)
    """Links to end after what was sent: peer id and reason."""
    rebuild: bool = False
    """Applied entries left the log: begin the application's state anew, from `install` or from nothing."""
    common: int = 0
    """With `rebuild`: up to this index what is applied anew is what was applied before."""
    install: SnapshotMeta | None = None
    """Replace the application's state by this snapshot, before `apply`."""
    apply: Apply | None = None
    snapshot_read: list[SnapshotRead] = field(default_factory=list)
    snapshot_write: list[SnapshotWrite] = field(default_factory=list)
    reads: list[ReadAnswer] = field(default_factory=list)
    declined: float | None = None
    """Own submissions were declined: submit what still waits again after so many milliseconds."""
    events: "list[Event]" = field(default_factory=list)
    halt: Halt | None = None
    deadline: int | None = None
    """When to say `Tick`, in the nanoseconds of `now`."""
