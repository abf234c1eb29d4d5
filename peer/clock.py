"""The clocks of a peer: one that counts sleep for deadlines, the wall clock to stamp log time."""

import time

# A laptop's lid stops CLOCK_MONOTONIC on Linux, and a peer must notice that it was away.
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def now_ns() -> int:
    """Nanoseconds of a clock that never goes back and, where the system has one, counts sleep."""
    return time.monotonic_ns() if _BOOTTIME is None else time.clock_gettime_ns(_BOOTTIME)


_offset_ns = 0


def wall_ns() -> int:
    """Nanoseconds since 1970, as the system has it; in a drill, off by what `set_wall_offset` said."""
    return time.time_ns() + _offset_ns


def set_wall_offset(offset_ns: int) -> None:
    """Have the wall clock of this whole process go wrong by so much; 0 sets it right again."""
    global _offset_ns
    _offset_ns = offset_ns
