"""One direction of one connection: frames go in, and come out late, slowly, twice, not at all, or cut in two."""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

import msgspec

from tanist.peer.faults.conditions import CLEAR, RESEND_MS, RESENDS_MAX, Conditions
from tanist.peer.faults.framing import Cutter, is_message

WAITING_BYTES_MAX = 4 << 20
"""Bytes that may wait in one lane, beside one frame; then the sender has to wait, as with any slow network."""


class Counts(msgspec.Struct):
    """What went through, and what did not."""

    frames: int = 0
    """Frames that arrived, doubles included."""
    bytes: int = 0
    """Bytes that arrived."""
    lost: int = 0
    """Frames that were lost on the way, and came late."""
    dropped: int = 0
    """Frames that never arrived."""
    duplicated: int = 0
    """Frames that arrived twice."""
    resets: int = 0
    """Connections that were reset."""

    def __add__(self, other: "Counts") -> "Counts":
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Counts(*(mine + theirs for mine, theirs in pairs))


class Sink(Protocol):
    """Where a lane leads."""

    def write(self, data: bytes) -> None:
        """Take bytes; they may wait, and then `Lane.hold` says so."""
        ...

    def finish(self, lost: Exception | None) -> None:
        """The source sends no more: it ended in order, or (with `lost`) was cut off."""
        ...

    def reset(self) -> None:
        """End the whole connection at once, with a reset, at both its ends."""
        ...


class Lane:
    """Shapes one direction. Set `conditions` with `suffer`; all calls on the event loop's thread."""

    def __init__(self, sink: Sink, pause: Callable[[bool], None], counts: Counts, random: Random) -> None:
        """`pause(True)` asks the source to wait, `pause(False)` to go on."""
        self._loop = asyncio.get_running_loop()
        self._sink = sink
        self._pause = pause
        self.counts = counts
        self.on_first: Callable[[bytes], None] | None = None
        """Sees the first frame before it is shaped: it may say who is there."""
        self._random = random
        self._conditions = CLEAR
        self._cutter = Cutter()
        self._waiting: deque[tuple[float, bytes]] = deque()
        """Frames on their way, each with the moment of its arrival."""
        self.waiting_bytes = 0
        self._ended = False
        self._end: Exception | None = None
        self._passed = 0
        """Bytes that arrived under the present conditions: `reset_after` is about those."""
        self._last = 0.0
        self._busy_until = 0.0
        self._held = False
        self._paused = False
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None

    # What happens to it

    def suffer(self, conditions: Conditions) -> None:
        """From now on these conditions. What is on its way comes no later than it would have been sent now."""
        if conditions == self._conditions:
            return
        self._conditions = conditions
        self._passed = 0
        if not conditions.bandwidth:
            now = self._loop.time()
            latest = now + (conditions.delay_ms + conditions.jitter_ms) / 1000
            self._waiting = deque((min(due, latest), frame) for due, frame in self._waiting)
            self._last, self._busy_until = min(self._last, latest), now
        self._release()

    def hold(self, held: bool) -> None:
        """The sink takes no more for now, or takes again."""
        self._held = held
        if not held:
            self._release()

    def fed(self, data: bytes) -> None:
        """Bytes came from the source."""
        if self._closed:
            return
        for frame in self._cutter.cut(data):
            self.take(frame)
        self.flush()

    def take(self, frame: bytes) -> None:
        """One frame came from the source; `flush` follows."""
        if self.on_first is not None:
            on_first, self.on_first = self.on_first, None
            on_first(frame)
        conditions = self._conditions
        shaped = is_message(frame) and not self._cutter.raw
        if shaped and conditions.drop and self._random.random() < conditions.drop:
            self.counts.dropped += 1
            return
        self._send(frame)
        if shaped and conditions.duplicate and self._random.random() < conditions.duplicate:
            self.counts.duplicated += 1
            self._send(frame)

    def flush(self) -> None:
        """Let go what is due."""
        self._release()

    def ended(self, lost: Exception | None) -> None:
        """The source sends no more; what is on its way still arrives, unless it was reset."""
        if not self._ended:
            self._ended, self._end = True, lost
            if rest := self._cutter.rest():
                self._send(rest)
            self._release()

    def close(self) -> None:
        """Nothing more comes out."""
        self._closed = True
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    # Shaping

    def _send(self, frame: bytes) -> None:
        """Put a frame on its way."""
        conditions, now = self._conditions, self._loop.time()
        leaves = now
        if conditions.bandwidth:
            leaves = self._busy_until = max(now, self._busy_until) + len(frame) / conditions.bandwidth
        delay_ms = conditions.delay_ms
        if conditions.jitter_ms:
            delay_ms += self._random.uniform(-conditions.jitter_ms, conditions.jitter_ms)
        delay_ms = max(0.0, delay_ms)
        if conditions.loss:
            delay_ms += self._resent_ms(conditions.loss)
        self._last = max(self._last, leaves + delay_ms / 1000)
        self._waiting.append((self._last, frame))
        self.waiting_bytes += len(frame)

    def _resent_ms(self, loss: float) -> float:
        """What it costs that a frame may be lost, and lost again."""
        resent = 0
        while resent < RESENDS_MAX and self._random.random() < loss:
            resent += 1
        self.counts.lost += resent > 0
        return RESEND_MS * ((1 << resent) - 1)

    def _release(self) -> None:
        """Hand over what has arrived, and come back for the rest."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        if not (self._held or self._conditions.blackhole):
            self._hand_over(self._loop.time())
        self._ask_to_wait()

    def _hand_over(self, now: float) -> None:
        arrived: list[bytes] = []
        waiting, limit = self._waiting, self._conditions.reset_after
        while waiting and waiting[0][0] <= now:
            frame = waiting.popleft()[1]
            self.waiting_bytes -= len(frame)
            if limit is not None and self._passed + len(frame) > limit:
                arrived.append(frame[: max(0, min(limit - self._passed, len(frame) - 1))])
                self.counts.resets += 1
                self._write(b"".join(arrived))
                self._sink.reset()
                return
            arrived.append(frame)
            self._passed += len(frame)
            self.counts.frames += 1
            self.counts.bytes += len(frame)
        self._write(b"".join(arrived))
        if waiting:
            self._timer = self._loop.call_at(waiting[0][0], self._release)
        elif self._ended and not (self._held or self._closed):
            self._closed = True
            self._sink.finish(self._end)

    def _write(self, data: bytes) -> None:
        if data:
            self._sink.write(data)

    def _ask_to_wait(self) -> None:
        full = self.waiting_bytes > WAITING_BYTES_MAX and not self._closed
        if full != self._paused:
            self._paused = full
            self._pause(full)
