"""Keys and values."""

from tanist.peer.application import Application, Choice, Context, Refused, Superseded, command, query

KEY_LENGTH_MAX = 1024  # Characters: a key is a name, not a document.
VALUE_LENGTH_MAX = 512 * 1024  # Characters or bytes: two of them (`cas`) must fit into one command.
KEYS_LISTED_MAX = 10_000  # Keys in one answer: ask with a longer prefix for others.
INTEGER_MAX = 2**63 - 1  # The largest number that `incr` reaches, as in other key-value stores.


class Kv(Application):
    """Keys and values: text, or any bytes. Bytes that are UTF-8 are text."""

    values: dict[str, str | bytes]

    @command
    def set(self, ctx: Context, key: str, value: str | bytes) -> str:
        """Give a key a value."""
        _check_key(key)
        self.values[key] = _checked(value)
        return "OK"

    @query
    def get(self, ctx: Context, key: str) -> str | bytes | None:
        """The value of a key, or nothing."""
        return self.values.get(key)

    @command
    def del_(self, ctx: Context, key: str) -> bool:
        """Remove a key; whether it was there."""
        return self.values.pop(key, None) is not None

    @command
    def incr(self, ctx: Context, key: str, by: int = 1) -> int:
        """Add to the number that a key holds (0 if it is not there); the new number."""
        _check_key(key)
        total = _number(self.values.get(key, "0")) + by
        if abs(total) > INTEGER_MAX:
            raise Refused("The number would be too large", "out_of_range")
        self.values[key] = str(total)
        return total

    @command
    def cas(self, ctx: Context, key: str, old: str | bytes | None, new: str | bytes) -> bool:
        """Give a key the value `new` if it has the value `old` (nothing: if it is not there); whether it had."""
        _check_key(key)
        value = _checked(new)
        if self.values.get(key) != (None if old is None else _checked(old)):
            return False
        self.values[key] = value
        return True

    @query
    def keys(self, ctx: Context, prefix: str = "") -> list[str]:
        """The keys that begin with a prefix, sorted."""
        return sorted(key for key in self.values if key.startswith(prefix))[:KEYS_LISTED_MAX]

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """Writes are done again, after those of the side that goes on; not `cas`, which was decided by what it saw."""
        return "replay" if lost.acknowledged and lost.command != "cas" else "archive"


def _check_key(key: str) -> None:
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        raise Refused(f"A key has 1 to {KEY_LENGTH_MAX} characters", "bad_key")


def _checked(value: str | bytes) -> str | bytes:
    if len(value) > VALUE_LENGTH_MAX:
        raise Refused(f"A value has at most {VALUE_LENGTH_MAX} characters or bytes", "value_too_large")
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _number(value: str | bytes) -> int:
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise Refused("The value is not an integer", "not_an_integer")
    return int(value)
