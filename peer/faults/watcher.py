"""Stops a process for a while, and lets it go on whatever becomes of the program that asked: run as a script.

    python watcher.py PID MILLISECONDS [PIDFD]

It says "paused" on stdout once the process is stopped. The process goes on when the time is over, when stdin ends (the
program that asked is gone, or has had enough), or when this script is told to end. Imports nothing of tanist, so that
it runs within milliseconds.
"""

import contextlib
import os
import select
import signal
import sys
from types import FrameType


def main(pid: int, for_ms: int, pidfd: int | None) -> None:
    """Stop it, wait, and let it go on."""

    def send(number: signal.Signals) -> None:
        if pidfd is not None and sys.platform == "linux":
            # Whoever is given the same number later is not meant.
            signal.pidfd_send_signal(pidfd, number)
        else:
            os.kill(pid, number)

    signal.signal(signal.SIGTERM, _end)
    try:
        send(signal.SIGSTOP)
        os.write(1, b"paused\n")
        select.select([0], [], [], for_ms / 1000)
    finally:
        # The process may have been killed meanwhile.
        with contextlib.suppress(ProcessLookupError):
            send(signal.SIGCONT)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
