"""What can be waited for: each takes a cluster, and says whether it is so now.

Looked at are peers that run and are not paused: what a paused peer still thinks of itself, nobody hears.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from tanist.election.settings import ElectionSettings
from tanist.peer.drills.asking import Status

if TYPE_CHECKING:
    from tanist.peer.drills.watched import Watched

LISTED_MAX = ElectionSettings().fallbacks
"""The longest fallback list that a server publishes."""
Condition = Callable[["Watched"], Awaitable[bool]]
"""The first line of its docstring says what was waited for, when that did not come."""


async def one_server(cluster: "Watched") -> bool:
    """Exactly one peer serves."""
    return len(await cluster.servers()) == 1


async def no_server(cluster: "Watched") -> bool:
    """Nobody serves."""
    return not await cluster.servers()


async def in_sync(cluster: "Watched") -> bool:
    """One serves, and all others that run follow it and hold what it holds."""
    return bool(agreed(await cluster.statuses()))


def serves(name: str) -> Condition:
    """This peer serves, and no other does."""

    async def condition(cluster: "Watched") -> bool:
        return await cluster.servers() == [name]

    condition.__doc__ = f"{name} serves, and no other does."
    return condition


def follows(name: str, server: str) -> Condition:
    """This peer follows that server."""

    async def condition(cluster: "Watched") -> bool:
        status = await cluster.status(name)
        found = status["server"] if status else None
        return found is not None and found["name"] == server

    condition.__doc__ = f"{name} follows {server}."
    return condition


def told(condition: Callable[..., object]) -> str:
    """A condition in words."""
    doc = (condition.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return doc or getattr(condition, "__name__", repr(condition))


def agreed(seen: Sequence[Status | None], members: int | None = None) -> str:
    """The name of the one server, when all agree on it and the others are ready to serve on; else "".

    `members`: how many the roster must have.
    """
    known = [status for status in seen if status is not None]
    servers = [status for status in known if status["role"] == "server"]
    if len(known) < len(seen) or len(servers) != 1:
        return ""
    server = servers[0]
    if any(s["server"] is None or s["server"]["id"] != server["id"] or s["term"] != server["term"] for s in known):
        return ""
    if members is not None and any(len(s["members"]) != members for s in known):
        return ""
    live = {m["id"] for m in server["members"] if m["state"] == "live"}
    ready = {f["id"] for f in server["fallbacks"] if f["in_sync"]}
    following = {s["id"] for s in known} - {server["id"]}
    # An heir that does not count yet may not stand: for a moment after it joined another one counts.
    counting = server["safety"] == "quorum" or not following or any(f["counts"] for f in server["fallbacks"][:1])
    # The list is no longer than this however many there are: who is not on it only has to be there.
    listed = min(len(following), LISTED_MAX)
    if not (following <= live and len(following & ready) >= listed and counting):
        return ""
    # A client knows its place only from a heartbeat: before that it could not follow the list.
    calm = all(s["fallbacks"] == server["fallbacks"] for s in known if not _lags(s))
    return str(server["name"]) if calm else ""


def _lags(status: Status) -> bool:
    """Whether a status cannot be compared: entries are on their way, and lags differ by the moment."""
    return any(f["lag"] for f in status["fallbacks"])
