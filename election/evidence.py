"""Why a peer believes that it lost another: a verdict with its evidence, never a bare boolean."""

from enum import StrEnum


class Evidence(StrEnum):
    """What was seen when contact was lost or could not be made."""

    CLOSED = "closed"
    """An open connection ended: the process died, or left."""
    GOODBYE = "goodbye"
    """The other peer said that it leaves; ends the retries at once."""
    REFUSED = "refused"
    """The host answers and nothing listens: the process is gone."""
    UNREACHABLE = "unreachable"
    """Time-out while connecting, no route, the name does not resolve: the host is gone, or the network between."""
    SILENT = "silent"
    """Connected, and no hello or heartbeat within its deadline: paused, hung or half-open."""
    REJECTED = "rejected"
    """Something answers that is not our server: other cluster, other protocol, other incarnation."""
    CLONE = "clone"
    """Another process with this peer's own id answers: its data directory was copied."""
    WOKE = "woke"
    """This peer's own clock jumped: it is I who was away."""


ENDS_RETRIES = frozenset({Evidence.GOODBYE, Evidence.REJECTED, Evidence.CLONE})
"""Evidence after which asking the same server again is pointless."""
