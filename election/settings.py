"""The settings of the election, each with its unit and its trade-off, and the three named paces."""

from enum import StrEnum

import msgspec

from tanist.election.history import Term

MS = 1_000_000
"""Nanoseconds in a millisecond: the core counts in nanoseconds, people in milliseconds."""


class Safety(StrEnum):
    """What a cluster prefers when it cannot have both."""

    SURVIVOR = "survivor"
    """The last one standing keeps serving."""
    QUORUM = "quorum"
    """Nothing is acknowledged without a majority."""


class Serve(StrEnum):
    """Whether a peer may become the server."""

    AUTO = "auto"
    NEVER = "never"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a cluster is. All in milliseconds.

    A shorter heartbeat time-out finds a frozen server sooner, and takes a busy one for frozen more often.
    A killed process is seen at once whatever the pace, so a short outage needs no short time-out.
    """

    retry_attempts: int = 3
    retry_interval_ms: float = 1500
    heartbeat_every_ms: float = 1000
    heartbeat_timeout_ms: float = 4000
    ballot_ms: float = 500
    sync_timeout_ms: float = 12_000
    start_wait_ms: float = 10_000
    heal_timeout_ms: float = 10_000
    disk_timeout_ms: float = 8000


PACES: dict[str, Pace] = {
    "classic": Pace(),
    "lan": Pace(
        retry_interval_ms=300,
        heartbeat_every_ms=200,
        heartbeat_timeout_ms=1000,
        ballot_ms=100,
        sync_timeout_ms=3000,
        start_wait_ms=4000,
        heal_timeout_ms=4000,
        disk_timeout_ms=5000,
    ),
    "fast": Pace(
        retry_interval_ms=50,
        heartbeat_every_ms=50,
        heartbeat_timeout_ms=400,
        ballot_ms=30,
        sync_timeout_ms=1000,
        start_wait_ms=2000,
        heal_timeout_ms=2000,
        disk_timeout_ms=5000,
    ),
}


BALLOT_STEPS = 3
"""What a ballot waits for at most, each so long as `ballot_ms`: the canvass, a better rank, the votes."""


def pace_problems(pace: Pace) -> list[str]:
    """What is wrong with a pace, in sentences; empty when it can be used."""
    problems = []
    for field in msgspec.structs.fields(Pace):
        if getattr(pace, field.name) <= 0:
            problems.append(f"{field.name} must be greater than 0")
    if pace.heartbeat_timeout_ms < 2 * pace.heartbeat_every_ms:
        problems.append("heartbeat_timeout_ms must be at least twice heartbeat_every_ms: one late heartbeat is no loss")
    hold = (pace.retry_attempts + 1) * pace.retry_interval_ms
    if hold < BALLOT_STEPS * pace.ballot_ms:
        problems.append(
            f"ballot_ms must be at most {hold / BALLOT_STEPS:g}: whoever waits for a candidate waits one retry round "
            f"((retry_attempts + 1) x retry_interval_ms = {hold:g}), a ballot up to {BALLOT_STEPS} x ballot_ms"
        )
    longest = pace.heartbeat_timeout_ms + (pace.retry_attempts + 1) * pace.retry_interval_ms + pace.ballot_ms
    if pace.sync_timeout_ms <= longest:
        problems.append(
            f"sync_timeout_ms must be over {longest:g}, the longest way from the last heartbeat to the ballot "
            "(heartbeat_timeout_ms + (retry_attempts + 1) x retry_interval_ms + ballot_ms), "
            "or no heir would still count when it stands"
        )
    return problems


class ElectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the core is told of its cluster and of its own place in it."""

    safety: Safety = Safety.SURVIVOR
    pace: Pace = PACES["classic"]
    serve: Serve = Serve.AUTO
    priority: int = 0
    """Configured rank: the higher stands first; ties go by id."""
    expect: int = 0
    """Quorum mode: how many peers found the cluster. 0 joins one that exists."""
    sync_successors: int = 1
    """Survivor mode: how many of the list's first an acknowledgement waits for."""
    sync_strict: bool = False
    """Survivor mode: wait for the commit set even when it stays away, instead of going on alone."""
    fallbacks: int = 5
    """Entries of the fallback list, so that heartbeats do not grow with the cluster."""
    snapshot_every: int = 20_000
    """Entries between two snapshots."""
    snapshot_keep: int = 5_000
    """Entries kept behind a snapshot for clients that are only a little behind."""
    heal_keep: int = 100_000
    """Survivor mode: entries kept in the log, snapshots or not, for members that have not confirmed them: absent ones
    may come back with another history, and then every entry since the fork is needed by itself."""
    preempt: str = "never"
    """Whether a better-ranked peer takes over from a live server: never or idle."""
    preempt_after_ms: float = 60_000
    """How long a peer must have been better than the server without a break before it takes over."""
    forget_after_ms: float = 30 * 86_400_000
    """Survivor mode: after how long away a member is dropped from the roster; 0 never."""
    discovery: bool = False
    """Whether peers may yet be found on the network; if not and none was named, a first peer serves at once."""


APPEND_ENTRIES_MAX = 1024
"""Entries in one message, so that one batch does not hold up heartbeats."""
KEPT_BYTES_MAX = 128 << 20
"""Bytes of entries kept behind a snapshot, however few they are: large bodies would fill memory long before
`snapshot.keep` and `heal.keep` let go of them."""
APPEND_BYTES_MAX = 1 << 20
"""Bytes of entries in one message (at least one entry goes)."""
IN_FLIGHT_ENTRIES_MAX = 16_384
"""Entries sent to a client and not yet confirmed by it."""
UNCOMMITTED_ENTRIES_MAX = 65_536
"""Entries a server holds that are not committed; beyond it proposals are declined, to be sent again."""
NUMBER_LEAP_MAX = 1_000_000
"""How far a number may leap: a greater one comes from damage or malice, and is refused."""


def plausible(term: Term, own_number: int) -> bool:
    """Whether a term from another peer may be believed."""
    return 0 <= term.number <= own_number + NUMBER_LEAP_MAX
