"""What one direction of a link suffers, as one value: what may be injected, and how several add up."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

DELAY_MS_MAX = 60_000
"""Far beyond every deadline of the slowest pace: a longer delay is a cut, and is said more plainly as one."""
RESEND_MS = 200.0
"""The least time after which a lost segment is sent again, on Linux; as in the virtual world."""
RESENDS_MAX = 6
"""Losses of one frame in a row: after 12.6 seconds it comes, however bad the link is."""
PHASE_MS_MAX = 3_600_000
"""An hour: a link that flaps more slowly does not flap."""


class Way(StrEnum):
    """Which direction, seen from the peer that a proxy stands in front of, or that a fault is injected into."""

    IN = "in"
    """From others to this peer."""
    OUT = "out"
    """From this peer to others."""
    BOTH = "both"

    def covers(self, one: "Way") -> bool:
        """Whether `one` direction is meant."""
        return self is Way.BOTH or self is one


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the bytes of one direction meet. Frames are the protocol's; a hello is never dropped or doubled.

    Given without any field it is a good link. `problems` says what is wrong with one.
    """

    delay_ms: float = 0.0
    """Milliseconds that each frame takes longer."""
    jitter_ms: float = 0.0
    """The delay of each frame differs by up to this much, both ways; frames keep their order, as in TCP."""
    loss: float = 0.0
    """The share of frames, 0 to 1, that get lost on the way. TCP sends them again: they come late, and all behind them
    too, by `RESEND_MS`, twice as much when lost again, and so on."""
    drop: float = 0.0
    """The share of frames, 0 to 1, that never arrive though the connection stands. No TCP does that: a peer stays safe,
    and who waits for an answer may wait until something else moves."""
    duplicate: float = 0.0
    """The share of frames, 0 to 1, that arrive twice."""
    bandwidth: float = 0.0
    """Bytes a second that get through; 0 is no limit. What is too much waits, and then the sender does."""
    blackhole: bool = False
    """Nothing arrives, the end of a connection neither, and nobody is told. TCP sends again what got no answer: so
    what was sent on a connection that still stands when this ends comes then, in one burst. For good: `drop` 1."""
    refuse: bool = False
    """Connections are reset, and new ones refused."""
    reset_after: int | None = None
    """Each connection is reset in the middle of the frame that would exceed so many bytes; None is never."""
    down_ms: float = 0.0
    """With `up_ms`, all of this comes and goes (flapping): first so long in force..."""
    up_ms: float = 0.0
    """...and then so long not."""

    @property
    def flaps(self) -> bool:
        """Whether it comes and goes."""
        return self.up_ms > 0


CLEAR = Conditions()
"""A good link."""


def problems(conditions: Conditions) -> list[str]:
    """What is wrong with conditions, in sentences; empty when they can be injected."""
    found = []
    for name in ("delay_ms", "jitter_ms"):
        if not 0 <= getattr(conditions, name) <= DELAY_MS_MAX:
            found.append(f"{name} must be from 0 to {DELAY_MS_MAX}; for longer, use blackhole")
    for name in ("loss", "drop", "duplicate"):
        if not 0 <= getattr(conditions, name) <= 1:
            found.append(f"{name} is a share of frames: it must be from 0 to 1")
    for name in ("up_ms", "down_ms"):
        if not 0 <= getattr(conditions, name) <= PHASE_MS_MAX:
            found.append(f"{name} must be from 0 to {PHASE_MS_MAX}")
    if not 0 <= conditions.bandwidth < float("inf"):
        found.append("bandwidth is in bytes a second: it must be 0 (no limit) or more")
    if conditions.reset_after is not None and conditions.reset_after < 0:
        found.append("reset_after is a number of bytes: it must be 0 or more")
    if (conditions.up_ms > 0) != (conditions.down_ms > 0):
        found.append("up_ms and down_ms go together: a flapping link needs both above 0")
    return found


def check(conditions: Conditions) -> Conditions:
    """The conditions, if they can be injected. Raises `ValueError` with all that is wrong."""
    if found := problems(conditions):
        raise ValueError("; ".join(found))
    return conditions


def merge(several: Iterable[Conditions]) -> Conditions:
    """All of them at once: delays add up, losses too, the narrowest bandwidth counts. What flaps must be in force."""
    merged = CLEAR
    for one in several:
        if merged == CLEAR:
            merged = one
            continue
        resets = [r for r in (merged.reset_after, one.reset_after) if r is not None]
        merged = Conditions(
            delay_ms=merged.delay_ms + one.delay_ms,
            jitter_ms=merged.jitter_ms + one.jitter_ms,
            loss=1 - (1 - merged.loss) * (1 - one.loss),
            drop=1 - (1 - merged.drop) * (1 - one.drop),
            duplicate=1 - (1 - merged.duplicate) * (1 - one.duplicate),
            bandwidth=min((b for b in (merged.bandwidth, one.bandwidth) if b), default=0.0),
            blackhole=merged.blackhole or one.blackhole,
            refuse=merged.refuse or one.refuse,
            reset_after=min(resets, default=None),
        )
    return merged
