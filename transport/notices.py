"""Notices of turned-away connections, so many a second and no more: a flood must not become a flood of lines."""

import asyncio
from collections.abc import Callable

WINDOW_S = 1.0
"""Seconds over which notices are counted, and after which those not told are summed up."""


class Notices:
    """Passes notices on, up to a limit a window, then one that counts the rest."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, notices_max: int, tell: Callable[[str, str, str], None]
    ) -> None:
        """`notices_max` notices a window go to `tell(address, code, text)`."""
        self._loop = loop
        self._notices_max = notices_max
        self._tell = tell
        self._told = 0
        self._untold = 0
        self._last = ("", "", "")
        self._window: asyncio.TimerHandle | None = None

    def add(self, address: str, code: str, text: str) -> None:
        """Tell this one, or count it."""
        if self._window is None:
            self._window = self._loop.call_later(WINDOW_S, self._window_over)
        if self._told < self._notices_max:
            self._told += 1
            self._tell(address, code, text)
        else:
            self._untold += 1
            self._last = (address, code, text)

    def close(self) -> None:
        """Tell what was only counted, and end."""
        if self._window is not None:
            self._window.cancel()
            self._window_over()

    def _window_over(self) -> None:
        untold, self._untold, self._told, self._window = self._untold, 0, 0, None
        if untold:
            address, code, text = self._last
            self._tell(address, code, f"{text} (the last of {untold} turned away that were not told one by one)")
