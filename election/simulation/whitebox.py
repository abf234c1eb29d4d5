"""Invariants of acknowledging that only an onlooker can check, who looks into every peer's memory and onto every disk.

They are stricter than `inside`: what is said of an entry's safety must hold for whoever would stand when the server
dies, silent or not.
"""

from __future__ import annotations

from tanist.election.commit import Durability
from tanist.election.reign import Reign
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.inside import holds
from tanist.election.simulation.world import VirtualPeer, World


def check_commit(world: World, peer: VirtualPeer, reign: Reign, commit: int) -> None:
    """A server counts entries of its own term alone, and promises no more than those who may stand hold."""
    assert peer.core is not None
    node = peer.core.node
    term = node.log.term_at(commit)
    if term != reign.term:
        raise Broken("own-term", f"{peer.name} committed {commit} of {term} by counting in {reign.term}")
    if node.quorum or node.durability is Durability.ALONE or world.disks_were_lost:
        # What was counted may have been on a disk that is no more.
        return
    # Whoever believes that it counts would stand without waiting for those who hold more.
    for heir in reign.commit_set.waited_for():
        other = world.by_id.get(heir)
        if other is not None and not holds(other.stored, commit, term):
            raise Broken(
                "promise", f"{peer.name} committed {commit} as {node.durability}, and {heir} has it not on disk"
            )


__all__ = ["check_commit"]
