"""A peer whose disk lost what was on it, and how it becomes a full member again.

What it may have promised is not known any more: which numbers it voted in, which entries it said it holds. So it
neither stands nor votes nor counts. It follows, and says with its `Member` at which of its starts the damage was found.
The server makes it a learner for that (an entry of the log), brings it up to date, and lets it vote again (another).
Once it has that second entry, committed, it is repaired.

Why that is enough: the first entry is committed by those who vote without it. A candidate that holds an old vote of
the damaged peer lacks that entry, and one of any majority that could yet elect it has it, and refuses. So no promise
from before the damage can elect anybody, or commit anything, that the repaired peer does not know of.
"""

from typing import TYPE_CHECKING

from tanist.election import events
from tanist.election.records import DamageRecord
from tanist.election.roles import Role

if TYPE_CHECKING:
    from tanist.election.core import Core
    from tanist.election.roster import Member

SOUND = DamageRecord(0, "")
"""Ends a damage in the journal."""


def demoted(known: "Member | None", member: "Member") -> bool:
    """Whether a member that follows was made a learner for the damage it speaks of, or need not be."""
    return not member.damaged or known is None or known.damaged == member.damaged or not known.voter


def find_damage(core: "Core", start: int, detail: str) -> None:
    """While it runs a peer learns that what is on its disk is not what it had promised."""
    node = core.node
    if node.damage is not None:
        return
    node.damage = DamageRecord(start, detail)
    node.persist(node.damage)
    node.emit(events.DamageFound(detail))
    core.behaviour.damaged()


def accept_loss(core: "Core") -> None:
    """A person goes on from what is sound: in survivor mode only, where no vote of before can count twice for long."""
    node = core.node
    if node.damage is None or node.quorum:
        return
    node.emit(events.LossAccepted(node.damage.detail, node.log.last))
    node.damage = None
    node.persist(SOUND)
    core.behaviour.disk_answered()


def look_repaired(core: "Core") -> None:
    """See whether this peer may vote again: the server has made it whole, and everyone will know."""
    node = core.node
    if node.damage is None or core.role is not Role.CLIENT:
        return
    me = node.log.roster_at(node.commit).get(node.me.id)
    if me is None or not me.voter or me.damaged != node.damage.start:
        return
    node.emit(events.DamageRepaired(node.damage.detail, node.log.last))
    node.damage = None
    node.persist(SOUND)
    core.behaviour.disk_answered()
