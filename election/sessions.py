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
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from hashlib import blake2b
from zlib import crc32

import msgspec

from tanist.election.entries import Command, SessionOpened

FIRST_SEQUENCE = 1
"""The sequence of a session's first command."""
WINDOW_MAX = 8192
"""Replies kept for one session: more than any gateway has in flight; a bound for one that never says its floor."""
WINDOW_BYTES_MAX = 8 << 20
"""Bytes of replies kept for one session, so that a few sessions with large results cannot fill memory."""
SESSIONS_MAX = 100_000
"""Sessions open at a time, in the whole cluster: a snapshot of them stays within tens of megabytes."""
ENDED_MAX = 100_000
"""Ended sessions remembered, the oldest forgotten first."""
ENDED_LIFE_NS = 600 * 10**9
"""Log time for which an ended session is remembered: a late copy of its opening must not bring it back empty."""
KEYS_MAX = 100_000
"""Idempotency keys alive: 166 keyed commands a second, for all of their lives."""
KEYS_BYTES_MAX = 64 << 20
"""Bytes of the keys alive and their replies."""
KEY_LIFE_NS = 600 * 10**9
"""Log time for which an idempotency key lives."""
KEY_LENGTH_MAX = 256
"""Characters of an idempotency key: a UUID has 36."""

UNKNOWN_SESSION = "unknown_session"
SEQUENCE_REUSED = "sequence_reused"
OUT_OF_ORDER = "out_of_order"
FORGOTTEN = "forgotten"
KEY_REUSED = "key_reused"
OVERLOADED = "overloaded"
BAD_REQUEST = "bad_request"
SESSION_CODES = frozenset({UNKNOWN_SESSION, SEQUENCE_REUSED, OUT_OF_ORDER, FORGOTTEN})
"""Codes that speak to the client's session, not to the person who called."""

_TEXTS = {
    UNKNOWN_SESSION: "this session is not open (ended, never opened, or too many are open): open a new one",
    SEQUENCE_REUSED: "this sequence was used before, for another command",
    OUT_OF_ORDER: "an earlier command of this session has not arrived: send again, in order",
    FORGOTTEN: "the session waits no longer for this sequence",
    KEY_REUSED: "this idempotency key was used before, for another command",
    BAD_REQUEST: f"an idempotency key has at most {KEY_LENGTH_MAX} characters",
}


class SessionRecord(msgspec.Struct, frozen=True, array_like=True):
    """One open session in a snapshot: replies from sequence `floor` on, each with its body's digest."""

    session: str
    peer: str
    user: str
    floor: int
    digests: list[int]
    replies: list[bytes]


class KeyRecord(msgspec.Struct, frozen=True, array_like=True):
    """One idempotency key: its body's digest, its first reply, and the log time of that in nanoseconds."""

    key: str
    digest: bytes
    reply: bytes
    time_ns: int


class SessionsState(msgspec.Struct, frozen=True, array_like=True):
    """A whole table in a snapshot. `ended` has session ids and the log times of their ends."""

    sessions: list[SessionRecord]
    keys: list[KeyRecord]
    ended: list[tuple[str, int]]


class OpenSession:
    """One open session: `replies` are those of the sequences from `floor` up to, not including, `expected`."""

    __slots__ = ("bytes_kept", "expected", "floor", "id", "peer", "replies", "user")

    def __init__(self, id: str, peer: str, user: str, floor: int = FIRST_SEQUENCE) -> None:
        self.id = id
        self.peer = peer
        self.user = user
        self.floor = floor
        self.expected = floor
        self.bytes_kept = 0
        self.replies: deque[tuple[int, bytes]] = deque()

    def keep(self, digest: int, reply: bytes) -> None:
        """Remember the reply to the expected sequence, and expect the next."""
        self.replies.append((digest, reply))
        self.bytes_kept += len(reply)
        self.expected += 1

    def release(self, floor: int) -> None:
        """Drop the replies below `floor`; what was not applied yet stays expected."""
        floor = min(floor, self.expected)
        while self.floor < floor:
            self.bytes_kept -= len(self.replies.popleft()[1])
            self.floor += 1

    def skip_to(self, sequence: int) -> None:
        """Expect `sequence` next: its client waits for nothing below it."""
        self.replies.clear()
        self.bytes_kept = 0
        self.floor = self.expected = sequence

    @property
    def full(self) -> bool:
        """Whether no further reply may be kept before the client raises its floor."""
        return len(self.replies) >= WINDOW_MAX or self.bytes_kept >= WINDOW_BYTES_MAX


Execute = Callable[[Command, OpenSession], bytes]
"""Applies a command and gives its encoded reply; must not raise."""


