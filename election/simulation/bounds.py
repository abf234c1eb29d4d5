"""How long a cluster may take to come to one server: derived from its pace, as invariant 10 of the protocol says."""

from __future__ import annotations

from tanist.election.candidacy import BALLOTS_STRETCH_MAX
from tanist.election.commitset import DRIFT_MARGIN
from tanist.election.settings import MS, ElectionSettings, Pace, Safety
from tanist.election.simulation.world import World

RANKS_MAX = 6
"""The highest rank that a wait before a ballot grows with: a list has five entries, who is not in it comes last."""
FAILS_MAX = 6
"""Lost ballots in a row that such a wait grows with."""


def retry_round_ms(pace: Pace) -> float:
    """The retries, and the deadline of the last."""
    return pace.retry_interval_ms * (pace.retry_attempts + 1)


def hold_ms(pace: Pace) -> float:
    """How long one that stands is waited for: a retry round, or its ballot where that takes longer."""
    return max(retry_round_ms(pace), 3 * pace.ballot_ms)


def ballot_ms(pace: Pace, peers: int) -> float:
    """One ballot: the wait before it with all its jitter, the canvass, the wait for a better rank, and the votes."""
    longest_wait = pace.ballot_ms * (1 + min(peers, RANKS_MAX) + FAILS_MAX) * 2
    return longest_wait + 3 * pace.ballot_ms


def one_server_ms(world: World, pace: Pace, safety: Safety, peers: int) -> float:
    """Until one server is followed by all that reach each other: invariant 10.

    The loss is noticed (`heartbeat.timeout`); one retry round; one hold; any `start.wait`; two ballots. On the way
    things take their time: a few messages and writes each, which tiny time-outs must not count as nothing.
    """
    noticed = pace.heartbeat_timeout_ms
    waits = retry_round_ms(pace) + hold_ms(pace) + pace.start_wait_ms
    if safety is Safety.SURVIVOR:
        # What left the commit set without a word is waited for until it cannot count itself.
        waits += pace.sync_timeout_ms
    if any(peer.hung for peer in world.peers.values()):
        # Outside the core a disk hangs: until its peer notices it stands and votes, and no vote of its gets there; who
        # asked for it waits as long as a ballot takes that failed often, for the canvass and for the votes.
        waits += pace.disk_timeout_ms + 2 * BALLOTS_STRETCH_MAX * pace.ballot_ms
    travel = 40 * (2 * world.latency + world.disk) / MS
    return noticed + waits + 2 * ballot_ms(pace, peers) + travel


def healed_ms(world: World, pace: Pace, safety: Safety, peers: int) -> float:
    """Until all pieces are one again, and whoever stood outside has caught up: each piece in turn finds a server, is
    found by a probe, settles its claims, and has its members copy the log that goes on."""
    pieces = max(1, peers - 1) if safety is Safety.SURVIVOR else 1
    each = pace.heal_timeout_ms + 2 * retry_round_ms(pace) + pace.heartbeat_timeout_ms
    return one_server_ms(world, pace, safety, peers) * 2 + pieces * each


def answered_ms(settings: ElectionSettings, patience_ms: float) -> float:
    """Until whoever asks is answered, once there is a server: a few tries, each after the patience of its client, and
    what a member that fell silent holds up: with `sync.strict` until it cannot count itself."""
    pace = settings.pace
    waits = pace.heartbeat_timeout_ms
    if settings.safety is Safety.SURVIVOR and settings.sync_strict:
        waits += pace.sync_timeout_ms * (1 + DRIFT_MARGIN) + pace.heartbeat_every_ms
    return patience_ms * 2 * 5 + waits


def given_up_ms(pace: Pace) -> float:
    """Until a server gives up a client that it does not hear: while that may count, its place is kept."""
    return max(pace.sync_timeout_ms, 2 * pace.heartbeat_timeout_ms) + 2 * pace.heartbeat_every_ms


__all__ = ["answered_ms", "ballot_ms", "given_up_ms", "healed_ms", "hold_ms", "one_server_ms", "retry_round_ms"]
