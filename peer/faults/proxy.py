"""A TCP proxy in front of one peer that makes its links as bad as one likes.

The peer is started with `--advertise` and the proxy's address, so that all others dial the proxy; who dials it knows
from the hello. It understands the protocol's frames, so that loss and duplication hit whole messages. While the peer
does not listen the proxy does not either: a dead process still refuses connections.

    async with FaultProxy("127.0.0.1:7401", random=Random(1)) as proxy:
        ...  # tanist up --listen 127.0.0.1:7401 --advertise (proxy.address)
        proxy.set(Conditions(delay_ms=200, loss=0.1), dialler="bob", for_s=5)
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from random import Random
from typing import Self

from tanist.peer.faults.conditions import Conditions, Way, check
from tanist.peer.faults.doors import Door, Doors
from tanist.peer.faults.lane import Counts
from tanist.peer.faults.passage import Passage
from tanist.peer.faults.rules import TimedRules
from tanist.transport.address import parse_address
from tanist.transport.dialer import connect_first
from tanist.transport.resolver import Resolver

PASSAGES_MAX = 1024
"""Connections at once, each of two sockets: more than a peer has links and strangers. Others are reset."""
DIALLERS_MAX = 1024
"""Diallers that are counted one by one; strangers beyond that are counted together."""
CONNECT_S = 5.0
"""Seconds that connecting to the target may take: it is on this machine, or near."""
LOOK_EVERY_S = 0.02
"""Between two looks at a target that does not listen: a peer that starts is reachable at once."""


class FaultProxy:
    """Stands in front of the peer at `target` ("host:port"). To be used as a context manager, on one event loop.

    `listen` is where (port 0 is any; `address` says which), `random` decides about loss, doubles and jitter.
    All faults end with the proxy; those with `for_s` before.
    """

    def __init__(self, target: str, *, listen: str = "127.0.0.1:0", random: Random) -> None:
        self.target = target
        self._listen = listen
        self._random = random
        self._passages: set[Passage] = set()
        self._counts: dict[tuple[str, Way], Counts] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._up = False
        self._looking: asyncio.Task[None] | None = None
        self._closed = False
        self._empty = asyncio.Event()
        self._empty.set()

    async def __aenter__(self) -> Self:
        """Take the address. Raises `OSError` when it is in use, `AddressError` when it is none."""
        self._loop = asyncio.get_running_loop()
        self._host, self._port = parse_address(self.target)
        self._resolver = Resolver(self._loop)
        self._doors = Doors(self._listen, self._accepted)
        self._rules = TimedRules(self._refresh)
        self._watcher = self._loop.create_task(self._watch(), name=f"proxy of {self.target}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Free the address, reset what is open."""
        self._closed = True
        self._doors.close()
        self._rules.close()
        for passage in list(self._passages):
            passage.reset()
        tasks = [self._watcher, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._empty.wait()

    @property
    def address(self) -> str:
        """What others dial, and the peer advertises."""
        return self._doors.address

    # Faults

    def set(
        self,
        conditions: Conditions,
        dialler: str | None = None,
        *,
        way: Way = Way.BOTH,
        for_s: float | None = None,
    ) -> None:
        """From now on links suffer these conditions, for `for_s` seconds if given, else until `clear`.

        `dialler` is the name or id of the other peer, None all of them; `way` is seen from the guarded peer. It
        replaces what was set for the same two; what fits one link through several calls adds up. Raises `ValueError`.
        """
        self._rules.put((dialler, way), dialler, way, check(conditions), for_s)

    def clear(self, dialler: str | None = None, *, way: Way | None = None) -> None:
        """End what was set for a dialler (and `way`, else for all ways); without arguments, everything."""
        if dialler is None and way is None:
            self._rules.clear()
        else:
            self._rules.drop(*((dialler, one) for one in (Way if way is None else (way,))))

    def counts(self, dialler: str | None = None, way: Way = Way.BOTH) -> Counts:
        """What went through since the start and what did not, with one dialler (its name) or all."""
        fitting = [c for (name, one), c in self._counts.items() if dialler in (None, name) and way.covers(one)]
        return sum(fitting, Counts())

    def diallers(self) -> list[str]:
        """The names of those who are connected now."""
        return sorted({passage.dialler.name for passage in self._passages if passage.dialler is not None})

    async def look(self) -> bool:
        """See now whether the target listens; the proxy itself does so only while it does. Gives the answer."""
        if self._looking is None:
            self._looking = self._run(self._look())
            self._looking.add_done_callback(self._looked)
        await asyncio.shield(self._looking)
        return self._up

    # What is in force

    def _refresh(self) -> None:
        """Have everything suffer what is in force now."""
        self._set_door()
        for passage in list(self._passages):
            passage.refresh()

    def _set_door(self) -> None:
        for_all = self._rules.effective((), Way.IN)
        if not self._up or for_all.refuse:
            self._doors.set(Door.REFUSING)
        else:
            self._doors.set(Door.SILENT if for_all.blackhole else Door.OPEN)

    # The target

    async def _watch(self) -> None:
        """As long as the target does not listen, look whether it does."""
        while True:
            if not self._up:
                await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self) -> None:
        up = True
        try:
            (await self._dial()).close()
        except ConnectionRefusedError:
            up = False
        except (TimeoutError, OSError):
            # It listens, and is paused, crowded or cut off; or nobody knows. Connections will show.
            up = self._up
        if up != self._up:
            self._up = up
            self._set_door()

    async def _dial(self) -> socket.socket:
        async with asyncio.timeout(CONNECT_S):
            return await connect_first(self._loop, await self._resolver.resolve(self._host, self._port))

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None

    # The `Station` of the passages

    def connect(self, passage: Passage) -> None:
        """See `Station.connect`."""
        self._run(self._connect(passage))

    async def _connect(self, passage: Passage) -> None:
        try:
            await self._loop.create_connection(lambda: passage.upstream, sock=await self._dial())
        except ConnectionRefusedError:
            self._up = False
            self._set_door()
            passage.unconnected()
        except (TimeoutError, OSError):
            passage.unconnected()

    def conditions(self, passage: Passage, way: Way) -> Conditions:
        """See `Station.conditions`."""
        return self._rules.effective(passage.names, way)

    def counts_of(self, passage: Passage, way: Way) -> Counts:
        """See `Station.counts_of`."""
        name = "" if passage.dialler is None or len(self._counts) >= 2 * DIALLERS_MAX else passage.dialler.name
        return self._counts.setdefault((name, way), Counts())

    def target_ended(self, then: Callable[[], None]) -> None:
        """See `Station.target_ended`: whoever learns of the end and dials again is refused then by a dead target."""
        if not self._closed:
            self._run(self._look_and(then))

    async def _look_and(self, then: Callable[[], None]) -> None:
        await self.look()
        then()

    def gone(self, passage: Passage) -> None:
        """See `Station.gone`."""
        self._passages.discard(passage)
        if not self._passages:
            self._empty.set()

    def _accepted(self) -> asyncio.Protocol:
        passage = Passage(self, self._random)
        if len(self._passages) >= PASSAGES_MAX:
            passage.over = True
        else:
            self._passages.add(passage)
            self._empty.clear()
            passage.refresh()
        return passage.downstream

    def _run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
