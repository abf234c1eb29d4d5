"""Replicated timers: commands that applications want to happen later, kept in the state, so that they survive a server.

The server looks for what is due and proposes an entry for each; every peer then runs the command when it applies that
entry. An entry for a timer that fired or was cancelled changes nothing, so that proposing twice is harmless.
"""

import heapq

import msgspec

from tanist.election.entries import TimerDue

TIMERS_MAX = 100_000
"""Timers set at a time, in all applications."""
DUE_MAX = 1000
"""Timers named by one call of `due`: what is left comes with the next, and heartbeats in between."""


class Timer(msgspec.Struct, frozen=True, array_like=True):
    """A command that is to run: `due_ns` in log time, `arguments` as in a command."""

    handle: int
    app: str
    due_ns: int
    command: str
    arguments: bytes


class TimersState(msgspec.Struct, frozen=True, array_like=True):
    """All timers in a snapshot, and the next handle."""

    timers: list[Timer]
    next_handle: int


class TimerTable:
    """The timers that are set."""

    def __init__(self) -> None:
        self._timers: dict[int, Timer] = {}
        self._next_handle = 1
        # Fired and cancelled timers stay in the heap until they come to its top or `_tidy` takes them out.
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._timers)

    def reserve(self) -> int:
        """A new handle, never used before."""
        handle = self._next_handle
        self._next_handle += 1
        return handle

    def set(self, timer: Timer) -> None:
        """Set a timer, under a handle that was reserved."""
        self._timers[timer.handle] = timer
        heapq.heappush(self._heap, (timer.due_ns, timer.handle))

    def cancel(self, app: str, handle: int) -> None:
        """Cancel a timer of an application; nothing happens if there is none."""
        timer = self._timers.get(handle)
        if timer is not None and timer.app == app:
            del self._timers[handle]
            self._tidy()

    def take(self, due: TimerDue, time_ns: int) -> Timer | None:
        """Take a timer out because its entry, of log time `time_ns`, is applied; None if it is not due or not there."""
        timer = self._timers.get(due.handle)
        if timer is None or timer.app != due.app or timer.due_ns > time_ns:
            return None
        del self._timers[due.handle]
        self._tidy()
        return timer

    def next_ns(self) -> int | None:
        """When the next timer is due, in nanoseconds of log time; None without timers."""
        while self._heap and self._heap[0][1] not in self._timers:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_ns: int) -> list[TimerDue]:
        """Timers that are due at `now_ns`, earliest first, at most `DUE_MAX`; they stay set until `take`."""
        first = self.next_ns()
        if first is None or first > now_ns:
            return []
        ready = [timer for timer in self._timers.values() if timer.due_ns <= now_ns]
        ready = heapq.nsmallest(DUE_MAX, ready, key=lambda timer: (timer.due_ns, timer.handle))
        return [TimerDue(timer.app, timer.handle) for timer in ready]

    def _tidy(self) -> None:
        # An application that sets and cancels for ever must not grow the heap for ever.
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._timers):
            self._heap = [(timer.due_ns, timer.handle) for timer in self._timers.values()]
            heapq.heapify(self._heap)

    def state(self) -> TimersState:
        """All of the table, for a snapshot."""
        return TimersState(list(self._timers.values()), self._next_handle)

    def restore(self, state: TimersState) -> None:
        """Become the table that `state` was taken from."""
        self._timers = {timer.handle: timer for timer in state.timers}
        self._next_handle = state.next_handle
        self._heap = [(timer.due_ns, timer.handle) for timer in state.timers]
        heapq.heapify(self._heap)
