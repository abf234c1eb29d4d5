"""Survivor mode: members that were not seen for long are dropped, and join again if they return."""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.roster import MEMBERS_MAX
from tanist.election.settings import MS

if TYPE_CHECKING:
    from tanist.election.reign import Reign


class Forgetting:
    """Drops members that have been away from this server, over all its reigns since it started, for too long."""

    def __init__(self, reign: "Reign") -> None:
        self.reign = reign
        self.node = reign.node

    def look(self) -> None:
        """Look who has been away for `forget_after_ms`; in quorum mode a voter is never dropped by itself."""
        node = self.node
        limit = int(node.settings.forget_after_ms * MS)
        if node.quorum or not limit:
            return
        seen = node.seen
        node.seen = {}
        for member in node.others():
            at = node.now if member.id in node.links else seen.get(member.id, node.started)
            if node.now < at + limit:
                node.seen[member.id] = at
                continue
            node.seen[member.id] = node.now
            node.forgotten[member.id] = node.address_of(member.id) or member.address
            while len(node.forgotten) > MEMBERS_MAX:
                node.forgotten.pop(next(iter(node.forgotten)))
            node.emit(events.MemberForgotten(member.id, member.name, (node.now - at) / MS))
            self.reign.joining.forget(member.id)
