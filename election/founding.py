"""Founding a quorum cluster: unanimous, or not at all.

An attempt is a number and exactly `expect` members. Each of them accepts or refuses it on disk, with one
acceptance open at a time. One durable refusal ends the attempt and frees those who accepted; all
acceptances make it the only founding, ever: two attempts that share a member cannot both have its
acceptance. Any member that gathers them opens the cluster, by the same first entry.
"""

from typing import TYPE_CHECKING

from tanist.election.entries import Entry, Kind
from tanist.election.events import FoundingChanged
from tanist.election.log import roster_entry_body
from tanist.election.messages import Found, FoundAnswer, Message
from tanist.election.records import FoundingRecord
from tanist.election.roster import Member, Roster
from tanist.election.settings import NUMBER_LEAP_MAX

if TYPE_CHECKING:
    from tanist.election.core import Core


REFUSED_MAX = 64
"""Refused attempts that are kept one by one: a person's founding needs a few. Beyond it, all up to a number are."""
PAUSES_MAX = 8
"""Intervals before the next attempt of one whose attempts are refused again and again: a disk write at every peer."""


class Founding:
    """One peer's part in founding its cluster."""

    def __init__(self, core: "Core") -> None:
        self.core = core
        self.node = core.node
        self.opened = False
        self.accepted: set[str] = set()
        self._told = ""
        self._ask_at = 0
        self._propose_at = 0
        self._refusals = 0
        """Attempts of this peer's that were refused one after another."""
        self._above = 0
        """The number up to which some peer refuses everything."""
        self._complete_since: int | None = None
        """Since when this peer has seen as many as are expected."""

    def tick(self) -> None:
        """Propose, or ask again, once an interval."""
        if self.node.now < self._ask_at:
            return
        self._ask_at = self.node.now + self.node.times.retry
        self._go_on()

    def met(self, peer: str) -> None:
        """Someone came: propose, or ask it, without waiting for the interval to end.

        The others are not dialed for that: at the address of one that lost its data another may answer, which comes
        again with every dial.
        """
        node, attempt = self.node, self.node.founding
        if attempt is None:
            self._go_on()
        elif peer not in self.accepted and attempt.members.get(peer) is not None:
            node.send_after_disk(peer, Found(attempt.number, attempt.members))

    def _go_on(self) -> None:
        node = self.node
        open_attempt = node.founding
        if open_attempt is None and node.now >= self._propose_at:
            open_attempt = self._propose()
        if open_attempt is None:
            return
        for member in open_attempt.members.members:
            if member.id != node.me.id and member.id not in self.accepted:
                node.addresses.setdefault(member.id, member.address)
                node.reach_for(member.id, node.times.retry)
                node.send_after_disk(member.id, Found(open_attempt.number, open_attempt.members))
        self._look()

    def _propose(self) -> FoundingRecord | None:
        """Make the attempt, once as many as are expected are here."""
        node = self.node
        expect = node.settings.expect
        if expect == 0:
            self._say(0, "expect is 0: waiting to join a cluster that exists", [])
            return None
        seen = sorted([node.me.id, *node.links])
        if len(seen) < expect:
            self._say(0, f"{len(seen)} of {expect} expected peers are here", seen)
            return None
        if not self._my_turn(seen[:expect]):
            return None
        members = []
        for peer in seen[:expect]:
            if peer == node.me.id:
                members.append(Member(peer, node.me.name, node.me.address, True, node.may_serve))
            else:
                remote = node.links[peer]
                members.append(Member(peer, remote.name, remote.address, True, remote.serve))
        number = 1 + max([self._above, *(r.number for r in node.refused_foundings)])
        attempt = FoundingRecord(number, Roster(tuple(members)), True)
        node.founding = attempt
        node.persist(attempt)
        self.accepted = set()
        self._say(number, "proposed", [m.name for m in members])
        return attempt

    def _my_turn(self, members: list[str]) -> bool:
        """The lowest id proposes at once; another that sees everyone, after an interval without an attempt.

        The lowest may have been told of one peer only, and see just that one.
        """
        node = self.node
        if node.me.id not in members:
            return False
        if members[0] == node.me.id:
            return True
        if self._complete_since is None:
            self._complete_since = node.now
        return node.now >= self._complete_since + node.times.retry

    def received(self, peer: str, message: Message) -> None:
        """An attempt to accept or refuse, or an answer to mine."""
        match message:
            case Found(number, members):
                self._asked(peer, number, members)
            case FoundAnswer(number, members, accepted):
                self._answered(peer, number, members, accepted)
            case _:
                pass

    def _asked(self, peer: str, number: int, members: Roster) -> None:
        node = self.node
        mine = node.founding
        refused = any(r.refuses(number, members) for r in node.refused_foundings)
        included = members.get(node.me.id) is not None and len(members.members) == node.settings.expect
        if mine is None and included and not refused:
            mine = node.founding = FoundingRecord(number, members, True)
            node.persist(mine)
            self.accepted = {peer}
            self._say(number, "accepted", [m.name for m in members.members])
        agreed = mine is not None and mine.names(number, members)
        if not agreed and not refused:
            self._refuse(number, members)
        node.send_after_disk(peer, FoundAnswer(number, members, agreed))
        floor = max((r.number for r in node.refused_foundings if not r.members.members), default=0)
        if not agreed and number <= floor:
            node.send_after_disk(peer, FoundAnswer(floor, Roster(()), False))
        if agreed:
            self.accepted.add(peer)
            self._look()

    def _answered(self, peer: str, number: int, members: Roster, accepted: bool) -> None:
        node = self.node
        if not members.members and not accepted and number <= self._above + NUMBER_LEAP_MAX:
            self._above = max(self._above, number)
            return
        if node.founding is None or not node.founding.names(number, members):
            return
        if accepted:
            self.accepted.add(peer)
            self._look()
            return
        node.founding = None
        self._refuse(number, members)
        self.accepted = set()
        self._refusals += 1
        self._propose_at = node.now + node.times.retry * min(self._refusals, PAUSES_MAX)
        self._say(number, "refused", [peer])

    def _refuse(self, number: int, members: Roster) -> None:
        """Refuse an attempt for good. When these are too many, so is everything up to a number that most are below.

        To refuse more than was asked for is always safe: what was refused is never opened.
        """
        node = self.node
        refused = node.refused_foundings
        records = [FoundingRecord(number, members, False)]
        if len(refused) >= REFUSED_MAX:
            floor = sorted(r.number for r in refused)[REFUSED_MAX // 2]
            refused[:] = [r for r in refused if r.number > floor]
            records.append(FoundingRecord(floor, Roster(()), False))
        refused.extend(records)
        for record in records:
            node.persist(record)

    def abandon(self) -> None:
        """A person says that the attempt will never be complete: refuse it on disk, and tell those who accepted.

        Nobody can open it without this peer's acceptance from then on. Whoever has gathered all acceptances before may
        have opened it: such a cluster and one that is founded later refuse each other.
        """
        node, attempt = self.node, self.node.founding
        if attempt is None or self.opened:
            return
        missing = [m.name for m in attempt.members.members if m.id not in self.accepted and m.id != node.me.id]
        node.founding = None
        self._refuse(attempt.number, attempt.members)
        for member in attempt.members.members:
            if member.id != node.me.id:
                node.send_after_disk(member.id, FoundAnswer(attempt.number, attempt.members, False))
        self.accepted = set()
        self._say(attempt.number, "abandoned without", missing)

    def _look(self) -> None:
        """Open the cluster once everyone has accepted, me too, on disk."""
        node, attempt = self.node, self.node.founding
        if attempt is None or self.opened:
            return
        missing = [m.name for m in attempt.members.members if m.id not in self.accepted and m.id != node.me.id]
        if missing:
            self._say(attempt.number, "waiting for", missing)
            return
        self.opened = True
        if node.log.last == 0:
            # The attempt alone decides these bytes, so that every member opens with the same entry; and another attempt
            # opens with an entry of another term, or two clusters would seem to share their begin.
            founding = attempt.name()
            body = roster_entry_body(Roster(attempt.members.members, founding=founding))
            node.append([Entry(0, founding, Kind.ROSTER, 0, 0, body)])
        self._say(attempt.number, "opened", [m.name for m in attempt.members.members])

    def _say(self, number: int, state: str, peers: list[str]) -> None:
        said = f"{number} {state} {peers}"
        if said != self._told:
            self._told = said
            self.node.emit(FoundingChanged(number, state, peers))
