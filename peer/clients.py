"""The clients at one peer: its own program, and each connection of a gateway, with a session and calls of its own.

A session begins in the log with its first command, and ends there when its connection does. A connection that ended
while nobody served, and the sessions that an earlier start of this peer left, are ended as soon as somebody serves.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from tanist.election.entries import Kind, Proposal, SessionClosed
from tanist.election.ready import Apply
from tanist.peer.application.api import Application
from tanist.peer.application.blob import Blob
from tanist.peer.application.machine import Machine, Outcome
from tanist.peer.application.preparing import Asking, Preparations, prepares
from tanist.peer.application.specification import validate
from tanist.peer.calls import Calls
from tanist.peer.errors import NoServer, NotFound, Overloaded
from tanist.peer.status import Reply
from tanist.peer.uploads import Uploads

CLIENTS_MAX = 10_000
"""Sessions of gateways at one peer: a tenth of what a cluster may have open."""
END_AGAIN_S = 1.0
"""How often the end of sessions is proposed again while the log does not have it."""

_encode = msgspec.msgpack.Encoder().encode

Given = Sequence[Any] | Mapping[str, Any]


class Client:
    """One session: commands in order, each done once, also over a change of servers."""

    def __init__(self, clients: "Clients", calls: Calls) -> None:
        self._clients = clients
        self.calls = calls

    @property
    def session(self) -> str:
        """The session's id. Another one takes its place when the log has ended it."""
        return self.calls.session

    async def call(self, app: str, command: str, given: Given, *, key: str = "", timeout_s: float = 10.0) -> Reply:
        """Have a command done. Raises what `Peer.call` raises."""
        arguments, digest = await self._clients.prepared(app, command, given, self, key, timeout_s)
        # From here on: what a preparation reads and uploads may take longer than that.
        return await self.calls.call(app, command, arguments, key, timeout_s, given=digest)

    def query(self, app: str, name: str, given: Given, *, internal: bool = False) -> Any:
        """A query's answer from this peer's state, with this client's session; internal ones only if `internal`.

        Raises NoServer while there is no state but the emptiness of a start.
        """
        machine = self._clients.machine()
        if not machine.applied:
            raise NoServer("this peer has not seen a server since it started")
        return machine.query(app, name, given, self.session, internal=internal)

    def replace(self, session: str) -> None:
        """This client was another session, at a peer that it lost: what that one holds, such as a nickname, is free."""
        self._clients.replaced(session)

    async def upload(self, source: AsyncIterator[bytes]) -> Blob:
        """Have bytes kept, for a command of this client that names them next. Raises what `Peer.call` raises.

        Until then, and if it is never named, it is for the time that this client's session lasts.
        """
        return await self._clients.uploads.upload(self.calls, source)

    def parts_of(self, blob: Blob) -> Sequence[bytes]:
        """The bytes of a blob in their order, from this peer's state. Raises NotFound."""
        parts = self._clients.machine().blobs.parts(blob)
        if parts is None:
            raise NotFound("its bytes are not here any more")
        return parts

    def settings(self, app: str) -> Any:
        """The settings of an application, with what is this peer's own."""
        return self._clients.settings(app)

    def close(self, why: str) -> None:
        """The client is gone: what it waits for fails, and its session ends."""
        self._clients.ended(self, why)


