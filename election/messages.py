"""Every message that peers exchange once they know each other; one meaning each, dispatched by `match`.

The sender is not in the message: the link says who it is. A code never changes its meaning; unknown codes
are skipped, and unknown trailing fields are ignored, so that old and new peers can talk.
"""

import msgspec

from tanist.election.archived import ArchivedEntry, Reported
from tanist.election.archivedkeys import NO_ARCHIVES, Archives
from tanist.election.condition import Condition
from tanist.election.entries import Entry, Proposal
from tanist.election.fallbacks import NO_LIST, FallbackList
from tanist.election.history import EMPTY, NO_TERM, History, Term
from tanist.election.roster import Member, Roster


class Message(msgspec.Struct, frozen=True, array_like=True):
    """Base of all messages."""


# Looking for a server


class Seek(Message, frozen=True):
    """I look for a server. Here is what I have, and which server I lost on what evidence.

    `ends_in_ms` is how long my own retries still take; `fresh` says that I never knew a heartbeat. `linked` are
    the peers I am linked to and where they listen now: after a full stop all addresses may be others. `able` is
    whether I may stand.
    """

    history: History
    fallbacks: FallbackList
    lost: Term
    evidence: str
    ends_in_ms: float
    fresh: bool
    linked: dict[str, str] = {}
    able: bool = True


class Serving(Message, frozen=True):
    """I serve. My history, and how many members (I too) hold it.

    To another server, `heard` is the reign of its that I heard of: what I say answers it.
    """

    term: Term
    history: History
    holders: int
    heard: Term = NO_TERM


class Following(Message, frozen=True):
    """I follow that server."""

    term: Term
    server: str
    address: str


class NotYet(Message, frozen=True):
    """I have no server either, and am not done counting my retries: ask again after `wait_ms`."""

    wait_ms: float
    history: History
    fallbacks: FallbackList
    fresh: bool
    linked: dict[str, str] = {}
    able: bool = True


class Follow(Message, frozen=True):
    """I would follow you: this is who I am and what I have. Answered by `Append`, `Refuse` or `HandOver`."""

    term: Term
    own_number: int
    history: History
    member: Member
    able: bool = True
    """Whether it could serve itself: a history that goes on needs a server that has it."""


class Refuse(Message, frozen=True):
    """I will not work with you: a code for programs, and a sentence for people."""

    code: str
    text: str


class Outdated(Message, frozen=True):
    """I know start number `start` of you, or more of what you held: your data are older. Be repaired, as damaged."""

    start: int


class Goodbye(Message, frozen=True):
    """I leave now; do not wait for me."""

    reason: str


# Reigning


class Heartbeat(Message, frozen=True):
    """I serve, still. The list, and `echo`: the newest `Confirm.sequence` that arrived from you."""

    term: Term
    round: int
    commit: int
    fallbacks: FallbackList
    echo: int
    reach: int
    members: int
    confirmed: int = 0
    """How far every member is known to hold the log, absent ones included: nobody compacts past it by far."""


class Confirm(Message, frozen=True):
    """I heard heartbeat `round`; I have list `version` on disk. `condition`: how fit my machine is to serve.

    `able` is false while my disk cannot be counted on (it hangs, it failed): wait for me no more.
    """

    term: Term
    round: int
    sequence: int
    version: int
    stored: int
    condition: Condition = Condition()
    able: bool = True


class Append(Message, frozen=True):
    """Entries after (`previous`, `previous_term`), and how far the log is committed and how safely."""

    term: Term
    previous: int
    previous_term: Term
    entries: tuple[Entry, ...]
    commit: int
    durability: str
    reach: int


class Stored(Message, frozen=True):
    """I hold your log up to `match`, on disk."""

    term: Term
    match: int


class Conflict(Message, frozen=True):
    """Your `Append` does not fit my log after `previous`; this is my history."""

    term: Term
    previous: int
    history: History


# Standing for election


class Canvass(Message, frozen=True):
    """I would stand for `number`. Changes nothing at those asked.

    `again` means that I waited for a better-ranked peer once already: rank is ignored. `support` is how many I
    would have, I too, and `opposed` how many hear both me and a live server, when I have asked before.
    """

    number: int
    history: History
    list_age: tuple[Term, int]
    evidence: str
    again: bool
    support: int = 0
    opposed: int = 0


class Support(Message, frozen=True):
    """I would vote for you as `number`."""

    number: int


class Oppose(Message, frozen=True):
    """I would not: `reason` is one of `server_alive`, `fresher`, `lends`, `better_rank`, `stale_number`, `unable`.

    `lends`: fresher, and not able to stand.
    `own_number` is mine; `following` is how many follow the live `server` (`server_alive`). With `fresher` that I
    would leave it for you, once you hold what I have.
    """

    number: int
    reason: str
    own_number: int
    history: History = EMPTY
    following: int = 0
    server: str = ""


class RequestVote(Message, frozen=True):
    """Vote for me as `number`. `handover`: my live server told me to stand. The rest as in `Canvass`."""

    number: int
    history: History
    handover: bool
    support: int = 0
    opposed: int = 0


