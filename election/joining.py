"""Members come and go: one change at a time, each committed before the next is written (Raft, thesis 4.1)."""

from typing import TYPE_CHECKING

import msgspec

from tanist.election.commit import has_majority
from tanist.election.events import NameReused
from tanist.election.log import roster_entry_body
from tanist.election.messages import Refuse
from tanist.election.roster import MEMBERS_MAX, Member, Roster

if TYPE_CHECKING:
    from tanist.election.reign import Reign

CHANGES_WAITING_MAX = 256
"""Changes that wait for their turn; a peer beyond asks again when it follows anew."""

LEFT = "left"
"""The code for a peer that was taken out of the cluster; it ends, and that is no error."""
LEFT_TEXT = "this peer was taken out of the cluster (tanist leave); to join again it needs a new data directory"


class Joining:
    """The membership changes of one reign."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node
        self._waiting: dict[str, Member | None] = {}
        """Changes by id: the member as it shall be, or None to take it out."""
        self._dropped: set[str] = set()
        """Which of those to be taken out may join again."""

    def myself(self) -> None:
        """The server is a member like any other."""
        node = self.node
        me = node.log.roster.get(node.me.id)
        wanted = node.member
        if node.quorum and me is None and node.log.roster.members:
            return
        if me != self._due(wanted):
            self._ask(wanted.id, wanted)

    def refusal(self, member: Member) -> Refuse | None:
        """Why this one may not join, if so."""
        node = self.node
        roster = node.log.roster
        if member.id in roster.left:
            return Refuse(LEFT, LEFT_TEXT)
        named = [m for m in roster.members if m.name == member.name and m.id != member.id]
        same = next((m for m in named if m.id == node.me.id or m.id in node.links), None)
        if same is not None:
            taken = f"the name {member.name!r} is taken by the live peer {same.id} at {same.address}"
            text = f"{taken}; choose another --name"
            return Refuse("name_taken", text)
        if roster.get(member.id) is None and len(roster.members) >= MEMBERS_MAX:
            return Refuse("full", f"the cluster has its {MEMBERS_MAX} members; let one leave first (tanist leave)")
        return None

    def ask(self, member: Member) -> None:
        """A client follows: make it a member, or note that it moved."""
        roster = self.node.log.roster
        if roster.get(member.id) is None and member.id not in self._waiting:
            for absent in [m for m in roster.members if m.name == member.name]:
                self.node.emit(NameReused(member.name, absent.id, member.id))
        if roster.get(member.id) != self._due(member):
            self._ask(member.id, member)

    def _due(self, member: Member) -> Member:
        """A member as it should stand in the roster now: newcomers are learners where votes are counted."""
        known = self.node.log.roster.get(member.id)
        if known is None:
            voter, joined_ns, damaged = not self.node.quorum, self.reign.core.log_time(), 0
        else:
            voter, joined_ns, damaged = known.voter, known.joined_ns, known.damaged
        if member.damaged not in (0, damaged):
            voter, damaged = False, member.damaged
        return msgspec.structs.replace(member, voter=voter, joined_ns=joined_ns, damaged=damaged)

    def leave(self, peer: str) -> None:
        """Take a member out for good; this server itself hands over first."""
        if peer == self.node.me.id:
            self._leave_myself()
        elif self.node.log.roster.get(peer) is not None:
            self._dropped.discard(peer)
            self._ask(peer, None)

    def forget(self, peer: str) -> None:
        """Drop a member that has been away for long: it may come back."""
        self._dropped.add(peer)
        self._ask(peer, None)

    def _leave_myself(self) -> None:
        node = self.node
        if not node.others():
            node.halt(LEFT, "this was the last member of the cluster; what it holds stays in its data directory")
            return
        node.leaving = True
        self.reign.core.hand_over(None, "it leaves the cluster")

    def _tell_those_who_left(self) -> None:
        """Whoever is out, by a roster that is committed, need not be followed by anybody any more."""
        node, reign = self.node, self.reign
        for peer in [p for p in reign.replication.clients if p in node.log.roster.left and self.knows_roster(p)]:
            node.send(peer, Refuse(LEFT, LEFT_TEXT))
            reign.losing.forget(peer)

    def knows_roster(self, peer: str) -> bool:
        """Whether a client has the newest roster on its disk."""
        client = self.reign.replication.clients.get(peer)
        return client is not None and client.match >= self.node.log.roster_index

    def go_on(self) -> None:
        """Write the next change when the one before is committed, and one of this reign's entries is."""
        node = self.node
        if node.log.roster_index > node.commit or (node.quorum and not self.reign.open):
            return
        roster = node.log.roster
        if roster.left:
            self._tell_those_who_left()
        held: dict[str, Member | None] = {}
        while self._waiting:
            peer = next(iter(self._waiting))
            member = self._waiting.pop(peer)
            if member is None and not self._may_go(peer):
                held[peer] = None
                continue
            if member is None:
                changed = roster.without(peer, for_good=peer not in self._dropped)
                self._dropped.discard(peer)
            else:
                changed = roster.with_member(self._due(member))
            if changed != roster:
                self._waiting.update(held)
                self._write(changed)
                return
        self._waiting = held
        self._promote()

    def _may_go(self, peer: str) -> bool:
        """Quorum mode: whether those who stay and are here could go on without a voter; else it goes later."""
        node = self.node
        stay = node.log.voters - {peer}
        return not node.quorum or has_majority({node.me.id, *self.reign.in_touch()}, stay)

    def _promote(self) -> None:
        """A learner that has caught up votes from now on."""
        node = self.node
        for member in node.log.roster.members:
            client = self.reign.replication.clients.get(member.id)
            if member.voter or client is None or not client.round:
                continue
            if client.match >= max(node.commit, self.reign.opens_at):
                self._write(node.log.roster.with_member(msgspec.structs.replace(member, voter=True)))
                return

    def _write(self, roster: Roster) -> None:
        self.reign.write_roster(roster_entry_body(roster))

    def _ask(self, peer: str, member: Member | None) -> None:
        if len(self._waiting) < CHANGES_WAITING_MAX:
            self._waiting[peer] = member
            self.go_on()
