"""The loop that drives the core: inputs in, in order, and what each step asks for carried out, in order.

One event loop, one inbox. Sockets, disk, timers and gateways only ever `feed`; whatever fails here ends the
peer (`on_fatal`), since a half-dead server that still sends heartbeats is worse than none.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path

from tanist.election.core import Core
from tanist.election.events import Event
from tanist.election.messages import Message, SnapshotChunk
from tanist.election.ready import (
    Apply,
    Archive,
    Halt,
    Input,
    Persisted,
    Ready,
    SnapshotRead,
    SnapshotReceived,
    SnapshotWrite,
    Tick,
)
from tanist.election.records import SnapshotRecord
from tanist.peer import clock
from tanist.peer.electionlog.peer_events import ArchiveWritten, LoopStalled
from tanist.peer.links import Links
from tanist.peer.replica import Replica
from tanist.peer.storage.errors import SnapshotDamaged, StorageError
from tanist.peer.storage.journal import Journal
from tanist.peer.storage.snapshots import SnapshotStore
from tanist.transport.codec import encode_message
from tanist.transport.link import Transport

STALL_TOLD_NS = 250_000_000
"""A turn of the loop that comes so late is told: the next election may have its cause there."""
INPUTS_A_TURN_MAX = 2_000
"""Inputs taken in one turn of the loop, so that timers and sockets get theirs in a flood."""


class Driver:
    """Owns the core of one running peer."""

    def __init__(
        self,
        core: Core,
        replica: Replica,
        journal: Journal,
        store: SnapshotStore,
        transport: Transport,
        links: Links,
        archive: Callable[[Archive], Path],
        *,
        emit: Callable[[Event], None],
        on_fatal: Callable[[BaseException], None],
        on_halt: Callable[[Halt], None],
        after_turn: Callable[[], None],
        on_declined: Callable[[float], None],
        on_read: Callable[[int, int], None],
    ) -> None:
        self.core = core
        self.links = links
        self.journal = journal
        self._transport = transport
        self._replica = replica
        self._store = store
        self._archive = archive
        self._emit = emit
        self._on_fatal = on_fatal
        self._on_halt = on_halt
        self._after_turn = after_turn
        self._on_declined = on_declined
        self._on_read = on_read
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[Input] = deque()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: int | None = None
        self._timer_at = 0
        self._applies: deque[Apply] = deque()
        self._installing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_message: tuple[Message, bytes] | None = None
        self._stopped = False

    # In

    def start(self) -> None:
        """The first step."""
        self.links.connect(self.feed)
        self._carry_out(self.core.start(clock.now_ns(), clock.wall_ns()))
        self._arm()
        self._after_turn()

    def feed(self, item: Input) -> None:
        """Give the core something, in this turn of the loop or the next."""
        self._inbox.append(item)
        if not self._scheduled and not self._stopped:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def persisted(self, persist_id: int) -> None:
        """The journal has everything up to an id on disk."""
        self.feed(Persisted(persist_id))

    def stop(self) -> None:
        """Take no input any more."""
        self._stopped = True
        self._inbox.clear()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    def _drain(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        inbox, step = self._inbox, self.core.step
        try:
            now, wall = clock.now_ns(), clock.wall_ns()
            for _ in range(min(len(inbox), INPUTS_A_TURN_MAX)):
                self._carry_out(step(now, inbox.popleft(), wall))
            self._arm()
            self._after_turn()
        except BaseException as error:
            self._on_fatal(error)
            return
        if inbox and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def _arm(self) -> None:
        """Wake up at the core's deadline, and no earlier."""
        if self._deadline is None:
            return
        if self._timer is not None:
            if self._timer_at == self._deadline:
                return
            self._timer.cancel()
        self._timer_at = self._deadline
        delay_s = max(0, self._deadline - clock.now_ns()) / 1e9
        self._timer = self._loop.call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        late = clock.now_ns() - self._timer_at
        if late > STALL_TOLD_NS:
            self._emit(LoopStalled(late / 1e6))
        self.feed(Tick())

    # Out

    def _carry_out(self, ready: Ready) -> None:
        """Carry out one `Ready`, from top to bottom."""
        for archive in ready.archive:
            self._emit(ArchiveWritten(str(self._archive(archive))))
        for event in ready.events:
            self._emit(event)
        if ready.persist:
            self.journal.append(ready.persist_id, ready.persist)
            for record in ready.persist:
                if isinstance(record, SnapshotRecord):
                    self._run(self._prune(record.meta.index))
        for peer, message in ready.send:
            self._send(peer, message)
        for dial in ready.dial:
            self._transport.dial(dial.address, dial.timeout_ns / 1e9)
        for peer, reason in ready.close:
            self.links.close(peer, reason)
        if ready.rebuild:
            self._rebuild(ready)
        if ready.apply is not None:
            if self._installing:
                self._applies.append(ready.apply)
            else:
                self._replica.apply(ready.apply)
        for read in ready.snapshot_read:
            self._run(self._read_snapshot(read))
        for write in ready.snapshot_write:
            self._run(self._write_snapshot(write))
        for answer in ready.reads:
            self._on_read(answer.request, answer.index)
        if ready.declined is not None:
            self._on_declined(ready.declined)
        if ready.halt is not None:
            self._on_halt(ready.halt)
        self._deadline = ready.deadline

    def _send(self, peer: str, message: Message) -> None:
        link = self.links.to(peer)
        if link is None:
            return
        # One message to many peers is encoded once: they come one after another.
        last = self._last_message
        if last is None or last[0] is not message:
            last = self._last_message = (message, encode_message(message))
        link.send_frame(last[1])

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ran)

    def report(self, error: BaseException, what: str) -> None:
        """Tell of something that went wrong and is no reason to end."""
        self._loop.call_exception_handler({"message": f"tanist: {what}", "exception": error})

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fatal(error)

    # Snapshots

    def _rebuild(self, ready: Ready) -> None:
        """The application's state begins anew; what is committed meanwhile waits its turn."""
        self._applies.clear()
        self._installing = True
        self._run(self._install(ready))

    async def _install(self, ready: Ready) -> None:
        meta = ready.install
        data = None if meta is None else await self._store.load(meta)
        self._replica.begin_anew(data, ready.common)
        self._installing = False
        while self._applies and not self._installing:
            self._replica.apply(self._applies.popleft())
        self._after_turn()

    async def _read_snapshot(self, read: SnapshotRead) -> None:
        data = await self._store.read(read.index, read.digest, read.offset, read.bytes_max)
        self._send(read.peer, SnapshotChunk(read.index, read.digest, read.offset, data))

    async def _write_snapshot(self, write: SnapshotWrite) -> None:
        if not write.data:
            return
        try:
            here = await self._store.write(write.meta, write.offset, write.data)
            if here < write.meta.bytes:
                return
            await self._store.finish(write.meta)
        except (SnapshotDamaged, StorageError, OSError) as error:
            self.feed(SnapshotReceived(write.meta, str(error)))
        else:
            self.feed(SnapshotReceived(write.meta, ""))

    async def _prune(self, index: int) -> None:
        await self.journal.flush()
        node = self.core.node
        needed = [meta.index for meta in (node.snapshot, node.copied) if meta is not None]
        await self._store.prune(min([index, *needed]))
