"""A client that writes without pause: one number after another, each acknowledged before the next is sent.

Every command is `kv incr` of the client's own key, under an idempotency key of its own. So the acknowledged
results must be 1, 2, 3, …: one that was lost, or applied twice, breaks the row.
"""

import asyncio
import contextlib
import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from system.cluster import DEADLINE_S, Cluster, now

CALL_S = 30.0
"""How long one call may take: longer than any failover, which is a delay and no error."""
AGAIN_S = 0.05
"""Before a call that failed is repeated: a peer that is being started needs the processor more."""


@dataclass(frozen=True)
class Ack:
    """One acknowledged write: its result, its receipt, and when the answer came."""

    value: int
    receipt: dict[str, Any]
    at: float


@dataclass
class Writer:
    """Writes through one peer from `async with` on until its end.

    `acks` in order, `errors` as (HTTP status or exception, answer): a call that fails is repeated with the same
    idempotency key until it is acknowledged.
    """

    cluster: Cluster
    at: str
    key: str = field(default_factory=lambda: f"row-{secrets.token_hex(4)}")
    acks: list[Ack] = field(default_factory=list)
    errors: list[tuple[object, object]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._stopping = False
        self.begun = now()
        self._task = asyncio.create_task(self._write())
        await self.more(20)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.stop()
        else:
            await self.abandon()

    async def stop(self) -> None:
        """End with the call that is on its way; nothing happens when it was abandoned."""
        self._stopping = True
        if self._task.cancelled():
            return
        try:
            async with asyncio.timeout(CALL_S):
                await asyncio.shield(self._task)
        except TimeoutError:
            await self.abandon()
            raise AssertionError(f"a write at {self.at} was not answered within {CALL_S:g} s") from None

    async def abandon(self) -> None:
        """End at once; the last call may be done or not."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _write(self) -> None:
        while not self._stopping:
            await self._one(secrets.token_hex(12))

    async def _one(self, idempotency: str) -> None:
        while True:
            try:
                status, answer = await self.cluster.call(self.at, "kv/incr", idempotency, CALL_S, key=self.key)
            except (aiohttp.ClientError, OSError) as error:
                status, answer = 0, {"error": repr(error)}
            if status == 200:
                self.acks.append(Ack(answer["result"], answer["receipt"], now()))
                return
            self.errors.append((status, answer))
            if self._stopping:
                return
            await asyncio.sleep(AGAIN_S)

    # Waiting

    async def more(self, acks: int, deadline_s: float = DEADLINE_S) -> None:
        """Wait until so many more writes are acknowledged."""
        target = len(self.acks) + acks

        async def enough() -> bool:
            assert not self._task.done() or self._stopping, f"the writer at {self.at} ended: {self._task}"
            return len(self.acks) >= target

        await self.cluster.wait_for(enough, f"{acks} more writes at {self.at} ({self.errors[-1:]})", deadline_s)

    # Judging

    @property
    def total(self) -> int:
        """The last acknowledged number."""
        return self.acks[-1].value if self.acks else 0

    def longest_gap_s(self) -> float:
        """The longest time without an acknowledgement: the outage a client sees."""
        times = [self.begun, *(ack.at for ack in self.acks)]
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    def must_be_whole(self) -> None:
        """Every acknowledged write is there once: the results are an unbroken row."""
        values = [ack.value for ack in self.acks]
        broken = next(((i + 1, v) for i, v in enumerate(values) if v != i + 1), None)
        assert broken is None, f"write {broken[0]} was answered {broken[1]}: one was lost or applied twice"

    async def must_be_everywhere(self, deadline_s: float = DEADLINE_S) -> None:
        """Every acknowledged write is in every running peer's copy, once; the writer must have ended."""
        self.must_be_whole()
        await self.cluster.until_everywhere(self.key, str(self.total), deadline_s)
