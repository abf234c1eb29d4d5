"""What a key, a value, a time to live and a message may be in the key-value store."""

from typing import Literal

import msgspec

from tanist.peer.application import Event, Refused

KEY_LENGTH_MAX = 1024  # Characters: a key is a name, not a document.
VALUE_LENGTH_MAX = 512 * 1024  # Characters or bytes: two of them (`cas`) must fit into one command.
INTEGER_MAX = 2**63 - 1  # The largest number that `incr` reaches, as in other key-value stores.
KEYS_LISTED_MAX = 10_000  # Keys in one answer: ask with a longer prefix for others.
TTL_MS_MAX = 10**12  # Milliseconds until a key lapses, at most: 31 years.

Only = Literal["any", "new", "old"]
"""Whether a key must be there before."""


class Lapse(msgspec.Struct, frozen=True):
    """When a key lapses, in nanoseconds of log time, and the timer that sees to it."""

    at_ns: int
    timer: int


class Message(Event):
    """Something was published on a channel."""

    template = "{channel}: {message}"
    channel: str
    message: str | bytes


def check_key(key: str) -> None:
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        raise Refused(f"A key has 1 to {KEY_LENGTH_MAX} characters", "bad_key")


def checked(value: str | bytes) -> str | bytes:
    if len(value) > VALUE_LENGTH_MAX:
        raise Refused(f"A value has at most {VALUE_LENGTH_MAX} characters or bytes", "value_too_large")
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def checked_ttl(ttl_ms: int) -> int:
    if not 0 <= ttl_ms <= TTL_MS_MAX:
        raise Refused(f"A key lapses after 0 to {TTL_MS_MAX} milliseconds", "bad_ttl")
    return ttl_ms


def number_in(value: str | bytes) -> int:
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise Refused("The value is not an integer", "not_an_integer")
    return int(value)
