"""The events of the election log that the core emits: one Struct a meaning, with a line for people.

Names, fields and units are fixed: a new meaning is a new event. Every line of the log carries besides
these fields the cluster, peer, incarnation, wall and monotonic time (see docs/reference/events.md).
Times end in `_ms`, numbers of terms are called `number`, peers are ids.
"""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True):
    """Base of all events. `line` renders it for people."""

    line: ClassVar[str] = ""
    level: ClassVar[str] = "info"

    @classmethod
    def kind(cls) -> str:
        """The event's fixed name: its class in snake case."""
        return EVENT_NAMES[cls]


class RoleChanged(Event, frozen=True):
    """This peer's role changed; `term` is "number@holder"."""

    line = "{was} -> {role} ({reason})"
    was: str
    role: str
    term: str
    reason: str


class ServerLost(Event, frozen=True):
    """The server is suspected: the first evidence, from which the retries count.

    `committed` is how far this peer knew the log to be acknowledged.
    """

    line = "lost the server {server}: {evidence} {detail}"
    level = "warning"
    server: str
    term: str
    evidence: str
    detail: str
    heard_ms_ago: float
    committed: int = 0
    fallbacks: list[str] = []
    """The fallback list at that moment, as in `ListPublished`."""


class RetryStarted(Event, frozen=True):
    """Retry `attempt` of `attempts` to reach the lost server, `after_ms` after the loss."""

    line = "retry {attempt}/{attempts} of {address}, {after_ms:.0f} ms after the loss"
    attempt: int
    attempts: int
    address: str
    after_ms: float


class RetryEnded(Event, frozen=True):
    """How a retry ended: "answered" or its evidence."""

    line = "retry {attempt}/{attempts} of {address}: {outcome} {detail}"
    attempt: int
    attempts: int
    address: str
    outcome: str
    detail: str


class RetriesExhausted(Event, frozen=True):
    """No retry brought the server back; the fallback list is walked now.

    `ended_by` is the evidence that ended the retries before all were made, and else empty.
    """

    line = "no answer after {attempts} retries; the list says {fallbacks}"
    attempts: int
    after_ms: float
    fallbacks: list[str]
    ended_by: str = ""


class FallbackChosen(Event, frozen=True):
    """The peer that this one now waits for: the first of the list that answered; or itself.

    `before` are those that go before it: each was struck off.
    """

    line = "going to {peer} ({reason})"
    peer: str
    reason: str
    before: list[str] = []


class FallbackStruck(Event, frozen=True):
    """An entry of the list is out for this round."""

    line = "{peer} is struck off for this round: {reason}"
    peer: str
    reason: str


class Waiting(Event, frozen=True):
    """This peer waits before it promotes itself: for whom, why, and how long at most."""

    line = "waiting up to {up_to_ms:.0f} ms for {peers} ({reason})"
    peers: list[str]
    reason: str
    up_to_ms: float


class CanvassStarted(Event, frozen=True):
    """This peer asks whether it may stand for `number`."""

    line = "canvassing {asked} for number {number}"
    number: int
    asked: list[str]
    again: bool


class CanvassAnswered(Event, frozen=True):
    """One peer's answer: "support" or the reason against."""

    line = "{peer} answers for number {number}: {answer}"
    number: int
    peer: str
    answer: str


class VoteCast(Event, frozen=True):
    """This peer voted, or refused to, and why."""

    line = "vote for {candidate} as number {number}: {granted} {reason}"
    number: int
    candidate: str
    granted: bool
    reason: str


class SideChanged(Event, frozen=True):
    """Survivor mode: this peer heard a live server and a candidate that do not hear each other, and changed sides."""

    line = "leaving {server} for {candidate}, which has more support ({support})"
    level = "warning"
    server: str
    candidate: str
    support: int


class BallotEnded(Event, frozen=True):
    """A ballot ended: won or not, by whose support, and who was left out on what evidence.

    Quorum mode: `voters` are all that may vote, absent ones included.
    """

    line = "ballot for number {number}: {outcome} (support {support}, left out {left_out})"
    number: int
    outcome: str
    support: list[str]
    left_out: dict[str, str]
    took_ms: float
    voters: list[str] = []


class ReignBegan(Event, frozen=True):
    """This peer serves. `without_ms` is how long it had no server before.

    `last_index` is that of the reign's first entry; `after_term` is the term of the entry before it.
    """

    line = "serving as {term}"
    term: str
    last_index: int
    without_ms: float
    first: bool
    after_term: str = ""


