"""Lines with their moments, for tests of timelines: one election, told by three peers."""

from collections.abc import Iterable

from tanist.election.events import (
    BallotEnded,
    CanvassAnswered,
    CanvassStarted,
    Event,
    FallbackChosen,
    ReignBegan,
    ReignOpen,
    RetryEnded,
    RetryStarted,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    VoteCast,
)
from tanist.peer.electionlog.line import LogLine, make_line
from tanist.peer.electionlog.peer_events import ClientsWaited, PeerStarted
from tanist.peer.electionlog.timeline.bands import Mark
from tanist.peer.electionlog.timeline.building import Builder
from tanist.peer.electionlog.timeline.drawing import draw
from tanist.peer.electionlog.timeline.model import Timeline

A1, B2 = "1@a", "2@b"
STARTED = PeerStarted("0", "survivor", "lan", "h:1", "", "")


def at(ms: float, peer: str, event: Event, incarnation: str = "1-1") -> tuple[float, LogLine]:
    """A line and its moment; the peer's own clock shows the same."""
    line = make_line(
        event, cluster="home", peer=peer, name=peer, incarnation=incarnation, seq=1, wall_ms=int(ms), mono_ms=ms
    )
    return ms, line


def shown(*lines: tuple[float, LogLine], since_ms: float | None = None, marks: Iterable[Mark] = ()) -> Timeline:
    builder = Builder(since_ms)
    for moment, line in lines:
        builder.take(moment, line)
    return draw(builder.found, since_ms=since_ms, marks=marks)


def role(was: str, now: str, reason: str = "") -> RoleChanged:
    return RoleChanged(was, now, "0@", reason)


def election() -> list[tuple[float, LogLine]]:
    """a serves, b and c follow; a is killed; b is elected by c."""
    return [
        at(0, "a", STARTED),
        at(1, "a", role("seeking", "candidate")),
        at(2, "a", role("candidate", "server")),
        at(2, "a", ReignBegan(A1, 0, 0.0, True)),
        at(3, "a", ReignOpen(A1, 1, "alone", 1.0)),
        at(10, "b", STARTED),
        at(12, "c", STARTED),
        at(20, "b", role("seeking", "client")),
        at(21, "b", ServerFollowed("a", "h:1", A1, 11.0)),
        at(22, "c", role("seeking", "client")),
        at(22, "c", ServerFollowed("a", "h:1", A1, 10.0)),
        at(1000, "b", ServerLost("a", A1, "closed", "reset", 30.0)),
        at(1000, "b", role("client", "seeking")),
        at(1001, "c", ServerLost("a", A1, "closed", "reset", 31.0)),
        at(1001, "c", role("client", "seeking")),
        at(1100, "b", RetryStarted(1, 1, "h:1", 100.0)),
        at(1104, "b", RetryEnded(1, 1, "h:1", "refused", "")),
        at(1105, "b", role("seeking", "candidate")),
        at(1106, "b", CanvassStarted(2, ["a", "c"], False)),
        at(1107, "c", FallbackChosen("b", "it stands")),
        at(1110, "b", CanvassAnswered(2, "c", "support")),
        at(1112, "c", VoteCast(2, "b", True, "")),
        at(1114, "b", BallotEnded(2, "won", ["c"], {"a": "refused"}, 8.0)),
        at(1115, "b", role("candidate", "server")),
        at(1115, "b", ReignBegan(B2, 9, 115.0, False)),
        at(1120, "c", role("seeking", "client")),
        at(1120, "c", ServerFollowed("b", "h:2", B2, 119.0)),
        at(1121, "c", ClientsWaited(3, 118.0, A1, B2)),
    ]
