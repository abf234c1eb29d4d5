"""What a drill is performed on: a cluster that it started itself, or peers that were running already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from tanist.peer.drills.asking import Status

Disk = Literal["full", "slow", "read-only", "failing"]
"""How a disk may misbehave: no room, late, no writes at all, syncs that fail."""
DISK_KINDS: dict[Disk, str] = {
    "full": "disk_full",
    "slow": "disk_slow",
    "read-only": "disk_read_only",
    "failing": "fsync_fails",
}
"""What a peer calls them."""


class CannotPerform(Exception):
    """A step makes no sense now, or not here: the message says which and why."""


class Target(Protocol):
    """Peers that can be hurt, by name. Whatever is done to one that cannot bear it raises `CannotPerform`."""

    @property
    def names(self) -> list[str]:
        """All peers, also those that do not run."""
        ...

    def running(self, name: str) -> bool:
        """Whether a peer's process runs, paused or not, as far as can be known."""
        ...

    async def statuses(self) -> dict[str, Status | None]:
        """What each peer says of itself that runs and is not paused; None for one that does not answer."""
        ...

    async def kill(self, names: Sequence[str]) -> None:
        """End processes at the same moment, without a word."""
        ...

    async def terminate(self, name: str) -> None:
        """Tell a peer to end, and wait until it has."""
        ...

    async def start(self, names: Sequence[str]) -> None:
        """Start peers again, at the same moment, and wait until they answer."""
        ...

    async def pause(self, name: str, for_ms: float) -> None:
        """Stop a peer's process where it is, for so long (0: until `resume`); returns at once."""
        ...

    async def resume(self, name: str) -> None:
        """Let a paused peer go on."""
        ...

    async def add(self, name: str) -> None:
        """Start one more peer."""
        ...

    async def leave(self, name: str) -> None:
        """Take a peer out of the cluster for good; its process ends."""
        ...

    async def hand_over(self, server: str, to: str) -> None:
        """Ask the server to hand over, to its heir or to a named peer."""
        ...

    async def cut(self, links: Sequence[tuple[str, str]]) -> None:
        """Nothing passes from the first to the second of each pair any more."""
        ...

    async def mend(self, a: str = "", b: str = "") -> None:
        """Everything passes again: between a and b, or, without names, everywhere, loss and delay included."""
        ...

    async def reset(self, a: str, b: str) -> None:
        """The connections between a and b break in the middle of a frame; new ones are well."""
        ...

    async def weather(self, *, loss: float | None = None, duplication: float | None = None) -> None:
        """From here on so many of all frames get lost, or arrive twice; None leaves it as it is."""
        ...

    async def delay(self, a: str, b: str, ms: float) -> None:
        """What goes from a to b takes so much longer."""
        ...

    async def disk(self, name: str, kind: Disk | None, ms: float = 0.0) -> None:
        """A peer's disk misbehaves from here on; None: it is as it was."""
        ...

    async def clock(self, name: str, ms: float) -> None:
        """A peer's wall clock jumps by so much from where it is."""
        ...

    async def undo(self) -> None:
        """End every fault: links, disks and clocks are well, the paused go on, the dead are started."""
        ...
