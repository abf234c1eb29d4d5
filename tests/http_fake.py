"""The HTTP gateway with a small fake of the peer behind it, over real sockets on loopback, for the tests of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import msgspec

from tanist.peer.application.api import Application, Context, command, query
from tanist.peer.errors import NotFound, Overloaded
from tanist.peer.faults.control import Drills
from tanist.peer.gateways.facade import GatewayClient
from tanist.peer.gateways.http import HttpGateway
from tanist.peer.parts import Parts
from tanist.peer.past.telling import Past, Reign, find, tell
from tanist.peer.past.views import ReignSummary, Why
from tanist.peer.status import (
    FallbackView,
    HealedEntryView,
    HealView,
    MemberView,
    Receipt,
    Reply,
    ServerView,
    Status,
    TermView,
)

TERM = TermView(3, "p1")
HEAL = HealView(
    heal="3@p1:17",
    fork=9,
    theirs=TermView(2, "p2"),
    members=["bert"],
    index=17,
    began="2026-01-02T03:04:05.000Z",
    ended="2026-01-02T03:04:06.000Z",
    archived=2,
    missing=0,
    fates={"replayed": 1, "archived": 1},
    unlisted=1,
    entries=[HealedEntryView(10, TermView(2, "p2"), 18, "command", "notes", "put", "s1", 4, True, "replayed", "")],
)


class Notes(Application):
    """Notes by name."""

    notes: dict[str, str]

    @command
    def put(self, ctx: Context, key: str | bytes, value: str | bytes, times: int = 1, tags: list[str] = []) -> str:  # noqa: B006
        """Keep a note."""
        return "OK"

    @command(internal=True)
    def forget(self, ctx: Context) -> None:
        """Of timers."""

    @query
    def get(self, ctx: Context, key: str | bytes, limit: int = 10, exact: bool = False) -> str | None:
        """Read a note."""
        return None

    @query
    def waits(self, ctx: Context, timeout: int, read: str) -> int:
        """Has parameters called like the gateway's own."""
        return timeout


class FakePeer:
    """Records what it is asked, and answers what the test says."""

    def __init__(self) -> None:
        self.applications = {"notes": Notes()}
        self.parts = Parts(allow_drills=False)
        self.calls: list[tuple[Any, ...]] = []
        self.answer: Any = "OK"
        self.role = "server"
        self.told = ""
        self.server: ServerView | None = ServerView("p1", "anna", "127.0.0.1:7400")
        self.commit = self.applied = 7
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.asked_after: list[Any] = []
        self.listener_gone = asyncio.Event()
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def _answered(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    @property
    def drills(self) -> Drills:
        return self.parts.drills

    def digest(self) -> tuple[int, str]:
        return 0, self.parts.drills.__class__.__name__

    async def call(
        self, app: str, command: str, /, *args: Any, idempotency_key: str = "", timeout_s: float = 10.0, **kwargs: Any
    ) -> Reply:
        self.calls.append(("call", app, command, args, idempotency_key, timeout_s))
        self.entered.set()
        await self.gate.wait()
        return Reply(self._answered(), Receipt(TERM, 7, "heir", 2, 3))

    async def look_up(
        self, app: str, query: str, arguments: Sequence[Any], *, read: str = "local", timeout_s: float = 10.0
    ) -> object:
        self.calls.append(("query", app, query, tuple(arguments), read, timeout_s))
        return self._answered()

    def open_client(self) -> GatewayClient:
        raise Overloaded("clients with a session of their own are tested on a real peer")

    @property
    def own_client(self) -> GatewayClient:
        raise NotFound("no bytes here")

    def superseded(self) -> str:
        return self.told

    def heals(self, heal: str | None = None) -> list[HealView]:
        if heal not in (None, HEAL.heal):
            raise NotFound("there is no such heal")
        return [HEAL if heal else msgspec.structs.replace(HEAL, entries=msgspec.UNSET)]

    def status(self) -> Status:
        fallbacks = [FallbackView("p2", "bert", "127.0.0.1:7401", True, 0, True, "in sync, mains")]
        members = [MemberView("p1", "anna", "127.0.0.1:7400", "live", 0)]
        return Status(
            cluster="default",
            id="p1",
            name="anna",
            address="127.0.0.1:7400",
            http="127.0.0.1:7480",
            role=self.role,
            safety="survivor",
            term=TERM,
            server=self.server,
            fallbacks=fallbacks,
            members=members,
            commit=self.commit,
            applied=self.applied,
            durability="heir",
            reach=2,
            since="2026-01-02T03:04:05Z",
            version="0.1.0",
            apps=["notes"],
            problem="" if self.server else "counting retries",
        )

    def why(self, term: str = "last") -> list[Why]:
        past = Past({(3, "p1"): Reign(7, 0)}, names={"p1": "anna"})
        return [tell(past, key) for key in find(past, term)]

    def reigns(self) -> list[ReignSummary]:
        return [ReignSummary(TERM, "anna", 1, "2026-01-02T03:04:05Z")]

    async def hand_over(self, to: str | None = None, timeout_s: float = 10) -> str:
        self.calls.append(("hand_over", to))
        self._answered()
        return to or "bert"

    async def abandon_founding(self) -> list[str]:
        self.calls.append(("abandon_founding", None))
        return ["zed"]

    async def accept_loss(self) -> int:
        self.calls.append(("accept_loss", None))
        return 17

    async def use_settings(self, app: str, timeout_s: float = 10.0) -> list[str]:
        self.calls.append(("use_settings", app))
        return ["question"]

    async def leave(self, peer: str | None = None) -> None:
        self.calls.append(("leave", peer))

    async def events_after(self, position: tuple[int, int] | None) -> AsyncIterator[Any]:
        self.asked_after.append(position)
        try:
            while (event := await self.events.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.listener_gone.set()


class Web:
    """A gateway with its fake, and a client of it."""

    def __init__(self, peer: FakePeer, address: str, session: aiohttp.ClientSession) -> None:
        self.peer = peer
        self.address = address
        self.session = session

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, f"http://{self.address}{path}", **options) as answer:
            body = await answer.read()
            return answer.status, json.loads(body) if body else None

    async def error(self, method: str, path: str, **options: Any) -> tuple[int, str, str]:
        status, said = await self.ask(method, path, **options)
        return status, said["error"]["code"], said["error"]["message"]


@contextlib.asynccontextmanager
async def serving(peer: FakePeer | None = None) -> AsyncIterator[Web]:
    """A gateway that listens, before the peer or a plain fake."""
    peer = peer or FakePeer()
    gateway = HttpGateway(peer, "127.0.0.1:0")
    address = await gateway.start()
    async with aiohttp.ClientSession() as session:
        try:
            yield Web(peer, address, session)
        finally:
            await gateway.stop()


async def raw(web: Web, request: bytes, *, ends: bool = False) -> bytes:
    """Bytes as they are, and all that comes back until the gateway closes; `ends`: close our half behind them."""
    reader, writer = await asyncio.open_connection(*web.address.split(":"))
    writer.write(request)
    if ends:
        writer.write_eof()
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()
