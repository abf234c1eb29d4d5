"""Text that scrolls above the prompt, in whole lines, whoever says it and from whatever thread."""

import asyncio
import io
import threading
from collections import deque

from prompt_toolkit.application import get_app_or_none
from prompt_toolkit.output import Output

LINES_MAX = 5_000
"""Lines that wait for the terminal: nobody reads more after it stood still; how many were left out is said."""
TOGETHER_S = 0.03
"""Seconds for which lines are gathered: the prompt is taken away and drawn again once for all of them."""


class Above:
    """`say` may be called from any thread; `show` runs beside the prompt, on the loop that made this."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._missed = 0
        self._some = asyncio.Event()

    def say(self, *lines: str) -> None:
        """Show lines soon; never blocks."""
        with self._lock:
            room = LINES_MAX - len(self._waiting)
            self._waiting.extend(lines[:room])
            self._missed += max(0, len(lines) - room)
        try:
            self._loop.call_soon_threadsafe(self._some.set)
        except RuntimeError:
            return  # The console ended.

    async def show(self) -> None:
        """Show what comes, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(TOGETHER_S)
            self._some.clear()
            self.flush()

    def flush(self) -> None:
        """Show what is there now."""
        with self._lock:
            lines, missed = list(self._waiting), self._missed
            self._waiting.clear()
            self._missed = 0
        if missed:
            lines.append(f"({missed} lines did not fit here: too many at once)")
        if not lines:
            return
        # Not with prompt-toolkit's `in_terminal`, which leaves raw mode meanwhile: what is typed just then is echoed
        # between the lines, and a Ctrl-D is lost.
        app = get_app_or_none()
        drawn = app is not None and app.is_running
        if app is not None and drawn:
            app.renderer.erase()
        self._output.enable_autowrap()
        self._output.write_raw("".join(f"{line}\r\n" for line in lines))
        self._output.flush()
        if app is not None and drawn:
            app.renderer.reset()
            app.renderer.request_absolute_cursor_position()
            app.invalidate()


class Stream(io.TextIOBase):
    """A stream for others' text, such as log lines: it scrolls above the prompt, a line at a time."""

    LINE_CHARS_MAX = 100_000
    """Characters of a line that is not ended yet: then it is shown as it is."""

    def __init__(self, above: Above) -> None:
        self._above = above
        self._begun = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Take text; what ends with a line break is shown."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            if len(self._begun) > self.LINE_CHARS_MAX:
                lines.append(self._begun)
                self._begun = ""
        if lines:
            self._above.say(*lines)
        return len(text)

    def isatty(self) -> bool:
        """A terminal is behind it."""
        return True