class ReignEnded(Event, frozen=True):
    """This peer serves no longer, and why. `committed` is how far it had acknowledged its log."""

    line = "no longer serving {term}: {reason}"
    term: str
    reason: str
    committed: int = 0


class ReignOpen(Event, frozen=True):
    """The reign's first entry is committed: clients are answered from now on."""

    line = "reign {term} is open at index {index} ({durability})"
    term: str
    index: int
    durability: str
    after_ms: float


class ServerFollowed(Event, frozen=True):
    """This peer follows a server. `without_ms` is how long it had none."""

    line = "following {server} ({term})"
    server: str
    address: str
    term: str
    without_ms: float


class ListPublished(Event, frozen=True):
    """The server's ranking changed: best first, each as "name counts|waits (reason)".

    `peers` are their ids in this order, and `heard_ms_ago` when each confirmed a heartbeat last.
    """

    line = "fallback list {version}: {fallbacks}"
    term: str
    version: int
    fallbacks: list[str]
    peers: list[str] = []
    heard_ms_ago: list[float] = []


class CommitSetChanged(Event, frozen=True):
    """Survivor mode: whose disks an acknowledgement waits for now, and why that changed."""

    line = "acknowledgements wait for {members} ({reason})"
    members: list[str]
    reason: str


class MemberChanged(Event, frozen=True):
    """The roster changed: joined, moved, promoted, left."""

    line = "{name} ({peer}) at {address}: {change}"
    peer: str
    name: str
    address: str
    change: str


class MemberForgotten(Event, frozen=True):
    """Survivor mode: a member that was away for long is dropped; it joins again if it returns."""

    line = "{name} ({peer}) has been away for {away_ms:.0f} ms and is dropped"
    level = "warning"
    peer: str
    name: str
    away_ms: float


class BetterRanked(Event, frozen=True):
    """A client ranks above this server by priority or power, and takes over if that stays so (`preempt: idle`)."""

    line = "{peer} ranks above this server ({why}), and takes over when idle after {wait_ms:.0f} ms"
    peer: str
    why: str
    wait_ms: float


class NameReused(Event, frozen=True):
    """A newcomer has the name of a member that is away: its data were wiped, or it is another machine."""

    line = "{peer} is called {name} like {absent}, which is away; if that one's data are gone: tanist leave {absent}"
    level = "warning"
    name: str
    absent: str
    peer: str


class PeerSeen(Event, frozen=True):
    """A link to a peer is open."""

    line = "linked to {name} ({peer}) at {address}"
    level = "debug"
    peer: str
    name: str
    address: str


class PeerLost(Event, frozen=True):
    """A peer that this server counted on no longer answers."""

    line = "lost {peer}: {evidence} {detail}"
    peer: str
    evidence: str
    detail: str


class PeerRefused(Event, frozen=True):
    """This peer refused another, or was refused."""

    line = "{peer} refused: {code} {text}"
    level = "warning"
    peer: str
    code: str
    text: str


class HistoriesCompared(Event, frozen=True):
    """Two histories met: where they fork, and which goes on."""

    line = "history of {peer} forks at {fork}: {verdict}"
    peer: str
    fork: int
    mine_after: int
    theirs_after: int
    verdict: str


class SuffixArchived(Event, frozen=True):
    """Entries left this peer's log and are kept in a file."""

    line = "entries {first} to {last} left the log and are kept apart ({reason})"
    level = "warning"
    first: int
    last: int
    reason: str


class ClaimMade(Event, frozen=True):
    """This server met another: it acknowledges nothing until their claims are settled, or lapse."""

    line = "claiming to {peer} that {term} goes on: {last} entries, {holders} disks hold what was acknowledged"
    peer: str
    term: str
    last: int
    holders: int


class ClaimLapsed(Event, frozen=True):
    """A claim came to nothing: it binds nobody, and this server goes on as before."""

    line = "the claim to {peer} lapsed: {why}"
    peer: str
    why: str


class CopyBegan(Event, frozen=True):
    """This peer would lose entries by following its server: it copies that log beside its own, from `fork` on."""

    line = "copying the log of {server} from {fork} on beside its own: {entries} entries of this peer are not in it"
    server: str
    fork: int
    entries: int


class CopyTookPlace(Event, frozen=True):
    """Everything this peer would lose is in the copy, live or archived: the copy is its log now."""

    line = "the copy of the log of {server} takes the place of its own, from {fork} to {last}"
    server: str
    fork: int
    last: int


