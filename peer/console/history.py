"""What was typed, from one console to the next: a file for each application, without secrets."""

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

import platformdirs
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

LINES_KEPT = 1000
"""Lines that a console finds again: weeks of use; nobody looks further back."""
FILE_BYTES_MAX = 1 << 20
"""Bytes at which the file is cut down to `LINES_KEPT` lines."""


class Remembered(FileHistory):
    """History in a file. Of each line, what `cleaned` leaves is remembered."""

    def __init__(self, path: Path, cleaned: Callable[[str], str]) -> None:
        self._cleaned = cleaned
        super().__init__(path)

    def append_string(self, string: str) -> None:
        """Remember a line; the same one as before, once."""
        kept = self._cleaned(string)
        strings = self.get_strings()
        if kept and (not strings or strings[-1] != kept):
            super().append_string(kept)

    def store_string(self, string: str) -> None:
        """Write a line down. A disk that takes none is no reason to end a console."""
        try:
            super().store_string(string)
        except OSError:
            return

    def load_history_strings(self) -> Iterable[str]:
        """The newest lines, newest first."""
        for _, string in zip(range(LINES_KEPT), super().load_history_strings(), strict=False):
            yield string


def history_of(app: str, cleaned: Callable[[str], str], folder: Path | None = None) -> History:
    """The history of an application's console; one that forgets where nothing can be written."""
    folder = folder or platformdirs.user_state_path("tanist") / "console"
    path = folder / f"{quote(app, safe='')}.history"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        remembered = Remembered(path, cleaned)
        if path.stat().st_size > FILE_BYTES_MAX:
            newest = list(remembered.load_history_strings())
            path.write_bytes(b"")
            for string in reversed(newest):
                remembered.store_string(string)
        return remembered
    except OSError:
        return InMemoryHistory()
