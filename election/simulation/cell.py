"""A cluster as small as can be, for exhaustive search: a value that forks. Its network has one connection a pair.

Events are atomic and few: nothing takes time but waiting for a deadline. What a peer dials is answered at once; whoever
follows a connection's end finds out when all before it has arrived.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from tanist.election.core import Core
from tanist.election.entries import Kind, Proposal
from tanist.election.evidence import Evidence
from tanist.election.messages import Message
from tanist.election.node import Self
from tanist.election.ready import (
    DialFailed,
    Input,
    LinkDown,
    LinkUp,
    Persisted,
    Ready,
    Received,
    Remote,
    Submit,
    Tick,
)
from tanist.election.records import Record, Stored
from tanist.election.roles import Role
from tanist.election.settings import MS, ElectionSettings, Safety
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.copies import copy_core, copy_disk, fingerprint, picture
from tanist.election.simulation.facts import Facts

ATOMIC_MAX = 1000
"""Inputs that one event may lead to at once (dials that are refused, and so on)."""


class Event(NamedTuple):
    """What happens: at `peer`, from or with `other`; `keeps` is how many unfinished writes a crash leaves done."""

    kind: str
    peer: str
    other: str = ""
    keeps: int = 0

    def __str__(self) -> str:
        return " ".join(str(part) for part in self if part not in ("", 0))


class Even(Random):
    """Chance that always gives the same: a search looks at orders of events, not at draws."""

    def random(self) -> float:
        return 0.5

    def getrandbits(self, k: int, /) -> int:
        return 0


EVEN = Even(0)
Write = tuple[tuple[Record, ...], int]


class Cell:
    """One state. `after(event)` is the next; this one stays as it is."""

    def __init__(self, names: str, settings: ElectionSettings) -> None:
        self.names = tuple(names.split())
        self.settings = settings
        self.now = 1_000_000 * MS
        self.cores: dict[str, Core | None] = dict.fromkeys(self.names)
        self.disks: dict[str, Stored] = {name: Stored() for name in self.names}
        self.writes: dict[str, tuple[Write, ...]] = dict.fromkeys(self.names, ())
        self.deadlines: dict[str, int | None] = dict.fromkeys(self.names)
        self.starts: dict[str, int] = dict.fromkeys(self.names, 0)
        self.queues: dict[tuple[str, str], tuple[Message | None, ...]] = {}
        """Per direction of a connection that stands: what is on its way; None is the connection's end."""
        self.cuts: frozenset[frozenset[str]] = frozenset()
        """Pairs that do not reach each other."""
        self.submitted: dict[bytes, str] = {}
        self.spent: dict[str, int] = {"crash": 0, "loss": 0}
        self.facts = Facts(quorum=settings.safety is Safety.QUORUM)
        self.trail: tuple[object, ...] = ()
        self._keys: dict[str, bytes] = {}
        self._own: set[str] = set()
        self._inputs = 0

    # Questions

    def usual(self) -> Event | None:
        """What happens if nothing goes wrong: messages first, then disks, then time."""
        way = min((way for way, queue in self.queues.items() if queue), default=None)
        if way is not None:
            return Event("deliver", way[1], way[0])
        for name in self.names:
            if self.writes[name]:
                return Event("persist", name)
        return self._time_passes()

    def _time_passes(self) -> Event | None:
        due = [(at, name) for name, at in self.deadlines.items() if at is not None and self.cores[name] is not None]
        return Event("tick", min(due)[1]) if due else None

    def departures(self, crashes: int, losses: int, commands: int) -> list[Event]:
        """Everything that can happen here, as far as so many faults allow."""
        found: list[Event] = []
        on_the_way = sorted(way for way, queue in self.queues.items() if queue)
        found.extend(Event("deliver", b, a) for a, b in on_the_way)
        found.extend(Event("persist", name) for name in self.names if self.writes[name])
        passes = self._time_passes()
        if passes is not None:
            found.append(passes)
        if self.spent["loss"] < losses:
            found.extend(Event("lose", b, a) for a, b in on_the_way)
            found.extend(Event("reset", b, a) for a, b in dict.fromkeys((min(w), max(w)) for w in on_the_way))
        for name in self.names:
            if self.cores[name] is None:
                found.append(Event("start", name))
            elif self.spent["crash"] < crashes:
                found.extend(Event("crash", name, "", keeps) for keeps in range(len(self.writes[name]) + 1))
        if len(self.submitted) < commands:
            found.extend(Event("submit", name) for name in self.names if self.cores[name] is not None)
        return found

    def running(self) -> dict[str, Core]:
        """The cores that run, by name."""
        return {name: core for name, core in self.cores.items() if core is not None}

    def quiet(self) -> bool:
        """Nothing is on its way, and all who run follow one server in equal logs, committed to the end."""
        if any(self.queues.values()) or any(self.writes.values()):
            return False
        cores = list(self.running().values())
        servers = [core for core in cores if core.role is Role.SERVER]
        if len(servers) != 1:
            return False
        log = servers[0].node.log
        return all(
            core.server == servers[0].node.me.id
            and core.node.commit == core.node.log.last == log.last
            and core.node.log.roster.get(core.node.me.id) is not None
            for core in cores
        )

    def bears_loss_of(self, name: str) -> bool:
        """Whether the promises cover that this peer never comes back: a majority stays, or all said `heir` or more."""
        if self.facts.quorum:
            return 2 * (len(self.names) - 1) > len(self.names)
        return len(self.names) > 1 and all(said != "alone" for said in self.facts.acknowledged.values())

    def final(self) -> None:
        """Hold the end against all that was promised."""
        try:
            self.facts.final(self.running())
        except Broken as error:
            raise self._told(error) from None

    def fingerprint(self) -> bytes:
        """Equal for states from which the same can happen."""
        for name in self.names:
            if name not in self._keys:
                disk = self.disks[name]
                stored = list(vars(disk).values())
                self._keys[name] = fingerprint(
                    (picture(self.cores[name]), stored, self.writes[name], self.starts[name])
                )
        queues = [[way, [[type(m).__name__, m] for m in queue]] for way, queue in sorted(self.queues.items())]
        ran = [
            [self._keys[name] for name in self.names],
            queues,
            self.now,
            self.spent,
            len(self.submitted),
            self.facts.told(),
        ]
        return fingerprint(ran)

    def describe(self) -> str:
        """The way here, and who is what."""
        events, trail = [], self.trail
        while trail:
            trail, event = trail  # type: ignore[assignment]
            events.append(str(event))
        who = "; ".join(
            f"{n}:{c.role} n={c.node.number} last={c.node.log.last} commit={c.node.commit} server={c.server}"
            for n, c in self.running().items()
        )
        return f"{who}\n{len(events)} events: {', '.join(reversed(events))}"

    # Going on

    def begun(self) -> Cell:
        """This state as the first of a search: nothing of the past is told or counted."""
        made = self._fork()
        made.trail, made.spent = (), dict.fromkeys(self.spent, 0)
        return made

    def mended(self) -> Cell:
        """This state, with a whole network again."""
        made = self._fork()
        made.cuts = frozenset()
        return made

    def apart(self, a: str, b: str) -> Cell:
        """The state after the network between two peers is gone, for good."""
        made = self._fork()
        made.cuts |= {frozenset((a, b))}
        for end, far in ((a, b), (b, a)):
            made._end_link(end, far)
        return made

    def after(self, event: Event, *, kept: bool = False) -> Cell:
        """The state after an event. Raises Broken. `kept`: this state is needed no more, and may be changed."""
        cell = self if kept else self._fork()
        cell.trail = (cell.trail, event)
        cell._inputs = 0
        try:
            cell._happen(event)
        except (AssertionError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise cell._told(error) from error
        return cell

    def _told(self, error: Exception) -> Broken:
        if isinstance(error, Broken):
            return Broken(error.invariant, f"{error.detail}\n{self.describe()}")
        return Broken("no-exceptions", f"{type(error).__name__}: {error}\n{self.describe()}")

    def _fork(self) -> Cell:
        made = Cell.__new__(Cell)
        for name, value in vars(self).items():
            setattr(made, name, dict(value) if isinstance(value, dict) else value)
        made.facts = self.facts.fork()
        made._own = set()
        return made

    def _happen(self, event: Event) -> None:
        kind, peer, other, keeps = event
        match kind:
            case "deliver":
                self._deliver(other, peer)
            case "lose":
                self.spent["loss"] += 1
                # The end of a connection cannot get lost: whoever sends on it finds out.
                self.queues[other, peer] = tuple(m for m in self.queues[other, peer][:1] if m is None) + tuple(
                    self.queues[other, peer][1:]
                )
            case "reset":
                self.spent["loss"] += 1
                for end, far in ((peer, other), (other, peer)):
                    self._end_link(end, far)
            case "persist":
                (records, persist_id), *rest = self.writes[peer]
                self.writes[peer] = tuple(rest)
                self._on_disk(peer, records)
                self._feed(peer, Persisted(persist_id))
            case "tick":
                deadline = self.deadlines[peer]
                assert deadline is not None
                self.now = max(self.now, deadline)
                self._feed(peer, Tick())
            case "crash":
                self._crash(peer, keeps)
            case "start":
                self._start(peer)
            case "submit":
                body = b"%d" % len(self.submitted)
                self.submitted[body] = f"id-{peer}"
                self._feed(peer, Submit((Proposal(Kind.COMMAND, body),)))

    # Processes

    def _start(self, name: str) -> None:
        self.starts[name] += 1
        given = tuple(f"{other}:1" for other in self.names if other != name)
        me = Self(f"id-{name}", name, f"{name}:1", given)
        core = self.cores[name] = Core(me, self.settings, copy_disk(self.disks[name]), EVEN)
        self._own.add(name)
        self._carry_out(name, core, core.start(self.now, 0))

    def _crash(self, name: str, keeps: int) -> None:
        self.spent["crash"] += 1
        for records, _ in self.writes[name][:keeps]:
            self._on_disk(name, records)
        self.cores[name], self.writes[name], self.deadlines[name] = None, (), None
        self._keys.pop(name, None)
        self.facts.crashed(f"id-{name}", self.disks[name])
        for other in self.names:
            self.queues.pop((other, name), None)
            if (name, other) in self.queues:
                self.queues[name, other] += (None,)

    def _on_disk(self, name: str, records: tuple[Record, ...]) -> None:
        disk = self.disks[name] = copy_disk(self.disks[name])
        for record in records:
            disk.take(record)
        self._keys.pop(name, None)

    # Connections

    def _deliver(self, a: str, b: str) -> None:
        message, *rest = self.queues[a, b]
        if message is None:
            self.queues.pop((a, b))
            self._feed(b, LinkDown(f"id-{a}", Evidence.CLOSED, ""))
            return
        self.queues[a, b] = tuple(rest)
        self._feed(b, Received(f"id-{a}", message))

    def _end_link(self, at: str, far: str) -> None:
        if self.queues.pop((far, at), None) is not None and self.cores[at] is not None:
            self._feed(at, LinkDown(f"id-{far}", Evidence.CLOSED, ""))

    def _dial(self, name: str, address: str) -> None:
        other = address.partition(":")[0]
        if frozenset((name, other)) in self.cuts:
            self._feed(name, DialFailed(address, Evidence.UNREACHABLE, ""))
            return
        if self.cores.get(other) is None or other == name:
            self._feed(name, DialFailed(address, Evidence.REFUSED, ""))
            return
        for end, far in ((other, name), (name, other)):
            if None in self.queues.get((far, end), ()):
                # It started again before its old connection's end was noticed.
                self._end_link(end, far)
            self.queues.setdefault((far, end), ())
        self._feed(other, LinkUp(self._remote(name), None))
        self._feed(name, LinkUp(self._remote(other), address))

    def _remote(self, name: str) -> Remote:
        return Remote(f"id-{name}", name, f"{name}:1", (self.starts[name], 0), True, 0)

    # Steps

    def _feed(self, name: str, item: Input) -> None:
        core = self.cores[name]
        if core is None:
            return
        self._inputs += 1
        assert self._inputs < ATOMIC_MAX, "one event leads to no end of inputs"
        if name not in self._own:
            core = self.cores[name] = copy_core(core)
            self._own.add(name)
        self._carry_out(name, core, core.step(self.now, item, 0))

    def _carry_out(self, name: str, core: Core, ready: Ready) -> None:
        self._keys.pop(name, None)
        self.deadlines[name] = ready.deadline
        self.facts.step(core, ready, {f"id-{n}": disk for n, disk in self.disks.items()}, self.submitted)
        if ready.persist:
            self.writes[name] += ((tuple(ready.persist), ready.persist_id),)
        for to, message in ready.send:
            way = name, to.removeprefix("id-")
            if way in self.queues:
                self.queues[way] += (message,)
        for to, _ in ready.close:
            other = to.removeprefix("id-")
            self.queues.pop((other, name), None)
            if (name, other) in self.queues:
                self.queues[name, other] += (None,)
        for dial in ready.dial:
            self._dial(name, dial.address)


__all__ = ["Cell", "Event"]
