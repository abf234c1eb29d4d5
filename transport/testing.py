"""Doubles for tests of whatever uses a transport: a handler that writes down what it hears, and waits for it."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tanist.election.evidence import Evidence
from tanist.election.messages import Message
from tanist.transport.link import Link

WAIT_S = 20.0
"""Seconds after which a test that waits has failed; a busy machine needs less."""


class Up(NamedTuple):
    """`link_up` was called."""

    link: Link
    dialed: str | None


class Received(NamedTuple):
    """`received` was called."""

    link: Link
    messages: list[Message]


class Down(NamedTuple):
    """`link_down` was called."""

    link: Link
    evidence: Evidence
    detail: str


class DialFailed(NamedTuple):
    """`dial_failed` was called."""

    address: str
    evidence: Evidence
    detail: str


class Rejected(NamedTuple):
    """`rejected` was called."""

    address: str
    code: str
    text: str


Heard = Up | Received | Down | DialFailed | Rejected
HeardT = TypeVar("HeardT", Up, Received, Down, DialFailed, Rejected)


class RecordingHandler:
    """A `Handler` that keeps every call in `heard`, in order."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self._changed = asyncio.Event()

    def link_up(self, link: Link, dialed: str | None) -> None:
        """See `Handler.link_up`."""
        self._hear(Up(link, dialed))

    def received(self, link: Link, messages: list[Message]) -> None:
        """See `Handler.received`."""
        self._hear(Received(link, messages))

    def link_down(self, link: Link, evidence: Evidence, detail: str) -> None:
        """See `Handler.link_down`."""
        self._hear(Down(link, evidence, detail))

    def dial_failed(self, address: str, evidence: Evidence, detail: str) -> None:
        """See `Handler.dial_failed`."""
        self._hear(DialFailed(address, evidence, detail))

    def rejected(self, address: str, code: str, text: str) -> None:
        """See `Handler.rejected`."""
        self._hear(Rejected(address, code, text))

    def all(self, kind: type[HeardT]) -> list[HeardT]:
        """All calls of one kind so far, in order."""
        return [h for h in self.heard if isinstance(h, kind)]

    def messages(self) -> list[Message]:
        """All messages so far, from all links, in order."""
        return [m for call in self.all(Received) for m in call.messages]

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until a condition on what was heard holds. Raises `TimeoutError` after `WAIT_S`."""
        async with asyncio.timeout(WAIT_S):
            while not done():
                self._changed.clear()
                await self._changed.wait()

    async def first(self, kind: type[HeardT]) -> HeardT:
        """The first call of one kind, waited for if need be."""
        await self.until(lambda: bool(self.all(kind)))
        return self.all(kind)[0]

    def _hear(self, heard: Heard) -> None:
        self.heard.append(heard)
        self._changed.set()
