"""A server that was away (asleep, paused) proves its reign again before it acknowledges or answers anything."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tanist.election.commit import has_majority
from tanist.election.replication import Progress


@dataclass(frozen=True, slots=True)
class Proving:
    """The proof of one reign: begun at `since`, it needs heartbeat round `round` or a later one confirmed.

    In survivor mode by all of `by`, the commit set of before; in quorum mode by a majority of the voters.
    """

    since: int
    round: int
    by: frozenset[str]

    def proved(self, me: str, clients: Mapping[str, Progress], voters: Collection[str] | None) -> bool:
        """Whether all who are needed have confirmed; `voters` are None in survivor mode."""
        said = {peer for peer, client in clients.items() if client.round >= self.round}
        if voters is None:
            return self.by <= said
        return has_majority({me, *said}, voters)
