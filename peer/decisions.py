"""What a person may ask of a peer, and why it cannot be done at present."""

from tanist.election.core import Core
from tanist.election.roles import Role
from tanist.peer.errors import CallError
from tanist.peer.status import ServerView
from tanist.peer.statusview import founding_waits_for, nobody


def must_have_state(core: Core) -> None:
    """Raises `NoServer` when this peer's own state is not to be read yet: it may be far behind."""
    if not core.ready_to_read:
        raise nobody(core, "this peer has not seen a server since it started")


def must_serve(core: Core, server: ServerView | None) -> None:
    """Raises `CallError` when this peer does not serve; it names the `server` that does."""
    if core.role is not Role.SERVER:
        where = f"{server.name} at {server.address} does" if server else "nobody does at present"
        raise CallError(f"this peer does not serve: {where}", "not_server")


def founding_to_abandon(core: Core) -> list[str]:
    """The names of those whose answer the open founding attempt waits for. Raises `CallError` when none is open."""
    waits_for = founding_waits_for(core)
    if waits_for is None:
        raise CallError("no founding attempt is open at this peer: there is nothing to abandon", "no_founding")
    return waits_for


def loss_to_accept(core: Core) -> int:
    """The last entry that is sound of damaged data. Raises `CallError` when nobody may accept the loss."""
    node = core.node
    if node.damage is None:
        raise CallError("the data of this peer are not damaged: there is no loss to accept", "not_damaged")
    if node.quorum:
        text = "what this peer voted for is not known, and a second vote could lose what others hold"
        advice = "in quorum mode let the server repair it, or start it with an empty directory"
        raise CallError(f"{text}: {advice}", "quorum")
    return node.log.last
