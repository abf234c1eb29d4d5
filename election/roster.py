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
    """The members, by id in order, so that equal rosters are equal bytes."""

    members: tuple[Member, ...] = ()

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
        return Roster(tuple(sorted([*rest, member], key=lambda m: m.id)))

    def without(self, peer: str) -> "Roster":
        """This roster without a member."""
        return Roster(tuple(m for m in self.members if m.id != peer))


NOBODY = Roster()
MEMBERS_MAX = 64
"""Members of a roster: each heartbeat round costs a message a member, and a ballot asks all of them."""
