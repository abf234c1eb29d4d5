"""Which of two histories goes on when they meet, in survivor mode: the same answer at both sides."""

from typing import NamedTuple

from tanist.election.history import Fork, History, fork


class Side(NamedTuple):
    """A history, and how many members' disks are known to hold it."""

    history: History
    holders: int


class Verdict(NamedTuple):
    """Whether mine goes on, where the two fork, and why."""

    mine: bool
    at: Fork
    why: str


def compare(mine: Side, theirs: Side) -> Verdict:
    """Compare two sides (protocol, Healing a split, 2).

    One a prefix of the other: the longer. Forked: one with application commands since the fork over one with
    none; then more members holding it; then more application commands; then the higher term.
    """
    at = fork(mine.history, theirs.history)
    if at.theirs_after == 0:
        return Verdict(True, at, "theirs is a prefix" if at.mine_after else "equal")
    if at.mine_after == 0:
        return Verdict(False, at, "mine is a prefix")
    if (at.mine_commands > 0) != (at.theirs_commands > 0):
        return Verdict(at.mine_commands > 0, at, "commands since the fork")
    if mine.holders != theirs.holders:
        return Verdict(mine.holders > theirs.holders, at, "more holders")
    if at.mine_commands != at.theirs_commands:
        return Verdict(at.mine_commands > at.theirs_commands, at, "more commands since the fork")
    return Verdict(mine.history.last_term > theirs.history.last_term, at, "higher term")