class Vote(Message, frozen=True):
    """My vote for `number`, on disk before it left, or the reason against it (as in `Oppose`)."""

    number: int
    granted: bool
    reason: str
    own_number: int
    history: History = EMPTY


class Fetch(Message, frozen=True):
    """Lend me your entries after `after` (of term `after_term`): I stand, and lack them."""

    after: int
    after_term: Term


class Lend(Message, frozen=True):
    """Entries after (`previous`, `previous_term`), lent to a candidate; `more` follow when asked."""

    previous: int
    previous_term: Term
    entries: tuple[Entry, ...]
    more: bool


class HandOver(Message, frozen=True):
    """My reign ends; `heir` stands at once, and you go to it."""

    term: Term
    heir: str
    address: str
    reason: str


# Commands on their way to the server


class Propose(Message, frozen=True):
    """Make these entries, in this order."""

    proposals: tuple[Proposal, ...]


class Declined(Message, frozen=True):
    """I did not make entries of your last proposals: send what you still wait for again after `retry_ms`."""

    reason: str
    retry_ms: float


class ReadIndex(Message, frozen=True):
    """How far must I have applied to read what is true now? `prove`: confirm your reign first."""

    request: int
    prove: bool


class ReadAt(Message, frozen=True):
    """Apply up to `index`, then read; -1 when I may not say (no server, reign not proved)."""

    request: int
    index: int


# Healing a split (survivor mode)


class Claim(Message, frozen=True):
    """I serve too: this is what my side has, all of it on my disk, and how many disks are known to hold it.

    `claim` names this statement and `answers` the one of yours that arrived, or is "". Only two claims that answer
    each other decide; one that lapsed binds nobody.
    """

    claim: str
    answers: str
    term: Term
    history: History
    holders: int


class Salvage(Message, frozen=True):
    """Entries that I would lose by following you, from after `fork` on: archive them in your log first.

    `theirs` is the last term of my log, which begins at `first` in memory: what lies between is in a snapshot of mine
    only. `commands` is how many application commands I have after the fork and in memory. `reported` is what the heals
    in my log and not in yours said to be in snapshots only, by heal. Answered by your log, in which I look for my
    entries.
    """

    term: Term
    fork: int
    theirs: Term
    entries: tuple[ArchivedEntry, ...]
    first: int
    commands: int
    last: bool
    reported: tuple[Reported, ...] = ()


class Copied(Message, frozen=True):
    """I have a copy of your log up to `index` beside my own. It counts for nothing yet; send more."""

    term: Term
    index: int


# Snapshots, pulled by the client so that it can resume


class SnapshotMeta(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot holds: all up to `index`. `digest` is the hex BLAKE2b-256 of its bytes."""

    index: int
    term: Term
    time_ns: int
    history: History
    roster: Roster
    bytes: int
    digest: str
    archived: Archives = NO_ARCHIVES


class SnapshotOffer(Message, frozen=True):
    """What you lack is compacted here; take this snapshot instead. `term` is the server's; none when it is lent."""

    term: Term
    meta: SnapshotMeta


class SnapshotFetch(Message, frozen=True):
    """Send me the snapshot of `index` from byte `offset` on."""

    index: int
    digest: str
    offset: int


class SnapshotChunk(Message, frozen=True):
    """Bytes of a snapshot from `offset` on; none at all when I no longer have it."""

    index: int
    digest: str
    offset: int
    data: bytes


# Founding a quorum cluster, and leaving


class Found(Message, frozen=True):
    """Attempt `number`: let exactly these members found the cluster."""

    number: int
    members: Roster


class FoundAnswer(Message, frozen=True):
    """I accept that founding, or refuse it for good; on disk before it left."""

    number: int
    members: Roster
    accepted: bool


class Leave(Message, frozen=True):
    """Take this member out of the roster."""

    peer: str


MESSAGES: dict[int, type[Message]] = {
    16: Seek,
    17: Serving,
    18: Following,
    19: NotYet,
    20: Follow,
    21: Refuse,
    22: Goodbye,
    23: Outdated,
    32: Heartbeat,
    33: Confirm,
    34: Append,
    35: Stored,
    36: Conflict,
    48: Canvass,
    49: Support,
    50: Oppose,
    51: RequestVote,
    52: Vote,
    53: Fetch,
    54: Lend,
    55: HandOver,
    64: Propose,
    65: Declined,
    66: ReadIndex,
    67: ReadAt,
    72: Claim,
    73: Salvage,
    74: Copied,
    80: SnapshotOffer,
    81: SnapshotFetch,
    82: SnapshotChunk,
    96: Found,
    97: FoundAnswer,
    98: Leave,
}
"""Frame type to message. 1 to 15 belong to the hello; 112 to 127 are kept for outside use."""

__all__ = [*(m.__name__ for m in MESSAGES.values()), "MESSAGES", "NO_LIST", "Message", "SnapshotMeta"]