class SessionTable:
    """All sessions of a cluster, and its idempotency keys. `error` encodes a reply from a code and a text."""

    def __init__(self, error: Callable[[str, str], bytes]) -> None:
        self._error = error
        self._refusals = {code: error(code, text) for code, text in _TEXTS.items()}
        self._sessions: dict[str, OpenSession] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()
        self._keys: OrderedDict[str, KeyRecord] = OrderedDict()
        self._keys_bytes = 0

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

    def open(self, opened: SessionOpened) -> OpenSession | None:
        """Open a session; None if that changes nothing: open already, ended lately, or too many.

        Opening an open session again, from another peer, only notes that it is there now.
        """
        session = self._sessions.get(opened.session)
        if session is not None:
            session.peer = opened.peer
            return None
        if not opened.session or opened.session in self._ended or len(self._sessions) >= SESSIONS_MAX:
            return None
        session = OpenSession(opened.session, opened.peer, opened.user)
        self._sessions[session.id] = session
        return session

    def close(self, session: str, time_ns: int) -> OpenSession | None:
        """Close a session at log time `time_ns`; None if it was not open."""
        closed = self._sessions.pop(session, None)
        if closed is None:
            return None
        while self._ended and (
            len(self._ended) >= ENDED_MAX or next(iter(self._ended.values())) + ENDED_LIFE_NS < time_ns
        ):
            self._ended.popitem(last=False)
        self._ended[session] = time_ns
        return closed

    def once(self, command: Command, time_ns: int, execute: Execute) -> bytes:
        """Apply a command, unless it was or must not be; its reply, the first one if it was applied before."""
        session = self._sessions.get(command.session)
        if session is None:
            return self._refusals[UNKNOWN_SESSION]
        # The floor and the key are no part of what was asked: a command sent again may carry others.
        digest = crc32(command.arguments, crc32(f"{command.app} {command.name}".encode()))
        sequence = command.sequence
        if command.floor > session.floor:
            session.release(command.floor)
        if sequence != session.expected:
            if not session.expected < sequence <= command.floor:
                return self._repeated(session, sequence, digest)
            session.skip_to(sequence)
        if session.full:
            return self._error(OVERLOADED, f"the session keeps {len(session.replies)} replies: raise its floor")
        reply = self._keyed(command, session, time_ns, execute) if command.key else execute(command, session)
        session.keep(digest, reply)
        return reply

    def _repeated(self, session: OpenSession, sequence: int, digest: int) -> bytes:
        if sequence > session.expected:
            return self._refusals[OUT_OF_ORDER]
        if sequence < session.floor:
            return self._refusals[FORGOTTEN]
        first_digest, reply = session.replies[sequence - session.floor]
        return reply if first_digest == digest else self._refusals[SEQUENCE_REUSED]

    def _keyed(self, command: Command, session: OpenSession, time_ns: int, execute: Execute) -> bytes:
        if len(command.key) > KEY_LENGTH_MAX:
            return self._refusals[BAD_REQUEST]
        self._expire_keys(time_ns)
        # A key is compared across sessions, where a collision would hand one client another's answer: not a CRC here.
        body = blake2b(f"{command.app} {command.name} ".encode(), digest_size=16)
        body.update(command.arguments)
        digest = body.digest()
        known = self._keys.get(command.key)
        if known is not None:
            return known.reply if known.digest == digest else self._refusals[KEY_REUSED]
        if len(self._keys) >= KEYS_MAX or self._keys_bytes >= KEYS_BYTES_MAX:
            return self._error(OVERLOADED, f"{len(self._keys)} idempotency keys are alive: try again later")
        reply = execute(command, session)
        self._remember(KeyRecord(command.key, digest, reply, time_ns))
        return reply

    def _remember(self, record: KeyRecord) -> None:
        self._keys[record.key] = record
        self._keys_bytes += len(record.key) + len(record.reply)

    def _expire_keys(self, time_ns: int) -> None:
        # Log time never goes back, so that the oldest keys stand first.
        while self._keys:
            oldest = next(iter(self._keys.values()))
            if oldest.time_ns + KEY_LIFE_NS >= time_ns:
                break
            del self._keys[oldest.key]
            self._keys_bytes -= len(oldest.key) + len(oldest.reply)

    def state(self) -> SessionsState:
        """All of the table, for a snapshot; equal tables give equal states, in the same order."""
        sessions = [
            SessionRecord(s.id, s.peer, s.user, s.floor, [d for d, _ in s.replies], [r for _, r in s.replies])
            for s in self._sessions.values()
        ]
        return SessionsState(sessions, list(self._keys.values()), list(self._ended.items()))

    def restore(self, state: SessionsState) -> None:
        """Become the table that `state` was taken from. Raises ValueError if it does not add up."""
        sessions: dict[str, OpenSession] = {}
        for record in state.sessions:
            session = OpenSession(record.session, record.peer, record.user, record.floor)
            for digest, reply in zip(record.digests, record.replies, strict=True):
                session.keep(digest, reply)
            sessions[session.id] = session
        self._sessions = sessions
        self._ended = OrderedDict(state.ended)
        self._keys, self._keys_bytes = OrderedDict(), 0
        for key in state.keys:
            self._remember(key)
