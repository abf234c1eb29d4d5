"""White-box invariants of the log: what a peer believes to be on disks, its own and others', really is there.

They see a fault in the step in which it happens. From outside the same fault shows only when a second one meets it: a
server that believes too much loses nothing unless it dies just then.
"""

from __future__ import annotations

from tanist.election.commit import Durability, majority
from tanist.election.following import FollowingServer
from tanist.election.history import NO_TERM, Term
from tanist.election.messages import Stored as StoredTo
from tanist.election.ready import Ready
from tanist.election.records import Stored
from tanist.election.reign import Reign
from tanist.election.replication import Progress
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.world import VirtualPeer, World


def holds(stored: Stored, index: int, term: Term | None) -> bool:
    """Whether a disk holds the entry of that index and term; what its snapshot sums up counts as held."""
    if index < stored.first:
        snapshot = stored.snapshot
        return index == 0 or (snapshot is not None and (index < snapshot.index or snapshot.term == term))
    return index <= stored.last and stored.entries[index - stored.first].term == term


class Inside:
    """Watches every step; `quorum` says in which safety mode the world lives."""

    def __init__(self, world: World, quorum: bool) -> None:
        self.world = world
        self.quorum = quorum
        self._commits: dict[str, tuple[int, int]] = {}
        self._matches: dict[tuple[str, str], tuple[Progress, int]] = {}
        self._acknowledged: dict[str, tuple[int, Term, int]] = {}
        self._verified: dict[str, int] = {}
        self._durable: dict[str, tuple[int, int]] = {}
        self._voters: dict[str, frozenset[str]] = {}
        """Those of the last step: a change of the roster may follow a commit in the same step."""

    def watch(self, peer: VirtualPeer, ready: Ready) -> None:
        """One step of one peer."""
        core = peer.core
        assert core is not None
        node = core.node
        if node.commit > node.log.last:
            raise Broken("commit-in-log", f"{peer.name} committed {node.commit} of a log that ends at {node.log.last}")
        # What it believes, or what is on its disk, changes in these steps alone.
        changed = ready.persist or self._durable.get(peer.name) != (peer.incarnation, node.durable)
        if changed and not peer.damaged and not holds(peer.stored, node.durable, node.log.term_at(node.durable)):
            raise Broken(
                "durable-on-disk",
                f"{peer.name} believes {node.durable} to be on its disk, which ends at {peer.stored.last}",
            )
        if changed:
            self._durable[peer.name] = peer.incarnation, node.durable
        behaviour = core.behaviour
        if isinstance(behaviour, FollowingServer):
            self._follows(peer, behaviour, ready)
        elif isinstance(behaviour, Reign):
            self._serves(peer, behaviour)

    # A client

    def _follows(self, peer: VirtualPeer, behaviour: FollowingServer, ready: Ready) -> None:
        log = behaviour.node.log
        verified_in = behaviour.log
        incarnation, term, match = self._acknowledged.get(peer.name, (0, NO_TERM, 0))
        if (incarnation, term) != (peer.incarnation, behaviour.term):
            match = 0
        if log.last < match:
            raise Broken(
                "keeps-what-it-acknowledged",
                f"{peer.name} cut its log to {log.last} after it acknowledged {match} to {term}",
            )
        if ready.send:
            for _, message in ready.send:
                if type(message) is StoredTo and message.term == behaviour.term:
                    match = max(match, message.match)
            self._acknowledged[peer.name] = peer.incarnation, behaviour.term, match
        verified = behaviour.verified
        if verified and self._verified.get(peer.name) != verified:
            self._verified[peer.name] = verified
            server = self.world.by_id.get(behaviour.server)
            reign = server.core.behaviour if server is not None and server.core is not None else None
            if isinstance(reign, Reign) and reign.term == behaviour.term:
                theirs = reign.node.log.term_at(verified)
                if theirs is None or theirs != verified_in.term_at(verified):
                    mine = verified_in.term_at(verified)
                    raise Broken(
                        "verified-is-the-servers",
                        f"{peer.name} takes its entry {verified} of {mine} for its server's of {theirs}",
                    )

    # The server

    def _serves(self, peer: VirtualPeer, reign: Reign) -> None:
        for other, progress in reign.replication.clients.items():
            known, before = self._matches.get((peer.name, other), (None, 0))
            match = progress.match
            if known is progress and match == before:
                continue
            if known is progress and match < before and not progress.probing:
                raise Broken("match-regress", f"{peer.name} lowered what {other} holds from {before} to {match}")
            self._matches[peer.name, other] = progress, match
            client = self.world.by_id.get(other)
            if client is None or client.core is None or client.lost or not _follows(client, reign.term):
                continue
            if not holds(client.stored, match, reign.node.log.term_at(match)):
                raise Broken("match-is-held", f"{peer.name} believes {other} to hold {match} of its log on disk")
        self._committed(peer, reign)

    def _committed(self, peer: VirtualPeer, reign: Reign) -> None:
        """A commit is durable where it was counted."""
        node = reign.node
        incarnation, before = self._commits.get(peer.name, (0, 0))
        index = node.commit
        self._commits[peer.name] = peer.incarnation, index
        voters = node.log.voters or frozenset({node.me.id})
        earlier = self._voters.get(peer.name, voters)
        self._voters[peer.name] = voters
        if incarnation != peer.incarnation or index <= before:
            return
        term = node.log.term_at(index)
        if not self.quorum and not holds(peer.stored, index, term):
            raise Broken("own-disk", f"{peer.name} committed {index} without its own disk")
        lacking = [sum(1 for v in among if not self._holds(v, index, reign)) for among in (voters, earlier)]
        counts = zip(lacking, (len(voters), len(earlier)), strict=True)
        # Three of five are a majority where two of four are none: the roster may have grown in this very step.
        missing, of = max(counts, key=lambda count: count[1] - count[0] - majority(count[1]))
        if (self.quorum or node.durability is Durability.MAJORITY) and of - missing < majority(of):
            raise Broken("commit-on-majority", f"{peer.name} committed {index} on {of - missing} of {of} disks")
        missing, of = min(zip(lacking, (len(voters), len(earlier)), strict=True))
        if node.durability is Durability.ALL and missing:
            raise Broken("receipt", f"{peer.name} says that all hold {index}, and {missing} of {of} do not")
        if not self.quorum and node.durability is not Durability.ALONE:
            self._promised(peer, reign, index)

    def _holds(self, voter: str, index: int, reign: Reign) -> bool:
        other = self.world.by_id.get(voter)
        if other is None or other.lost:
            # What was counted may have been on a disk that is no more.
            return True
        if not self.quorum and other.id != reign.node.me.id and not _follows(other, reign.term):
            # It held it when it said so; on another side of a split its log is another by now.
            return True
        return holds(other.stored, index, reign.node.log.term_at(index))

    def _promised(self, peer: VirtualPeer, reign: Reign, index: int) -> None:
        """Survivor mode: whoever would stand at once, because it counts itself, holds what was promised."""
        node = reign.node
        heard = {**reign.commit_set.counting, **{p: at for p, (_, at) in reign.commit_set.leaving.items()}}
        for other in self.world.running():
            if other is peer or other.lost or not _counts_itself(other, reign.term):
                continue
            if other.refused_at is not None and self.world.now < other.refused_at + reign.commit_set.leave_ns:
                # Whose host refuses is gone, says the protocol: one that lives behind such a port may not know it yet.
                continue
            at = heard.get(other.id)
            silent = at is not None and node.now >= at + node.times.timeout
            if not silent and not holds(other.stored, index, node.log.term_at(index)):
                raise Broken(
                    "promised-to-who-counts",
                    f"{other.name} counts itself and lacks {index}, which {peer.name} acknowledged without it",
                )


def _follows(peer: VirtualPeer, term: Term) -> bool:
    behaviour = peer.core.behaviour if peer.core is not None else None
    return isinstance(behaviour, FollowingServer) and behaviour.term == term


def _counts_itself(peer: VirtualPeer, term: Term) -> bool:
    """Whether this peer believes, by its own clock, that acknowledgements of that reign wait for its disk."""
    core = peer.core
    if core is None or core.node.fallbacks.term != term:
        return False
    behaviour = core.behaviour
    if isinstance(behaviour, FollowingServer):
        if behaviour.term != term or behaviour.counted_from is None or not core.node.fallbacks.counts(peer.id):
            return False
        return peer.clock() < behaviour.counted_from + core.node.times.sync and behaviour.counts_now()
    return not isinstance(behaviour, Reign) and core.counts_at(peer.clock())


__all__ = ["Inside", "holds"]
