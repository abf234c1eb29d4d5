"""What a heal writes into the log that goes on: the entries of the history that ended, kept under their old places.

    HEAL       one history ends here: where it forks, and whose it was
    ARCHIVED   one entry of it, once for each old (term, index)
    HEALED     all that was to be had is in the log; from here on each application decides its entries' fate

A key that is in the log already, live or archived, is not entered again, so that several members of one side, a
repeated heal, and a second split in the middle of one all end in the same entries.
"""

import msgspec

from tanist.election.entries import Entry, Kind
from tanist.election.history import Term

Key = tuple[int, Term]
"""What makes an entry this entry, in whatever log: its old index and term."""


class HealBegun(msgspec.Struct, frozen=True, array_like=True):
    """Body of `Kind.HEAL`: the heal's id, the last index both histories share, and the side that gives way."""

    heal: str
    fork: int
    theirs: Term
    """The last term of the history that ends."""
    members: tuple[str, ...]
    first: int = 0
    """The first old index that can come: what lies between the fork and it is in a snapshot only."""


class ArchivedEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Body of `Kind.ARCHIVED`: an entry of the history that ended, as it was, at its old index.

    `acknowledged` is whether the losing side knows that somebody was told it counts; otherwise nobody knows.
    """

    heal: str
    index: int
    entry: Entry
    acknowledged: bool

    @property
    def key(self) -> Key:
        """What makes it this entry, in whatever log: its old index and term."""
        return self.index, self.entry.term


class Reported(msgspec.Struct, frozen=True, array_like=True):
    """How many commands a heal reported to be in a snapshot only: more than none."""

    heal: str
    missing: int


class HealEnded(msgspec.Struct, frozen=True, array_like=True):
    """Body of `Kind.HEALED`: how many entries were archived under a heal, and how many were in a snapshot only.

    `earlier` is what heals reported that are in the history that ended, and end with it; `missing` counts these too.
    """

    heal: str
    archived: int
    missing: int
    earlier: tuple[Reported, ...] = ()

    def reports(self) -> list[Reported]:
        """What this says of each heal, its own first."""
        own = self.missing - sum(report.missing for report in self.earlier)
        return [*([Reported(self.heal, own)] if own > 0 else []), *self.earlier]


HEAL_KINDS = frozenset({Kind.HEAL, Kind.ARCHIVED, Kind.HEALED})
"""Kinds that only a heal writes."""
BOOKKEEPING = frozenset({Kind.REIGN, Kind.ROSTER, Kind.HEAL, Kind.HEALED, Kind.ACCOUNT, Kind.SETTINGS})
"""Kinds that say something about the history they are in and nothing else: they end with it, and are not archived.

Accounts end with it too: whoever gave one gives it again to the history that goes on.
Settings end with it because the history that goes on has its own.
"""

_encoder = msgspec.msgpack.Encoder()
_begun = msgspec.msgpack.Decoder(HealBegun)
_archived = msgspec.msgpack.Decoder(ArchivedEntry)
_ended = msgspec.msgpack.Decoder(HealEnded)


def heal_body(body: HealBegun | ArchivedEntry | HealEnded) -> bytes:
    """The body of an entry that a heal writes."""
    return _encoder.encode(body)


def heal_begun(entry: Entry) -> HealBegun:
    """What a `Kind.HEAL` entry says."""
    return _begun.decode(entry.body)


def archived_entry(entry: Entry) -> ArchivedEntry:
    """What a `Kind.ARCHIVED` entry keeps."""
    return _archived.decode(entry.body)


def heal_ended(entry: Entry) -> HealEnded:
    """What a `Kind.HEALED` entry says."""
    return _ended.decode(entry.body)


def is_command(entry: Entry) -> bool:
    """Whether an entry is an application command, archived ones included."""
    return entry.kind == Kind.COMMAND or (
        entry.kind == Kind.ARCHIVED and archived_entry(entry).entry.kind == Kind.COMMAND
    )


def key_of(index: int, entry: Entry) -> Key | None:
    """The key under which an entry at an index must be kept when it leaves a log; None for bookkeeping.

    One that is archived already keeps its first key, so that nothing is archived inside an archive.
    """
    if entry.kind in BOOKKEEPING:
        return None
    return archived_entry(entry).key if entry.kind == Kind.ARCHIVED else (index, entry.term)
