"""What a heal writes into the log that goes on: the entries of the history that ended, kept under their old places.

    HEAL       one history ends here: where it forks, and whose it was
    ARCHIVED   one entry of it, once for each old (term, index)
    HEALED     all that was to be had is in the log; from here on each application decides its entries' fate

A key that is in the log already, live or archived, is not entered again, so that several members of one side, a
repeated heal, and a second split in the middle of one all end in the same entries.
"""

import msgspec

from tanist.election.entries import Entry
from tanist.election.history import Term


class HealBegun(msgspec.Struct, frozen=True, array_like=True):
    """Body of `Kind.HEAL`: the heal's id, the last index both histories share, and the side that gives way."""

    heal: str
    fork: int
    theirs: Term
    """The last term of the history that ends."""
    members: tuple[str, ...]


class ArchivedEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Body of `Kind.ARCHIVED`: an entry of the history that ended, as it was, at its old index.

    `acknowledged` is whether the losing side knows that somebody was told it counts; otherwise nobody knows.
    """

    heal: str
    index: int
    entry: Entry
    acknowledged: bool

    @property
    def key(self) -> tuple[int, Term]:
        """What makes it this entry, in whatever log: its old index and term."""
        return self.index, self.entry.term


class HealEnded(msgspec.Struct, frozen=True, array_like=True):
    """Body of `Kind.HEALED`: how many entries were archived under a heal, and how many were in a snapshot only."""

    heal: str
    archived: int
    missing: int
