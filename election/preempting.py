"""`preempt: idle`: a better-ranked client takes over from this live server, by a hand-over, in an idle moment.

Where no moment is idle it does not wait for ever: once its time is over twice, it takes over amid the traffic, which a
hand-over holds back and nothing of which it loses.

Only priority and power count as better: load, link and stability follow from who serves, so that two peers
could take the reign from each other for ever. The client is in sync and steady, and has been better without a
break for `preempt_after_ms`, twice as long for each time it was lost lately: one that takes over, dies and comes
back does so ever more rarely.
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.fallbacks import Fallback
from tanist.election.ranking import STEADY
from tanist.election.settings import MS

if TYPE_CHECKING:
    from tanist.election.reign import Reign

IDLE_HEARTBEATS = 3
"""Heartbeats without a proposal after which a cluster is idle: a hand-over then delays nobody."""
WAITS_MAX = 2
"""Waits after which it takes over though the cluster is busy: with an application that reports now and then it always
is, at the pace classic."""
DOUBLINGS_MAX = 6
"""How often the wait doubles for a peer that was lost: with a minute, to about an hour."""


class Preempting:
    """Who is better than the server of one reign, and since when."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node
        self.busy_at = self.node.now
        """When something was last proposed."""
        self._better = ""
        self._since = 0
        self._last = 0
        """The last entry when this looked before."""

    def look(self) -> None:
        """Judge at every heartbeat whether somebody better should serve, and hand over if it is time."""
        node, reign = self.node, self.reign
        if node.settings.preempt != "idle" or reign.proving is not None or reign.handover is not None:
            return
        last, self._last = self._last, node.log.last
        found = next((e for e in reign.list.entries if self._is_better(e)), None)
        if found is None:
            self._better = ""
            return
        wait = self._wait_ns(found.id)
        if found.id != self._better:
            self._better, self._since = found.id, node.now
            node.emit(events.BetterRanked(found.id, self._why(found.id), wait / MS))
        elif self._is_time(found.id, wait, last):
            # If it does not come off, the whole wait begins again.
            self._since = node.now
            reign.core.hand_over(found.id, f"it is ranked above this server ({self._why(found.id)})")

    def _is_better(self, entry: Fallback) -> bool:
        steady = self.reign.measuring.fitness(entry.id).stability > STEADY
        return entry.in_sync and steady and self._rank(entry.id) > self._mine()

    def outranks(self, peer: str) -> bool:
        """Whether this server stands above a peer: from that one it would take the reign back."""
        return self._rank(peer) < self._mine()

    def _rank(self, peer: str) -> tuple[int, int]:
        client = self.reign.replication.clients.get(peer)
        return (client.priority if client else 0), self.reign.measuring.fitness(peer).power

    def _mine(self) -> tuple[int, int]:
        return self.node.settings.priority, self.node.power

    def _why(self, peer: str) -> str:
        return "priority" if self._rank(peer)[0] > self._mine()[0] else "power"

    def _wait_ns(self, peer: str) -> int:
        losses = self.node.stability.count(peer, self.node.now)
        return int(self.node.settings.preempt_after_ms * MS) << min(losses, DOUBLINGS_MAX)

    def _is_time(self, peer: str, wait: int, last: int) -> bool:
        """Whether a peer has waited long enough; `last` was the last entry a heartbeat ago."""
        if self.node.now < self._since + WAITS_MAX * wait:
            return self.node.now >= self._since + wait and self._idle()
        # Proposals are held until the heir has all: it must not be one that is always behind.
        client = self.reign.replication.clients.get(peer)
        return self.reign.open and client is not None and client.match >= last

    def _idle(self) -> bool:
        node = self.node
        done = node.commit == node.log.last and self.reign.open
        return done and node.now >= self.busy_at + IDLE_HEARTBEATS * node.times.heartbeat
