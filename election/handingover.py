"""Handing a reign over: hold what comes, bring the heir up to date, tell it to stand, point everyone there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.entries import Proposal
from tanist.election.messages import HandOver
from tanist.election.settings import MS

if TYPE_CHECKING:
    from tanist.election.reign import Reign

HELD_PROPOSALS_MAX = 16_384
"""Proposals held meanwhile; what comes beyond is declined, to be sent again."""


def begin(reign: "Reign", to: str | None, reason: str) -> None:
    """Hand a reign over to a peer (id or name), or to the heir; if that cannot be, an event says why."""
    node = reign.node
    if reign.handover is not None:
        return
    here = reign.in_touch()
    usable = [e for e in reign.list.entries if e.in_sync and e.id in here]
    chosen = next((e for e in usable if to is None or to in (e.id, e.name)), None)
    if chosen is None:
        who = "nobody follows in sync" if to is None else f"{to} is not among the fallbacks in sync"
        node.leaving = False
        node.emit(events.HandoverEnded(f"nobody to hand over to: {who}", 0))
        return
    reign.handover = HandingOver(reign, chosen.id, reason)


class HandingOver:
    """One hand-over under way, of one reign to one heir. It ends by the heir's ballot, or is abandoned."""

    def __init__(self, reign: "Reign", heir: str, reason: str) -> None:
        self.reign = reign
        self.node = reign.node
        self.heir = heir
        self.reason = reason
        self.begun = self.node.now
        self.until = self.node.now + self.node.times.round
        self.told = False
        self.held: list[Proposal] = []
        self.node.emit(events.HandoverBegan(heir, reason))

    def hold(self, proposals: Sequence[Proposal]) -> bool:
        """Keep proposals back; after the hand-over their senders submit them to the new server."""
        if len(self.held) + len(proposals) > HELD_PROPOSALS_MAX:
            return False
        self.held.extend(proposals)
        return True

    def go_on(self) -> None:
        """Tell the heir once it has everything on disk."""
        client = self.reign.replication.clients.get(self.heir)
        if self.told or client is None or client.match < self.node.log.last:
            return
        self.told = True
        node = self.node
        node.heir_named = (self.heir, self.until)
        message = HandOver(self.reign.term, self.heir, node.address_of(self.heir) or "", self.reason)
        for peer in self.reign.replication.clients:
            node.send(peer, message)

    def lost(self, peer: str) -> None:
        """A client is lost; if it was the heir, the hand-over is off."""
        if peer == self.heir:
            self.abandon("the heir is lost")

    def tick(self) -> None:
        """Give up when it takes longer than one retry round."""
        if self.node.now >= self.until:
            self.abandon("the heir did not take over in time")

    def abandon(self, why: str) -> None:
        """Go on serving; no flag stays behind."""
        self.ended(f"abandoned: {why}")
        self.node.heir_named = None
        self.node.leaving = False
        reign, held = self.reign, tuple(self.held)
        reign.handover = None
        if held:
            reign.submit(held)

    def ended(self, outcome: str) -> None:
        """Say how it ended."""
        self.node.emit(events.HandoverEnded(outcome, (self.node.now - self.begun) / MS))
