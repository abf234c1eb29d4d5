"""The readable file of a heal: one JSON line for each archived entry, with its fate, at every peer that applies it.

The log is what counts, and every peer can write the file anew from it: lines are appended as entries are applied, and
nothing waits for the disk. After a restart the entries behind the last snapshot are applied again; a file that has
them is left as it is. Its lines are those of other archives (see `archive`), and `heal`, `at` (the index in the log
that went on), `fate` and `code` besides.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tanist.election.archived import ArchivedEntry
from tanist.peer.application.heals import HealedEntry
from tanist.peer.storage.archive import entry_line

TAIL_BYTES = 4 << 20
"""Bytes at the end of a file in which its last whole line must be: more than an entry with all of it escaped."""
NAME_LENGTH_MAX = 100
"""Characters of a heal's id in a file's name: far more than an id has."""


class HealFiles:
    """The files of heals in `directory`, which is made when the first is written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lines: dict[str, list[bytes]] = {}
        self._written: dict[str, int] = {}
        """By heal: the last index whose entry its file has."""

    def path(self, heal: str) -> Path:
        """Where the file of a heal is."""
        return self._directory / f"heal-{re.sub(r'[^A-Za-z0-9_.-]', '-', heal)[:NAME_LENGTH_MAX]}.jsonl"

    def add(self, archived: ArchivedEntry, decided: HealedEntry) -> None:
        """An archived entry was applied; it is in the file after `flush`."""
        line: Mapping[str, Any] = {
            "heal": archived.heal,
            "at": decided.at,
            "fate": decided.fate,
            "code": decided.code,
        } | entry_line(archived.index, archived.entry, archived.acknowledged)
        if decided.at > self._last(archived.heal):
            self._written[archived.heal] = decided.at
            self._lines.setdefault(archived.heal, []).append(msgspec.json.encode(line) + b"\n")

    def flush(self) -> None:
        """Write what was added; the system's buffers take it. Raises OSError, and then what was added is lost."""
        if not self._lines:
            return
        found, self._lines = self._lines, {}
        self._directory.mkdir(parents=True, exist_ok=True)
        for heal, lines in found.items():
            with self.path(heal).open("ab") as file:
                file.write(b"".join(lines))

    def _last(self, heal: str) -> int:
        last = self._written.get(heal)
        if last is None:
            last = self._written[heal] = self._read_last(self.path(heal))
        return last

    def _read_last(self, path: Path) -> int:
        """The last index that a file has, 0 if there is none; a line that broke off goes."""
        if not path.exists():
            return 0
        with path.open("r+b") as file:
            size = file.seek(0, 2)
            start = file.seek(max(0, size - TAIL_BYTES))
            tail = file.read()
            end = tail.rfind(b"\n") + 1
            file.truncate(start + end)
        lines = tail[:end].splitlines()
        try:
            return int(msgspec.json.decode(lines[-1])["at"]) if lines else 0
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            # No file of ours, or a person has edited it: it is continued, and nothing in it is taken for granted.
            return 0
