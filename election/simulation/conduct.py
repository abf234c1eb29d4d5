"""White-box invariants of conduct: what a peer may say and do, given what it knows and what is on the disks.

Ballots, waking, lists, hand-overs, foundings and changes of the roster. Each check stands for one sentence of the
protocol, and is made in the step that could break it.
"""

from __future__ import annotations

import msgspec

from tanist.election import events
from tanist.election.ballots import SERVER_ALIVE
from tanist.election.candidacy import Candidacy
from tanist.election.commit import majority
from tanist.election.entries import Entry, Kind
from tanist.election.history import Term, raft_order, survivor_order
from tanist.election.messages import Canvass, Confirm, FoundAnswer, HandOver, Heartbeat, Oppose, RequestVote
from tanist.election.ready import Ready
from tanist.election.records import EntriesRecord
from tanist.election.reign import Reign
from tanist.election.roles import Role
from tanist.election.roster import Roster
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.inside import holds
from tanist.election.simulation.world import VirtualPeer, World

_NO_LIST = 0, Role.SEEKING, (Term(0, ""), 0)
_decode_roster = msgspec.msgpack.Decoder(Roster).decode


class Conduct:
    """Watches every step; `quorum` says in which safety mode the world lives."""

    def __init__(self, world: World, quorum: bool) -> None:
        self.world = world
        self.quorum = quorum
        self._asked: dict[str, tuple[int, int | None]] = {}
        self._woken: dict[str, tuple[int, Term, int, int, int]] = {}
        """Servers that were away: incarnation, term, since when awake, the round that proves, the commit then."""
        self._lists: dict[str, tuple[int, Role, tuple[Term, int]]] = {}
        self._rosters: dict[str, tuple[int, int, Roster]] = {}
        self._alone: set[str] = set()
        """Peers that knew of no other member after their last step: a reign that nobody else is in needs no proof."""
        self._accepted: dict[str, frozenset[str]] = {}
        self._canvassed: dict[str, tuple[int, int]] = {}
        """The highest number that each process asked about, by its incarnation."""

    def watch(self, peer: VirtualPeer, ready: Ready) -> None:
        """One step of one peer."""
        core = peer.core
        assert core is not None
        self._timely(peer, ready)
        for event in ready.events:
            match event:
                case events.Woke():
                    self._woke(peer)
                case events.ReignProved():
                    self._proved(peer)
                case events.BallotEnded(number, "won", support):
                    self._won(peer, number, support)
                case events.RoleChanged(role=Role.CANDIDATE):
                    self._stands(peer)
                case _:
                    pass
        for to, message in ready.send:
            self._says(peer, to, message)
        self._keeps_lists(peer)
        if isinstance(core.behaviour, Reign):
            self._serves(peer, core.behaviour)
        for record in ready.persist:
            if isinstance(record, EntriesRecord):
                self._writes(peer, record)
        (self._alone.discard if core.node.others() else self._alone.add)(peer.name)

    # Being away

    def _timely(self, peer: VirtualPeer, ready: Ready) -> None:
        core = peer.core
        assert core is not None
        incarnation, asked = self._asked.get(peer.name, (0, None))
        now = core.node.now
        late = asked is not None and incarnation == peer.incarnation and now - asked > core.node.times.timeout // 2
        if late and not any(isinstance(event, events.Woke) for event in ready.events):
            raise Broken("woke", f"{peer.name} was away and did not notice")
        self._asked[peer.name] = peer.incarnation, ready.deadline

    def _woke(self, peer: VirtualPeer) -> None:
        core = peer.core
        assert core is not None
        if isinstance(core.behaviour, Reign) and peer.name not in self._alone:
            term, node = core.behaviour.term, core.node
            self._woken[peer.name] = peer.incarnation, term, node.now, core.behaviour.round, node.commit

    def _proved(self, peer: VirtualPeer) -> None:
        core = peer.core
        assert core is not None
        woken = self._woken.pop(peer.name, None)
        if woken is None or not isinstance(core.behaviour, Reign):
            return
        said = [p for p, client in core.behaviour.replication.clients.items() if client.round >= woken[3]]
        if not said or (
            self.quorum and len({*said, peer.id} & core.node.log.voters) < majority(len(core.node.log.voters))
        ):
            raise Broken("proof", f"{peer.name} takes its reign for proved by rounds before it woke")

    def _serves(self, peer: VirtualPeer, reign: Reign) -> None:
        node = reign.node
        if node.disk_failed:
            raise Broken("serves-with-failed-disk", f"{peer.name} serves with a failed disk")
        if self.quorum:
            heard = sorted(
                (c.heard_at for p, c in reign.replication.clients.items() if p in node.log.voters), reverse=True
            )
            others = majority(len(node.log.voters)) - (peer.id in node.log.voters)
            since = node.now if others <= 0 else heard[others - 1] if len(heard) >= others else 0
            # The next call may come a turn late; a later one is `woke`.
            if node.now > max(since, reign.majority_at, reign.begun) + node.times.timeout * 3 // 2:
                raise Broken("check-quorum", f"{peer.name} serves without a majority")
        woken = self._woken.get(peer.name)
        if woken is None:
            return
        if woken[:2] != (peer.incarnation, reign.term):
            del self._woken[peer.name]
        elif node.commit > woken[4]:
            raise Broken("away-acknowledges", f"{peer.name} acknowledged {node.commit} before it proved its reign")
        elif node.now > woken[2] + node.times.round + node.times.timeout // 2:
            raise Broken("away-goes-on", f"{peer.name} goes on in {reign.term} without having proved it")

    # Ballots

    def _stands(self, peer: VirtualPeer) -> None:
        core = peer.core
        assert core is not None
        node, behaviour = core.node, core.behaviour
        if node.disk_failed:
            raise Broken("stands-with-failed-disk", f"{peer.name} stands with a failed disk")
        if self.quorum or node.log.last or not isinstance(behaviour, Candidacy) or behaviour.search is None:
            return
        for other, contact in behaviour.search.contacts.by_id.items():
            if contact.answered and contact.able and contact.history.last:
                raise Broken("fresh-stands", f"{peer.name} stands without history against {other}, which has one")

    def _won(self, peer: VirtualPeer, number: int, support: list[str]) -> None:
        core = peer.core
        assert core is not None and isinstance(core.behaviour, Reign)
        log, before = core.node.log, core.behaviour.opens_at - 1
        last = log.term_at(before)
        assert last is not None
        if peer.stored.number == number and peer.stored.voted_for != peer.id:
            raise Broken("own-vote", f"{peer.name} serves as {number} and did not vote for itself")
        voted = {peer.id}
        for other in support:
            voter = self.world.by_id.get(other)
            if voter is None or voter.lost:
                voted.add(other)
                continue
            disk = voter.stored
            if disk.number > number or (disk.number == number and disk.voted_for == peer.id):
                voted.add(other)
            elif disk.number < number or self.quorum:
                raise Broken(
                    "vote-on-disk", f"{peer.name} counts a vote of {other} as {number} that is not on its disk"
                )
            # One that went on to a higher number since, on its disk or not yet, has another history by now.
            if voter.core is None or max(disk.number, voter.core.node.number) != number:
                continue
            history = voter.core.node.log.history()
            if self.quorum:
                fresher = raft_order(history) > (last.number, before)
            else:
                fresher = survivor_order(history) > (log.commands, last.number, before)
            if fresher:
                raise Broken("less-fresh-elected", f"{other} voted for {peer.name}, which is less fresh")
        if self.quorum and len(voted & log.voters) < majority(len(log.voters)):
            raise Broken(
                "ballot-majority", f"{peer.name} won with {len(voted & log.voters)} of {len(log.voters)} votes"
            )

    # What is said

    def _says(self, peer: VirtualPeer, to: str, message: object) -> None:
        core = peer.core
        assert core is not None
        match message:
            case Heartbeat():
                self._beats(peer, message)
            case Confirm(term, version=version) if version:
                listed = peer.stored.fallbacks.age()
                if listed < (term, version):
                    raise Broken(
                        "list-on-disk", f"{peer.name} confirmed list {version} of {term} with {listed} on disk"
                    )
            case Oppose(reason=reason) if reason == SERVER_ALIVE:
                incarnation, before, _ = self._lists.get(peer.name, (0, Role.CLIENT, None))
                # It may have lost its server later in the same step.
                sought = core.role is before is Role.SEEKING and incarnation == peer.incarnation
                if sought or (core.role is Role.SERVER and peer.name in self._woken):
                    raise Broken("speaks-for-live-server", f"{peer.name} speaks for a live server, and is {core.role}")
            case HandOver(heir=heir) if isinstance(core.behaviour, Reign) and core.behaviour.handover is not None:
                other, log = self.world.by_id.get(heir), core.node.log
                # What it held may have been on a disk that is no more, behind a connection that does not say so yet.
                if other is not None and not other.lost and not holds(other.stored, log.last, log.last_term):
                    raise Broken("hand-over-complete", f"{peer.name} hands over to {heir}, which lacks entries")
            case Canvass(number):
                self._canvassed[peer.name] = peer.incarnation, number
            case RequestVote(number, handover=False) if self._canvassed.get(peer.name) != (peer.incarnation, number):
                raise Broken("canvass-first", f"{peer.name} asks for votes as {number} without having canvassed")
            case FoundAnswer():
                self._answers_founding(peer, message)
            case _:
                pass

    def _beats(self, peer: VirtualPeer, message: Heartbeat) -> None:
        core = peer.core
        assert core is not None
        if not isinstance(core.behaviour, Reign):
            return
        clients, times = core.behaviour.replication.clients, core.node.times
        for entry in message.fallbacks.entries:
            client = clients.get(entry.id)
            # A list may be as old as a heartbeat, and a turn of the loop late besides.
            oldest = core.node.now - times.timeout - times.heartbeat - times.timeout // 2
            if client is not None and (not client.round or client.heard_at < oldest):
                raise Broken(
                    "list-confirmed", f"the list of {peer.name} names {entry.id}, which confirmed no heartbeat"
                )

    def _keeps_lists(self, peer: VirtualPeer) -> None:
        core = peer.core
        assert core is not None
        incarnation, role, age = self._lists.get(peer.name, _NO_LIST)
        listed = core.node.fallbacks
        if listed.version == age[1] and listed.term is age[0] and role is core.role and incarnation == peer.incarnation:
            return
        now = listed.age()
        if now < age and incarnation == peer.incarnation and role is Role.SEEKING and core.role is Role.SEEKING:
            raise Broken("list-order", f"{peer.name} took an older list while it sought a server")
        self._lists[peer.name] = peer.incarnation, core.role, now

    # Foundings and rosters

    def _answers_founding(self, peer: VirtualPeer, answer: FoundAnswer) -> None:
        ids, disk = answer.members.ids(), peer.stored
        if answer.accepted:
            if disk.founding is None or not disk.founding.names(answer.number, answer.members):
                raise Broken("founding-on-disk", f"{peer.name} accepted a founding before it was on disk")
            before = self._accepted.get(peer.id)
            # What it stood by when it refused all others up to a number is none of them.
            refusing = [r for r in disk.refused if r.members.members or before != ids]
            if any(refused.refuses(answer.number, answer.members) for refused in refusing):
                raise Broken("founding-refused", f"{peer.name} accepted a founding that it had refused")
            if (
                before is not None
                and before != ids
                and not any(r.members.ids() in (before, set()) for r in disk.refused)
            ):
                raise Broken("founding-open", f"{peer.name} accepted a second founding while the first is open")
            self._accepted[peer.id] = ids
        elif not any(refused.refuses(answer.number, answer.members) for refused in disk.refused):
            raise Broken("founding-refusal-on-disk", f"{peer.name} refused a founding before that was on disk")

    def _writes(self, peer: VirtualPeer, record: EntriesRecord) -> None:
        core = peer.core
        assert core is not None
        log = core.node.log
        time_ns = 0
        for index, entry in enumerate(record.entries, record.first):
            if entry.time_ns < time_ns:
                raise Broken("log-time", f"{peer.name} holds log time going back at {index}")
            time_ns = entry.time_ns
            if self.quorum and entry.kind == Kind.ROSTER and log.term_at(index) == entry.term:
                self._changes_roster(peer, index, entry)

    def _changes_roster(self, peer: VirtualPeer, index: int, entry: Entry) -> None:
        core = peer.core
        assert core is not None
        roster = _decode_roster(entry.body)
        if entry.number == 0:
            for member in roster.members:
                founder = self.world.by_id.get(member.id)
                # Its own acceptance is written with the entry, before it.
                if founder is None or founder is peer or founder.lost or founder.stored.last or founder.stored.number:
                    continue
                accepted = founder.stored.founding
                if accepted is None or accepted.members.ids() != roster.ids():
                    raise Broken("founding-unanimous", f"{peer.name} founds with {member.id}, which has not accepted")
        elif isinstance(core.behaviour, Reign) and entry.holder == peer.id:
            was = core.node.log.roster_at(index - 1)
            if len(was.voters() ^ roster.voters()) > 1:
                raise Broken("one-voter-at-once", f"{peer.name} changed more than one voter at once")
            if roster.voters() - was.ids():
                raise Broken("newcomer-votes", f"{peer.name} made a newcomer a voter before it caught up")
            written = [at for at, _ in core.node.log._rosters if at < index]
            if written and written[-1] > core.node.commit:
                raise Broken("roster-committed", f"{peer.name} changed the roster before the last change was committed")
            if was.voters() != roster.voters() and not core.behaviour.open:
                raise Broken(
                    "roster-own-term", f"{peer.name} changed the roster before an entry of its own was committed"
                )


__all__ = ["Conduct"]
