"""Exactly once: which commands of a session were applied, and what they were answered.

The table is replicated state: every peer that applied the same entries holds the same table, and a snapshot
carries it. So a command that is repeated to another server, after a failover, finds its first reply.

A session numbers its commands from `FIRST_SEQUENCE` on, without holes. Of a command's sequence the table says:

| sequence                                     | answer                                                      |
| -------------------------------------------- | ----------------------------------------------------------- |
| below the session's floor                    | `forgotten`: its client said that it waits no longer         |
| applied, same body                           | the first reply                                             |
| applied, another body                        | `sequence_reused`                                           |
| max(expected, the floor it carries)          | executed, kept, expected next                               |
| beyond                                       | `out_of_order`: not executed, its client sends again in order |
| of a session that is not open                | `unknown_session`: never executed                           |

A command may carry an idempotency key besides, which works across sessions and peers.

A heal brings commands of a history that ended. They are entered (`enter`), not done `once`: each (session, sequence)
gets its place, once, whatever its fate. So that this can be told long afterwards, an ended session of a member is
remembered until that member opens a session in this log again, and for its time from then on: until then it may come
back from another.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from zlib import crc32

import msgspec

from tanist.election.entries import Command, SessionOpened
from tanist.election.idempotency import KeysState, KeyTable
from tanist.election.opensession import ALL_APPLIED, OpenSession, Skipped

SESSIONS_MAX = 100_000
"""Sessions open at a time, in the whole cluster: a snapshot of them stays within tens of megabytes."""
ENDED_MAX = 100_000
"""Ended sessions remembered, the oldest forgotten first."""
ENDED_LIFE_NS = 600 * 10**9
"""Log time for which an ended session is remembered: a late copy of its opening must not bring it back empty."""

UNKNOWN_SESSION = "unknown_session"
SEQUENCE_REUSED = "sequence_reused"
OUT_OF_ORDER = "out_of_order"
FORGOTTEN = "forgotten"
OVERLOADED = "overloaded"
SESSION_CODES = frozenset({UNKNOWN_SESSION, SEQUENCE_REUSED, OUT_OF_ORDER, FORGOTTEN})
"""Codes that speak to the client's session, not to the person who called."""

_TEXTS = {
    UNKNOWN_SESSION: "this session is not open (ended, never opened, or too many are open): open a new one",
    SEQUENCE_REUSED: "this sequence was used before, for another command",
    OUT_OF_ORDER: "an earlier command of this session has not arrived: send again, in order",
    FORGOTTEN: "the session waits no longer for this sequence",
}


class SessionRecord(msgspec.Struct, frozen=True, array_like=True):
    """One open session in a snapshot: replies from sequence `floor` on, each with its body's digest."""

    session: str
    peer: str
    user: str
    floor: int
    digests: list[int]
    replies: list[bytes]
    opened: int = 0
    skipped: list[Skipped] = []


class EndedRecord(msgspec.Struct, frozen=True, array_like=True):
    """One ended session in a snapshot: the log time and index of its end, and what of it has its place.

    `held`: its member has opened no session since, so that it is remembered whatever its age.
    """

    session: str
    time_ns: int
    index: int = 0
    peer: str = ""
    user: str = ""
    expected: int = ALL_APPLIED
    opened: int = 0
    skipped: list[Skipped] = []
    held: bool = False


class SessionsState(msgspec.Struct, frozen=True, array_like=True):
    """A whole table in a snapshot; `members` are the peers whose ended sessions are held."""

    sessions: list[SessionRecord]
    keys: KeysState
    ended: list[EndedRecord]
    members: list[str] = []


class _Ended:
    """An ended session: when (log time and index), and the session without its replies."""

    __slots__ = ("index", "session", "time_ns")

    def __init__(self, session: OpenSession, time_ns: int, index: int) -> None:
        self.session = session
        self.time_ns = time_ns
        self.index = index


Execute = Callable[[Command, OpenSession], bytes]
"""Applies a command and gives its encoded reply; must not raise."""


