"""The events of the election log that a running peer emits besides those of the core, in the same style.

Names, fields and units are fixed: a new meaning is a new event. Times end in `_ms`, peers are ids, terms
are written "number@holder".
"""

from tanist.election.events import Event


class PeerEvent(Event, frozen=True):
    """Base of the events that the running peer emits itself."""

    @classmethod
    def kind(cls) -> str:
        """The event's fixed name: its class in snake case."""
        return PEER_EVENT_NAMES[cls]


class PeerStarted(PeerEvent, frozen=True):
    """This peer runs: where others and people reach it, where its data are, and how patient it is."""

    line = "tanist {version} started at {address} (page {http}), {safety}, pace {pace}, data in {data}"
    version: str
    safety: str
    pace: str
    address: str
    http: str
    data: str
    retry_attempts: int = 0
    retry_interval_ms: float = 0.0
    heartbeat_timeout_ms: float = 0.0


class PeerStopped(PeerEvent, frozen=True):
    """This peer ends; `code` is the exit status of its process. Without this line it was killed."""

    line = "stopped with status {code}: {reason}"
    reason: str
    code: int


class JournalRecovered(PeerEvent, frozen=True):
    """The journal was read at the start; `torn_bytes` at its end were never acknowledged and are dropped."""

    line = "journal read: {records} records, {torn_bytes} torn bytes dropped"
    records: int
    torn_bytes: int


class DataKeptAside(PeerEvent, frozen=True):
    """Files that this peer found damaged at its start are kept for people; it goes on from what is sound of them."""

    line = "damaged files are kept in {path}: {what}"
    level = "error"
    what: str
    path: str


class ClientsWaited(PeerEvent, frozen=True):
    """The server changed while calls were on their way: how many of this peer's waited, and the longest."""

    line = "calls that waited while {from_term} became {to_term}: {calls}, the longest {longest_ms:.0f} ms"
    calls: int
    longest_ms: float
    from_term: str
    to_term: str


class CallsRetried(PeerEvent, frozen=True):
    """Calls were submitted once more, under the same session and sequence; they are applied once."""

    line = "calls submitted again: {calls} ({reason})"
    calls: int
    reason: str


class ChangeSettled(PeerEvent, frozen=True):
    """The change to the reign `term` is over at this peer: what it cost the callers here.

    `outage_ms` is the longest time between two answers while calls waited. Of `calls` that waited, `retried` were sent
    once more, and `deduplicated` of these had been done already. `write_ms`, at the server: from the reign's begin to
    its first command, -1 if none came soon.
    """

    line = (
        "the change to {term} is over here: {calls} calls waited (up to {outage_ms:.0f} ms), "
        "{retried} sent again, {deduplicated} of them done before"
    )
    term: str
    outage_ms: float
    calls: int
    retried: int
    deduplicated: int
    write_ms: float


class LoopStalled(PeerEvent, frozen=True):
    """The event loop did not turn for `stalled_ms`: heartbeats and answers were late by as much."""

    line = "the event loop stood still for {stalled_ms:.0f} ms"
    level = "warning"
    stalled_ms: float


class ConnectionRejected(PeerEvent, frozen=True):
    """A connection was turned away; `not_told` more were since the last line, and got none of their own."""

    line = "turned away {source}: {code} {text} ({not_told} more not told)"
    level = "warning"
    source: str
    code: str
    text: str
    not_told: int


class DialFailed(PeerEvent, frozen=True):
    """An address could not be reached. Common while a member is absent, so not recorded by default."""

    line = "could not reach {address}: {evidence} {detail}"
    level = "debug"
    address: str
    evidence: str
    detail: str


class ArchiveWritten(PeerEvent, frozen=True):
    """Entries that left the log are in a file that people can read."""

    line = "entries that left the log are kept in {path}"
    level = "warning"
    path: str


