"""What a server does when another history meets its own: one that would follow it, or another server.

In quorum mode the higher number wins. In survivor mode the histories are compared first, at both sides alike: the
one that goes on does so in a number above all, and whoever gives way points its clients to the other.
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.history import Term
from tanist.election.identity import tell_outdated
from tanist.election.messages import Follow, HandOver
from tanist.election.precedence import Side, Verdict, compare
from tanist.election.repairing import demoted
from tanist.election.roles import Cause
from tanist.election.settings import plausible

if TYPE_CHECKING:
    from tanist.election.reign import Reign


class Meeting:
    """The meetings of one reign with others."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node
        self.core = reign.core

    def follower(self, peer: str, message: Follow) -> None:
        """A peer would follow: welcome it, refuse it, or give way to what it has."""
        node, reign = self.node, self.reign
        if not plausible(Term(message.own_number, ""), node.number):
            node.emit(events.Implausible(peer, f"number {message.own_number}"))
            return
        refusal = reign.joining.refusal(message.member)
        if refusal is not None:
            node.emit(events.PeerRefused(peer, refusal.code, refusal.text))
            node.send(peer, refusal)
            return
        higher = message.own_number > reign.term.number
        if reign.rules.heals:
            verdict = compare(self._mine(), Side(message.history, 1))
            if verdict.at.theirs_after:
                # A history goes on above all numbers of the one that ends, so that its terms order.
                higher = higher or message.history.last_term.number >= reign.term.number
                self._tell(peer, verdict)
            reign.salvaging.met(peer, message.history, verdict.at)
            # Who cannot serve (told never to, a learner, its disk unfit) would not stand: given way to, it would leave
            # everyone without a server, time and again. It lends in a ballot, or archives what is only its own.
            if not verdict.mine and message.able:
                self._give_way(peer, message.member.address, verdict.why)
                return
        if higher:
            if reign.rules.heals:
                self.core.renew(message.own_number)
            else:
                self.core.step_down(Cause.HIGHER_NUMBER, message.own_number)
            return
        if not message.member.damaged and reign.replication.lacks_what_it_held(peer, message.history):
            tell_outdated(node, peer, node.links[peer].incarnation[0])
            return
        if not demoted(node.log.roster.get(peer), message.member):
            reign.joining.ask(message.member)
            if not demoted(node.log.roster.get(peer), message.member):
                # Another change is on its way: it asks again, and counts for nothing meanwhile.
                return
        self._welcome(peer, message)

    def _welcome(self, peer: str, message: Follow) -> None:
        node, reign = self.node, self.reign
        remote = node.links.get(peer)
        client = reign.replication.welcome(message.member, message.history, remote.priority if remote else 0)
        reign.commit_set.heard(peer, node.now)
        # The list is as old as the last round: who fell silent since must not be named.
        reign.publish()
        # First of all: behind entries it might come too late over a slow link.
        node.send(peer, reign.heartbeat(0, node.reach, len(node.log.roster.members)))
        reign.replication.push(peer, client, always=True)
        reign.joining.ask(message.member)

    def server(self, peer: str, term: Term, heard: Term) -> None:
        """Another server, which heard of this reign or of an earlier one or none: one of the two gives way."""
        if self.reign.rules.heals:
            self.reign.claims.met(peer, term, heard)
        elif term.number > self.reign.term.number:
            self.core.step_down(Cause.HIGHER_NUMBER, term.number, follow=(peer, term))

    def settle(self, peer: str, term: Term, verdict: Verdict) -> None:
        """Two claims answered each other: what they say is done, in a number above all."""
        node, reign = self.node, self.reign
        self._tell(peer, verdict)
        if not verdict.mine:
            self._give_way(peer, node.address_of(peer) or "", verdict.why, term)
            return
        if reign.proving is None and term.number >= reign.term.number:
            self.core.renew(term.number)
        else:
            reign.announce(peer)
        reign.advance()

    def _mine(self) -> Side:
        return Side(self.node.log.history(), self.reign.holders())

    def _tell(self, peer: str, verdict: Verdict) -> None:
        at = verdict.at
        self.node.emit(events.HistoriesCompared(peer, at.at, at.mine_after, at.theirs_after, verdict.why))

    def _give_way(self, peer: str, address: str, why: str, serves_in: Term | None = None) -> None:
        """Another history goes on: point everyone there, and the peer itself, unless it serves already."""
        node, reign = self.node, self.reign
        told = HandOver(reign.term, peer, address, f"its history goes on: {why}")
        others = [client for client in reign.replication.clients if client != peer]
        for client in others if serves_in else [peer, *others]:
            node.send(client, told)
        if serves_in is not None:
            self.core.step_down(Cause.GAVE_WAY, 0, follow=(peer, serves_in))
        else:
            node.heir_named = (peer, node.now + node.times.hold)
            self.core.step_down(Cause.GAVE_WAY, 0, hold_for=peer)
