"""Clients of a reign that are lost: cut off for now, silent for too long, or gone for certain."""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.evidence import Evidence
from tanist.election.settings import MS

if TYPE_CHECKING:
    from tanist.election.reign import Reign


class Losing:
    """What one reign does without clients that it had."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node

    def link_down(self, peer: str, evidence: Evidence, detail: str) -> None:
        """The last link to a client, or to another server, ended: it may be cut off, or gone."""
        self.reign.claims.serves_no_longer(peer)
        if not self._forget(peer):
            return
        node, reign = self.node, self.reign
        node.emit(events.PeerLost(peer, evidence, detail))
        self._count(peer)
        # Refused, it is gone for certain and is waited for no longer; else it may only be cut off.
        node.reach_for(peer, node.times.retry)
        reign.publish()
        if reign.handover is not None:
            reign.handover.lost(peer)

    def dial_failed(self, address: str, evidence: Evidence) -> None:
        """A member that is waited for refuses: its process is gone."""
        if evidence is not Evidence.REFUSED:
            return
        for peer in self.reign.commit_set.waited_for():
            if self.node.address_of(peer) == address and peer not in self.node.links:
                self.gone(peer, "refused")

    def gone(self, peer: str, reason: str) -> None:
        """A peer is gone for certain."""
        node, reign = self.node, self.reign
        if reason != "refused":
            node.emit(events.PeerLost(peer, Evidence.GOODBYE, reason))
        if self.forget(peer):
            node.emit(events.CommitSetChanged(sorted(reign.commit_set.counting), f"{peer} is gone: {reason}"))
            reign.publish()
            reign.advance()

    def forget(self, peer: str) -> bool:
        """Replicate to a peer no longer, nor count on it. Returns whether either was so."""
        known = self._forget(peer)
        return self.reign.commit_set.gone(peer) or known

    def drop_silent(self) -> None:
        """Clients that confirm nothing keep their place only while they may still count."""
        node = self.node
        for peer, client in list(self.reign.replication.clients.items()):
            silent = node.now - client.heard_at
            if silent > max(node.times.sync, 2 * node.times.timeout):
                self._forget(peer)
                self._count(peer)
                node.emit(events.PeerLost(peer, Evidence.SILENT, f"for {silent / MS:.0f} ms"))
                node.close(peer, "silent")
            elif client.reached == client.was_at < node.log.last and silent < node.times.timeout:
                self.reign.replication.nudge(peer, client)

    def _forget(self, peer: str) -> bool:
        """A client is gone, for now or for good. Returns whether it was one."""
        self.reign.salvaging.lost(peer)
        return self.reign.replication.forget(peer) is not None

    def _count(self, peer: str) -> None:
        """A client was lost without a goodbye: that counts in the ranking."""
        self.node.stability.lost(peer, self.node.now)
        self.reign.measuring.forget(peer)
