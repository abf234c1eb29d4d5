"""How often each peer was lost lately. It outlives roles: whoever serves next knows it too, as far as it saw it."""

from collections import deque

from tanist.election.settings import MS

FLAPS_FOR_NS = 3_600_000 * MS
"""How long the loss of a peer is remembered."""
FLAPS_MAX = 16
"""Losses remembered of one peer: more say nothing new."""
PEERS_REMEMBERED_MAX = 256
"""Peers whose losses are remembered: a few times a roster, so that strangers push nobody out."""
SHAKY_FROM = 3
"""Losses from which a peer is shaky; it is steady again with one or none."""


class Stability:
    """The losses of all peers that one peer has seen."""

    def __init__(self) -> None:
        self._lost: dict[str, deque[int]] = {}
        self._shaky: set[str] = set()

    def lost(self, peer: str, now: int) -> None:
        """A peer was lost without a goodbye."""
        times = self._lost.pop(peer, None) or deque(maxlen=FLAPS_MAX)
        times.append(now)
        self._lost[peer] = times
        while len(self._lost) > PEERS_REMEMBERED_MAX:
            self._lost.pop(next(iter(self._lost)))

    def count(self, peer: str, now: int) -> int:
        """How often a peer was lost within `FLAPS_FOR_NS`."""
        times = self._lost.get(peer)
        if times is None:
            return 0
        while times and times[0] <= now - FLAPS_FOR_NS:
            times.popleft()
        if not times:
            del self._lost[peer]
        return len(times)

    def shaky(self, peer: str, now: int) -> bool:
        """Whether a peer is lost too often to be relied on; who was so stays so until it is lost hardly ever."""
        count = self.count(peer, now)
        if count >= SHAKY_FROM:
            self._shaky.add(peer)
        elif count <= 1:
            self._shaky.discard(peer)
        return peer in self._shaky
