"""Carry out one act in a world: which of the world's faults and calls each means."""

from __future__ import annotations

from enum import Enum

import msgspec

from tanist.election import messages
from tanist.election.condition import Load, Power
from tanist.election.messages import Message
from tanist.election.ready import AbandonAsked, ConditionRead
from tanist.election.settings import MS
from tanist.election.simulation import steps
from tanist.election.simulation.interception import Fate
from tanist.election.simulation.peers import Port
from tanist.election.simulation.steps import Act
from tanist.election.simulation.world import VirtualPeer, World


class CannotPerform(RuntimeError):
    """An act makes no sense now: a peer that is not there, or runs already. It says which and why."""


def perform(world: World, act: Act) -> None:
    """Do it, now. Raises CannotPerform. Acts that wait, expect or need to be remembered are a stage's (`stage`)."""
    match act:
        case steps.Cut() | steps.CutBoth() | steps.Part() | steps.Mend():
            _cuts(world, act)
        case steps.Loss() | steps.Duplication() | steps.Delay() | steps.Clog() | steps.Stall() | steps.Reset():
            _weather(world, act)
        case steps.Hold() | steps.Drop() | steps.Twice() | steps.Release() | steps.Say():
            _message(world, act)
        case steps.DiskFull() | steps.DiskSlow() | steps.DiskHung() | steps.DiskWell() | steps.PowerLoss():
            _disk(world, act)
        case steps.Flip() | steps.Wipe() | steps.Backup() | steps.Restore():
            _data(world, act)
        case steps.Submit(peer, commands):
            _running(world, peer)
            world.submit(peer, *(c.encode() for c in commands))
        case steps.HandOver(peer, to):
            _running(world, peer)
            world.hand_over(peer, _known(world, to).id if to else None)
        case steps.Leave(member, at):
            world.leave(_running(world, at or member).name, _known(world, member).id)
        case steps.Abandon(peer):
            world.feed(_running(world, peer), AbandonAsked())
        case steps.Machine(peer, power, load):
            try:
                condition = ConditionRead(Power[power], Load[load])
            except KeyError as error:
                raise CannotPerform(
                    f"no machine says {error}; powers: {_names(Power)}; loads: {_names(Load)}"
                ) from None
            world.feed(_running(world, peer), condition)
        case steps.Snapshot(peer):
            _running(world, peer)
            world.snapshot(peer)
        case steps.Run(ms):
            world.run(ms)
        case _:
            _process(world, act)


def _names(of: type[Enum]) -> str:
    return ", ".join(each.name for each in of)


def _known(world: World, name: str) -> VirtualPeer:
    peer = world.peers.get(name)
    if peer is None:
        raise CannotPerform(f"there is no peer {name}; there are: {' '.join(world.peers)}")
    return peer


def _running(world: World, name: str) -> VirtualPeer:
    peer = _known(world, name)
    if peer.core is None:
        raise CannotPerform(f"{name} does not run")
    return peer


def _dead(world: World, name: str) -> VirtualPeer:
    peer = _known(world, name)
    if peer.core is not None:
        raise CannotPerform(f"{name} runs: kill it first")
    return peer


def _cuts(world: World, act: Act) -> None:
    match act:
        case steps.Cut(a, b):
            world.cut(_known(world, a).name, _known(world, b).name, one_way=True)
        case steps.CutBoth(a, b):
            world.cut(_known(world, a).name, _known(world, b).name)
        case steps.Part(groups):
            together = {(a, b) for group in groups for a in group for b in group}
            every = [_known(world, name).name for group in groups for name in group]
            for a in dict.fromkeys(every):
                for b in dict.fromkeys(every):
                    if (a, b) not in together:
                        world.cut(a, b, one_way=True)
        case steps.Mend("", ""):
            world.mend()
        case steps.Mend(a, b):
            world.mend((_known(world, a).name, b), (_known(world, b).name, a))


def _weather(world: World, act: Act) -> None:
    network = world.network
    match act:
        case steps.Loss(part):
            network.loss = part
        case steps.Duplication(part):
            network.duplication = part
        case steps.Delay(a, b, ms):
            network.extra[_known(world, a).name, _known(world, b).name] = int(ms * MS)
        case steps.Clog(a, b, ms):
            network.clog(_known(world, a).name, _known(world, b).name, world.now + int(ms * MS))
        case steps.Stall(a, b, ms):
            network.stall(_known(world, a).name, _known(world, b).name, world.now + int(ms * MS))
        case steps.Reset(a, b):
            world.reset(_known(world, a).name, _known(world, b).name)


