"""Puts `Status` together: what this peer knows of its cluster, in plain words."""

from collections.abc import Callable
from datetime import UTC, datetime

from tanist.election.commit import majority
from tanist.election.core import Core
from tanist.election.founding import Founding
from tanist.election.history import NO_TERM
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.election.seeking import Seeking
from tanist.election.settings import Safety
from tanist.peer.errors import NoMajority, NoServer
from tanist.peer.opening import version
from tanist.peer.replica import Replica
from tanist.peer.status import FallbackView, MemberView, ServerView, Status, TermView


def time_text(time_ns: int) -> str:
    """RFC 3339 UTC with milliseconds."""
    moment = datetime.fromtimestamp(time_ns / 1e9, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_status(
    core: Core,
    replica: Replica,
    cluster: str,
    http_address: str,
    http_of: Callable[[str], str],
    settings_differ: list[str],
) -> Status:
    """What this peer says of itself. `http_of` gives where a member's page is."""
    node = core.node
    term = core.term
    began = replica.began(term) if term != NO_TERM else None
    return Status(
        cluster=cluster,
        id=node.me.id,
        name=node.me.name,
        address=node.me.address,
        http=http_address,
        role=str(core.role),
        safety=str(node.settings.safety),
        term=TermView(term.number, term.holder),
        server=_server(core),
        fallbacks=[
            FallbackView(e.id, e.name, e.address, e.in_sync, e.lag, e.counts, e.reason) for e in node.fallbacks.entries
        ],
        members=[_member(core, m.id, http_of(m.id)) for m in node.log.roster.members],
        commit=node.commit,
        applied=replica.applied,
        durability=str(node.durability),
        reach=node.reach,
        since=time_text(began) if began is not None else "",
        version=version(),
        apps=sorted(replica.applications),
        problem=problem(core),
        heals=len(replica.machine.heals.reports),
        settings_differ=settings_differ,
    )


def _server(core: Core) -> ServerView | None:
    node = core.node
    if core.server is None:
        return None
    if core.server == node.me.id:
        return ServerView(node.me.id, node.me.name, node.me.address)
    member = node.log.roster.get(core.server)
    remote = node.links.get(core.server)
    name = remote.name if remote else member.name if member else core.server
    return ServerView(core.server, name, node.address_of(core.server) or "")


def _member(core: Core, peer: str, http: str) -> MemberView:
    node = core.node
    member = node.log.roster.get(peer)
    assert member is not None
    lag = -1
    # While nobody serves, nobody hears from all: a member that this peer is linked to is there.
    live = peer in (node.me.id, core.server) or (core.server is None and peer in node.links)
    behaviour = core.behaviour
    if isinstance(behaviour, Reign):
        client = behaviour.replication.clients.get(peer)
        if client is not None:
            live = node.now < client.heard_at + node.times.timeout
            lag = max(0, node.log.last - client.match)
    elif (place := node.fallbacks.place(peer)) is not None and core.role is Role.CLIENT:
        live = True
        lag = node.fallbacks.entries[place].lag
    if peer == core.server:
        lag = 0
    elif peer == node.me.id and core.role is Role.CLIENT:
        lag = max(0, node.log.last - node.commit) if lag < 0 else lag
    state = "live" if live else "absent"
    return MemberView(peer, member.name, member.address, state if member.voter else "learner", lag, http)


def problem(core: Core) -> str:
    """Why nobody serves, in a sentence; empty while somebody does."""
    node = core.node
    if node.disk_failed:
        return f"the disk failed: {node.disk_failed}"
    if node.disk_stalled:
        return f"the disk hangs: {node.disk_stalled}"
    if node.damage is not None:
        if core.server is not None:
            return f"the data here is damaged and is being repaired from the server ({node.damage.detail})"
        return (
            f"the data here is damaged ({node.damage.detail}): no server to repair it from; "
            "start another peer of the cluster, or see docs/how-to/repair.md"
        )
    if core.server is not None:
        return ""
    behaviour = core.behaviour
    if isinstance(behaviour, Seeking) and isinstance(behaviour.founding, Founding) and not behaviour.founding.opened:
        expect = node.settings.expect
        if not expect:
            return "no cluster found yet to join, and expect is 0: this peer founds none"
        here = 1 + len(node.links)
        if waits_for := founding_waits_for(core):
            names = ", ".join(waits_for)
            return f"the founding waits for {names}; if they will never come, a person ends it: tanist abandon-founding"
        return f"the cluster is not founded yet: {here} of {expect} expected peers are here, and all must agree"
    if missing := majority_missing(core):
        return missing
    return "no server yet: an election is under way"


def founding_waits_for(core: Core) -> list[str] | None:
    """The names of those whose answer the open founding attempt waits for; None when none is open."""
    behaviour, attempt = core.behaviour, core.node.founding
    if not isinstance(behaviour, Seeking) or behaviour.founding is None or behaviour.founding.opened or not attempt:
        return None
    accepted = {core.node.me.id, *behaviour.founding.accepted}
    return [m.name for m in attempt.members.members if m.id not in accepted]


def majority_missing(core: Core) -> str:
    """Quorum mode: why no majority can come together, in a sentence; empty when one can."""
    node = core.node
    voters = [m for m in node.log.roster.members if m.voter]
    if node.settings.safety is not Safety.QUORUM or not voters or core.server is not None:
        return ""
    here = sum(1 for m in voters if m.id == node.me.id or m.id in node.links)
    needed = majority(len(voters))
    if here >= needed:
        return ""
    away = ", ".join(m.name for m in voters if m.id != node.me.id and m.id not in node.links)
    return f"no majority: {here} of {len(voters)} voters are here, {needed} are needed (away: {away})"


def nobody(core: Core, what: str, ending: str = "") -> NoServer:
    """The error of something that needed a server: what did not happen, and why nobody serves."""
    why = problem(core)
    text = f"{what}{': ' + why if why else ''}{ending}"
    return NoMajority(text) if majority_missing(core) else NoServer(text)
