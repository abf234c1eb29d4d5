"""One peer of a virtual cluster, its disk, and the connections between two of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tanist.election.core import Core
from tanist.election.entries import Entry, Kind
from tanist.election.events import Event
from tanist.election.messages import SnapshotMeta
from tanist.election.ready import Archive, Input, ReadAnswer
from tanist.election.records import Record, Stored
from tanist.election.roles import Role
from tanist.election.settings import ElectionSettings

if TYPE_CHECKING:
    from tanist.election.simulation.world import World


class Link:
    """One connection. `arrived` is when the newest message each way arrives, so that none overtakes another."""

    def __init__(self, a: str, b: str) -> None:
        self.ends = (a, b)
        self.open = {a: True, b: True}
        self.arrived = {a: 0, b: 0}
        self.held: dict[str, deque[Callable[[], None]]] = {a: deque(), b: deque()}

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
    stored: Stored = field(default_factory=Stored)
    """What the disk adds up to at any time."""
    host: str = ""
    """Where it listens, when that is not its name."""
    core: Core | None = None
    incarnation: int = 0
    frozen: bool = False
    broken: bool = False
    """Its disk takes nothing any more, until it is started again."""
    unreachable: bool = False
    """Its host is gone: connections to it end in silence, and dials in time-outs."""
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
    halted: str = ""
    snapshots: dict[str, tuple[SnapshotMeta, list[tuple[int, Entry]]]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.host or self.name}:7400"

    @property
    def role(self) -> Role | None:
        return self.core.role if self.core else None

    def commands(self) -> list[bytes]:
        """The bodies of the applied commands, in order."""
        return [e.body for _, e in self.applied if e.kind == Kind.COMMAND]

    def names_of(self, kind: type[Event]) -> list[Any]:
        return [e for _, e in self.events if isinstance(e, kind)]
