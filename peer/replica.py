"""The application's state at this peer: applies what is committed, answers own callers, and hands events out."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from tanist.election.entries import Kind
from tanist.election.events import Event
from tanist.election.history import Term
from tanist.election.ready import Apply
from tanist.peer.application.api import Application
from tanist.peer.application.events import Published
from tanist.peer.application.machine import Machine, Outcome
from tanist.peer.electionlog.peer_events import ApplicationFault
from tanist.peer.errors import BadRequest
from tanist.peer.healing import Healing

EVENTS_KEPT = 10_000
"""Events kept for listeners that come back: some minutes of a busy chat."""
EVENTS_BEHIND_MAX = 2_000
"""Events that one listener may be behind before it is dropped: it can come back and resume."""


class ClusterEvent(msgspec.Struct, frozen=True):
    """Something that happened to the cluster, as this peer saw it; `index` is what it had applied."""

    index: int
    number: int
    event: str
    fields: Mapping[str, Any]
    line: str


class Replica:
    """The machine with its listeners. `on_outcomes` gets the answers to this peer's own calls."""

    def __init__(
        self,
        applications: Mapping[str, Application],
        emit: Callable[[Event], None],
        on_outcomes: Callable[[list[Outcome], Apply], None],
        on_rebuilt: Callable[[], None],
        healing: Healing,
    ) -> None:
        self.machine = Machine(applications)
        self.applications = applications
        self._emit = emit
        self._on_outcomes = on_outcomes
        self._on_rebuilt = on_rebuilt
        self._healing = healing
        self._events: deque[Published | ClusterEvent] = deque(maxlen=EVENTS_KEPT)
        self._listeners: set[asyncio.Queue[Published | ClusterEvent | None]] = set()
        self._cluster_number = 0
        self._silent_to = 0
        self._heard_from = 0
        """Events of entries up to here are not kept: they are in the snapshot that this peer began with."""
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.on_published: Callable[[Published], None] | None = None
        """Called for each event, heard of before or not; must not raise."""
        self.on_superseded: Callable[[int], None] | None = None
        """Called when the log changed behind an index, before its new entries are applied."""
        self.machine.on_event = self._published
        healing.listen_to(self.machine)
        self.bytes_applied = 0
        """Bytes of all bodies applied since this peer started."""
        self._on_command: Callable[[], None] | None = None
        self._command_of = 0
        self.durability = "alone"
        self.reach = 1
        self.members = 1

    @property
    def applied(self) -> int:
        """The last index applied."""
        return self.machine.applied

    def apply(self, committed: Apply) -> None:
        """Apply committed entries."""
        machine = self.machine
        self.durability, self.reach, self.members = committed.durability, committed.reach, committed.members
        outcomes = machine.apply(committed.first, committed.entries)
        self.bytes_applied += sum([len(entry.body) for entry in committed.entries])
        self._healing.flush()
        if machine.failures:
            for failure in machine.take_failures():
                self._emit(ApplicationFault(failure.app, failure.operation, failure.said))
        if outcomes:
            self._on_outcomes(outcomes, committed)
        if self._waiting:
            self._wake(machine.applied)
        if self._on_command is not None:
            self._look_for_command(committed)

    def await_command(self, heard: Callable[[], None] | None, number: int = 0) -> None:
        """Have `heard` called once, when a command of the reign with this number is applied; None for no more."""
        self._on_command, self._command_of = heard, number

    def _look_for_command(self, committed: Apply) -> None:
        heard = self._on_command
        mine = (e for e in committed.entries if e.number == self._command_of and e.kind == Kind.COMMAND)
        if heard is not None and next(mine, None) is not None:
            self._on_command = None
            heard()

    def begin_with(self, snapshot: bytes) -> None:
        """Start from this peer's own snapshot, at its start."""
        self.machine.restore(snapshot)
        self._heard_from = self.machine.applied

    def begin_anew(self, snapshot: bytes | None, common: int) -> None:
        """Start from a snapshot or from nothing: entries that had been applied are not in the log any more.

        Up to index `common` the log is as it was: listeners have heard of that already.
        """
        fresh = {name: type(app)() for name, app in self.applications.items()}
        local = self.machine.local_sessions
        self._silent_to = common
        line = f"this peer's log changed after {common}: what was heard of later entries may not hold"
        self.cluster_event("history_superseded", {"fork": common}, line)
        if self.on_superseded is not None:
            self.on_superseded(common)
        machine = Machine(fresh)
        if snapshot is not None:
            machine.restore(snapshot)
            if machine.applied > common:
                self._heard_from = machine.applied
        machine.local_sessions = local
        machine.on_event = self._published
        self._healing.listen_to(machine)
        self.machine = machine
        self.applications = fresh
        self._on_rebuilt()

    async def wait_applied(self, index: int) -> None:
        """Return once the entry at an index is applied."""
        if self.machine.applied >= index:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((index, future))
        await future

    def _wake(self, applied: int) -> None:
        still = []
        for index, future in self._waiting:
            if index > applied:
                still.append((index, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still

    # Events

    def _published(self, event: Published) -> None:
        if self.on_published is not None:
            self.on_published(event)
        if event.index > self._silent_to:
            self._hand_out(event)

    def cluster_event(self, kind: str, fields: Mapping[str, Any], line: str) -> None:
        """Tell listeners something about the cluster."""
        self._cluster_number += 1
        self._hand_out(ClusterEvent(self.machine.applied, 1_000_000 + self._cluster_number, kind, fields, line))

    def _hand_out(self, event: Published | ClusterEvent) -> None:
        self._events.append(event)
        for queue in list(self._listeners):
            if queue.qsize() >= EVENTS_BEHIND_MAX:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    async def events_after(self, position: tuple[int, int] | None) -> AsyncIterator[Published | ClusterEvent]:
        """Events behind a position (index, number), or from now on; ends when the listener is too slow."""
        queue: asyncio.Queue[Published | ClusterEvent | None] = asyncio.Queue()
        backlog: list[Published | ClusterEvent] = []
        if position is not None:
            if position[0] > self.machine.applied:
                text = f"nothing is known behind {position[0]}: this peer has applied {self.machine.applied}"
                raise BadRequest(text, "position_unknown")
            forgotten = len(self._events) == EVENTS_KEPT and (self._events[0].index, self._events[0].number) > position
            if forgotten or position[0] < self._heard_from:
                first = self._events[0].index if self._events else self.machine.applied
                text = f"events behind {position[0]} are not kept here any more, only those from {first} on"
                raise BadRequest(text, "position_forgotten")
            backlog = [e for e in self._events if (e.index, e.number) > position]
        self._listeners.add(queue)
        try:
            for event in backlog:
                yield event
            while (event_or_end := await queue.get()) is not None:
                yield event_or_end
        finally:
            self._listeners.discard(queue)

    def close(self) -> None:
        """End all listeners and whoever waits."""
        for queue in self._listeners:
            queue.put_nowait(None)
        for _, future in self._waiting:
            future.cancel()

    def began(self, term: Term) -> int | None:
        """When a reign began, in nanoseconds of log time, if it is remembered."""
        for reign in reversed(self.machine.reigns):
            if reign.term == term:
                return reign.time_ns
        return None
