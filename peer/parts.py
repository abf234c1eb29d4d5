"""What `--allow-drills` puts in place of a peer's own parts: a disk and links that can be hurt, and their control.

A peer without it does not even import them: it starts sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random
from typing import TYPE_CHECKING

from tanist.election.events import Event
from tanist.election.roster import Roster
from tanist.peer.errors import CallError
from tanist.peer.storage.files import DISK, Disk
from tanist.transport.hello import Hello
from tanist.transport.link import Handler
from tanist.transport.settings import TransportSettings
from tanist.transport.tcp import TcpTransport

if TYPE_CHECKING:
    from tanist.peer.faults.control import Drills
    from tanist.peer.faults.disk import DrillDisk
    from tanist.peer.faults.links import LinkFaults


def names_at(roster: Roster, address: str) -> tuple[str, ...]:
    """The id and name of the member at an address; nothing when there is none."""
    return next(((member.id, member.name) for member in roster.members if member.address == address), ())


class NoDrills(CallError):
    """The peer was not started with `--allow-drills`. Nothing was done."""

    code = "drills_forbidden"
    status = 403


class Parts:
    """The disk and the transport of one peer: the plain ones, or those that can be hurt."""

    def __init__(self, allow_drills: bool) -> None:
        self.disk: Disk = DISK
        """Where the peer keeps what it must keep."""
        self._hurtable: DrillDisk | None = None
        self._links: LinkFaults | None = None
        self._drills: Drills | None = None
        if allow_drills:
            from tanist.peer.faults.disk import DrillDisk

            self.disk = self._hurtable = DrillDisk()

    def transport(
        self,
        hello: Callable[[], Hello],
        handler: Handler,
        settings: TransportSettings,
        on_error: Callable[[BaseException], None],
        names_at: Callable[[str], tuple[str, ...]],
    ) -> TcpTransport:
        """The transport; `names_at` gives the id and name of the peer at an address, as far as known."""
        if self._hurtable is None:
            return TcpTransport(hello, handler, settings, on_error)
        from tanist.peer.faults.links import DrillTransport, LinkFaults

        self._links = LinkFaults(names_at, Random())
        return DrillTransport(hello, handler, settings, on_error, self._links)

    def begin(self, emit: Callable[[Event], None], stop: Callable[[], Coroutine[None, None, None]]) -> None:
        """From now on faults can be injected; `emit` tells of them, `stop` ends the peer in order."""
        if self._hurtable is not None and self._links is not None:
            from tanist.peer.faults.control import Drills

            self._drills = Drills(self._hurtable, self._links, emit, stop)

    @property
    def drills(self) -> Drills:
        """The control of faults. Raises `NoDrills`."""
        if self._drills is None:
            raise NoDrills("failures may be injected only into a peer that was started with --allow-drills")
        return self._drills

    def close(self) -> None:
        """End all faults: the peer ends, and shall be able to."""
        if self._drills is not None:
            self._drills.close()
