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
"""Log time for which an idempotency key lives."""
KEY_LENGTH_MAX = 256
"""Characters of an idempotency key: a UUID has 36."""

KEY_REUSED = "key_reused"
OVERLOADED = "overloaded"
BAD_REQUEST = "bad_request"


class KeyRecord(msgspec.Struct, frozen=True, array_like=True):
    """One idempotency key: its body's digest, its first reply, and the log time of that in nanoseconds."""

    key: str
    digest: bytes
    reply: bytes
    time_ns: int


class KeyTable:
    """All keys that are alive. `error` encodes a reply from a code and a text."""

    def __init__(self, error: Callable[[str, str], bytes]) -> None:
        self._error = error
        self._too_long = error(BAD_REQUEST, f"an idempotency key has at most {KEY_LENGTH_MAX} characters")
        self._reused = error(KEY_REUSED, "this idempotency key was used before, for another command")
        self._keys: OrderedDict[str, KeyRecord] = OrderedDict()
        self._bytes = 0

    def once(self, command: Command, time_ns: int, execute: Callable[[], bytes]) -> bytes:
        """Execute a command unless its key is known: its reply, the first one if it was done before."""
        if len(command.key) > KEY_LENGTH_MAX:
            return self._too_long
        self._expire(time_ns)
        # A key is compared across sessions, where a collision would hand one client another's answer: not a CRC here.
        body = blake2b(f"{command.app} {command.name} ".encode(), digest_size=16)
        body.update(command.arguments)
        digest = body.digest()
        known = self._keys.get(command.key)
        if known is not None:
            return known.reply if known.digest == digest else self._reused
        if len(self._keys) >= KEYS_MAX or self._bytes >= KEYS_BYTES_MAX:
            return self._error(OVERLOADED, f"{len(self._keys)} idempotency keys are alive: try again later")
        reply = execute()
        self._remember(KeyRecord(command.key, digest, reply, time_ns))
        return reply

    def _remember(self, record: KeyRecord) -> None:
        self._keys[record.key] = record
        self._bytes += len(record.key) + len(record.reply)

    def _expire(self, time_ns: int) -> None:
        # Log time never goes back, so that the oldest keys stand first.
        while self._keys:
            oldest = next(iter(self._keys.values()))
            if oldest.time_ns + KEY_LIFE_NS >= time_ns:
                break
            del self._keys[oldest.key]
            self._bytes -= len(oldest.key) + len(oldest.reply)

    def state(self) -> list[KeyRecord]:
        """All of the table, for a snapshot."""
        return list(self._keys.values())

    def restore(self, state: list[KeyRecord]) -> None:
        """Become the table that `state` was taken from."""
        self._keys, self._bytes = OrderedDict(), 0
        for key in state:
            self._remember(key)
