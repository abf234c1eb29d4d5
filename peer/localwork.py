"""Local work and effects of this peer's applications: run in threads, one at a time for each application."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tanist.election.events import Event
from tanist.election.roles import Role
from tanist.peer.application.api import Application
from tanist.peer.application.blob import Blob
from tanist.peer.application.events import Published
from tanist.peer.application.files import read_file
from tanist.peer.application.here import Here
from tanist.peer.application.reporting import without_message
from tanist.peer.application.specification import describe
from tanist.peer.clients import Client
from tanist.peer.electionlog.peer_events import ApplicationFault, EffectsLost
from tanist.peer.errors import CallError, NoServer
from tanist.peer.preferring import Preferring
from tanist.peer.storage.files import write_atomically

EFFECTS_WAITING_MAX = 100_000
"""Events that wait for their effect at one application: minutes of a busy log on a disk that hangs."""
ENDS_WITHIN_S = 5.0
"""How long the end of a peer waits for a run under way: a thread cannot be stopped."""
POSITIONS = "effects.json"
"""The file with the position behind which each application's effects go on, in the peer's data."""

Position = tuple[int, int]


class LocalWork:
    """All local work of one peer. `published` is called for each event, in the loop; it only queues."""

    def __init__(
        self,
        folder: Path,
        name: str,
        applications: Mapping[str, Application],
        client: Client,
        role: Callable[[], Role],
        address: Callable[[], str],
        preferring: Preferring,
        emit: Callable[[Event], None],
    ) -> None:
        """`folder` is the data of the peer called `name`, whose own client is `client`."""
        self._loop = asyncio.get_running_loop()
        self._positions = folder / POSITIONS
        self._emit = emit
        self._client, self._role, self._address, self._preferring = client, role, address, preferring
        self._done: dict[str, Position] = _read(self._positions)
        self._tasks: list[asyncio.Task[None]] = []
        self._asking = threading.Lock()
        self._open: set[Future[Any]] = set()
        """What threads wait for."""
        self._ended = False
        self._told: set[tuple[str, str, str]] = set()
        self._worlds: dict[str, _World] = {}
        for app, application in applications.items():
            offered = describe(application)
            acts = type(application).effect is not Application.effect
            if acts or offered.local:
                here = Here(app, client.calls.peer, name, folder / "apps" / app, self)
                self._worlds[app] = _World(application, here, acts)

    # The ways of a `Here`, from its thread

    def call(self, app: str, command: str, arguments: tuple[Any, ...]) -> Any:
        """See `Here.call`."""
        return self._asked(self._client.call(app, command, arguments)).result

    def address(self) -> str:
        """See `Here.address`."""
        return self._address()

    def prefer(self, app: str, peer: str) -> None:
        """See `Here.prefer`."""

        async def say() -> None:
            # Nobody gives way to itself.
            gives_way = self.serves() and peer != self._client.calls.peer
            self._preferring.said(app, peer if gives_way else "")

        self._asked(say())

    def query(self, app: str, query: str, arguments: tuple[Any, ...]) -> Any:
        """See `Here.query`."""

        async def ask() -> Any:
            return self._client.query(app, query, arguments, internal=True)

        return self._asked(ask())

    def _asked(self, question: Coroutine[Any, Any, Any]) -> Any:
        """Have the loop answer, from a thread. At the peer's end nobody does: then the thread must not wait."""
        with self._asking:
            if self._ended:
                question.close()
                raise NoServer("this peer ends")
            future = asyncio.run_coroutine_threadsafe(question, self._loop)
            self._open.add(future)
        try:
            return future.result()
        except CancelledError:
            raise NoServer("this peer ends") from None
        finally:
            with self._asking:
                self._open.discard(future)

    def serves(self) -> bool:
        """See `Here.serves`."""
        return self._role() is Role.SERVER

    def upload(self, file: BinaryIO) -> Blob:
        """See `Here.upload`."""
        kept: Blob = self._asked(self._client.upload(read_file(file)))
        return kept

    def settings(self, app: str) -> Any:
        """See `Here.settings`."""
        return self._client.settings(app)

    # Effects

    def published(self, happened: Published) -> None:
        """An event that this peer has not seen before, or sees again after a start: its effect, once."""
        world = self._worlds.get(happened.app)
        if (
            world is None
            or not world.acts
            or (happened.index, happened.number) <= self._done.get(happened.app, (0, -1))
        ):
            return
        if len(world.waiting) >= EFFECTS_WAITING_MAX:
            world.lost += 1
            return
        world.waiting.append(happened)
        world.came.set()

    def superseded(self, common: int) -> None:
        """The log is another behind an index: what happens there now has not had its effect."""
        for app, done in self._done.items():
            self._done[app] = min(done, (common, 1 << 62))
        for world in self._worlds.values():
            world.waiting = deque(happened for happened in world.waiting if happened.index <= common)

    async def _effects(self, app: str, world: "_World") -> None:
        while True:
            await world.came.wait()
            world.came.clear()
            while world.waiting:
                batch, world.waiting = world.waiting, deque()
                if world.lost:
                    self._emit(EffectsLost(app, world.lost))
                    world.lost = 0
                for happened in batch:
                    await self._run(app, "effect", world, happened)
                    self._done[app] = max(self._done.get(app, (0, -1)), (happened.index, happened.number))
                await asyncio.to_thread(write_atomically, self._positions, msgspec.json.encode(self._done))

    # Work that comes round

    async def _round(self, app: str, world: "_World", method: str, every_s: float) -> None:
        due = self._loop.time()
        while True:
            due = max(due + every_s, self._loop.time())
            await self._run(app, method, world)
            await asyncio.sleep(max(0.0, due - self._loop.time()))

    async def _run(self, app: str, method: str, world: "_World", *arguments: Any) -> None:
        async with world.turn:
            try:
                await asyncio.to_thread(getattr(world.blank, method), world.here, *arguments)
            except CallError:
                # Nobody serves at the moment, or it was refused: the next round tries again.
                return
            except Exception as error:
                said = without_message(error, getattr(type(world.blank), method).__code__.co_filename)
                if (app, method, said) not in self._told:
                    self._told.add((app, method, said))
                    self._emit(ApplicationFault(app, method, said))

    # Begin and end

    def start(self) -> None:
        """Begin."""
        for app, world in self._worlds.items():
            if world.acts:
                self._tasks.append(self._loop.create_task(self._effects(app, world)))
            for work in describe(world.blank).local:
                self._tasks.append(self._loop.create_task(self._round(app, world, work.method, work.every_s)))

    async def stop(self) -> None:
        """End; a run under way is waited for, but not for long. Once is enough."""
        if self._ended:
            return
        with self._asking:
            self._ended = True
            waiting = list(self._open)
        for future in waiting:
            future.cancel()
        self._preferring.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN_S):
                for world in self._worlds.values():
                    await world.turn.acquire()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _World:
    """What belongs to one application here. `blank` is one of its class without state: threads must not see that."""

    def __init__(self, application: Application, here: Here, acts: bool) -> None:
        self.blank: Application = type(application).__new__(type(application))
        self.here = here
        self.acts = acts
        self.turn = asyncio.Lock()
        self.came = asyncio.Event()
        self.waiting: deque[Published] = deque()
        self.lost = 0


def _read(path: Path) -> dict[str, Position]:
    """The positions that an earlier start left; none if it left no such file, or one that cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Position])
    except (OSError, msgspec.MsgspecError):
        return {}
