"""A client of a cluster, at one peer after the other: what was not answered is asked again at the next, done once.

Each line is sent with an idempotency key. When the connection breaks, the next peer of the list is sought, the line
goes there with the same key, and events are heard on from where the last one was.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp
import msgspec

from tanist.peer.console.answers import Answer, answer_from, failed
from tanist.peer.console.book import Book, Status
from tanist.peer.console.reaching import CONNECT_S, Before, Place, Unusable, reach, status_at

RETRY_S = 0.5
"""Seconds before the peer that was lost is asked again, after all others."""
LOOK_EVERY_S = 3.0
"""How often the peer is asked who is there: whoever joined meanwhile may be the next to go to."""
SETTLE_S = 0.2
"""Seconds between news that somebody else may serve and asking who does: such news seldom come alone."""
ANSWER_S = 90.0
"""Seconds for which a line waits: a peer says within 30 s that nobody serves, and two may be lost on the way."""
REFUSED_MAX = 10
"""How often a peer may say that it takes no more calls: one that is ending says so until its connections end."""
COMMAND_S = 30.0
"""Seconds for which a peer lets bytes wait for a server, as with a line."""
_PATIENT = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=COMMAND_S + CONNECT_S)
CHANGES = frozenset({"server_lost", "server_followed", "reign_began", "reign_ended"})
"""Cluster events after which somebody else may serve."""


class Teller(Protocol):
    """Who hears what comes without being asked for."""

    def event(self, line: str) -> None:
        """Something happened in the application."""

    def news(self, text: str) -> None:
        """Something about the connection or the cluster."""


class _Asked:
    """The line that waits for its answer."""

    def __init__(self, number: int, message: dict[str, Any]) -> None:
        self.number = number
        self.message = message
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.sent = 0


class Remote:
    """One application at a cluster. `connected` makes one; `keep` must run beside whoever asks."""

    def __init__(self, http: aiohttp.ClientSession, book: Book, place: Place, roams: bool) -> None:
        self._http = http
        self._book = book
        self._teller: Teller | None = None
        self._roams = roams
        self.place = place
        self.server = ""
        """Who serves, as far as is known."""
        self.reached = True
        self._served: tuple[str, int] | None = None
        self._before = Before()
        self._asked: _Asked | None = None
        self._number = 0
        self._one = asyncio.Lock()
        self._look = asyncio.Event()
        self._learn(place.status)

    @property
    def waits(self) -> bool:
        """Whether a line waits for its answer."""
        return self._asked is not None

    async def ask(self, line: str) -> Answer:
        """Have a line done; lines are done one after the other."""
        async with self._one:
            message = {"app": self.place.app, "line": line}
            keyed = message | {"key": secrets.token_hex(16)}
            for _ in range(REFUSED_MAX):
                said = await self._answered(keyed)
                if said.code == "overloaded":
                    # There may be too many keys: without one it is done too, unless the connection breaks just now.
                    said = await self._answered(message)
                if said.code != "overloaded":
                    break
                await asyncio.sleep(RETRY_S)
            return said

    async def _answered(self, message: dict[str, Any]) -> Answer:
        self._number += 1
        asked = self._asked = _Asked(self._number, message | {"id": self._number})
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._send()
                return answer_from(await asked.answer)
        except TimeoutError:
            if asked.sent:
                return failed("unknown_outcome", f"no answer within {ANSWER_S:g} s: it may be done, or not")
            return failed("unreachable", f"no peer was reached within {ANSWER_S:g} s: it is not done")
        finally:
            self._asked = None

    def path_of(self, name: str) -> str:
        """Where a command or query is, over HTTP."""
        return f"/apps/{quote(self.place.app, safe='')}/{quote(name, safe='')}"

    async def over_http(
        self, method: str, name: str, texts: dict[str, str], body: bytes | None = None
    ) -> bytes | Answer:
        """What a peer gives over HTTP, for bytes; or why nothing. When it is lost, the next one is asked.

        A client that asks so is not the one of the connection: no application may tell bytes by their session.
        """
        headers, asked = {}, texts
        if body is not None:
            headers, asked = {"Idempotency-Key": secrets.token_hex(16)}, texts | {"timeout": f"{COMMAND_S:g}"}
        sent, refused = False, 0
        try:
            async with self._one, asyncio.timeout(ANSWER_S):
                while True:
                    url = f"http://{self.place.address}{self.path_of(name)}"
                    # `keep` looks for another peer meanwhile.
                    with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                        async with self._http.request(
                            method, url, params=asked, data=body, headers=headers, timeout=_PATIENT
                        ) as answer:
                            sent = True
                            said = _body_of(answer.status, await answer.read())
                            refused += 1
                            if isinstance(said, bytes) or said.code != "overloaded" or refused >= REFUSED_MAX:
                                return said
                    await asyncio.sleep(RETRY_S)
        except TimeoutError:
            return failed("unknown_outcome" if sent else "unreachable", f"no answer within {ANSWER_S:g} s")

    async def _send(self) -> None:
        asked, socket = self._asked, self.place.socket
        if asked is None or asked.answer.done() or socket.closed:
            return
        if asked.sent and "key" not in asked.message:
            asked.answer.set_result({"error": {"code": "unknown_outcome", "message": "it may be done, or not"}})
            return
        asked.sent += 1
        # Where the connection broke, `keep` sends it again over the next one.
        with contextlib.suppress(ConnectionError):
            await socket.send_json(asked.message)

    async def keep(self, teller: Teller) -> None:
        """Listen, and go to another peer whenever the present one is lost. Ends only where it may not roam."""
        self._teller = teller
        while True:
            looking = asyncio.create_task(self._watch())
            try:
                with contextlib.suppress(msgspec.DecodeError, aiohttp.ClientError):
                    async for message in self.place.socket:
                        if message.type is aiohttp.WSMsgType.TEXT:
                            self._heard(msgspec.json.decode(message.data))
                await self.place.socket.close()
            finally:
                looking.cancel()
                await asyncio.wait({looking})
            self.reached = False
            if not self._roams:
                return
            await self._go_on()

    async def _go_on(self) -> None:
        lost = self.place
        self._tell(f"{lost.name} at {lost.address} is lost; looking for another peer")
        waiting = False
        while True:
            for address in self._book.order(lost.address):
                if address == lost.address:
                    # The one that was lost, the last in order, may be about to end or to start again.
                    await asyncio.sleep(RETRY_S)
                try:
                    self.place = await reach(self._http, address, lost.app, self._book.cluster, self._before)
                except Unusable:
                    continue
                self.reached = True
                self._tell(f"now at {self.place.name}, {address}, as a new client: log in or join again if you had")
                self._learn(self.place.status)
                await self._send()
                return
            if not waiting:
                waiting = True
                self._tell(f"nobody answers at {', '.join(self._book.order())}; trying again and again")

    def _tell(self, text: str) -> None:
        if self._teller is not None:
            self._teller.news(text)

    # What is heard

    def _heard(self, said: dict[str, Any]) -> None:
        match said:
            case {"event": str(kind)}:
                self._happened(kind, said)
            case {"session": str(session), "position": str(position)}:
                self._before = Before(session, self._before.position or position)
            case {"id": int(number)} if self._asked is not None and number == self._asked.number:
                if not self._asked.answer.done():
                    self._asked.answer.set_result(said)
            case {"error": {"code": "position_forgotten"}}:
                self._tell("what happened before that is not kept here: some events were missed")

    def _happened(self, kind: str, said: dict[str, Any]) -> None:
        if "app" not in said:
            if kind in CHANGES:
                self._look.set()
            return
        self._before = replace(self._before, position=said["position"])
        if said["app"] == self.place.app and self._teller is not None:
            self._teller.event(said["line"])

    async def _watch(self) -> None:
        """Keep up with who is there and who serves."""
        while not self.place.socket.closed:
            status = await status_at(self._http, self.place.address)
            if status is not None:
                self._learn(status)
                at_server = self._book.address_of(status.server.id) if status.server else ""
                if at_server and at_server != self.place.address:
                    # Only the server has links to all, and knows where each of them answers.
                    more = await status_at(self._http, at_server)
                    if more is not None and more.role == "server":
                        self._book.learn(more)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._look.wait()
                    await asyncio.sleep(SETTLE_S)
            self._look.clear()

    def _learn(self, status: Status) -> None:
        self._book.learn(status)
        server = status.server
        served = (server.id, status.term.number) if server else None
        self.server = server.name if server else ""
        before, self._served = self._served, served
        if served is None and before is not None:
            self._tell("nobody serves now: commands wait")
        elif served is not None and before != served:
            self._tell(f"{self.server} serves now")


def _body_of(status: int, body: bytes) -> bytes | Answer:
    if status == HTTPStatus.OK:
        return body
    try:
        error = msgspec.json.decode(body)["error"]
        said = error["message"]
        return failed(error["code"], said.partition(": ")[2] or said if error["code"] == "bad_request" else said)
    except (msgspec.DecodeError, LookupError, TypeError):
        return failed("failed", f"this peer answers {status}, and does not say why")


@contextlib.asynccontextmanager
async def connected(address: str, app: str, *, roams: bool = True) -> AsyncIterator[Remote]:
    """A client at the peer at an address; one that `roams` goes to others when that is lost. Raises `Unusable`."""
    timeout = aiohttp.ClientTimeout(total=CONNECT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        book = Book(address)
        place = await reach(http, address, app, "", Before())
        remote = Remote(http, book, place, roams)
        try:
            yield remote
        finally:
            await remote.place.socket.close()
