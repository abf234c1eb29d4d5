"""Keys and values."""

from tanist.peer.application import Application, Choice, Context, Refused, Superseded, command, query
from tanist.peer.apps import values as limits
from tanist.peer.apps.kv_steps import Done, Step, done_together
from tanist.peer.apps.values import Lapse, Message, Only, check_key, checked, checked_ttl, number_in


class Kv(Application):
    """Keys and values: text, or any bytes. Bytes that are UTF-8 are text. Keys may lapse, by log time."""

    values: dict[str, str | bytes]
    lapses: dict[str, Lapse]

    @command
    def set(self, ctx: Context, key: str, value: str | bytes) -> str:
        """Give a key a value."""
        check_key(key)
        self.values[key] = checked(value)
        self._forget_lapse(ctx, key)
        return "OK"

    @command
    def put(
        self,
        ctx: Context,
        key: str,
        value: str | bytes,
        ttl_ms: int | None = None,
        only: Only = "any",
        keep: bool = False,
    ) -> bool:
        """Give a key a value, for so long, or only if it is `new` or `old`; whether it has it now.

        `keep`: it lapses when it would have."""
        check_key(key)
        new, ttl = checked(value), None if ttl_ms is None else checked_ttl(ttl_ms)
        if (only == "new" and key in self.values) or (only == "old" and key not in self.values):
            return False
        self.values[key] = new
        if not keep:
            self._forget_lapse(ctx, key)
        if ttl is not None:
            self._lapse_after(ctx, key, ttl)
        return True

    @query
    def get(self, ctx: Context, key: str) -> str | bytes | None:
        """The value of a key, or nothing."""
        return self.values.get(key)

    @command
    def del_(self, ctx: Context, key: str) -> bool:
        """Remove a key; whether it was there."""
        return self.remove(ctx, [key]) == 1

    @command
    def remove(self, ctx: Context, keys: list[str]) -> int:
        """Remove keys; how many were there."""
        there = [key for key in dict.fromkeys(keys) if self.values.pop(key, None) is not None]
        for key in there:
            self._forget_lapse(ctx, key)
        return len(there)

    @command
    def clear(self, ctx: Context) -> int:
        """Remove all keys; how many there were."""
        return self.remove(ctx, list(self.values))

    @command
    def incr(self, ctx: Context, key: str, by: int = 1) -> int:
        """Add to the number that a key holds (0 if it is not there); the new number."""
        check_key(key)
        total = number_in(self.values.get(key, "0")) + by
        if abs(total) > limits.INTEGER_MAX:
            raise Refused("The number would be too large", "out_of_range")
        self.values[key] = str(total)
        return total

    @command
    def cas(self, ctx: Context, key: str, old: str | bytes | None, new: str | bytes) -> bool:
        """Give a key the value `new` if it has the value `old` (nothing: if it is not there); whether it had."""
        check_key(key)
        value = checked(new)
        if self.values.get(key) != (None if old is None else checked(old)):
            return False
        self.values[key] = value
        return True

    @command
    def expire(self, ctx: Context, key: str, ttl_ms: int) -> bool:
        """Have a key lapse after so long (0: now); whether it was there."""
        ttl = checked_ttl(max(ttl_ms, 0))
        if key not in self.values:
            return False
        if ttl == 0:
            return self.del_(ctx, key)
        self._lapse_after(ctx, key, ttl)
        return True

    @command(internal=True)
    def lapse(self, ctx: Context, key: str, at_ns: int) -> None:
        """A key's time is over, unless that was changed."""
        found = self.lapses.get(key)
        if found is not None and found.at_ns == at_ns:
            del self.lapses[key], self.values[key]

    @command
    def publish(self, ctx: Context, channel: str, message: str | bytes) -> str:
        """Tell those who listen on a channel."""
        check_key(channel)
        ctx.publish(Message(channel, checked(message)))
        return "OK"

    @command
    def together(self, ctx: Context, steps: list[Step]) -> list[Done]:
        """Do several of these, queries too, with nobody's in between: of each its name and what it is given."""
        return done_together(self, ctx, steps)

    @query
    def size(self, ctx: Context) -> int:
        """How many keys there are."""
        return len(self.values)

    @query
    def lapses_at(self, ctx: Context, key: str) -> int | None:
        """When a key lapses, in nanoseconds of log time: 0 for never, nothing if it is not there."""
        found = self.lapses.get(key)
        return found.at_ns if found is not None else 0 if key in self.values else None

    @query
    def keys(self, ctx: Context, prefix: str = "") -> list[str]:
        """The keys that begin with a prefix, sorted."""
        return sorted(key for key in self.values if key.startswith(prefix))[: limits.KEYS_LISTED_MAX]

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """Writes are done again, after those of the side that goes on; not what was decided by what it saw."""
        decided = lost.command in ("cas", "together") or lost.arguments.get("only", "any") != "any"
        return "replay" if lost.acknowledged and not decided else "archive"

    def _lapse_after(self, ctx: Context, key: str, ttl_ms: int) -> None:
        self._forget_lapse(ctx, key)
        at_ns = ctx.time_ns + ttl_ms * 1_000_000
        self.lapses[key] = Lapse(at_ns, ctx.after(ttl_ms / 1000, self.lapse, key, at_ns))

    def _forget_lapse(self, ctx: Context, key: str) -> bool:
        found = self.lapses.pop(key, None)
        if found is not None:
            ctx.cancel(found.timer)
        return found is not None
