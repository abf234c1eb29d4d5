"""`WATCH`: a query whose answer stays in sight below the prompt, asked for again and again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from tanist.peer.console.answers import Answer
from tanist.peer.electionlog.terminal import printable

AGAIN_S = 2.0
"""Seconds between two looks: machines report every 2 s to `hosts`, so their table is 4 s old at most."""
SOON_S = 0.1
"""Seconds from what may have changed the answer to the next look: such things seldom come alone."""


class Watching:
    """What is watched, and what it answered last."""

    def __init__(self, ask: Callable[[str], Awaitable[Answer]], changed: Callable[[], None]) -> None:
        """`ask` has a line answered; `changed` is told that there are other lines to draw."""
        self._ask = ask
        self._changed = changed
        self._line = ""
        self._lines: list[str] = []
        self._turned = asyncio.Event()
        self._soon: asyncio.TimerHandle | None = None

    def turn_to(self, line: str) -> None:
        """Watch what a line asks for; "" is nothing."""
        self._line, self._lines = line, []
        self._turned.set()
        self._changed()

    def look(self) -> None:
        """Look again soon: something happened that may have changed it."""
        if self._line and self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON_S, self._now)

    def _now(self) -> None:
        self._soon = None
        self._turned.set()

    async def run(self) -> None:
        """Ask for it until cancelled."""
        while True:
            self._turned.clear()
            if line := self._line:
                answer = await self._ask(line)
                # Something else may have been turned to meanwhile.
                if line == self._line:
                    self._lines = [printable(text) for text in answer.text] or ["(none)"]
                    self._changed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S if self._line else None):
                    await self._turned.wait()

    def drawn(self, rows: int, columns: int) -> list[str]:
        """Its lines, as many as there is room for."""
        lines = self._lines
        if len(lines) > rows:
            lines = [*lines[: max(rows - 1, 0)], f"… and {len(lines) - max(rows - 1, 0)} lines more"]
        return [line[:columns] for line in lines]