class FatesDecided(PeerEvent, frozen=True):
    """A heal ended, and each entry that it brought has its fate: how many were applied, and which do not hold.

    `superseded` were acknowledged, `unknown` perhaps; `missing` were in a snapshot only. `path` is their readable file.
    """

    line = (
        "heal {heal}: of {archived} entries {applied} are applied, {superseded} acknowledged and {unknown} other "
        "commands are archived only, {missing} are missing; see {path}"
    )
    level = "warning"
    heal: str
    archived: int
    applied: int
    superseded: int
    unknown: int
    missing: int
    path: str


class HealFileFailed(PeerEvent, frozen=True):
    """The readable file of a heal cannot be written; the log has the entries, and later files may be whole."""

    line = "the file of a heal cannot be written: {error}; its entries are in the log, see GET /heals"
    level = "error"
    error: str


class SnapshotWritten(PeerEvent, frozen=True):
    """The state up to entry `index` is on disk as a snapshot."""

    line = "snapshot at {index} written ({bytes} bytes in {took_ms:.0f} ms)"
    level = "debug"
    index: int
    bytes: int
    took_ms: float


class FeatureLater(PeerEvent, frozen=True):
    """A flag was accepted whose effect comes with a later version."""

    line = "{flag} is accepted but has no effect yet"
    level = "warning"
    flag: str


class BindWarning(PeerEvent, frozen=True):
    """This peer listens where others than this machine can reach it."""

    line = "listening at {address}: whoever can reach that address can talk to this peer"
    level = "warning"
    address: str


class ApplicationFault(PeerEvent, frozen=True):
    """A bug in an application; the same on every peer, and the peer goes on. `error` is its type and place alone.

    The message of an error may quote what users entered: `tanist simulate --app` and tests of the application show it.
    """

    line = "{app}.{command} failed: {error}"
    level = "error"
    app: str
    command: str
    error: str


class EffectsLost(PeerEvent, frozen=True):
    """Events came faster than an application had its effects of them done; these had none at this peer."""

    line = "{events} events of {app} had no effect here: too many waited"
    level = "error"
    app: str
    events: int


class SettingsDiffer(PeerEvent, frozen=True):
    """This peer is configured with other settings of an application than the cluster uses; the cluster's hold.

    `tanist config use APP` has all peers use those of this one.
    """

    line = "settings of {app} are not those that the cluster uses, which hold here too: {settings} (tanist config use)"
    level = "warning"
    app: str
    settings: list[str]


class SettingsChanged(PeerEvent, frozen=True):
    """The cluster uses other settings of an application from now on: those of a peer that was told to have it so."""

    line = "settings of {app} are others in the whole cluster now: {settings}"
    app: str
    settings: list[str]


class FaultInjected(PeerEvent, frozen=True):
    """A failure was injected into this peer on purpose, for `for_ms`; `fault` is its name until it ends."""

    line = "drill: {failure} {detail} for {for_ms:.0f} ms ({fault})"
    level = "warning"
    fault: str
    failure: str
    detail: str
    for_ms: float


class FaultEnded(PeerEvent, frozen=True):
    """A failure that was injected on purpose is undone. Missing for one that ended this process."""

    line = "drill: {failure} {detail} is over ({fault}): {reason}"
    level = "warning"
    fault: str
    failure: str
    detail: str
    reason: str


class ElectionLogUnwritable(PeerEvent, frozen=True):
    """The election log cannot be written; the peer goes on without. Heard by listeners, not in the file."""

    line = "the election log {path} cannot be written ({error}); lines are lost until it can: free space or fix rights"
    level = "error"
    path: str
    error: str


class ElectionLogLinesLost(PeerEvent, frozen=True):
    """The election log can be written again, and this many lines are missing before this one."""

    line = "{lines} lines of the election log were lost: {error}"
    level = "error"
    lines: int
    error: str


class ListenerFailed(PeerEvent, frozen=True):
    """A listener of the election log raised, and hears no more."""

    line = "{listener} of the election log failed and hears no more: {error}"
    level = "error"
    listener: str
    error: str


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


PEER_EVENT_NAMES: dict[type[Event], str] = {
    cls: _snake(cls.__name__) for cls in PeerEvent.__subclasses__() if cls.__module__ == __name__
}
"""The name of each event of the running peer."""