class SessionTable:
    """All sessions of a cluster, and its idempotency keys. `error` encodes a reply from a code and a text.

    `index` is that of the entry which does it.
    """

    def __init__(self, error: Callable[[str, str], bytes]) -> None:
        self._error = error
        self._refusals = {code: error(code, text) for code, text in _TEXTS.items()}
        self._sessions: dict[str, OpenSession] = {}
        self._ended: OrderedDict[str, _Ended] = OrderedDict()
        self._members: frozenset[str] = frozenset()
        self._held: dict[str, set[str]] = {}
        """Of each member: its ended sessions that are remembered whatever their age."""
        self._keys = KeyTable(error)

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[OpenSession]:
        return iter(self._sessions.values())

    def get(self, session: str) -> OpenSession | None:
        """An open session by its id, or None."""
        return self._sessions.get(session)

    def of_peer(self, peer: str) -> list[str]:
        """The ids of the sessions at a peer, for the server to close when that peer is gone."""
        return [session.id for session in self._sessions.values() if session.peer == peer]

    # Beginning and end

    def open(self, opened: SessionOpened, index: int = 0, time_ns: int = 0) -> OpenSession | None:
        """Open a session at log time `time_ns`; None if that changes nothing: open already, ended lately, or too many.

        Opening an open session again, from another peer, only notes that it is there now.
        """
        self._is_back(opened.peer, time_ns)
        session = self._sessions.get(opened.session)
        if session is not None:
            session.peer = opened.peer
            return None
        if not opened.session or opened.session in self._ended or len(self._sessions) >= SESSIONS_MAX:
            return None
        session = OpenSession(opened.session, opened.peer, opened.user, opened=index)
        self._sessions[session.id] = session
        return session

    def close(self, session: str, time_ns: int, index: int = 0) -> OpenSession | None:
        """Close a session at log time `time_ns`; None if it was not open."""
        closed = self._sessions.pop(session, None)
        if closed is None:
            return None
        self._forget(time_ns)
        closed.release(closed.expected)
        self._ended[session] = _Ended(closed, time_ns, index)
        if closed.peer in self._members:
            self._held.setdefault(closed.peer, set()).add(session)
        return closed

    def roster(self, members: frozenset[str]) -> None:
        """These peers are the members from here on; one that has left is waited for no longer."""
        self._members = members
        self._held = {peer: held for peer, held in self._held.items() if peer in members}

    def _is_back(self, peer: str, time_ns: int) -> None:
        """A member follows this log again: what it had in another comes within moments, its ended sessions age anew."""
        for session in sorted(self._held.pop(peer, ())):
            self._ended[session].time_ns = time_ns
            self._ended.move_to_end(session)

    def _is_held(self, ended: _Ended) -> bool:
        return ended.session.id in self._held.get(ended.session.peer, ())

    def _forget(self, time_ns: int) -> None:
        old = []
        for session, ended in self._ended.items():
            if ended.time_ns + ENDED_LIFE_NS >= time_ns:
                break
            if not self._is_held(ended):
                old.append(session)
        for session in old:
            del self._ended[session]
        while len(self._ended) >= ENDED_MAX:
            self._remember_no_more(next(iter(self._ended)))

    def _remember_no_more(self, session: str) -> _Ended | None:
        ended = self._ended.pop(session, None)
        if ended is not None:
            self._held.get(ended.session.peer, set()).discard(session)
        return ended

    # Commands

    def once(self, command: Command, time_ns: int, execute: Execute, index: int = 0) -> bytes:
        """Apply a command, unless it was or must not be; its reply, the first one if it was applied before."""
        session = self._sessions.get(command.session)
        if session is None:
            return self._refusals[UNKNOWN_SESSION]
        digest = _digest(command)
        sequence = command.sequence
        if command.floor > session.floor:
            session.release(command.floor)
        if sequence != session.expected:
            if not session.expected < sequence <= command.floor:
                return self._repeated(session, sequence, digest)
            session.skip_to(sequence, index)
        if session.full:
            return self._error(OVERLOADED, f"the session keeps {len(session.replies)} replies: raise its floor")
        reply = self._executed(command, session, time_ns, execute)
        session.keep(digest, reply)
        return reply

    def _executed(self, command: Command, session: OpenSession, time_ns: int, execute: Execute) -> bytes:
        if command.key:
            return self._keys.once(command, time_ns, lambda: execute(command, session))
        return execute(command, session)

    def _repeated(self, session: OpenSession, sequence: int, digest: int) -> bytes:
        if sequence > session.expected:
            return self._refusals[OUT_OF_ORDER]
        if sequence < session.floor:
            return self._refusals[FORGOTTEN]
        first_digest, reply = session.replies[sequence - session.floor]
        return reply if first_digest == digest else self._refusals[SEQUENCE_REUSED]

    # Healing

    def has(self, command: Command) -> bool:
        """Whether a command has its place in its session, open or ended: then it is applied no more."""
        session = self._sessions.get(command.session)
        if session is None and (ended := self._ended.get(command.session)) is not None:
            session = ended.session
        return session is not None and session.has(command.sequence)

    def expected_after(self, session: str, fork: int) -> int | None:
        """From which sequence on a history that parts behind index `fork` may go on with a session.

        None if the session was not open there at the fork, as far as this table remembers.
        """
        found = self._sessions.get(session)
        if found is None:
            ended = self._ended.get(session)
            if ended is None or ended.index <= fork:
                return None
            found = ended.session
        return found.expected_after(fork)

    def ended_by(self, session: str, index: int) -> bool:
        """Whether a session is remembered as ended by an entry up to `index`."""
        ended = self._ended.get(session)
        return ended is not None and ended.index <= index

    def adopt(self, opened: SessionOpened) -> OpenSession | None:
        """Open a session that another history opened; None if it is, or was, known here."""
        session = self._sessions.get(opened.session)
        ended = self._ended.get(opened.session)
        if session is None and ended is not None:
            session = ended.session
        if session is not None:
            session.opened = 0
            return None
        if not opened.session or len(self._sessions) >= SESSIONS_MAX:
            return None
        session = self._sessions[opened.session] = OpenSession(opened.session, opened.peer, opened.user)
        return session

    def reopen(self, session: str) -> OpenSession | None:
        """Open a session again that ended here and went on in another history; None if it is not ended, or no room."""
        if len(self._sessions) >= SESSIONS_MAX:
            return None
        ended = self._remember_no_more(session)
        if ended is None:
            return None
        self._sessions[session] = ended.session
        return ended.session

    def enter(self, command: Command, time_ns: int, decide: Execute) -> bytes | None:
        """Give a command of another history its place, and what a retry finds; None if there is no place for it.

        There is none when it has one already, and when its session is not open. `decide` applies it, or does
        not, and gives the reply; it is not called when the command's key says that it was done before.
        """
        session = self._sessions.get(command.session)
        if session is None or session.has(command.sequence):
            return None
        if command.floor > session.floor:
            session.release(command.floor)
        if command.sequence < session.expected:
            session.fill(command.sequence)
            return self._executed(command, session, time_ns, decide)
        if command.sequence > session.expected:
            session.skip_to(command.sequence, 0)
        reply = self._executed(command, session, time_ns, decide)
        session.keep(_digest(command), reply)
        return reply

    # Snapshots

    def state(self) -> SessionsState:
        """All of the table, for a snapshot; equal tables give equal states, in the same order."""
        sessions = [
            SessionRecord(
                s.id, s.peer, s.user, s.floor, [d for d, _ in s.replies], [r for _, r in s.replies], s.opened, s.skipped
            )
            for s in self._sessions.values()
        ]
        ended = [
            EndedRecord(name, e.time_ns, e.index, s.peer, s.user, s.expected, s.opened, s.skipped, self._is_held(e))
            for name, e in self._ended.items()
            for s in (e.session,)
        ]
        return SessionsState(sessions, self._keys.state(), ended, sorted(self._members))

    def restore(self, state: SessionsState) -> None:
        """Become the table that `state` was taken from. Raises ValueError if it does not add up."""
        sessions: dict[str, OpenSession] = {}
        for record in state.sessions:
            session = OpenSession(record.session, record.peer, record.user, record.floor, record.opened, record.skipped)
            for digest, reply in zip(record.digests, record.replies, strict=True):
                session.keep(digest, reply)
            sessions[session.id] = session
        self._sessions = sessions
        self._ended, self._held = OrderedDict(), {}
        for end in state.ended:
            session = OpenSession(end.session, end.peer, end.user, end.expected, end.opened, end.skipped)
            self._ended[end.session] = _Ended(session, end.time_ns, end.index)
            if end.held:
                self._held.setdefault(end.peer, set()).add(end.session)
        self._members = frozenset(state.members)
        self._keys.restore(state.keys)


def _digest(command: Command) -> int:
    # The floor and the key are no part of what was asked: a command sent again may carry others.
    return crc32(command.arguments, crc32(f"{command.app} {command.name}".encode()))
