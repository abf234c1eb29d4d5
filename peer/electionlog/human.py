"""The election log for whoever started the peer: short lines on stderr, coloured by level on a terminal.

A terminal can stop taking text (Ctrl-S, a pager), and a write to it then blocks. So a thread of its own writes;
the event loop only queues, and what does not fit is counted.
"""

import queue
import sys
import threading
from datetime import datetime, tzinfo
from typing import TextIO

from tanist.peer.electionlog.catalogue import at_least
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.sentences import Names, sentence
from tanist.peer.electionlog.terminal import DIM, LEVEL_COLOURS, colour_wanted, painted

QUEUED_LINES_MAX = 1000
"""Lines that wait for the terminal: some screens full; nobody reads more after the fact, the file has them all."""
CLOSE_TIMEOUT_S = 1.0
"""How long the end of the peer waits for the terminal to take the last lines."""


def rendered(line: LogLine, names: Names, *, colour: bool, zone: tzinfo | None = None) -> str:
    """One line for people: local time (or that of `zone`), level unless info, sentence."""
    clock = datetime.fromtimestamp(line.wall_ms / 1000, zone).strftime("%H:%M:%S.") + f"{line.wall_ms % 1000:03d}"
    level = "" if line.level == "info" else f"{line.level}: "
    text = level + sentence(line, names)
    if not colour:
        return f"{clock}  {text}"
    return f"{painted(clock, DIM)}  {painted(text, LEVEL_COLOURS.get(line.level, ''))}"


class HumanLog:
    """A listener of the election log that writes for people. Without `stream`, to what stderr is at that moment."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        level: str = "info",
        names: Names | None = None,
        zone: tzinfo | None = None,
        queued_lines_max: int = QUEUED_LINES_MAX,
    ) -> None:
        self._stream = stream
        self._level = level
        self._names = names or Names()
        self._zone = zone
        self._queue: queue.Queue[LogLine | None] = queue.Queue(queued_lines_max)
        self._missed = 0
        self._thread: threading.Thread | None = None

    def __call__(self, line: LogLine) -> None:
        """Queue one line; never blocks."""
        if not at_least(line.level, self._level):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tanist-human-log", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._missed += 1

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Wait until what is queued is written; False when the terminal did not take it in time."""
        if self._thread is None:
            return True
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            return False
        self._thread = None
        return True

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            self._names.learn(line)
            self._write(line)

    def _write(self, line: LogLine) -> None:
        stream = self._stream or sys.stderr
        text = rendered(line, self._names, colour=colour_wanted(stream), zone=self._zone) + "\n"
        missed, self._missed = self._missed, 0
        if missed:
            text = f"({missed} lines did not fit here while the terminal stood still; the file has them)\n" + text
        try:
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):
            # The terminal is gone, or closed under us: the file goes on.
            pass
