"""The calls of one client of this peer: one session, a window of commands in flight, each answered once.

A call is encoded when it is sent, not when it is made: the floor it carries is that of the moment. Whenever
another server (or the same in another term) is there, everything unanswered is sent again, in order; the
session table of the log sees to it that nothing is done twice.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import msgspec

from tanist.election.core import Core
from tanist.election.entries import Command, Kind, Proposal, SessionOpened
from tanist.election.history import NO_TERM, Term
from tanist.election.opensession import FIRST_SEQUENCE
from tanist.election.ready import Apply
from tanist.election.sessions import OUT_OF_ORDER, UNKNOWN_SESSION
from tanist.peer.application.machine import Outcome
from tanist.peer.application.replies import decode_reply
from tanist.peer.errors import CallError, NoServer, Overloaded, UnknownOutcome
from tanist.peer.status import Receipt, Reply, TermView
from tanist.peer.statusview import nobody
from tanist.peer.waits import Waits

CALLS_MAX = 8_192
"""Calls of one peer waiting at once; the replies kept for its session have the same bound."""
SUBMIT_BATCH = 512
"""Proposals in one submission, so that one message stays small."""
SESSIONS_REMEMBERED = 16
"""Past sessions of this process whose callers are told what a heal superseded: each took a long absence to end."""
AGAIN_S = 0.05
"""After how long calls that arrived out of order are sent again."""

_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True)
class Call:
    """One command on its way. `sent` counts how often it left this peer."""

    app: str
    name: str
    arguments: msgspec.Raw
    key: str
    given: bytes
    future: "asyncio.Future[Reply]"
    since: float
    sent: int = 0
    timer: asyncio.TimerHandle | None = None
    sequence: int = 0


class Calls:
    """All calls of one session."""

    def __init__(
        self,
        peer: str,
        submit: Callable[[tuple[Proposal, ...]], None],
        term_at: Callable[[int], Term | None],
        on_waited: Callable[[int, float], None],
        nobody: Callable[[str, str], NoServer],
        local_sessions: set[str],
    ) -> None:
        """`submit` hands proposals to the core; `on_waited(calls, longest_s)` hears what a change of server cost.

        `nobody(what, ending)` makes the error of a call that no server took. `local_sessions` is the machine's set of
        sessions whose answers are wanted here: this one's id is kept in it.
        """
        self._loop = asyncio.get_running_loop()
        self.peer = peer
        self._submit = submit
        self._term_at = term_at
        self._on_waited = on_waited
        self._nobody = nobody
        self._pending: dict[int, Call] = {}
        self._next = FIRST_SEQUENCE
        self._unsent: list[int] = []
        self._flush_due = False
        self._again: asyncio.TimerHandle | None = None
        self._reachable = False
        self._opened = False
        self._failed_over_at: float | None = None
        self._closing = False
        self.waits = Waits()
        self.session = _new_session()
        self.past_sessions: deque[str] = deque(maxlen=SESSIONS_REMEMBERED)
        self.local_sessions = local_sessions
        local_sessions.add(self.session)
        self.began = False
        """Whether the opening of the session may be in the log."""

    def __len__(self) -> int:
        return len(self._pending)

    def sessions(self) -> list[str]:
        """The sessions that this process has had, the present one last."""
        return [*self.past_sessions, self.session]

    # Making calls

    def call(
        self, app: str, name: str, arguments: bytes, key: str, timeout_s: float, *, given: bytes = b""
    ) -> "asyncio.Future[Reply]":
        """Send a validated command; the future ends in a `Reply` or a `CallError`. `given`: see `Command`."""
        if len(self._pending) >= CALLS_MAX or self._closing:
            why = "it is ending" if self._closing else f"{CALLS_MAX} calls wait at this peer already"
            raise Overloaded(f"this peer takes no more calls now: {why}")
        future: asyncio.Future[Reply] = self._loop.create_future()
        call = Call(app, name, msgspec.Raw(arguments), key, given, future, self._loop.time())
        if not self._pending:
            self.waits.asked(call.since)
        sequence = self._enqueue(call)
        call.timer = self._loop.call_later(timeout_s, self._timed_out, call)
        if self._reachable:
            self._unsent.append(sequence)
            self._flush_soon()
        return future

    def _enqueue(self, call: Call) -> int:
        sequence = call.sequence = self._next
        self._next += 1
        self._pending[sequence] = call
        return sequence

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Everything of this turn leaves in one submission."""
        self._flush_due = False
        unsent, self._unsent = self._unsent, []
        if self._reachable and unsent:
            self._send(unsent)

    def _send(self, sequences: list[int]) -> None:
        pending, session = self._pending, self.session
        proposals: list[Proposal] = []
        if not self._opened:
            self._opened = self.began = True
            proposals.append(Proposal(Kind.SESSION_OPENED, _encode(SessionOpened(session, self.peer))))
        floor = next(iter(pending), self._next)
        for sequence in sequences:
            call = pending.get(sequence)
            if call is None:
                continue
            if call.sent:
                self.waits.sent_again(sequence)
            call.sent += 1
            command = Command(session, sequence, floor, call.app, call.name, call.arguments, call.key, call.given)
            proposals.append(Proposal(Kind.COMMAND, _encode(command)))
        for at in range(0, len(proposals), SUBMIT_BATCH):
            self._submit(tuple(proposals[at : at + SUBMIT_BATCH]))

    # The server

    def server_changed(self, reachable: bool) -> int:
        """Another server, or none. Returns how many calls were sent again."""
        if self._reachable:
            self.waits.begin()
            if not reachable:
                self._failed_over_at = self._loop.time()
        self._reachable = reachable
        self._unsent.clear()
        if not reachable:
            return 0
        self.waits.found(self._loop.time(), len(self._pending))
        self._opened = False
        return self.send_all()

    def send_all(self) -> int:
        """Send everything unanswered (again), in order."""
        self._again = None
        if not self._reachable:
            return 0
        self._unsent.clear()
        self._opened = False
        sequences = list(self._pending)
        if sequences:
            self._send(sequences)
        return len(sequences)

    def send_again_after(self, wait_s: float) -> None:
        """The server could take nothing more: send all again in a while."""
        if self._again is None:
            self._again = self._loop.call_later(wait_s, self.send_all)

    # Answers

    def answered(self, outcomes: list[Outcome], committed: Apply) -> None:
        """What the machine answered to commands of this session."""
        pending, session = self._pending, self.session
        first = committed.entries[0]
        last = committed.entries[-1]
        same = first.number == last.number and first.holder == last.holder
        view = TermView(last.number, last.holder)
        waited = 0
        longest = 0.0
        before = len(pending)
        for outcome in outcomes:
            call = pending.get(outcome.sequence)
            if call is None or outcome.session != session:
                if outcome.session == session:
                    self.waits.answered_before(outcome.sequence)
                continue
            try:
                result = decode_reply(outcome.reply)
            except CallError as error:
                if error.code == OUT_OF_ORDER:
                    self.send_again_after(AGAIN_S)
                    continue
                if error.code == UNKNOWN_SESSION:
                    self._lost_session()
                    return
                self._end(outcome.sequence, call)
                if not call.future.done():
                    call.future.set_exception(error)
                continue
            self._end(outcome.sequence, call)
            if call.future.done():
                continue
            if not same:
                term = self._term_at(outcome.index) or NO_TERM
                view = TermView(term.number, term.holder)
            receipt = Receipt(view, outcome.index, committed.durability, committed.reach, committed.members)
            call.future.set_result(Reply(result, receipt))
            if self._failed_over_at is not None:
                waited += 1
                longest = max(longest, self._loop.time() - max(call.since, self._failed_over_at))
        if len(pending) < before:
            self.waits.answered(self._loop.time(), more=bool(pending))
        if waited:
            self._failed_over_at = None
            self._on_waited(waited, longest)

    def _end(self, sequence: int, call: Call) -> None:
        del self._pending[sequence]
        if call.timer is not None:
            call.timer.cancel()

    def _lost_session(self) -> None:
        """The log has closed this session (this peer was away for long): begin another.

        What was sent once only was certainly not done, and goes on in the new one; of the rest nobody knows.
        """
        calls = list(self._pending.values())
        self._pending = {}
        self._next = FIRST_SEQUENCE
        self.local_sessions.discard(self.session)
        self.past_sessions.append(self.session)
        self.session = _new_session()
        self.local_sessions.add(self.session)
        for call in calls:
            if call.sent <= 1:
                call.sent = 0
                self._enqueue(call)
            else:
                self._fail(call, UnknownOutcome("this peer's session ended meanwhile; repeat with an idempotency key"))
        self.send_all()

    def _timed_out(self, call: Call) -> None:
        if self._pending.get(call.sequence) is not call:
            return
        del self._pending[call.sequence]
        self.waits.unknown(call.sequence)
        if not self._pending:
            self.waits.gave_up(self._loop.time())
        if call.sent:
            text = "no answer in time: done, or not, or yet to be done; repeat with the same idempotency key"
            self._fail(call, UnknownOutcome(text))
        else:
            self._fail(call, self._nobody("nobody served in time", "; certainly not done"))

    def _fail(self, call: Call, error: CallError) -> None:
        if call.timer is not None:
            call.timer.cancel()
        if not call.future.done():
            call.future.set_exception(error)

    # The end

    def refuse_new(self) -> None:
        """Take no new calls."""
        self._closing = True

    async def drained(self, limit_s: float) -> None:
        """Wait until what is in flight is answered, but no longer than that."""
        futures = [call.future for call in self._pending.values() if not call.future.done()]
        if futures:
            await asyncio.wait(futures, timeout=limit_s)

    def close(self) -> None:
        """End: whatever is still in flight has an unknown outcome, or was never sent."""
        for call in self._pending.values():
            ending: CallError = NoServer("this peer ended; certainly not done")
            if call.sent:
                ending = UnknownOutcome("this peer ended before the answer came")
            self._fail(call, ending)
        self._pending.clear()
        if self._again is not None:
            self._again.cancel()


def calls_at(
    core: Core, submit: Callable[[tuple[Proposal, ...]], None], on_waited: Callable[[int, float], None]
) -> Callable[[set[str]], Calls]:
    """What makes the calls of one more session at the peer of this core, given the machine's `local_sessions`."""
    # The log object may be replaced (a log that is given up): always ask the present one.
    node = core.node
    return lambda local: Calls(
        node.me.id, submit, lambda index: node.log.term_at(index), on_waited, partial(nobody, core), local
    )


def _new_session() -> str:
    """Session ids are random and made by the client: nobody else's session is ever met by chance."""
    return secrets.token_hex(12)
