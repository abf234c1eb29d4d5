"""A server looks for members that are away, for those it forgot, and for the addresses it was given."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tanist.election.reign import Reign


class Probing:
    """Dials now and then whoever is not linked."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node
        self.at = self.node.now
        """When the next round of dials is due."""

    def probe(self) -> None:
        """Dial everyone who may be there and is not linked; the times of several servers drift apart."""
        node = self.node
        spread = 1 + node.rng.random() / 2
        self.at = node.now + int(max(node.times.retry, node.times.timeout / 2) * spread)
        linked = {r.address for r in node.links.values()}
        for member in node.others():
            node.reach_for(member.id, node.times.retry)
        node.forgotten = {p: a for p, a in node.forgotten.items() if p not in node.links}
        for address in (*node.forgotten.values(), *node.unfound(self.reign.core.reached)):
            if address not in linked and address != node.me.address:
                node.dial(address, node.times.retry)
