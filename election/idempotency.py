"""Idempotency keys: a command repeated under its key is done once, across sessions and peers."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from tanist.election.entries import Command

KEYS_MAX = 100_000
"""Idempotency keys alive: 166 keyed commands a second, for all of their lives."""
KEYS_BYTES_MAX = 64 << 20
"""Bytes of the keys alive and their replies."""
KEY_LIFE_NS = 600 * 10**9
"""Log time for which an idempotency key lives, leaps apart."""
STEP_NS_MAX = 60 * 10**9
"""What counts of the log time between two commands with keys. Log time leaps when a wall clock is set, and when a
server with another clock takes over: a caller who asks again just then must find its key. Quiet times make keys live
longer."""
KEY_LENGTH_MAX = 256
"""Characters of an idempotency key: a UUID has 36."""

KEY_REUSED = "key_reused"
OVERLOADED = "overloaded"
BAD_REQUEST = "bad_request"


class KeyRecord(msgspec.Struct, frozen=True, array_like=True):
    """One idempotency key: its body's digest, its first reply, and the table's age in nanoseconds at that time."""

    key: str
    digest: bytes
    reply: bytes
    age_ns: int


class KeysState(msgspec.Struct, frozen=True, array_like=True):
    """A whole table in a snapshot: its age is the log time that it lived through, leaps apart, up to `seen_ns`."""

    keys: list[KeyRecord] = []
    age_ns: int = 0
    seen_ns: int = 0


class KeyTable:
    """All keys that are alive. `error` encodes a reply from a code and a text."""

    def __init__(self, error: Callable[[str, str], bytes]) -> None:
        self._error = error
        self._too_long = error(BAD_REQUEST, f"an idempotency key has at most {KEY_LENGTH_MAX} characters")
        self._reused = error(KEY_REUSED, "this idempotency key was used before, for another command")
        self._keys: OrderedDict[str, KeyRecord] = OrderedDict()
        self._bytes = 0
        self._age_ns = 0
        self._seen_ns = 0
        """The log time of the last command with a key."""

    def once(self, command: Command, time_ns: int, execute: Callable[[], bytes]) -> bytes:
        """Execute a command unless its key is known: its reply, the first one if it was done before."""
        if len(command.key) > KEY_LENGTH_MAX:
            return self._too_long
        self._expire(time_ns)
        # A key is compared across sessions, where a collision would hand one client another's answer: not a CRC here.
        body = blake2b(f"{command.app} {command.name} ".encode(), digest_size=16)
        body.update(command.given or command.arguments)
        digest = body.digest()
        known = self._keys.get(command.key)
        if known is not None:
            return known.reply if known.digest == digest else self._reused
        if len(self._keys) >= KEYS_MAX or self._bytes >= KEYS_BYTES_MAX:
            return self._error(OVERLOADED, f"{len(self._keys)} idempotency keys are alive: try again later")
        reply = execute()
        self._remember(KeyRecord(command.key, digest, reply, self._age_ns))
        return reply

    def _remember(self, record: KeyRecord) -> None:
        self._keys[record.key] = record
        self._bytes += len(record.key) + len(record.reply)

    def _expire(self, time_ns: int) -> None:
        # Log time never goes back, so that the oldest keys stand first.
        self._age_ns += min(time_ns - self._seen_ns, STEP_NS_MAX)
        self._seen_ns = time_ns
        while self._keys:
            oldest = next(iter(self._keys.values()))
            if oldest.age_ns + KEY_LIFE_NS >= self._age_ns:
                break
            del self._keys[oldest.key]
            self._bytes -= len(oldest.key) + len(oldest.reply)

    def state(self) -> KeysState:
        """All of the table, for a snapshot."""
        return KeysState(list(self._keys.values()), self._age_ns, self._seen_ns)

    def restore(self, state: KeysState) -> None:
        """Become the table that `state` was taken from."""
        self._keys, self._bytes = OrderedDict(), 0
        self._age_ns, self._seen_ns = state.age_ns, state.seen_ns
        for key in state.keys:
            self._remember(key)
