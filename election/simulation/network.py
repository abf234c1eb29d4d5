"""Connections between virtual peers, and all that can befall them.

A link is a connection as TCP makes them: first in, first out each way, and several may exist between two peers at
once (both dialed, or one side gave up a connection whose last bytes are still on their way). A cut holds what is on
its way and lets it through when it is mended while the link still stands; a reset loses it. What TCP loses it sends
again, so that loss is delay, and all behind waits too. Directions are apart everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from tanist.election.evidence import Evidence
from tanist.election.messages import Message
from tanist.election.ready import DialFailed, Input, LinkDown, LinkUp, Received, Remote
from tanist.election.settings import MS, Safety
from tanist.election.simulation.interception import Interception
from tanist.election.simulation.peers import Link, Port, VirtualPeer

if TYPE_CHECKING:
    from tanist.election.simulation.world import World

SPIKE_CHANCE = 0.02
"""How often something takes much longer than usual, in a world with jitter."""
SPIKE_FACTOR = 20
RESEND_NS = 200 * MS
"""What a lost segment costs: the least time after which TCP sends it again; twice as much when that is lost too."""
RESENDS_MAX = 6
LINKS_PER_PEER_MAX = 4
"""As in `tanist.peer.links`: the oldest beyond it is closed."""

COPIED = "another process runs with this id: a data directory was copied"
"""What a peer is told whose id is in use."""


class Network:
    """All links of a world. `rng` is the network's own stream of chance."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.cuts: set[tuple[str, str]] = set()
        self.clogged: dict[tuple[str, str], int] = {}
        """Until when nothing arrives from one peer at another."""
        self.extra: dict[tuple[str, str], int] = {}
        """Nanoseconds that one way takes more than the others."""
        self.loss = 0.0
        self.duplication = 0.0
        self.interception = Interception()
        """Messages that a scenario keeps back, loses or doubles."""

    # Faults

    def cut(self, a: str, b: str, *, one_way: bool = False) -> None:
        """No message passes any more (from a to b, or both ways), and no dial gets through; nobody is told."""
        self.cuts.add((a, b))
        if not one_way:
            self.cuts.add((b, a))

    def mend(self, *ways: tuple[str, str]) -> None:
        """Let everything through again (all, or these ways), also what was held on links that still stand."""
        open_again = set(ways) if ways else set(self.cuts)
        self.cuts -= open_again
        for link in self.links():
            for name, held in link.held.items():
                if link.ways[name] in open_again:
                    while held:
                        what, *args = held.popleft()
                        self.transmit(link, name, what, *args)
                        # What piled up for long comes as fast as it can be read, one after another.
                        link.arrived[name] += 1

    def clog(self, a: str, b: str, until: int) -> None:
        """Nothing from a arrives at b before `until`; then all of it does at once."""
        self.clogged[a, b] = until

    def stall(self, a: str, b: str, until: int) -> None:
        """The newest connection between two peers delivers nothing before `until`; new connections are well."""
        for link in self.world.peers[a].links.get(b, [])[-1:]:
            for name in link.ends:
                link.arrived[name] = max(link.arrived[name], until)

    def reset(self, a: str, b: str) -> None:
        """The newest connection between two peers breaks, and with it what was on its way."""
        for link in self.world.peers[a].links.get(b, [])[-1:]:
            for name in link.ends:
                link.held[name].clear()
                self.world.later(0, self.end, link, name)

    def calm(self) -> None:
        """The weather is good again: no loss, no clogs, all ways equally fast."""
        self.loss = self.duplication = 0.0
        self.clogged.clear()
        self.extra.clear()

    def backlog_ns(self) -> int:
        """How long until all has arrived that is on its way: what was lost or held up comes late, though all is well
        now."""
        now = self.world.now
        return max([0, *(at - now for link in self.links() for at in link.arrived.values())])

    def links(self) -> list[Link]:
        """All links that an end still has, each once."""
        return list(dict.fromkeys(x for p in self.world.peers.values() for group in p.links.values() for x in group))

    # Messages

    def take(self) -> int:
        """How long something takes: now and then much longer, if this world has jitter."""
        world = self.world
        if not world.jitter:
            return world.latency
        drawn = self.rng.random()
        spike = SPIKE_FACTOR if drawn < SPIKE_CHANCE else 1
        return int(world.latency * (1 + world.jitter * drawn) * spike)

    def send(self, peer: VirtualPeer, to: str, message: Message) -> None:
        """Send over the newest link, if there is one."""
        other = self._linked(peer, to)
        if other is None:
            return
        if self.world.codec is not None:
            message = self.world.codec.decode(self.world.codec.encode(message))
        if self.interception.rules:
            copies = self.interception.copies(peer.name, other.name, message, lambda: self.say(peer, other, message))
        else:
            copies = 1
        for _ in range(copies):
            self.say(peer, other, message)

    def _linked(self, peer: VirtualPeer, to: str) -> VirtualPeer | None:
        """The process with an id that a peer is linked to: of a peer and its copy it is one at most."""
        other = self.world.by_id.get(to)
        if other is not None and peer.links.get(other.name):
            return other
        return next((p for n in peer.links if (p := self.world.peers[n]).id == to), None)

    def _doubled(self, at: VirtualPeer, newcomer: VirtualPeer) -> bool:
        """Whether another process with a newcomer's id answers; one that does not is replaced."""
        for name in [n for n in at.links if n != newcomer.name]:
            rival = self.world.peers[name]
            if rival.id != newcomer.id:
                continue
            ways = {(at.name, name), (name, at.name)}
            if rival.core is not None and not rival.frozen and not rival.unreachable and not ways & self.cuts:
                return True
            for old in at.links.pop(name):
                old.open[at.name] = False
            self.world.feed(at, LinkDown(rival.id, Evidence.CLOSED, "it started again"))
        return False

    def say(self, peer: VirtualPeer, other: VirtualPeer, message: Message) -> None:
        """A message goes out over the newest link, if there is one, whoever made it."""
        links = peer.links.get(other.name)
        if not links:
            return
        link, item = links[-1], Received(peer.id, message)
        self.transmit(link, other.name, self._arrive, link, other, item)
        if self.duplication and self.rng.random() < self.duplication:
            self.transmit(link, other.name, self._arrive, link, other, item)

    def transmit(self, link: Link, to: str, what: Callable[..., None], *args: Any) -> None:
        """Something goes over a link to one of its ends: in order, and held while that way is cut."""
        way = link.ways[to]
        if way in self.cuts:
            link.held[to].append((what, *args))
            return
        world = self.world
        at = world.now + self.take()
        if self.extra:
            at += self.extra.get(way, 0)
        if self.loss:
            resent = 0
            while resent < RESENDS_MAX and self.rng.random() < self.loss:
                at += RESEND_NS << resent
                resent += 1
        if self.clogged and (until := self.clogged.get(way, 0)) > at:
            # One after another: so much may have piled up that time would seem to stand still.
            at = max(until, link.arrived[to] + 1)
        at = link.arrived[to] = max(link.arrived[to], at)
        world.later(at - world.now, what, *args)

    def _arrive(self, link: Link, other: VirtualPeer, item: Input) -> None:
        name = other.name
        if not link.open[name]:
            if not other.unreachable:
                # The host is there and knows of no such connection: it resets it.
                back = link.other(name)
                if link.open[back]:
                    self.transmit(link, back, self.end, link, back)
        elif other.frozen:
            other.inbox.append(lambda: item if link.open[name] else None)
        else:
            self.world.feed(other, item)

    # Ends

    def process_gone(self, peer: VirtualPeer, *, silent: bool) -> None:
        """A process died: its kernel ends its links, or nobody does because the host died too."""
        for other, links in list(peer.links.items()):
            for link in links:
                link.open[peer.name] = False
                link.held[peer.name].clear()
                if not silent:
                    self.transmit(link, other, self.end, link, other)
        peer.links.clear()

    def close(self, peer: VirtualPeer, to: str) -> None:
        """End all links to a peer from this side; its own core is not told of what it asked for."""
        for link in peer.links.pop(to, []):
            link.open[peer.name] = False
            self.transmit(link, to, self.end, link, to)

    def end(self, link: Link, at: str) -> None:
        """A link ends at one side; the core hears of it when it was the last."""
        peer, other = self.world.peers[at], link.other(at)

        def lost() -> Input | None:
            if not link.open[at]:
                return None
            link.open[at] = False
            links = peer.links[other]
            links.remove(link)
            if links:
                return None
            del peer.links[other]
            return LinkDown(link.ids[other], Evidence.CLOSED, "")

        self.world.feed_made(peer, lost)

    # Dials

    def dial(self, peer: VirtualPeer, address: str, timeout: int) -> None:
        """Open a link, or say why not: what is found at the address, and on the way there and back."""
        world = self.world
        other = next((p for p in world.peers.values() if p.address == address), None)
        incarnation = peer.incarnation

        def fail(after: int, evidence: Evidence) -> None:
            world.later(after, world.feed_if, peer.name, incarnation, DialFailed(address, evidence, ""))

        if other is None:
            fail(world.latency, Evidence.REFUSED)
            return
        there, back = (peer.name, other.name), (other.name, peer.name)
        if other.unreachable or other.port is Port.DARK or there in self.cuts or back in self.cuts:
            fail(timeout, Evidence.UNREACHABLE)
            return
        if other.port is Port.FOREIGN:
            fail(2 * self.take(), Evidence.REJECTED)
        elif other.core is None or other.port is Port.REFUSING:
            if other.core is not None:
                other.refused_at = world.now
            fail(world.latency, Evidence.REFUSED)
        elif other.frozen or peer is other or other.port is Port.MUTE:
            fail(timeout, Evidence.SILENT)
        else:
            took = 2 * self.take() + self.extra.get(there, 0) + self.extra.get(back, 0)
            took = max(took, *(self.clogged.get(way, 0) - world.now for way in (there, back)))
            if took >= timeout:
                fail(timeout, Evidence.UNREACHABLE)
            else:
                world.later(took, self._connect, peer, other, address, incarnation)

    def _connect(self, peer: VirtualPeer, other: VirtualPeer, address: str, incarnation: int) -> None:
        if peer.core is None or peer.incarnation != incarnation:
            return
        if other.core is None or peer.frozen or other.frozen:
            # A frozen process refuses nobody: its kernel accepts, and no hello comes.
            evidence = Evidence.REFUSED if other.core is None else Evidence.SILENT
            self.world.feed_if(peer.name, incarnation, DialFailed(address, evidence, ""))
            return
        if peer.id == other.id:
            self.world.feed_if(peer.name, incarnation, DialFailed(address, Evidence.CLONE, COPIED))
            return
        if self._doubled(other, peer):
            # Both answer: the later one is told so. Else the newer start replaces the older.
            self.world.feed_if(peer.name, incarnation, DialFailed(address, Evidence.CLONE, COPIED))
            return
        if self._doubled(peer, other):
            self.world.feed_if(peer.name, incarnation, DialFailed(address, Evidence.REJECTED, COPIED))
            return
        if why := _refusal(_remote(peer), _remote(other), peer.settings.safety, other.settings.safety):
            self.world.feed_if(peer.name, incarnation, DialFailed(address, Evidence.REJECTED, why))
            return
        link = Link(peer, other)
        self._take_link(other, peer, link, None)
        self._take_link(peer, other, link, address)

    def _take_link(self, at: VirtualPeer, to: VirtualPeer, link: Link, dialed: str | None) -> None:
        known = at.links.get(to.name, [])
        if known and known[-1].incarnations[to.name] != to.incarnation:
            # The other has started anew: what is left of its old connections is dead.
            for old in known:
                old.open[at.name] = False
            del at.links[to.name]
            self.world.feed(at, LinkDown(known[-1].ids[to.name], Evidence.CLOSED, "it started again"))
        if at.core is None:
            return
        links = at.links.setdefault(to.name, [])
        links.append(link)
        if len(links) > LINKS_PER_PEER_MAX:
            oldest = links.pop(0)
            oldest.open[at.name] = False
            self.transmit(oldest, to.name, self.end, oldest, to.name)
        self.world.feed(at, LinkUp(_remote(to), dialed))


def _remote(peer: VirtualPeer) -> Remote:
    serve = peer.settings.serve.value != "never"
    incarnation = peer.core.node.incarnation if peer.core is not None else (0, 0)
    founding = peer.core.node.log.roster.founding if peer.core is not None else ""
    return Remote(peer.id, peer.name, peer.address, incarnation, serve, peer.settings.priority, founding)


def _refusal(one: Remote, other: Remote, safety: Safety, other_safety: Safety) -> str:
    """Why two peers do not talk, as their hellos would have it."""
    if safety is not other_safety:
        return f"safety: {one.name} keeps {safety}, {other.name} keeps {other_safety}"
    if one.founding and other.founding and one.founding != other.founding:
        return f"founding: {one.name} goes back to {one.founding}, {other.name} to {other.founding}"
    return ""


__all__ = ["Network"]
