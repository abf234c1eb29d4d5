"""The clocks of a peer: one that counts sleep for deadlines, the wall clock to stamp log time."""

import time

# A laptop's lid stops CLOCK_MONOTONIC on Linux, and a peer must notice that it was away.
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def now_ns() -> int:
    """Nanoseconds of a clock that never goes back and, where the system has one, counts sleep."""
    return time.monotonic_ns() if _BOOTTIME is None else time.clock_gettime_ns(_BOOTTIME)


wall_ns = time.time_ns
"""Nanoseconds since 1970, as the system has it."""
