"""What a running peer does beside the election: snapshots, due timers, ended sessions, a look at the machine."""

import asyncio
from collections.abc import Callable

import msgspec

from tanist.config import PeerConfig
from tanist.election.entries import Kind, Proposal, SessionClosed
from tanist.election.events import Event
from tanist.election.ready import SnapshotTaken, Submit
from tanist.election.roles import Role
from tanist.peer import clock
from tanist.peer.application.state import StateError
from tanist.peer.condition import ConditionWatch
from tanist.peer.driver import Driver
from tanist.peer.electionlog.peer_events import ApplicationFault, SnapshotWritten
from tanist.peer.replica import Replica
from tanist.peer.storage.snapshots import SnapshotStore

LOG_BYTES_MAX = 64 << 20
"""Bytes of entries after which a snapshot is taken, however few they are."""
CHORES_EVERY_S = 1.0
"""How often absent peers' sessions are looked at."""

_encode = msgspec.msgpack.Encoder().encode


class Chores:
    """The chores of one peer. `after_turn` is cheap: it runs after every turn of the driver."""

    def __init__(
        self,
        driver: Driver,
        replica: Replica,
        store: SnapshotStore,
        config: PeerConfig,
        emit: Callable[[Event], None],
    ) -> None:
        self._driver = driver
        self._replica = replica
        self._store = store
        self._config = config
        self._emit = emit
        self._condition = ConditionWatch(driver.feed)
        self._loop = asyncio.get_running_loop()
        self._every: asyncio.TimerHandle | None = None
        self._due: asyncio.TimerHandle | None = None
        self._due_at: int | None = None
        self._snapshot: asyncio.Task[None] | None = None
        self._absent_since: dict[str, float] = {}
        snapshot = driver.core.node.snapshot
        self._snapshot_at = snapshot.index if snapshot else 0
        self._snapshot_bytes = snapshot.bytes if snapshot else 0
        self._bytes_at = 0

    def start(self) -> None:
        """Begin."""
        self._condition.start()
        self._every = self._loop.call_later(CHORES_EVERY_S, self._now_and_then)

    def stop(self) -> None:
        """End."""
        self._condition.stop()
        for handle in (self._every, self._due):
            if handle is not None:
                handle.cancel()
        if self._snapshot is not None:
            self._snapshot.cancel()

    def after_turn(self) -> None:
        """See what the last turn made due."""
        if self._snapshot_due():
            self._snapshot = self._loop.create_task(self._take_snapshot())
            self._snapshot.add_done_callback(self._took_snapshot)
        self._arm_timers()

    # Snapshots

    def _snapshot_due(self) -> bool:
        """After so many entries, and as many bytes as the last one had: so large states do not cost all the time.

        Few entries with large bodies make one due as well, since all of them are in memory until then.
        """
        if self._snapshot is not None:
            return False
        entries = self._replica.applied - self._snapshot_at
        size = self._replica.bytes_applied - self._bytes_at
        if size >= max(LOG_BYTES_MAX, 2 * self._snapshot_bytes):
            return True
        return entries >= self._config.snapshot.every and size >= self._snapshot_bytes

    async def _take_snapshot(self) -> None:
        machine, log = self._replica.machine, self._driver.core.node.log
        index = machine.applied
        term = log.term_at(index)
        if term is None:
            return
        begun, bytes_at = clock.now_ns(), self._replica.bytes_applied
        data = machine.snapshot_pieces()
        meta = await self._store.save(
            index=index,
            term=term,
            time_ns=machine.time_ns,
            history=log.history_at(index),
            roster=log.roster_at(index),
            data=data,
            archived=log.archives_at(index),
        )
        self._snapshot_at, self._snapshot_bytes, self._bytes_at = index, meta.bytes, bytes_at
        self._emit(SnapshotWritten(index, meta.bytes, (clock.now_ns() - begun) / 1e6))
        self._driver.feed(SnapshotTaken(meta))

    def _took_snapshot(self, task: asyncio.Task[None]) -> None:
        self._snapshot = None
        if not task.cancelled() and (error := task.exception()) is not None:
            # The log still has everything: the next attempt comes after as many entries again.
            self._snapshot_at = self._replica.applied
            if isinstance(error, StateError):
                what = f"{error}; until that is mended the log is kept, and grows"
                self._emit(ApplicationFault(error.app, "snapshot", what))
            else:
                self._driver.report(error, "a snapshot could not be taken")

    # Timers of applications

    def _arm_timers(self) -> None:
        due = self._replica.machine.next_timer_ns()
        if due is None or self._driver.core.role is not Role.SERVER:
            return
        if self._due is not None:
            if self._due_at is not None and self._due_at <= due:
                return
            self._due.cancel()
        self._due_at = due
        self._due = self._loop.call_later(max(0.005, (due - clock.wall_ns()) / 1e9), self._propose_due)

    def _propose_due(self) -> None:
        """Due timers become entries; one that is proposed twice fires once."""
        self._due = None
        if self._driver.core.role is not Role.SERVER:
            return
        due = self._replica.machine.due_timers(clock.wall_ns())
        if due:
            self._driver.feed(Submit(tuple(Proposal(Kind.TIMER, _encode(d)) for d in due)))
        # Looked at again when they have been applied, or when that took long.
        self._due_at = None
        self._due = self._loop.call_later(0.1, self._arm_again)

    def _arm_again(self) -> None:
        self._due = None
        self._arm_timers()

    # Now and then

    def _now_and_then(self) -> None:
        self._every = self._loop.call_later(CHORES_EVERY_S, self._now_and_then)
        core = self._driver.core
        if core.role is Role.SERVER:
            self._close_absent_sessions()
        else:
            self._absent_since.clear()

    def _close_absent_sessions(self) -> None:
        """Sessions whose peer has been gone for `session.timeout` end."""
        now = self._loop.time()
        me = self._driver.core.node.me.id
        peers = {session.peer for session in self._replica.machine.sessions}
        absent = {p for p in peers if p != me and p not in self._driver.links}
        for peer in list(self._absent_since):
            if peer not in absent:
                del self._absent_since[peer]
        for peer in absent:
            since = self._absent_since.setdefault(peer, now)
            if now - since >= self._config.session.timeout_s:
                closed = [SessionClosed(s, "its peer is gone") for s in self._replica.machine.sessions.of_peer(peer)]
                self._driver.feed(Submit(tuple(Proposal(Kind.SESSION_CLOSED, _encode(c)) for c in closed)))
                self._absent_since[peer] = now
