"""The faults of one running peer: injected, told in its election log, undone when their time is over or on request.

A fault lives in the peer that it befalls and carries its own end, so that it does not outlast whoever injected it.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec

from tanist.election.events import Event
from tanist.peer import clock
from tanist.peer.electionlog.peer_events import FaultEnded, FaultInjected
from tanist.peer.faults import again
from tanist.peer.faults.disk import DrillDisk, Trouble
from tanist.peer.faults.links import LinkFaults
from tanist.peer.faults.processes import PauseFailed, pause
from tanist.peer.faults.requests import (
    AnyFault,
    ClockOffset,
    Crash,
    DiskFull,
    DiskReadOnly,
    DiskSlow,
    Fault,
    LinkFault,
    Noted,
    PauseProcess,
    Restart,
    Stall,
    SyncFails,
)

FAULTS_MAX = 64
"""Faults at once in one peer: a drill of many steps has a few."""
SOON_S = 0.05
"""Before what ends or stops the process, so that the answer to whoever asked for it leaves first."""


OVER = "its time is over"
ON_REQUEST = "it was ended on request"


class TooMany(Exception):
    """No more faults can be injected now."""


class FaultView(msgspec.Struct, frozen=True):
    """A fault that is in force; `left_ms` milliseconds are left of it."""

    id: str
    kind: str
    detail: str
    left_ms: float


class _InForce(msgspec.Struct):
    view: FaultView
    until: float
    undo: Callable[[], None]
    timer: asyncio.TimerHandle | None


class Drills:
    """Injects and undoes. To be used on the peer's event loop; `stop` ends the peer in order."""

    def __init__(
        self,
        disk: DrillDisk,
        links: LinkFaults,
        emit: Callable[[Event], None],
        stop: Callable[[], Coroutine[None, None, None]],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._disk = disk
        self._links = links
        self._emit = emit
        self._stop = stop
        self._count = 0
        self._faults: dict[str, _InForce] = {}
        self._offsets: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None

    def inject(self, fault: AnyFault) -> FaultView:
        """Begin a fault; it ends by itself. Raises `TooMany`, `ValueError`."""
        if len(self._faults) >= FAULTS_MAX:
            raise TooMany(f"{FAULTS_MAX} faults are in force already: end some first")
        self._count += 1
        name = f"f{self._count}"
        undo = self._begin(name, fault)
        view = FaultView(name, fault.kind, fault.detail(), fault.for_ms)
        until = self._loop.time() + fault.for_ms / 1000
        # A pause begins when its watcher has started, and tells when it is over.
        timer = None if isinstance(fault, PauseProcess) else self._loop.call_at(until, self._end, name, OVER)
        self._faults[name] = _InForce(view, until, undo, timer)
        self._emit(FaultInjected(name, view.kind, view.detail, fault.for_ms))
        return view

    def in_force(self) -> list[FaultView]:
        """All faults of now, oldest first."""
        now = self._loop.time()
        return [
            msgspec.structs.replace(one.view, left_ms=round(max(0.0, one.until - now) * 1000, 1))
            for one in self._faults.values()
        ]

    def end(self, name: str) -> FaultView:
        """End one fault now, by its id. Raises `KeyError` when it is not in force (any more)."""
        ended = {view.id: view for view in self.in_force()}[name]
        self._end(name, ON_REQUEST)
        return ended

    def end_all(self, why: str = ON_REQUEST) -> list[FaultView]:
        """End all faults now; gives those that were in force."""
        ended = self.in_force()
        for name in list(self._faults):
            self._end(name, why)
        return ended

    def close(self) -> None:
        """The peer ends: nothing outlasts it."""
        self.end_all("the peer ends")
        for task in self._tasks:
            task.cancel()

    def _end(self, name: str, why: str) -> None:
        one = self._faults.pop(name, None)
        if one is None:
            return
        if one.timer is not None:
            one.timer.cancel()
        one.undo()
        self._emit(FaultEnded(name, one.view.kind, one.view.detail, why))

    # What each kind does

    def _begin(self, name: str, fault: AnyFault) -> Callable[[], None]:
        """Do it; gives what undoes it."""
        match fault:
            case LinkFault():
                self._links.put(name, fault)
                return lambda: self._links.drop(name)
            case DiskFull() | DiskReadOnly() | SyncFails() | DiskSlow():
                slow_ms = fault.ms if isinstance(fault, DiskSlow) else 0.0
                self._disk.hurt(name, Trouble(fault.kind), fault.for_ms / 1000, slow_ms)
                return lambda: self._disk.mend(name)
            case ClockOffset():
                return self._shift_clock(name, fault.offset_ms)
            case PauseProcess():
                return self._run(self._pause(name, fault))
            case Stall():
                return self._loop.call_later(SOON_S, time.sleep, fault.for_ms / 1000).cancel
            case Crash():
                return self._loop.call_later(SOON_S, _become_again, fault).cancel
            case Restart():
                return self._loop.call_later(SOON_S, self._restart, fault).cancel
            case Noted():
                return _nothing

    def _shift_clock(self, name: str, offset_ms: float) -> Callable[[], None]:
        def undo() -> None:
            del self._offsets[name]
            clock.set_wall_offset(sum(self._offsets.values()))

        self._offsets[name] = round(offset_ms * 1_000_000)
        clock.set_wall_offset(sum(self._offsets.values()))
        return undo

    async def _pause(self, name: str, fault: Fault) -> None:
        await asyncio.sleep(SOON_S)
        why = OVER
        try:
            paused = await pause(os.getpid(), fault.for_ms / 1000)
            await paused.ended()
        except PauseFailed as error:
            why = str(error)
        self._end(name, why)

    def _restart(self, fault: Fault) -> None:
        self._ending = self._loop.create_task(self._stop())
        self._ending.add_done_callback(lambda _: _become_again(fault))

    def _run(self, work: Coroutine[None, None, None]) -> Callable[[], None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return _nothing


def _become_again(fault: Fault) -> None:
    """Leave this program as a kill would, and be the same one again later. Nothing is closed, nothing is said."""
    script = str(Path(again.__file__))
    # The program is named as it was found: a bare name would be looked for in the present directory.
    program = (sys.executable, *sys.orig_argv[1:])
    os.execv(sys.executable, (sys.executable, "-I", "-S", script, str(round(fault.for_ms)), *program))


def _nothing() -> None:
    """It cannot be undone, or undoes itself."""
