"""Clients of a cluster under test: they write to and read from `kv` through any peer, and record what they are told.

Each repeats a write with the same idempotency key until it is acknowledged, as a good client does, so that a failover
is a delay to it. A client counts in a row of its own, so that what was acknowledged can be looked for in the end.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from tanist.election.linearizability.operations import Outcome, operation
from tanist.peer.drills import asking
from tanist.peer.drills.history import History

CLIENTS_MAX = 16
"""Clients at once: several for each peer of the largest cluster, and no load to speak of."""
PAUSE_S = 0.02
"""Between two operations of one client, on average: the peers share one machine with the test."""
AGAIN_S = 0.02
"""Before an operation is tried again, at another peer."""
TRY_S = 2.0
"""What one attempt may take: a stopped peer accepts, and never answers."""
SLACK_S = 0.5
"""What an answer may take beyond that, so that a peer can still say that it was not done."""
GIVE_UP_S = 30.0
"""When a client no longer asks for one operation: longer than any failover."""
KEYS = 4
"""Keys that all clients share: few enough that they meet, enough that the check stays quick."""


class Row(msgspec.Struct):
    """One client's own count: how often it was told that one was added, and how often it does not know."""

    acknowledged: int = 0
    unknown: int = 0


class Call(msgspec.Struct, frozen=True):
    """One operation of `kv`, as it is asked for and as a history has it."""

    call: str
    key: str
    arguments: dict[str, Any] = {}


class Clients:
    """A number of clients, from `start` until `stop`. `history` has what they did, `rows` what each counted."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        urls: Callable[[], Mapping[str, str]],
        *,
        count: int = 3,
        linearizable: bool,
        seed: int = 0,
    ) -> None:
        """`urls` gives the addresses of all peers' HTTP by name, dead or alive: which, a client finds out itself.

        `linearizable`: reads are that too (quorum mode); else they are of one peer's own copy.
        """
        if not 0 <= count <= CLIENTS_MAX:
            raise ValueError(f"{count} clients: from 0 to {CLIENTS_MAX}")
        self.history = History()
        self.rows: dict[str, Row] = {f"client-{number}": Row() for number in range(1, count + 1)}
        self.problems: list[str] = []
        """Answers that no good client should get."""
        self._http = http
        self._urls = urls
        self._read = "linearizable" if linearizable else "local"
        self._random = random.Random(seed)
        self._run = secrets.token_hex(4)
        self._stopping = False
        self._homes: dict[str, int] = {name: number for number, name in enumerate(self.rows)}
        self._tasks: set[asyncio.Task[None]] = set()
        self._written = 0

    def row_key(self, client: str) -> str:
        """The key of `kv` under which a client counts."""
        return f"row-{self._run}-{client}"

    def shared_keys(self) -> list[str]:
        """The keys that all clients use."""
        return [f"key-{self._run}-{number}" for number in range(KEYS)]

    def start(self) -> None:
        """Begin."""
        self._tasks = {asyncio.create_task(self._work(name), name=name) for name in self.rows}

    async def stop(self, deadline_s: float = GIVE_UP_S) -> None:
        """Begin nothing more, and wait for what is on its way; what is not answered in time stays unknown."""
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=deadline_s)
            for task in late:
                task.cancel()
            for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome
        self._tasks = set()
        self.history.ends()

    # One client

    async def _work(self, client: str) -> None:
        while not (self._stopping or self.history.full):
            await self._operate(client, self._choose(client))
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * PAUSE_S)

    def _choose(self, client: str) -> Call:
        shared = self._random.choice(self.shared_keys())
        self._written += 1
        match self._random.randrange(10):
            case 0 | 1 | 2 | 3:
                return Call("incr", self.row_key(client))
            case 4 | 5:
                return Call("set", shared, {"value": f"{client}:{self._written}"})
            case 6:
                return Call("cas", shared, {"old": None, "new": f"{client}:{self._written}"})
            case _:
                return Call("get", shared)

    async def _operate(self, client: str, call: Call) -> None:
        """Have one operation done, and record what came of it."""
        began = time.monotonic_ns()
        outcome, result = Outcome.UNKNOWN, None
        attempt = _Attempt(secrets.token_hex(8))
        try:
            outcome, result = await self._until_answered(client, call, attempt, began / 1e9 + GIVE_UP_S)
        finally:
            # Also when this client is cancelled in the midst of it.
            self._record(client, call, outcome, result, began)

    async def _until_answered(
        self, client: str, call: Call, attempt: "_Attempt", give_up_s: float
    ) -> tuple[Outcome, Any]:
        while True:
            status, answer = await self._try(client, call, attempt)
            if status == 200:
                return Outcome.OK, answer["result"]
            if status not in (0, 503, 504):
                # The application refused, or something is badly wrong: neither is done.
                self._complain(client, call, status, answer)
                return (Outcome.UNKNOWN if attempt.doubtful else Outcome.FAIL), None
            if self._stopping or time.monotonic() > give_up_s:
                return (Outcome.UNKNOWN if attempt.doubtful else Outcome.FAIL), None
            self._homes[client] += 1
            await asyncio.sleep(AGAIN_S)

    async def _try(self, client: str, call: Call, attempt: "_Attempt") -> tuple[int, dict[str, Any]]:
        """Ask one peer; the status is 0 where nothing came back."""
        urls = list(self._urls().values())
        url = urls[self._homes[client] % len(urls)]
        try:
            async with asyncio.timeout(TRY_S + SLACK_S):
                if call.call == "get":
                    return await asking.query(self._http, url, "kv/get", {"key": call.key}, self._read, TRY_S)
                arguments = {"key": call.key, **call.arguments}
                status, answer = await asking.call(
                    self._http, url, f"kv/{call.call}", arguments, attempt.idempotency, TRY_S
                )
        except aiohttp.ClientConnectorError:
            return 0, {}
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            attempt.doubtful = True
            return 0, {}
        if status == 504:
            attempt.doubtful = True
        return status, answer

    def _complain(self, client: str, call: Call, status: int, answer: dict[str, Any]) -> None:
        code = answer.get("error", {}).get("code", "")
        # After a split that is how a client is told; the application decides.
        if code != "superseded" and len(self.problems) < CLIENTS_MAX:
            self.problems.append(f"{client}: {call.call} {call.key} was answered {status} {answer.get('error')}")

    def _record(self, client: str, call: Call, outcome: Outcome, result: Any, began: int) -> None:
        self.history.add(
            operation(
                client,
                call.call,
                *call.arguments.values(),
                key=call.key,
                result=result,
                began=began,
                ended=None if outcome is Outcome.UNKNOWN else time.monotonic_ns(),
                outcome=outcome,
            )
        )
        if call.call == "incr":
            row = self.rows[client]
            row.acknowledged += outcome is Outcome.OK
            row.unknown += outcome is Outcome.UNKNOWN


class _Attempt:
    """One operation under way: the key of all its attempts, and whether one of them may have been done."""

    def __init__(self, idempotency: str) -> None:
        self.idempotency = idempotency
        self.doubtful = False
