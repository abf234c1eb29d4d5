"""The roster: the known members, replicated in the log as whole rosters, in force when written."""

import msgspec


class Member(msgspec.Struct, frozen=True, array_like=True):
    """One known peer. `joined_ns` is log time. A member that may not vote is a learner."""

    id: str
    name: str
    address: str
    voter: bool = True
    serve: bool = True
    joined_ns: int = 0
    damaged: int = 0
    """At which of its starts its disk was last found damaged, 0 for never: see `repairing`."""


class Roster(msgspec.Struct, frozen=True, array_like=True):
    """The members, by id in order, so that equal rosters are equal bytes.

    `left` are the ids that were taken out for good, oldest first: they do not join again.
    """

    members: tuple[Member, ...] = ()
    left: tuple[str, ...] = ()
    founding: str = ""
    """Quorum mode: which founding this cluster goes back to; clusters of different ones have nothing in common."""

    def get(self, peer: str) -> Member | None:
        """The member with this id, if there is one."""
        for member in self.members:
            if member.id == peer:
                return member
        return None

    def named(self, name: str) -> Member | None:
        """The member with this name, if there is one."""
        for member in self.members:
            if member.name == name:
                return member
        return None

    def ids(self) -> frozenset[str]:
        """The ids of all members."""
        return frozenset(m.id for m in self.members)

    def voters(self) -> frozenset[str]:
        """The ids of the members that may vote."""
        return frozenset(m.id for m in self.members if m.voter)

    def with_member(self, member: Member) -> "Roster":
        """This roster with a member added or replaced."""
        rest = [m for m in self.members if m.id != member.id]
        return Roster(tuple(sorted([*rest, member], key=lambda m: m.id)), self.left, self.founding)

    def without(self, peer: str, *, for_good: bool) -> "Roster":
        """This roster without a member, which may join again or not."""
        left = (*(i for i in self.left if i != peer), peer)[-LEFT_MAX:] if for_good else self.left
        return Roster(tuple(m for m in self.members if m.id != peer), left, self.founding)


NOBODY = Roster()
LEFT_MAX = 256
"""Ids remembered of those that left: one so old that it fell out joins as a newcomer would."""
MEMBERS_MAX = 64
"""Members of a roster: each heartbeat round costs a message a member, and a ballot asks all of them."""
