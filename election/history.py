"""Histories: what a log is made of, where two logs fork, and which of two goes before the other.

A log is described by its reigns. Two logs that have the same reign in them hold the same entries up to
the end of the shorter one of that reign, so that the fork of two logs follows from their reigns alone.
"""

from typing import NamedTuple

import msgspec


class Term(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A number that only grows, and the peer that won it.

    Votes, refusals and stepping down compare numbers alone; the holder only tells apart two servers of
    two fragments. Applications get it as a fencing token: in quorum mode it excludes, in survivor mode
    it orders.
    """

    number: int
    holder: str

    def __str__(self) -> str:
        return f"{self.number}@{self.holder}" if self.number else "none"


NO_TERM = Term(0, "")


class Reign(msgspec.Struct, frozen=True, array_like=True):
    """A run of entries written in one term: its first index, and the application commands before it."""

    term: Term
    first: int
    commands_before: int


class History(msgspec.Struct, frozen=True, array_like=True):
    """A log in short: its reigns in order, its last index, and how many application commands it holds.

    `complete` is false when the oldest reigns were left out (see `REIGNS_SENT_MAX`).
    """

    reigns: tuple[Reign, ...] = ()
    last: int = 0
    commands: int = 0

    @property
    def last_term(self) -> Term:
        """The term of the last entry, or `NO_TERM` for an empty log."""
        return self.reigns[-1].term if self.reigns else NO_TERM


EMPTY = History()

REIGNS_SENT_MAX = 512
"""Reigns in a history that is sent; older ones are left out, so that a message stays under 32 KiB."""


class Fork(NamedTuple):
    """Where two histories part: the last index they share, and the commands each has after it."""

    at: int
    mine_after: int
    theirs_after: int
    mine_commands: int
    theirs_commands: int


def fork(mine: History, theirs: History) -> Fork:
    """Find the last index that two histories share.

    The same (term, first index) in both means the same entries from there to the end of the shorter run;
    the last such reign decides.
    """
    theirs_at = {(r.term, r.first): i for i, r in enumerate(theirs.reigns)}
    for i in range(len(mine.reigns) - 1, -1, -1):
        reign = mine.reigns[i]
        j = theirs_at.get((reign.term, reign.first))
        if j is None:
            continue
        my_end, my_commands = _end(mine, i)
        their_end, their_commands = _end(theirs, j)
        # The shorter run ends at a reign's begin or at a log's end, where the number of commands is known.
        index, commands = (my_end, my_commands) if my_end <= their_end else (their_end, their_commands)
        return Fork(index, mine.last - index, theirs.last - index, mine.commands - commands, theirs.commands - commands)
    return Fork(0, mine.last, theirs.last, mine.commands, theirs.commands)


def _end(history: History, i: int) -> tuple[int, int]:
    """The last index of reign number `i` of a history, and the commands up to it."""
    if i + 1 < len(history.reigns):
        following = history.reigns[i + 1]
        return following.first - 1, following.commands_before
    return history.last, history.commands


def raft_order(history: History) -> tuple[int, int]:
    """Freshness in quorum mode (Raft 5.4.1): last term's number, then length."""
    return history.last_term.number, history.last


def survivor_order(history: History) -> tuple[int, int, int]:
    """Freshness in a survivor ballot: a total order, since a ballot cannot count holders."""
    return history.commands, history.last_term.number, history.last