class HealStarted(Event, frozen=True):
    """The server archives what a peer brings from a history that ended: where it forks, and its last term."""

    line = "heal {heal}: archiving what {peer} brings from {theirs}, which forks at {fork}"
    heal: str
    peer: str
    fork: int
    theirs: str


class HealFinished(Event, frozen=True):
    """A heal's end is written: how many entries it archived, and how many commands only a snapshot held."""

    line = "heal {heal} archived {archived} entries, {missing} commands are in a snapshot only"
    heal: str
    archived: int
    missing: int


class EntriesLent(Event, frozen=True):
    """A candidate took entries over from a fresher peer before it stands."""

    line = "took entries {first} to {last} over from {peer}"
    peer: str
    first: int
    last: int


class HandoverBegan(Event, frozen=True):
    """The server hands its reign over."""

    line = "handing over to {heir} ({reason})"
    heir: str
    reason: str


class HandoverEnded(Event, frozen=True):
    """How a hand-over ended: "done", or why not."""

    line = "hand-over: {outcome}"
    outcome: str
    took_ms: float


class Woke(Event, frozen=True):
    """This peer's own clock jumped: it was away.

    One that serves `must_prove` its reign before it acknowledges anything beyond `committed`.
    """

    line = "was away for {away_ms:.0f} ms"
    level = "warning"
    away_ms: float
    role: str
    must_prove: bool = False
    committed: int = 0


class ReignProved(Event, frozen=True):
    """A server that was away reached its commit set or majority in its old reign."""

    line = "reign {term} proved after being away"
    term: str
    took_ms: float


class SnapshotInstalled(Event, frozen=True):
    """This peer took the server's snapshot instead of entries that were compacted there."""

    line = "took the snapshot at {index} ({bytes} bytes)"
    index: int
    bytes: int


class LogCompacted(Event, frozen=True):
    """Entries up to `index` are in a snapshot; the log in memory begins at `first`."""

    line = "snapshot at {index}; the log begins at {first}"
    level = "debug"
    index: int
    first: int


class FoundingChanged(Event, frozen=True):
    """Quorum mode: the state of founding, and for whom it waits."""

    line = "founding attempt {number}: {state} {peers}"
    number: int
    state: str
    peers: list[str]


class DiskStalled(Event, frozen=True):
    """A write takes too long: until it is done this peer neither serves nor stands nor votes, and counts nowhere."""

    line = "the disk hangs: a write has taken {waited_ms:.0f} ms so far"
    level = "error"
    waited_ms: float
    role: str


class DiskAnswered(Event, frozen=True):
    """The disk that hung has done what was asked of it."""

    line = "the disk answers again, after {after_ms:.0f} ms"
    after_ms: float


class DamageFound(Event, frozen=True):
    """This peer's disk lost what was on it: it neither stands nor votes nor counts until a server has repaired it."""

    line = "the data here is damaged ({detail}): it neither serves nor votes until a server has repaired it"
    level = "error"
    detail: str


class OlderData(Event, frozen=True):
    """A peer came with data older than what is known of it: a copy was restored. It is repaired like a damaged one."""

    line = "{peer} runs on data older than its start {start}: told to be repaired"
    level = "warning"
    peer: str
    start: int


class RepairAwaited(Event, frozen=True):
    """A damaged peer finds no server to be repaired from: what a person can do stands in docs/how-to/repair.md."""

    line = "no server to repair the damaged data from: start another peer of the cluster, or name one with --peer"
    level = "error"
    known: list[str]


class LossAccepted(Event, frozen=True):
    """A person went on from what is sound of damaged data, up to entry `last`, though no server had repaired it."""

    line = "the damage is accepted: this peer goes on from entry {last}, and what was behind it is lost here"
    level = "warning"
    detail: str
    last: int


class DamageRepaired(Event, frozen=True):
    """The server has made this peer's data whole: it holds everything up to `last`, and is a full member again."""

    line = "the damaged data is repaired, up to entry {last}"
    detail: str
    last: int


class DiskGaveOut(Event, frozen=True):
    """The disk failed; this peer serves no more."""

    line = "the disk failed: {detail}"
    level = "error"
    detail: str


class Implausible(Event, frozen=True):
    """A message was not believed."""

    line = "{peer} sent {what}, ignored"
    level = "warning"
    peer: str
    what: str


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


EVENT_NAMES: dict[type[Event], str] = {
    cls: _snake(cls.__name__) for cls in list(globals().values()) if isinstance(cls, type) and issubclass(cls, Event)
}
EVENTS: dict[str, type[Event]] = {name: cls for cls, name in EVENT_NAMES.items() if cls is not Event}
"""The catalogue: name to event."""