def _message(world: World, act: Act) -> None:
    interception = world.network.interception
    rules = interception.rules
    match act:
        case steps.Hold(a, b, kind):
            rules[a, b, _message_class(kind).__name__] = Fate.HELD
        case steps.Drop(a, b, kind):
            rules[a, b, _message_class(kind).__name__] = Fate.DROPPED
        case steps.Twice(a, b, kind):
            rules[a, b, _message_class(kind).__name__] = Fate.TWICE
        case steps.Release(a, b, kind):
            for send in interception.lift(a, b, kind):
                send()
        case steps.Say(a, b, kind, fields):
            made = _message_class(kind)
            try:
                said = msgspec.json.decode(fields.encode(), type=made)
            except msgspec.DecodeError as error:
                raise CannotPerform(f"{fields} are not the fields of {kind}: {error}") from None
            if b not in _running(world, a).links:
                raise CannotPerform(f"{a} has no connection to {b}; it has some to: {' '.join(world.peers[a].links)}")
            world.network.say(world.peers[a], world.peers[b], said)


def _message_class(name: str) -> type[Message]:
    for made in messages.MESSAGES.values():
        if made.__name__ == name:
            return made
    known = ", ".join(made.__name__ for made in messages.MESSAGES.values())
    raise CannotPerform(f"there is no message {name}; there are: {known}")


def _process(world: World, act: Act) -> None:
    match act:
        case steps.Kill(peer):
            world.kill(_running(world, peer).name)
        case steps.HostGone(peer):
            world.kill(_running(world, peer).name, silent=True)
        case steps.Start(peer, host, knows):
            dead = _dead(world, peer)
            dead.host = host or dead.host
            dead.given = tuple(_known(world, name).address for name in knows) or dead.given
            world.start(peer)
        case steps.Pause(peer, ms):
            world.freeze(_running(world, peer).name)
            if ms:
                world.later(int(ms * MS), _thaw, world, peer, world.peers[peer].incarnation)
        case steps.Resume(peer):
            if not _running(world, peer).frozen:
                raise CannotPerform(f"{peer} is not paused")
            world.thaw(peer)
        case steps.Clock(peer, ms):
            world.leap(_known(world, peer).name, int(ms * MS), wall=True)
        case steps.Leap(peer, ms):
            world.leap(_known(world, peer).name, int(ms * MS))
        case steps.Drift(peer, rate):
            world.skew(_known(world, peer).name, rate)
        case steps.Listens(peer, state):
            try:
                _known(world, peer).port = Port(state)
            except ValueError:
                raise CannotPerform(f"there is no port state {state}; there are: {', '.join(Port)}") from None
        case steps.Goodbye(peer):
            world.goodbye(_running(world, peer).name)
        case _:
            raise CannotPerform(f"{type(act).__name__} is no act that a world performs")


def _thaw(world: World, name: str, incarnation: int) -> None:
    peer = world.peers[name]
    if peer.frozen and peer.incarnation == incarnation:
        world.thaw(name)


def _disk(world: World, act: Act) -> None:
    match act:
        case steps.DiskFull(peer):
            world.fail_disk(_running(world, peer).name)
        case steps.DiskSlow(peer, ms):
            _known(world, peer).slow = ms * MS / world.disk if ms else 1.0
        case steps.DiskHung(peer):
            world.disks.hang(_running(world, peer).name)
        case steps.DiskWell(peer):
            world.disks.recover(_known(world, peer).name)
        case steps.PowerLoss(peer, records):
            world.kill(_running(world, peer).name, kept=records)


def _data(world: World, act: Act) -> None:
    match act:
        case steps.Flip(peer):
            world.damage(peer, len(_dead(world, peer).disk) // 2)
        case steps.Wipe(peer):
            world.wipe(_dead(world, peer).name)
        case steps.Backup(peer):
            world.disks.back_up(_known(world, peer))
        case steps.Restore(peer):
            world.disks.restore(_dead(world, peer))


__all__ = ["CannotPerform", "perform"]
