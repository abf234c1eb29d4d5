"""Whether a condition holds in a world now. A pure look; what was acknowledged and answered, the stage remembers."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from tanist.election.archived import ArchivedEntry
from tanist.election.entries import Kind
from tanist.election.events import EVENTS, ReignBegan
from tanist.election.fallbacks import FallbackList
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.election.simulation import conditions
from tanist.election.simulation.conditions import SIGNS, Condition
from tanist.election.simulation.peers import VirtualPeer
from tanist.election.simulation.world import World

_archived = msgspec.msgpack.Decoder(ArchivedEntry)


class CannotJudge(ValueError):
    """A condition makes no sense here: it names what is not there."""


class Memory(NamedTuple):
    """What a world itself does not keep, since the scenario began."""

    begun: int
    acknowledged: dict[bytes, str]
    """Command to how safely its submitter was told it stands."""
    answers: dict[str, int | None]
    """Read by name to its answer: an index, -1 for "not now", None while there is none."""


def holds(world: World, memory: Memory, condition: Condition) -> bool:
    """Whether it is so. Raises CannotJudge."""
    match condition:
        case conditions.Not(inner):
            return not holds(world, memory, inner)
        case conditions.Settled():
            return world.settled()
        case conditions.Server(peer):
            return [p.name for p in world.servers()] == [_peer(world, peer).name]
        case conditions.Servers(peers):
            return {p.name for p in world.servers()} == {_peer(world, name).name for name in peers}
        case conditions.NoServer():
            return not world.servers()
        case conditions.Serves(peer):
            return _peer(world, peer) in world.servers()
        case conditions.Follows(peer, server):
            core = _peer(world, peer).core
            return core is not None and core.role is Role.CLIENT and core.server == _peer(world, server).id
        case conditions.Plays(peer, role):
            return _peer(world, peer).role is Role(role)
        case conditions.Number(peer, sign, number):
            return SIGNS[sign](_peer(world, peer).stored.number, number)
        case conditions.Halted(peer, text):
            told = _peer(world, peer).halted
            return bool(told) and text in told
        case conditions.Happened() | conditions.Reigns():
            return _told(world, memory, condition)
        case conditions.Answered() | conditions.Refused() | conditions.Sees():
            return _read(world, memory, condition)
        case conditions.Counts() | conditions.Listed() | conditions.Members() | conditions.Voters():
            return _reign(world, condition)
        case _:
            return _commands(world, memory, condition)


def _peer(world: World, name: str) -> VirtualPeer:
    peer = world.peers.get(name)
    if peer is None:
        raise CannotJudge(f"there is no peer {name}; there are: {' '.join(world.peers)}")
    return peer


def _commands(world: World, memory: Memory, condition: Condition) -> bool:
    match condition:
        case conditions.Applied(commands):
            return all(p.commands() == _bodies(commands) for p in world.running())
        case conditions.AppliedBy(peer, commands):
            return _peer(world, peer).commands() == _bodies(commands)
        case conditions.Has(peer, command):
            return command.encode() in _peer(world, peer).commands()
        case conditions.Acked(command, durability):
            told = memory.acknowledged.get(command.encode())
            return told is not None and durability in ("", told)
        case conditions.Archived(command):
            body = command.encode()
            goes_on = any(body in p.commands() for p in world.running())
            return not goes_on and any(body in archived(p) for p in world.peers.values())
        case _:
            raise CannotJudge(f"{condition!r} is nothing that can be judged")


def _bodies(commands: tuple[str, ...]) -> list[bytes]:
    return [c.encode() for c in commands]


def archived(peer: VirtualPeer) -> set[bytes]:
    """The commands that a peer has archived: in files, and in its log."""
    found = {entry.body for archive in peer.archives for entry in archive.entries}
    for archive in peer.archives:
        if archive.snapshot is not None:
            found |= {entry.body for _, entry in peer.snapshots[archive.snapshot.digest].applied}
    found |= {_archived.decode(entry.body).entry.body for _, entry in peer.applied if entry.kind == Kind.ARCHIVED}
    return found


def _told(world: World, memory: Memory, condition: Condition) -> bool:
    match condition:
        case conditions.Reigns(sign, count):
            since = (e for p in world.peers.values() for at, e in p.events if at >= memory.begun)
            return SIGNS[sign](sum(isinstance(e, ReignBegan) for e in since), count)
        case conditions.Happened(peer, event, fields):
            kind = EVENTS.get(event)
            if kind is None:
                raise CannotJudge(f"there is no event {event!r}: see docs/reference/events.md")
            peers = world.peers.values() if peer == "*" else [_peer(world, peer)]
            events = [e for p in peers for at, e in p.events if at >= memory.begun and isinstance(e, kind)]
            asked = [field.partition("=")[::2] for field in fields]
            unknown = [name for name, _ in asked if name not in kind.__struct_fields__]
            if unknown:
                raise CannotJudge(f"{event} has no {unknown[0]!r}; it has: {', '.join(kind.__struct_fields__)}")
            return any(all(str(getattr(e, name)).replace(" ", "_") == value for name, value in asked) for e in events)
    return False


def _read(world: World, memory: Memory, condition: Condition) -> bool:
    match condition:
        case conditions.Answered(name) | conditions.Refused(name) | conditions.Sees(name):
            if name not in memory.answers:
                raise CannotJudge(f"nobody asked for a read {name}; there are: {' '.join(memory.answers)}")
            answer = memory.answers[name]
    if answer is None:
        return False
    match condition:
        case conditions.Refused():
            return answer == -1
        case conditions.Sees(_, command):
            found = (i for p in world.peers.values() for i, e in p.applied if e.body == command.encode())
            return answer >= next(found, answer + 1)
        case _:
            return answer >= 0


def _reign(world: World, condition: Condition) -> bool:
    """Of the one server's reign; false while there is none, or more than one."""
    servers = world.servers()
    core = servers[0].core if len(servers) == 1 else None
    if core is None or not isinstance(core.behaviour, Reign):
        return False
    reign, roster = core.behaviour, core.node.log.roster
    match condition:
        case conditions.Counts(peer):
            return _peer(world, peer).id in reign.commit_set.counting
        case conditions.Listed(peers):
            return _names(reign.list) == list(peers)
        case conditions.Members(peers):
            return {m.name for m in roster.members} == set(peers)
        case conditions.Voters(peers):
            return {m.name for m in roster.members if m.voter} == set(peers)
    return False


def _names(fallbacks: FallbackList) -> list[str]:
    return [entry.name for entry in fallbacks.entries]


__all__ = ["CannotJudge", "Memory", "archived", "holds"]
