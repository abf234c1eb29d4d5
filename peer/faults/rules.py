"""Which conditions are in force now: rules by peer and direction, each with its end, some coming and going.

`Rule` and `Rules` are pure in the time they are given (seconds of any steady clock), so that tests need not wait.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable

import msgspec

from tanist.peer.faults.conditions import CLEAR, Conditions, Way, merge

RULES_MAX = 4096
"""Rules at once: every ordered pair of the largest cluster that anybody hurts on purpose, with room."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions for one peer (a name or an id; None is every peer), in force from `since` until `until` (None: on)."""

    peer: str | None
    way: Way
    conditions: Conditions
    since: float
    until: float | None = None

    def in_force(self, now: float) -> bool:
        """Whether it counts at this moment."""
        if self.until is not None and now >= self.until:
            return False
        return not self.conditions.flaps or self._phase(now) < self.conditions.down_ms / 1000

    def changes_at(self, now: float) -> float | None:
        """When `in_force` may change next; None if never."""
        moments = [] if self.until is None else [self.until]
        if self.conditions.flaps:
            down, whole = self.conditions.down_ms / 1000, self._whole()
            phase = self._phase(now)
            moments.append(now + (down - phase if phase < down else whole - phase))
        return min(moments, default=None)

    def _whole(self) -> float:
        return (self.conditions.down_ms + self.conditions.up_ms) / 1000

    def _phase(self, now: float) -> float:
        return (now - self.since) % self._whole()


class Rules:
    """A set of rules. Several that fit one direction of one link add up."""

    def __init__(self) -> None:
        self._rules: dict[Hashable, Rule] = {}

    def __len__(self) -> int:
        return len(self._rules)

    def put(self, key: Hashable, rule: Rule) -> None:
        """Add a rule, or replace the one of that key. Raises `ValueError` when there are too many."""
        if key not in self._rules and len(self._rules) >= RULES_MAX:
            raise ValueError(f"{RULES_MAX} faults are injected already: clear some first")
        self._rules[key] = rule

    def drop(self, key: Hashable) -> None:
        """Remove a rule, if it is there."""
        self._rules.pop(key, None)

    def clear(self) -> None:
        """Remove all."""
        self._rules.clear()

    def expire(self, now: float) -> None:
        """Remove those that have ended."""
        for key in [key for key, rule in self._rules.items() if rule.until is not None and now >= rule.until]:
            del self._rules[key]

    def effective(self, names: Iterable[str], way: Way, now: float) -> Conditions:
        """What one direction of the link with a peer suffers now; `names` are that peer's id and name."""
        known = set(names)
        fitting = [
            rule.conditions
            for rule in self._rules.values()
            if (rule.peer is None or rule.peer in known) and rule.way.covers(way) and rule.in_force(now)
        ]
        return merge(fitting) if fitting else CLEAR

    def next_change(self, now: float) -> float | None:
        """When `effective` may answer otherwise; None if never."""
        moments = [moment for rule in self._rules.values() if (moment := rule.changes_at(now)) is not None]
        return min(moments, default=None)


class TimedRules:
    """Rules on the running event loop's clock. Calls back whenever what is in force may have changed."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._rules = Rules()
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def put(self, key: Hashable, peer: str | None, way: Way, conditions: Conditions, for_s: float | None) -> None:
        """Have a rule in force from now on, in place of the one of that key. Raises `ValueError`."""
        now = self._loop.time()
        until = None if for_s is None else now + for_s
        self._rules.put(key, Rule(peer=peer, way=way, conditions=conditions, since=now, until=until))
        self._refresh()

    def drop(self, *keys: Hashable) -> None:
        """End rules, where they are there."""
        for key in keys:
            self._rules.drop(key)
        self._refresh()

    def clear(self) -> None:
        """End all."""
        self._rules.clear()
        self._refresh()

    def effective(self, names: Iterable[str], way: Way) -> Conditions:
        """What one direction of the link with a peer suffers now."""
        return self._rules.effective(names, way, self._loop.time())

    def close(self) -> None:
        """Call back no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _refresh(self) -> None:
        """Tell of a change, and come back when the next comes by itself."""
        if self._closed:
            return
        now = self._loop.time()
        self._rules.expire(now)
        self._changed()
        if self._timer is not None:
            self._timer.cancel()
        change = self._rules.next_change(now)
        self._timer = None if change is None else self._loop.call_at(change, self._refresh)
