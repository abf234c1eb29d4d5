"""What a gateway asks of its peer: the part of `Peer` that HTTP needs, so that a small fake can stand in."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from tanist.peer.application.blob import Blob
from tanist.peer.past.views import ReignSummary, Why
from tanist.peer.status import HealView, Reply, Status

if TYPE_CHECKING:
    from tanist.peer.faults.control import Drills


class GatewayEvent(Protocol):
    """What happened, in an application (`Published`) or in the cluster (without `app` and `to`).

    (`index`, `number`) is the position behind which a listener goes on.
    """

    @property
    def index(self) -> int:
        """The entry of the log that it came with."""

    @property
    def number(self) -> int:
        """Its place among the events of that entry."""

    @property
    def event(self) -> str:
        """Its fixed name."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """What it says, in plain values."""

    @property
    def line(self) -> str:
        """What it says, for people."""


class GatewayClient(Protocol):
    """One client of a peer, as `Peer.open_client` gives it."""

    @property
    def session(self) -> str:
        """The id of its session."""

    async def call(
        self, app: str, command: str, given: Sequence[Any], *, key: str = "", timeout_s: float = 10.0
    ) -> Reply:
        """Have a command done."""

    def query(self, app: str, name: str, given: Sequence[Any]) -> Any:
        """Answer a query."""

    def replace(self, session: str) -> None:
        """End the session that this client was before, at a peer that it lost."""

    async def upload(self, source: AsyncIterator[bytes]) -> Blob:
        """Have bytes kept, for a command that names them next."""

    def parts_of(self, blob: Blob) -> Sequence[bytes]:
        """The bytes of a blob in their order."""

    def close(self, why: str) -> None:
        """It is gone."""


class GatewayPeer(Protocol):
    """A running peer, as a gateway sees it. Its methods raise the errors of `tanist.peer.errors`."""

    @property
    def applications(self) -> Mapping[str, Any]:
        """The applications of this peer, by name."""

    @property
    def drills(self) -> "Drills":
        """Injects failures; raises where that is not allowed."""

    def digest(self) -> tuple[int, str]:
        """How many entries are applied, and a hash of the state; raises where that may not be asked."""

    async def call(
        self, app: str, command: str, /, *args: Any, idempotency_key: str = "", timeout_s: float = 10.0, **kwargs: Any
    ) -> Reply:
        """Have a command done; `idempotency_key` makes a retry safe."""

    async def look_up(
        self, app: str, query: str, arguments: Sequence[Any], *, read: str = "local", timeout_s: float = 10.0
    ) -> object:
        """Read, locally, at the server, or linearizably."""

    @property
    def own_client(self) -> GatewayClient:
        """The client of those who have no connection to keep."""

    def open_client(self) -> GatewayClient:
        """A client with a session of its own, for a connection."""

    def superseded(self) -> str:
        """Of which acknowledged commands of this peer's callers a heal made an end: `HEAL; commands=N`, or ""."""

    def heals(self, heal: str | None = None) -> list[HealView]:
        """The heals of the past, oldest first; or one, with its entries."""

    def status(self) -> Status:
        """What this peer knows of the cluster."""

    def reigns(self) -> list[ReignSummary]:
        """The reigns of the past, oldest first."""

    def why(self, term: str = "last") -> list[Why]:
        """The records of the reigns that `term` means: a number, number@holder, or last."""

    async def hand_over(self, to: str | None = None, timeout_s: float = 10) -> str:
        """Hand the reign over; gives the new server's name."""

    async def leave(self, peer: str | None = None) -> None:
        """Take a peer, by default this one, out of the roster."""

    async def abandon_founding(self) -> list[str]:
        """Give up the founding attempt that is open; gives for whom it waited."""

    async def use_settings(self, app: str, timeout_s: float = 10.0) -> list[str]:
        """Have all peers use this one's settings of an application; gives those that changed."""

    async def accept_loss(self) -> int:
        """Go on from what is sound of damaged data; gives the last entry that is left."""

    def events_after(self, position: tuple[int, int] | None) -> AsyncIterator[GatewayEvent]:
        """Events behind a position, or from now on, for as long as it is iterated."""
