"""What running peers tell of elections, heard from them (`GET /events`): for peers whose files are elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.line import LogLine, make_line


class Running(msgspec.Struct, frozen=True):
    """A peer that runs somewhere: its name, its id, and the address of its page."""

    name: str
    id: str
    url: str


HEARD_MAX = 100_000
"""Lines that are remembered: far more than any drill gives rise to."""
AGAIN_S = 0.2
"""Before a peer is asked anew that does not answer."""


class Heard:
    """A chronicle of what peers by name say from now on. `async with`."""

    def __init__(
        self, http: aiohttp.ClientSession, peers: Sequence[Running], hear: Callable[[LogLine], None] = lambda line: None
    ) -> None:
        """`hear` is called with every line that is taken in."""
        self.lines: list[LogLine] = []
        self._http = http
        self._peers = peers
        self._hear = hear
        self._new: list[LogLine] = []
        self._count = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._listen(peer)) for peer in self._peers]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def skip(self) -> None:
        """What was told by now is no part of it, but heard."""
        self.read_on()
        self.lines.clear()

    def read_on(self) -> None:
        """Take in what was told since the last look."""
        new, self._new = self._new, []
        self.lines += new[: HEARD_MAX - len(self.lines)]
        for line in new:
            self._hear(line)

    async def _listen(self, peer: Running) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with self._http.ws_connect(f"{peer.url}/events", heartbeat=AGAIN_S * 50) as socket:
                    async for message in socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            self._take(peer, json.loads(message.data))
            # It was killed, or paused for long: it goes on telling when it is back.
            await asyncio.sleep(AGAIN_S)

    def _take(self, peer: Running, said: dict[str, Any]) -> None:
        kind = CATALOGUE.get(str(said.get("event")))
        if said.get("type") != "cluster" or kind is None or len(self._new) >= HEARD_MAX:
            return
        with contextlib.suppress(msgspec.ValidationError):
            event = msgspec.convert(said["fields"], kind)
            self._count += 1
            line = make_line(
                event,
                cluster="",
                peer=peer.id,
                name=peer.name,
                incarnation="",
                seq=self._count,
                wall_ms=round(time.time() * 1000),
                mono_ms=time.monotonic() * 1000,
            )
            self._new.append(line)


__all__ = ["Heard", "Running"]
