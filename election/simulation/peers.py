"""One peer of a virtual cluster: its process, its disk, its clock, and its ends of connections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from tanist.election.core import Core
from tanist.election.entries import Entry, Kind
from tanist.election.events import Event
from tanist.election.log import Log
from tanist.election.messages import SnapshotMeta
from tanist.election.ready import Archive, Input, ReadAnswer
from tanist.election.records import Record, Stored
from tanist.election.roles import Role
from tanist.election.roster import Roster
from tanist.election.settings import ElectionSettings
from tanist.election.simulation.machine import Machine

if TYPE_CHECKING:
    from tanist.election.simulation.world import World


class Port(StrEnum):
    """What a dial finds at a peer whose process runs."""

    OPEN = "open"
    REFUSING = "refusing"
    """A firewall answers for it."""
    MUTE = "mute"
    """Connections are accepted, and no hello is ever said."""
    DARK = "dark"
    """Nothing answers at all."""
    FOREIGN = "foreign"
    """Another cluster's peer has its address, whether it runs or not."""


class KeptSnapshot(NamedTuple):
    """A snapshot file: what the core knows of it, the machine's state, and the entries that it sums up.

    Those are the first `length` of a list that only grows, so that a snapshot costs nothing.
    """

    meta: SnapshotMeta
    state: bytes
    entries: list[tuple[int, Entry]]
    length: int

    @property
    def applied(self) -> list[tuple[int, Entry]]:
        """Each entry that it sums up, with its index."""
        return self.entries[: self.length]


class Link:
    """One connection. `arrived` is when the newest message each way arrives, so that none overtakes another."""

    __slots__ = ("arrived", "ends", "held", "ids", "incarnations", "open", "ways")

    def __init__(self, a: VirtualPeer, b: VirtualPeer) -> None:
        x, y = a.name, b.name
        self.ends = (x, y)
        self.ids = {x: a.id, y: b.id}
        self.incarnations = {x: a.incarnation, y: b.incarnation}
        self.open = {x: True, y: True}
        self.arrived = {x: 0, y: 0}
        self.held: dict[str, deque[tuple[Any, ...]]] = {x: deque(), y: deque()}
        self.ways = {x: (y, x), y: (x, y)}
        """By the end that receives: from whom to whom."""

    def other(self, name: str) -> str:
        return self.ends[1] if name == self.ends[0] else self.ends[0]


@dataclass
class VirtualPeer:
    """One peer of the world: its core while it runs, and its disk always."""

    world: World
    name: str
    id: str
    settings: ElectionSettings
    given: tuple[str, ...] = ()
    disk: list[Record] = field(default_factory=list)
    """All records that reached the disk, in order; written by `Disks.keep` alone."""
    stored: Stored = field(default_factory=Stored)
    """What the disk adds up to at any time."""
    host: str = ""
    """Where it listens, when that is not its name."""
    core: Core | None = None
    machine: Machine | None = None
    order: int = 0
    """Which one of its world it is."""
    incarnation: int = 0
    """The count of its processes in this world."""
    starts: int = 0
    """The count of its starts, as its data have it: it goes back with them."""
    frozen: bool = False
    broken: bool = False
    """Its disk takes nothing any more, until it is started again."""
    hung: bool = False
    """Its disk finishes nothing for a while, and says nothing."""
    slow: float = 1.0
    """How many times longer than usual its disk takes."""
    damaged: bool = False
    """Part of what was on its disk fails its checks: at its next start it knows only what is sound."""
    lost: int = 0
    """How often something on its disk was lost."""
    wiped: int = 0
    """How often it lost its disk, and with it its id."""
    unreachable: bool = False
    """Its host is gone: connections to it end in silence, and dials in time-outs."""
    port: Port = Port.OPEN
    refused_at: int | None = None
    """When it was last taken for dead while it ran: its host refused a connection to it."""
    ahead: int = 0
    """Nanoseconds by which its clock is ahead of the world's at `skewed_at`."""
    rate: float = 1.0
    """How fast its clock runs since `skewed_at`."""
    skewed_at: int = 0
    wall_ahead: int = 0
    """Nanoseconds by which its wall clock is ahead."""
    inbox: list[Callable[[], Input | None]] = field(default_factory=list)
    links: dict[str, list[Link]] = field(default_factory=dict)
    """By peer name, oldest first; what is sent goes over the newest, as in `tanist.peer.links`."""
    writes: deque[tuple[list[Record], int]] = field(default_factory=deque)
    written_at: int = 0
    applied: list[tuple[int, Entry]] = field(default_factory=list)
    events: list[tuple[int, Event]] = field(default_factory=list)
    archives: list[Archive] = field(default_factory=list)
    reads: list[ReadAnswer] = field(default_factory=list)
    declined: int = 0
    deadline: int | None = None
    """When its core wants to be called, by its own clock."""
    wake_at: int | None = None
    """When the world looks at that next."""
    halted: str = ""
    snapshots: dict[str, KeptSnapshot] = field(default_factory=dict)
    snapshot_due: bool = False
    """Whether a snapshot is being written."""

    @property
    def address(self) -> str:
        return f"{self.host or self.name}:7400"

    @property
    def role(self) -> Role | None:
        return self.core.role if self.core else None

    @property
    def sound(self) -> bool:
        """Whether all that it ever promised is on its disk, or the server has made up for what is not."""
        damage = self.core.node.damage if self.core is not None else self.stored.damage
        return not self.damaged and damage is None

    def clock(self) -> int:
        """What its clock says now."""
        now = self.world.now
        if self.rate == 1.0:
            return now + self.ahead
        return now + self.ahead + int((now - self.skewed_at) * (self.rate - 1.0))

    def world_time(self, at: int) -> int:
        """When in the world its clock will say `at`, never a moment too early."""
        if self.rate == 1.0:
            return at - self.ahead
        return self.skewed_at + int((at - self.ahead - self.skewed_at) / self.rate) + 1

    def roster(self) -> Roster:
        """The newest roster that it knows, or that its disk holds."""
        if self.core is not None:
            return self.core.node.log.roster
        log = Log()
        if self.stored.snapshot is not None:
            log.reset(self.stored.snapshot)
        log.append(self.stored.entries)
        return log.roster

    def bodies(self) -> set[bytes]:
        """The bodies of all entries that its disk holds in any form: log, snapshot or archive."""
        found = {e.body for e in self.stored.entries}
        archived = [a.snapshot for a in self.archives]
        for meta in (self.stored.snapshot, *archived):
            if meta is not None and meta.digest in self.snapshots:
                found |= {e.body for _, e in self.snapshots[meta.digest].applied}
        for archive in self.archives:
            found |= {e.body for e in archive.entries}
        return found

    def commands(self) -> list[bytes]:
        """The bodies of the applied commands, in order."""
        return [e.body for _, e in self.applied if e.kind == Kind.COMMAND]

    def names_of(self, kind: type[Event]) -> list[Any]:
        return [e for _, e in self.events if isinstance(e, kind)]


__all__ = ["KeptSnapshot", "Link", "Port", "VirtualPeer"]
