"""Clients of a virtual cluster: each a session at some peer, one command at a time, tried again until it is answered.

What they saw is a history of operations, for the check of linearizability. A client whose peer dies, or that waits too
long, goes to another peer with the same session and sequence; one that gives up leaves its operation open, since
nobody knows whether it will be done, and begins anew as somebody else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal

import msgspec

from tanist.election.entries import Kind, Proposal, SessionOpened
from tanist.election.ready import ReadAnswer
from tanist.election.settings import MS
from tanist.election.simulation.machine import Answer, Guest
from tanist.election.simulation.peers import VirtualPeer
from tanist.election.simulation.registers import Registers, asked, result_of
from tanist.election.simulation.world import World

_encode = msgspec.msgpack.Encoder().encode

READ_LOOK_NS = MS
"""How often a read whose index is known looks whether its peer has applied that far."""
READ_CHANCE = 0.25
"""How often a client reads, where it may."""
TIMERS_EVERY_NS = 100 * MS
"""How often a server looks whether timers of its applications are due."""
HURRY_MESSAGES = 6
"""Within how many messages and writes a hurried client asks: about what a command takes on its way."""
TRIES_BEFORE_MOVING = 3
"""How often a client asks the same peer before it goes to another."""


@dataclass
class Operation:
    """One operation of one client, in virtual nanoseconds. `open` never returned: nobody knows whether it is done."""

    process: str
    name: str
    key: str
    value: int
    expected: int
    invoked_at: int
    body: bytes = b""
    returned_at: int = -1
    outcome: Literal["pending", "ok", "failed", "open"] = "pending"
    result: int = 0
    reply: bytes = b""
    durability: str = ""


@dataclass
class Client:
    """One client. `lives` counts the sessions it has had."""

    number: int
    home: str
    lives: int = 0
    sequence: int = 0
    opened: bool = False
    tries: int = 0
    doing: Operation | None = None
    thinks: int = 0
    """Which time it thinks: what it thought of before does not count once it was hurried."""

    @property
    def session(self) -> str:
        return f"s{self.number}.{self.lives}"


@dataclass
class Workload:
    """All clients of a world. `gap_ms` is how long one thinks between two operations, `patience_ms` how long it waits
    before it asks again, `gives_up_ms` before it gives up. Clients read linearizably if `reads`."""

    world: World
    rng: Random
    clients_count: int
    keys: int
    gap_ms: float
    patience_ms: float
    gives_up_ms: float
    reads: bool
    guest: Guest | None = None
    """The applications of this life; without, clients ask for registers."""
    on_acknowledged: Callable[[Operation], None] | None = None
    on_read: Callable[[str, int], None] | None = None
    """Called with a peer's name and a request's number before it is asked for a linearizable read."""
    places: list[str] = field(default_factory=list)
    """At which peers clients are: all at first."""
    clients: list[Client] = field(default_factory=list)
    history: list[Operation] = field(default_factory=list)
    stopped: bool = False
    written: int = 0
    _of_session: dict[str, Client] = field(default_factory=dict)
    _of_read: dict[int, tuple[Client, Operation]] = field(default_factory=dict)
    """By request: who asked, and for which read, since an answer may come when the next one is under way."""
    _reads: int = 1_000_000

    def begin(self) -> None:
        """Clients appear, one after another."""
        world = self.world
        world.on_answer, world.on_read = self._answered, self._read_at
        self.places = self.places or list(world.peers)
        for number in range(self.clients_count):
            client = Client(number, self.rng.choice(self.places))
            self.clients.append(client)
            self._of_session[client.session] = client
            world.later(int(self._gap()), self._next, client, client.thinks)
        if self.guest is not None:
            world.later(TIMERS_EVERY_NS, self._timers, self.guest)

    def _timers(self, guest: Guest) -> None:
        """Servers propose what is due at their applications."""
        if self.stopped:
            return
        for peer in self.world.servers():
            if peer.machine is not None:
                due = guest.due(peer.machine, peer.clock() + peer.wall_ahead)
                if due:
                    self.world.propose(peer.name, *due)
        self.world.later(TIMERS_EVERY_NS, self._timers, guest)

    def stop(self) -> None:
        """No new operations; those under way are still waited for."""
        self.stopped = True

    def pending(self) -> list[Operation]:
        """Operations under way."""
        return [c.doing for c in self.clients if c.doing is not None]

    def _gap(self) -> float:
        return self.rng.expovariate(1.0) * self.gap_ms * MS

    def hurry(self) -> None:
        """Something befell the cluster: whoever is idle asks soon, so that it meets work under way."""
        world = self.world
        soon = HURRY_MESSAGES * (world.latency + world.disk)
        for client in self.clients:
            if client.doing is None:
                client.thinks += 1
                world.later(int(self.rng.random() * soon), self._next, client, client.thinks)

    def _next(self, client: Client, thought: int) -> None:
        if self.stopped or client.thinks != thought:
            return
        if self.guest is not None:
            self._next_of_guest(client, self.guest)
            return
        rng = self.rng
        drawn = rng.random()
        name = "get" if drawn < 0.2 else "cas" if drawn < 0.35 else "put"
        if self.reads and drawn > 0.75:
            name = "read"
        self.written += 1
        key = f"k{rng.randrange(self.keys)}"
        expected = rng.randrange(self.written) if name == "cas" else 0
        if name == "cas":
            # What is there now as far as anyone can see, so that it often fits.
            expected = self._seen(client.home, key)
        doing = Operation(client.session, name, key, self.written, expected, self.world.now)
        client.doing, client.tries = doing, 0
        self.history.append(doing)
        if name != "read":
            client.sequence += 1
            doing.body = asked(client.session, client.sequence, name, key, self.written, expected)
        self._ask(client, doing)

    def _next_of_guest(self, client: Client, guest: Guest) -> None:
        rng = self.rng
        query = guest.query(rng) if self.reads and rng.random() < READ_CHANCE else b""
        self.written += 1
        doing = Operation(client.session, "read" if query else "command", "", self.written, 0, self.world.now)
        client.doing, client.tries = doing, 0
        self.history.append(doing)
        if query:
            doing.body = query
        else:
            client.sequence += 1
            doing.body = guest.command(rng, client.session, client.sequence)
        self._ask(client, doing)

    def _seen(self, home: str, key: str) -> int:
        machine = self.world.peers[home].machine
        return machine.values.get(key, 0) if isinstance(machine, Registers) else 0

    def _ask(self, client: Client, doing: Operation) -> None:
        """Ask now, and look again after a while."""
        world = self.world
        if client.doing is not doing:
            return
        if world.now - doing.invoked_at > self.gives_up_ms * MS:
            self._give_up(client, doing)
            return
        peer = world.peers[client.home]
        if peer.core is None or client.tries >= TRIES_BEFORE_MOVING:
            running = [n for n in self.places if world.peers[n].core is not None]
            client.home = self.rng.choice(running or self.places)
            client.tries = 0
            peer = world.peers[client.home]
        client.tries += 1
        if peer.core is not None and not peer.frozen:
            if doing.name == "read":
                self._reads += 1
                self._of_read[self._reads] = client, doing
                if self.on_read is not None:
                    self.on_read(peer.name, self._reads)
                world.read(peer.name, self._reads, prove=True)
            else:
                proposals = [Proposal(Kind.COMMAND, doing.body)]
                if not client.opened:
                    opened = SessionOpened(client.session, peer.id)
                    proposals.insert(0, Proposal(Kind.SESSION_OPENED, _encode(opened)))
                world.propose(peer.name, *proposals)
        if client.doing is doing:
            wait = self.patience_ms * MS * (1 + self.rng.random())
            world.later(int(wait), self._ask, client, doing)

    def _give_up(self, client: Client, doing: Operation) -> None:
        """A read that was not answered is nothing; a command may yet be done."""
        doing.outcome = "failed" if doing.name == "read" else "open"
        del self._of_session[client.session]
        client.lives += 1
        client.sequence, client.opened = 0, False
        self._of_session[client.session] = client
        self._done(client)

    def _done(self, client: Client) -> None:
        client.doing = None
        self.world.later(int(self._gap()) + 1, self._next, client, client.thinks)

    # Answers

    def _answered(self, peer: VirtualPeer, answer: Answer) -> None:
        client = self._of_session.get(answer.session)
        if client is None or client.doing is None or client.home != peer.name:
            return
        doing = client.doing
        if doing.name == "read" or answer.sequence != client.sequence:
            return
        if self.guest is not None:
            done, result = self.guest.was_done(answer.reply), 0
        else:
            value = result_of(answer.reply)
            done, result = value is not None, value or 0
        if not done:
            # Its session is not open here: what it asked for may have been done in a history that is gone.
            self._give_up(client, doing)
            return
        client.opened = True
        doing.reply = answer.reply
        self._return(client, doing, result, str(peer.core.node.durability) if peer.core is not None else "")

    def _read_at(self, peer: VirtualPeer, answer: ReadAnswer) -> None:
        asked = self._of_read.pop(answer.request, None)
        if asked is None or answer.index < 0:
            return
        client, doing = asked
        self._read_when_applied(client, doing, peer, peer.incarnation, answer.index)

    def _read_when_applied(
        self, client: Client, doing: Operation, peer: VirtualPeer, incarnation: int, index: int
    ) -> None:
        if client.doing is not doing or peer.core is None or peer.incarnation != incarnation:
            return
        if peer.frozen or peer.core.node.applied < index:
            self.world.later(READ_LOOK_NS, self._read_when_applied, client, doing, peer, incarnation, index)
            return
        if self.guest is not None and peer.machine is not None:
            doing.reply = self.guest.look(peer.machine, doing.body)
        self._return(client, doing, self._seen(peer.name, doing.key), "")

    def _return(self, client: Client, doing: Operation, result: int, durability: str) -> None:
        doing.outcome, doing.result, doing.durability = "ok", result, durability
        doing.returned_at = self.world.now
        if doing.name != "read" and self.on_acknowledged is not None:
            self.on_acknowledged(doing)
        self._done(client)


__all__ = ["Client", "Operation", "Workload"]
