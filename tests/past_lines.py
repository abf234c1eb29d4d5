"""Election log lines of a failover, for tests of what is remembered of it."""

from tanist.election.events import (
    BallotEnded,
    CanvassAnswered,
    CanvassStarted,
    Event,
    FallbackChosen,
    ReignBegan,
    ReignOpen,
    RetriesExhausted,
    RetryEnded,
    RetryStarted,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    VoteCast,
)
from tanist.peer.electionlog.line import LogLine, make_line
from tanist.peer.electionlog.peer_events import ChangeSettled, PeerStarted

A1, B2 = "1@a", "2@b"
NAMES = {"a": "ann", "b": "bea", "c": "cyd"}
LIST = ["bea counts (better link)", "cyd waits (lower link)"]
STARTED = PeerStarted("0", "survivor", "lan", "h:1", "", "")


def at(wall_ms: int, peer: str, event: Event) -> LogLine:
    """A line of one of the three peers."""
    return make_line(
        event, cluster="home", peer=peer, name=NAMES[peer], incarnation="1-1", seq=1, wall_ms=wall_ms, mono_ms=0.0
    )


def beginning() -> list[LogLine]:
    """ann serves, bea and cyd follow."""
    return [
        *(at(0, peer, STARTED) for peer in "abc"),
        at(1, "a", CanvassStarted(1, [], False)),
        at(2, "a", BallotEnded(1, "won", [], {}, 1.0)),
        at(3, "a", ReignBegan(A1, 1, 2.0, True)),
        at(5, "a", ReignOpen(A1, 1, "alone", 2.0)),
        at(500, "a", ChangeSettled(A1, 0.0, 0, 0, 0, -1.0)),
        at(100, "b", ServerFollowed("a", "h:1", A1, 3.0)),
        at(110, "c", ServerFollowed("a", "h:1", A1, 3.0)),
    ]


def beas_part() -> list[LogLine]:
    """bea loses ann, and serves."""
    return [
        at(1000, "b", ServerLost("a", A1, "closed", "reset", 16.0, 7, LIST)),
        at(1000, "b", RoleChanged("client", "seeking", "none", "lost the server")),
        at(1300, "b", RetryStarted(1, 2, "h:1", 300.0)),
        at(1301, "b", RetryEnded(1, 2, "h:1", "refused", "errno 111")),
        at(1600, "b", RetryStarted(2, 2, "h:1", 600.0)),
        at(1601, "b", RetryEnded(2, 2, "h:1", "refused", "")),
        at(1601, "b", RetriesExhausted(2, 601.0, ["bea", "cyd"])),
        at(1601, "b", FallbackChosen("b", "nobody is before me")),
        at(1601, "b", RoleChanged("seeking", "candidate", "none", "nobody ahead of me")),
        at(1601, "b", CanvassStarted(2, ["a", "c"], False)),
        at(1602, "b", CanvassAnswered(2, "c", "better_rank")),
        at(1603, "b", CanvassStarted(2, ["a", "c"], True)),
        at(1604, "b", CanvassAnswered(2, "c", "support")),
        at(1610, "b", BallotEnded(2, "won", ["c"], {"a": "refused"}, 9.0)),
        at(1620, "b", ReignBegan(B2, 9, 620.0, False)),
        at(1625, "b", ReignOpen(B2, 9, "heir", 5.0)),
    ]


def cyds_part() -> list[LogLine]:
    """cyd loses ann, refuses a vote, and follows bea."""
    return [
        at(1002, "c", ServerLost("a", A1, "closed", "", 19.0, 7, LIST)),
        at(1602, "c", VoteCast(2, "b", False, "better_rank")),
        at(1630, "c", ServerFollowed("b", "h:2", B2, 628.0)),
    ]


def settled() -> list[LogLine]:
    """What it cost their callers."""
    return [
        at(2130, "b", ChangeSettled(B2, 650.0, 3, 2, 1, 8.0)),
        at(2131, "c", ChangeSettled(B2, 700.0, 4, 4, 0, -1.0)),
    ]
