"""Says where the event loop of a peer stands still, from a thread: a command that never ends lets nobody else speak."""

import asyncio
import sys
import threading
import time
import traceback
from itertools import pairwise
from pathlib import Path
from types import FrameType, TracebackType

from tanist.peer.cli.output import complain

STILL_S = 5.0
"""Seconds after which it is told: no command should take a hundredth of it, and no disk or machine often does."""
LOOK_S = 1.0
"""Seconds between two looks, each the work of a microsecond."""
_PACKAGE = Path(__file__).parent.parent
_CALLER = str(_PACKAGE / "application" / "binding.py")
"""What calls an application's methods: they are the next frame."""


class Standstill:
    """`with Standstill():` in the thread of the running event loop. Each time that it stands still is told once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._turned = time.monotonic()
        self._turning: asyncio.TimerHandle | None = None
        self._ended = threading.Event()

    def __enter__(self) -> None:
        self._turn()
        # A daemon: nothing waits for it, whatever becomes of the process.
        threading.Thread(target=self._watch, name="standstill", daemon=True).start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self._turning is not None:
            self._turning.cancel()

    def _turn(self) -> None:
        self._turned = time.monotonic()
        self._turning = self._loop.call_later(LOOK_S, self._turn)

    def _watch(self) -> None:
        told = 0.0
        before = time.monotonic()
        while not self._ended.wait(LOOK_S):
            now, turned = time.monotonic(), self._turned
            # Where this thread was late too, the whole process was stopped, and nothing in it is to blame.
            asleep, before = now - before > 2 * LOOK_S, now
            if now - turned > STILL_S and turned != told and not asleep:
                told = turned
                complain(
                    f"the event loop stands still for {now - turned:.0f} s, in {self._place()}. A command that does "
                    "not end holds up the whole peer: mend it, end the peer (Ctrl-C twice) and start it again"
                )

    def _place(self) -> str:
        frame = sys._current_frames().get(self._watched)
        return "an unknown place" if frame is None else place_of(frame)


def place_of(frame: FrameType) -> str:
    """Where code is: the innermost line of an application's own file if its method runs, else the innermost of all."""
    frames = [inner for inner, _ in traceback.walk_stack(frame)]
    files = [inner.f_code.co_filename for inner in frames]
    called = next((at for at, (file, caller) in enumerate(pairwise(files)) if caller == _CALLER != file), 0)
    found = frames[files.index(files[called])]
    return f"{found.f_code.co_qualname} at {Path(found.f_code.co_filename).name}:{found.f_lineno}"
