"""What peers tell of elections while a drill goes on: read from their election logs, as they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tanist.peer.electionlog.files import FILE_NAME
from tanist.peer.electionlog.line import LINE_BYTES_MAX, BadLine, LogLine, parse

READ_BYTES_MAX = 4 << 20
"""Bytes of one log that are read at a time; the rest comes with the next look."""


class Chronicle(Protocol):
    """What peers told since a moment."""

    lines: list[LogLine]
    """All of it, each peer's own in order."""

    def skip(self) -> None:
        """What was told by now is no part of it."""
        ...

    def read_on(self) -> None:
        """Take in what was told since the last look."""
        ...


class LogFiles:
    """Follows the logs of peers by name. A log that is turned over meanwhile is begun anew: drills write little."""

    def __init__(self, folders: Mapping[str, Path], hear: Callable[[LogLine], None] = lambda line: None) -> None:
        """`folders` are the peers' data directories; one may be added later, or not be there yet. `hear` is called
        with every line that is read."""
        self.lines: list[LogLine] = []
        self._folders = folders
        self._hear = hear
        self._read: dict[str, int] = {}

    def skip(self) -> None:
        """What stands in the logs by now is no part of it, but heard."""
        self.read_on()
        self.lines.clear()

    def read_on(self) -> None:
        """Take in the lines that were written since the last look."""
        found: list[LogLine] = []
        for name, folder in list(self._folders.items()):
            found += self._of(name, folder / FILE_NAME)
        found.sort(key=lambda line: line.wall_ms)
        self.lines += found
        for line in found:
            self._hear(line)

    def _of(self, name: str, path: Path) -> list[LogLine]:
        begin = self._read.get(name, 0)
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) < begin:
                    begin = 0
                file.seek(begin)
                data = file.read(READ_BYTES_MAX)
        except OSError:
            return []
        # What has no end yet is being written.
        whole = data.rfind(b"\n") + 1
        self._read[name] = begin + (whole or (len(data) if len(data) > LINE_BYTES_MAX else 0))
        found = []
        for raw in data[:whole].splitlines():
            try:
                found.append(parse(raw))
            except BadLine:
                # `tanist log show` tells of it; a drill goes on.
                continue
        return found


__all__ = ["Chronicle", "LogFiles"]
