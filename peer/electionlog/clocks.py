"""One time for the lines of many peers, whose clocks differ: each line's moment on a clock common to all.

Within one start of a peer its steady clock tells how lines lie apart; between two starts, and between peers, the wall
clock is a first guess. What certainly came first (see causes.py) then moves clocks that are behind forward, by as
little as will do. A steady clock drifts, too, so that a long start is cut into spans, each with an offset of its own.
A clock that is ahead would so pull all others along: in the end all moments go back by what most of them were moved.
"""

from collections.abc import Hashable
from statistics import median_low

SPAN_MS = 600_000.0
"""Length of a span: few enough of them in a log of months, and little drift within one."""
DRIFT_MS = 60.0
"""What a steady clock may drift by in a span: 100 millionths, which is a bad one."""
AFTER_MS = 0.01
"""How much later an effect is at least: a moment in milliseconds since 1970 is a float, exact to 0.0003."""
ROUNDS_MAX = 64
"""Rounds of moving clocks: a chain of so many peers, each behind the one before it. More is a circle."""

Span = tuple[str, str, int]
"""Peer, incarnation, and the span's number within that start."""


def span_of(peer: str, incarnation: str, mono_ms: float) -> Span:
    """The span in which a peer's steady clock showed `mono_ms`."""
    return peer, incarnation, int(mono_ms // SPAN_MS)


class Clocks:
    """Takes in lines, each peer's in order, and then says each one's moment in milliseconds since 1970."""

    def __init__(self) -> None:
        self._offsets: dict[Span, float] = {}
        self._guessed: dict[Span, float] = {}
        """The offset that each start of a peer had by its own wall clock."""
        self._shift: float | None = None
        self._last: dict[str, tuple[Span, float]] = {}
        self._causes: dict[Hashable, list[tuple[Span, float]]] = {}
        self._effects: dict[Hashable, list[tuple[Span, float]]] = {}
        self._edges: dict[tuple[Span, Span], float] = {}
        self.in_a_circle = False
        """Whether some lines claim to have come before one another: not all of one cluster, or written by no peer."""

    def goes_on(self, peer: str, incarnation: str, mono_ms: float) -> Span | None:
        """Take in one line of the span in which the peer's last one was. None: it is of another; use `line` then."""
        before = self._last.get(peer)
        span = span_of(peer, incarnation, mono_ms)
        if before is None or before[0] != span:
            return None
        self._last[peer] = span, mono_ms
        return span

    def line(self, peer: str, incarnation: str, mono_ms: float, wall_ms: float) -> Span:
        """Take in one line's clocks; the lines of one peer come in the order it wrote them."""
        span = span_of(peer, incarnation, mono_ms)
        before = self._last.get(peer)
        if before is not None and before[0] != span:
            self._edge(before[0], before[1], span, mono_ms)
        if span not in self._offsets:
            if before is not None and before[0][:2] == span[:2]:
                # The same start of the same peer: its steady clock goes on, but for its drift.
                self._offsets[span] = self._offsets[before[0]]
                drift = DRIFT_MS * (span[2] - before[0][2])
                self._edges[before[0], span] = max(self._edges.get((before[0], span), -drift), -drift)
                self._edges[span, before[0]] = -drift
            else:
                self._offsets[span] = self._guessed[span] = wall_ms - mono_ms
        self._last[peer] = (span, mono_ms)
        return span

    def cause(self, token: Hashable, span: Span, mono_ms: float) -> None:
        """Something that others' lines may follow from happened in a span."""
        self._causes.setdefault(token, []).append((span, mono_ms))

    def effect(self, token: Hashable, span: Span, mono_ms: float) -> None:
        """A line in a span follows from the first cause of that name."""
        self._effects.setdefault(token, []).append((span, mono_ms))

    def settle(self) -> None:
        """Move clocks forward until every effect follows its cause. Call after all lines, and again after further ones.

        What most peers' clocks show stays as it was the first time.
        """
        for token, found in self._effects.items():
            causes = self._causes.get(token)
            if causes is None:
                continue
            # Which of several it was is not known: that it was one of them is, and the first asks least.
            span, mono_ms = min(causes, key=lambda c: self._offsets[c[0]] + c[1])
            for effect_span, effect_ms in found:
                if effect_span[0] != span[0]:
                    self._edge(span, mono_ms, effect_span, effect_ms)
        self._causes.clear()
        self._effects.clear()
        self.in_a_circle = not self._move_forward()
        if self._shift is None and self._guessed:
            self._shift = self._usually_moved_ms()

    def _move_forward(self) -> bool:
        """Whether all edges hold in the end."""
        offsets = self._offsets
        for _ in range(ROUNDS_MAX):
            moved = False
            for (earlier, later), apart in self._edges.items():
                least = offsets[earlier] + apart
                if offsets[later] < least:
                    offsets[later] = least
                    moved = True
            if not moved:
                return True
        return False

    def _usually_moved_ms(self) -> float:
        """How far the clock of a peer in the middle was moved forward: if one alone is ahead, so far as that is."""
        moved: dict[str, list[float]] = {}
        for span, guess in self._guessed.items():
            moved.setdefault(span[0], []).append(self._offsets[span] - guess)
        return median_low(median_low(of_one) for of_one in moved.values())

    def moment(self, peer: str, incarnation: str, mono_ms: float, wall_ms: float) -> float:
        """When a line was written; by its own wall clock, where the line was not taken in."""
        offset = self._offsets.get(span_of(peer, incarnation, mono_ms))
        return wall_ms if offset is None else offset + mono_ms - (self._shift or 0.0)

    def _edge(self, earlier: Span, earlier_ms: float, later: Span, later_ms: float) -> None:
        """What happened in one span at a time came before what happened in another at another."""
        key = (earlier, later)
        apart = earlier_ms - later_ms + AFTER_MS
        known = self._edges.get(key)
        if known is None or apart > known:
            self._edges[key] = apart
