"""The clients of the demo: they write numbers through any peer, and try again until each is acknowledged."""

import asyncio
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import aiohttp
import msgspec

WRITERS = 4
"""Clients at once: enough that some are always in the middle of a write when a server dies."""
PAUSE_S = 0.02
"""Between two writes of one client, so that a laptop has time for everything else."""
AGAIN_S = 0.02
"""Before a write is tried again."""
AVOID_S = 0.3
"""How long a client leaves an address alone that did not answer."""
ANSWER_S = 8.0
"""How long a write may take: longer than the slowest pace needs to replace a server."""
CERTAIN = frozenset({503, 504})
"""The statuses that say: nobody serves, or nobody knows whether it is done. Both are repeated with the same key."""

_decode = msgspec.json.Decoder().decode


class Ack(msgspec.Struct, frozen=True):
    """An acknowledged number: when (seconds of the monotonic clock), and in which term."""

    number: int
    at_s: float
    term: int


class WriteRefused(Exception):
    """A peer refused a write for good; the message is the peer's own."""


class Writers:
    """Several clients that share one run of numbers. Each number has one idempotency key, however often it is sent."""

    def __init__(self, addresses: Sequence[str], session: aiohttp.ClientSession) -> None:
        """`addresses` of the peers' HTTP, dead or alive: which, a client finds out itself."""
        self.acks: list[Ack] = []
        self.repeated = 0
        self.problems: list[str] = []
        self._addresses = addresses
        self._session = session
        self._run = secrets.token_hex(8)
        self._next = 1
        self._writing = False
        self._began_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._avoided: dict[str, float] = {}

    def start(self) -> None:
        """Begin, or begin again, to write."""
        self._writing = True
        self._began_s = time.monotonic()
        self._tasks = {asyncio.create_task(self._write_on()) for _ in range(WRITERS)}

    async def stop(self) -> None:
        """Begin no further number, and wait until those on their way are acknowledged: then nothing is in doubt."""
        self._writing = False
        await self.ended()

    async def ended(self) -> None:
        """Wait until no client writes any more: they were stopped, or all refused."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def silent_s(self) -> float | None:
        """Seconds since the last answer; None while nobody writes."""
        if not self._writing:
            return None
        last_s = max(self._began_s, self.acks[-1].at_s if self.acks else 0.0)
        return max(0.0, time.monotonic() - last_s)

    def close(self) -> None:
        """End at once."""
        for task in self._tasks:
            task.cancel()

    async def _write_on(self) -> None:
        try:
            while self._writing:
                number = self._next
                self._next += 1
                await self._write(number)
                await asyncio.sleep(PAUSE_S)
        except WriteRefused as error:
            self.problems.append(str(error))

    async def _write(self, number: int) -> None:
        """Send a number until it is acknowledged; raises `WriteRefused`."""
        while True:
            address = self._pick(time.monotonic())
            try:
                term = await self._send(address, number)
            except (aiohttp.ClientError, TimeoutError, OSError):
                self._avoided[address] = time.monotonic() + AVOID_S
                term = None
            if term is not None:
                self.acks.append(Ack(number, time.monotonic(), term))
                return
            self.repeated += 1
            await asyncio.sleep(AGAIN_S)

    async def _send(self, address: str, number: int) -> int | None:
        """Send it once: the term of its receipt, or None where it must be repeated. Raises also what aiohttp does."""
        async with self._session.post(
            f"http://{address}/apps/ledger/write",
            params={"timeout": f"{ANSWER_S:g}"},
            json={"number": number},
            headers={"Idempotency-Key": f"{self._run}-{number}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_S + 1),
        ) as answer:
            said = _decode(await answer.read())
            if answer.status == 200:
                return int(said["receipt"]["term"]["number"])
            if answer.status in CERTAIN:
                return None
            raise WriteRefused(f"number {number} was refused with {answer.status}: {_reason(said)}")

    def _pick(self, now_s: float) -> str:
        """Any address, rather one that answered of late."""
        good = [address for address in self._addresses if self._avoided.get(address, 0.0) <= now_s]
        return random.choice(good or self._addresses)


def _reason(said: Mapping[str, Mapping[str, str]]) -> str:
    return said.get("error", {}).get("message", "without a reason")


def longest_pause_s(acks: Sequence[Ack], from_s: float, term: int) -> float | None:
    """The longest pause between two answers from a moment on until the first that a server after `term` gave.

    None until there is one. What the old server had taken may be answered late with its own term: that counts too.
    """
    after = min((ack.at_s for ack in acks if ack.term > term), default=None)
    if after is None:
        return None
    before = max((ack.at_s for ack in acks if ack.at_s <= from_s), default=from_s)
    moments = sorted({before, after, *(ack.at_s for ack in acks if before < ack.at_s < after)})
    return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)
