"""What the peers of the demo say of themselves, asked over and over: for the display, and to wait for something."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Self

import aiohttp
import msgspec

from tanist.peer.cli.demo_peers import DemoPeers

POLL_S = 0.1
"""Between two rounds of questions: a person sees no difference, and peers hardly notice it."""
ANSWER_S = 1.0
"""How long a peer may take to answer before it counts as silent."""

_decode = msgspec.json.Decoder().decode


class StoryFailed(Exception):
    """The story cannot go on; the message says what was waited for, or who ended."""


class View(msgspec.Struct, frozen=True):
    """One peer as it sees itself: its role, the term's number, whom it follows, and how many numbers it holds."""

    name: str
    role: str
    term: int
    server: str
    commit: int
    applied: int
    count: int
    heirs: tuple[str, ...]
    """The fallback list's names, best first."""
    ready: int
    """How many of them are in sync."""
    counting: int
    """How many of them acknowledgements wait for."""


Views = Mapping[str, View]


class Watch:
    """The latest view of each peer that answers; `async with` keeps it up to date."""

    def __init__(self, peers: DemoPeers, session: aiohttp.ClientSession) -> None:
        self.views: dict[str, View] = {}
        self._peers = peers
        self._session = session
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    @property
    def server(self) -> View | None:
        """The one that serves and that nobody who answers contradicts with a later term."""
        views = self.views.values()
        latest = max((view.term for view in views), default=0)
        return next((view for view in views if view.role == "server" and view.term == latest), None)

    async def until(self, what: str, limit_s: float, met: Callable[[], bool]) -> None:
        """Wait until `met`, which is asked after every round; raises `StoryFailed`, saying `what` was waited for."""
        try:
            async with asyncio.timeout(limit_s), self._changed:
                while not met():
                    await self._changed.wait()
                    if why := self._peers.failure():
                        raise StoryFailed(why)
        except TimeoutError:
            raise StoryFailed(f"{what}: not within {limit_s:g} s; the peers say: {self._said()}") from None

    def _said(self) -> str:
        views = self.views.values()
        return ", ".join(f"{v.name} is {v.role} in term {v.term}" for v in views) or "nothing, none answers"

    async def _poll(self) -> None:
        while True:
            names = self._peers.running()
            views = await asyncio.gather(*(self._view(name) for name in names))
            async with self._changed:
                self.views = {view.name: view for view in views if view is not None}
                self._changed.notify_all()
            await asyncio.sleep(POLL_S)

    async def _view(self, name: str) -> View | None:
        status = await self.ask(name, "/status")
        if status is None:
            return None
        count = await self.ask(name, "/apps/ledger/count")
        ranking = status["fallbacks"]
        return View(
            name=name,
            role=status["role"],
            term=status["term"]["number"],
            server=status["server"]["name"] if status["server"] else "",
            commit=status["commit"],
            applied=status["applied"],
            count=count["result"] if count is not None else 0,
            heirs=tuple(entry["name"] for entry in ranking),
            ready=sum(entry["in_sync"] for entry in ranking),
            counting=sum(entry["counts"] for entry in ranking),
        )

    async def ask(self, name: str, path: str) -> Any:
        """What a peer answers to a GET; None while it does not."""
        limit = aiohttp.ClientTimeout(total=ANSWER_S)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.get(f"http://{self._peers[name].http}{path}", timeout=limit) as answer:
                if answer.status == 200:
                    return _decode(await answer.read())
        return None
