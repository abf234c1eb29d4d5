"""The arithmetic of majorities and of what is committed. Nothing else is in here."""

from collections.abc import Collection, Mapping
from enum import StrEnum


class Durability(StrEnum):
    """Where an acknowledged entry was on disk, at least, when it was acknowledged."""

    ALONE = "alone"
    HEIR = "heir"
    MAJORITY = "majority"
    ALL = "all"


def majority(voters: int) -> int:
    """How many of so many voters are more than half."""
    return voters // 2 + 1


def has_majority(yes: Collection[str], voters: Collection[str]) -> bool:
    """Whether more than half of the voters are among `yes`; who is no voter does not count."""
    return sum(1 for v in voters if v in yes) >= majority(len(voters))


def majority_match(matches: Mapping[str, int], voters: Collection[str]) -> int:
    """The highest index that more than half of the voters hold (Raft 5.3); a voter not named holds nothing."""
    if not voters:
        return 0
    held = sorted((matches.get(v, 0) for v in voters), reverse=True)
    return held[majority(len(voters)) - 1]


def durability(
    index: int, matches: Mapping[str, int], voters: Collection[str], heirs: Collection[str] = ()
) -> Durability:
    """The highest promise that is true of `index` now, absent voters included.

    `matches` holds what each peer has on disk, the server too; `heirs` is the commit set without the server.
    """
    holders = sum(1 for v in voters if matches.get(v, 0) >= index)
    if len(voters) > 1:
        if holders == len(voters):
            return Durability.ALL
        if holders >= majority(len(voters)):
            return Durability.MAJORITY
    if heirs and all(matches.get(h, 0) >= index for h in heirs):
        return Durability.HEIR
    return Durability.ALONE