class Clients:
    """All clients of one peer. `own` is its program, and HTTP's callers, who have no connection to keep."""

    def __init__(
        self,
        make: Callable[[set[str]], Calls],
        submit: Callable[[tuple[Proposal, ...]], None],
        machine: Callable[[], Machine],
        applications: Callable[[], Mapping[str, Application]],
        settings: Callable[[str], Any],
        catch_up: Callable[[float], Awaitable[None]],
    ) -> None:
        """`make` makes a session's calls, which keep its id in the set that they are given.

        `settings` gives those of an application, with what is this peer's own. `catch_up(timeout_s)` returns once this
        peer has applied what the server had at the call; it raises NoServer.
        """
        self._catch_up = catch_up
        self._loop = asyncio.get_running_loop()
        self._make = make
        self._submit = submit
        self.machine = machine
        self._applications = applications
        self.settings = settings
        self._preparations = Preparations()
        self.uploads = Uploads()
        self.local_sessions: set[str] = set()
        """Sessions whose answers are wanted at this peer."""
        self.own = Client(self, make(self.local_sessions))
        self._gateways: set[Client] = set()
        self._ending: dict[str, str] = {}
        """Sessions that are to end, and why, until the log has it."""
        self._again: asyncio.TimerHandle | None = None
        self._reachable = False
        self._refusing = False

    def _all(self) -> list[Client]:
        return [self.own, *self._gateways]

    # Beginning and end of a client

    def open(self) -> Client:
        """A new client, for a connection. Raises Overloaded."""
        if len(self._gateways) >= CLIENTS_MAX or self._refusing:
            why = "it is ending" if self._refusing else f"{CLIENTS_MAX} are connected to it already"
            raise Overloaded(f"this peer takes no more clients now: {why}")
        client = Client(self, self._make(self.local_sessions))
        if self._reachable:
            client.calls.server_changed(True)
        self._gateways.add(client)
        return client

    def ended(self, client: Client, why: str) -> None:
        """See `Client.close`."""
        if client not in self._gateways:
            return
        self._gateways.discard(client)
        client.calls.close()
        self.local_sessions.discard(client.session)
        if client.calls.began:
            self._ending[client.session] = why
            self._end()

    def replaced(self, session: str) -> None:
        """See `Client.replace`."""
        known = self.machine().sessions.get(session) is not None and session not in self.local_sessions
        if known and len(self._ending) < CLIENTS_MAX:
            self._ending[session] = "its client went to another peer"
            self._end()

    def _end(self) -> None:
        """Have what is to end ended, and look again in a while."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if not self._ending or not self._reachable:
            return
        self._submit(_closings(list(self._ending), self._ending))
        self._again = self._loop.call_later(END_AGAIN_S, self._look_ended)

    def _look_ended(self) -> None:
        sessions = self.machine().sessions
        self._ending = {session: why for session, why in self._ending.items() if sessions.get(session) is not None}
        self._end()

    def _end_left_behind(self) -> None:
        """Sessions at this peer that no client here has: an earlier start of it left them."""
        machine = self.machine()
        for session in machine.sessions.of_peer(self.own.calls.peer):
            if session not in self.local_sessions:
                self._ending.setdefault(session, "its peer started again")
        self._end()

    # Asking

    def application(self, name: str) -> Application:
        """An application of this peer. Raises NotFound."""
        applications = self._applications()
        application = applications.get(name)
        if application is None:
            known = ", ".join(sorted(applications)) or "none"
            raise NotFound(f"there is no application {name[:64]!r} at this peer; there are: {known}")
        return application

    async def prepared(
        self, app: str, command: str, given: Given, client: Client, key: str, timeout_s: float
    ) -> tuple[bytes, bytes]:
        """The arguments of a command as they enter the log, from what its caller gave, and the digest of that."""
        application = self.application(app)
        arguments = validate(application, command, given)
        preparation = prepares(application, command)
        if preparation is None:
            return arguments, b""
        # It may ask for what another peer's client was told a moment ago, such as the salt of a new password.
        await self._catch_up(timeout_s)

        def ask(query: str, asked: Sequence[Any]) -> Any:
            return client.query(app, query, asked, internal=True)

        asking = Asking(ask, self._loop, self.settings(app), client.upload)
        prepared, digest = await self._preparations.run(application, preparation, arguments, asking, key)
        return validate(application, command, prepared, internal=True), digest

    # What the peer tells

    def answered(self, outcomes: list[Outcome], committed: Apply) -> None:
        """What the machine answered to commands of local sessions."""
        if not self._gateways:
            self.own.calls.answered(outcomes, committed)
            return
        by_session: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            by_session.setdefault(outcome.session, []).append(outcome)
        for client in self._all():
            mine = by_session.get(client.session)
            if mine is not None:
                client.calls.answered(mine, committed)

    def server_changed(self, reachable: bool) -> int:
        """Another server, or none. Returns how many calls were sent again."""
        self._reachable = reachable
        if reachable:
            # Before what waits: who comes from another peer may ask for the nickname that its former session holds.
            self._end_left_behind()
        return sum(client.calls.server_changed(reachable) for client in self._all())

    def send_all(self) -> None:
        """Send everything unanswered again."""
        for client in self._all():
            client.calls.send_all()

    def send_again_after(self, wait_s: float) -> None:
        """The server could take nothing more: send all again in a while."""
        for client in self._all():
            client.calls.send_again_after(wait_s)

    # The end

    async def drained(self, limit_s: float) -> None:
        """Wait until what is in flight is answered, but no longer than that."""
        await asyncio.gather(*(client.calls.drained(limit_s) for client in self._all()))

    def closing(self) -> None:
        """This peer ends: end all sessions at it."""
        if self._reachable:
            known = self.machine().sessions.of_peer(self.own.calls.peer)
            self._submit(_closings(known, {}))

    def close(self) -> None:
        """Take no new calls and clients; whatever is still in flight has an unknown outcome, or was never sent."""
        self._refusing = True
        if self._again is not None:
            self._again.cancel()
        for client in self._all():
            client.calls.refuse_new()
            client.calls.close()


def _closings(sessions: list[str], why: Mapping[str, str]) -> tuple[Proposal, ...]:
    bodies = (SessionClosed(session, why.get(session, "the peer ended")) for session in sessions)
    return tuple(Proposal(Kind.SESSION_CLOSED, _encode(body)) for body in bodies)
