"""The fallback list of a reign: who ranks how, who counts, and when that makes a new version."""

from typing import TYPE_CHECKING

import msgspec

from tanist.election import events
from tanist.election.fallbacks import Fallback, FallbackList
from tanist.election.ranking import Standing, rank
from tanist.election.replication import Progress
from tanist.election.settings import MS

if TYPE_CHECKING:
    from tanist.election.reign import Reign


class Publishing:
    """Keeps `reign.list`, and in survivor mode the commit set that follows from it."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node
        self.committed_before = 0
        """The commit index at the heartbeat before: who holds that is in sync."""

    def publish(self) -> bool:
        """Rank the clients anew. Returns whether the list has a new version, which everyone should hear of."""
        node, reign = self.node, self.reign
        in_touch = {p: reign.replication.clients[p] for p in reign.in_touch() if reign.replication.clients[p].round}
        standings = [s for s in (self._standing(p, c) for p, c in in_touch.items()) if s is not None]
        ranked = rank(standings, node.settings.fallbacks)
        changed = False
        if not node.quorum and self._choose(in_touch, ranked):
            changed = True
            counting = reign.commit_set.counting
            standings = [
                msgspec.structs.replace(s, counts=s.id in counting, in_sync=s.in_sync or s.id in counting)
                for s in standings
            ]
            ranked = rank(standings, node.settings.fallbacks)
        if changed or _shape(ranked) != _shape(reign.list.entries) or not reign.list.version:
            reign.list = FallbackList(reign.term, reign.list.version + 1, ranked)
            node.keep_list(reign.list, node.me.id, node.me.address)
            heard = [(node.now - in_touch[e.id].heard_at) / MS for e in ranked]
            names = [e.id for e in ranked]
            node.emit(events.ListPublished(str(reign.term), reign.list.version, reign.list.told(), names, heard))
            return True
        reign.list = node.fallbacks = FallbackList(reign.term, reign.list.version, ranked)
        return False

    def _standing(self, peer: str, client: Progress) -> Standing | None:
        node = self.node
        member = node.log.roster.get(peer)
        if member is None:
            return None
        counts = peer in self.reign.commit_set.counting
        in_sync = counts or (client.able and client.match >= min(self.committed_before, node.commit))
        lag = max(0, node.log.last - client.match)
        serves = member.serve and member.voter
        fitness = self.reign.measuring.fitness(peer)
        return Standing(peer, member.name, member.address, in_sync, serves, lag, counts, client.priority, fitness)

    def _choose(self, in_touch: dict[str, Progress], ranked: tuple[Fallback, ...]) -> bool:
        """Let the first of the list count that may. Returns whether the commit set changed."""
        node, reign = self.node, self.reign
        commit_set = reign.commit_set
        if node.log.roster_index <= node.commit:
            # Whoever left and knows so, on its disk, counts on nothing any more. One that fell silent may not have
            # heard of it, since its departure was committed without it: it leaves like any other.
            for peer in [p for p in commit_set.waited_for() if node.log.roster.get(p) is None]:
                if reign.joining.knows_roster(peer):
                    commit_set.gone(peer)
        # One that holds all that the reign began with and all acknowledged since may count.
        needed = max(reign.opens_at, node.commit)
        holds = {p: c for p, c in in_touch.items() if c.match >= needed or p in commit_set.counting}
        ready = {p: c.heard_at for p, c in holds.items() if c.able}
        wanted = [e.id for e in ranked if e.in_sync]
        if not commit_set.choose(wanted, ready, reign.list.version + 1):
            return False
        node.emit(events.CommitSetChanged(sorted(commit_set.counting), "the list changed"))
        return True


def _shape(entries: tuple[Fallback, ...]) -> list[tuple[object, ...]]:
    """What makes a list another one: all but the lags, which change all the time."""
    return [(e.id, e.address, e.in_sync, e.counts) for e in entries]
