"""Lines in, a timeline out: `Builder` has each line looked at by all who find something in it, and draws it once."""

from collections import deque
from dataclasses import dataclass, field

from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.sentences import Names
from tanist.peer.electionlog.timeline.bands import Faults
from tanist.peer.electionlog.timeline.messages import Messages
from tanist.peer.electionlog.timeline.serving import Serving
from tanist.peer.electionlog.timeline.states import KEPT_MAX, States

LINES_MAX = KEPT_MAX
"""Lines that a timeline shows, the latest: some 15 MB of page, and more than anybody looks through."""
WRITERS_MAX = 64
"""Peers whose lines are taken: as many as a roster has members. Lines of others are counted as left out."""


@dataclass(slots=True)
class Writer:
    """What is known of one peer that writes lines. `behind` is how far its wall clock was: the least and the most."""

    name: str
    lines: int = 0
    starts: int = 0
    incarnation: str = ""
    behind: tuple[float, float] = (float("inf"), float("-inf"))


@dataclass(slots=True)
class Found:
    """What the lines told, by peer ids and in milliseconds since 1970. `count` is how many were taken, shown or not."""

    names: Names = field(default_factory=Names)
    writers: dict[str, Writer] = field(default_factory=dict)
    clusters: dict[str, None] = field(default_factory=dict)
    lines: deque[tuple[float, LogLine]] = field(default_factory=lambda: deque(maxlen=LINES_MAX))
    count: int = 0
    left_out: int = 0
    states: States = field(default_factory=States)
    messages: Messages = field(default_factory=Messages)
    serving: Serving = field(default_factory=Serving)
    faults: Faults = field(default_factory=Faults)


class Builder:
    """Takes lines with their moments, in the order of `reader.timed`.

    Lines before `since_ms` (milliseconds since 1970, on the common clock) only say how things stood then.
    """

    def __init__(self, since_ms: float | None = None) -> None:
        self.found = Found()
        self.since_ms = since_ms

    def take(self, at: float, line: LogLine) -> None:
        """Take in one line, whose moment is `at`."""
        found = self.found
        if line.peer not in found.writers and len(found.writers) >= WRITERS_MAX:
            found.left_out += 1
            return
        self._count(at, line)
        found.names.learn(line)
        found.states.take(at, line)
        found.messages.take(at, found.count, line)
        found.serving.take(at, line)
        found.faults.take(at, found.count, line)
        found.count += 1
        if self.since_ms is not None and at < self.since_ms:
            found.left_out += 1
            return
        found.left_out += len(found.lines) == LINES_MAX
        found.lines.append((at, line))

    def _count(self, at: float, line: LogLine) -> None:
        writer = self.found.writers.setdefault(line.peer, Writer(line.name))
        writer.name = line.name
        writer.lines += 1
        if line.incarnation != writer.incarnation:
            writer.incarnation = line.incarnation
            writer.starts += 1
        behind = at - line.wall_ms
        writer.behind = min(writer.behind[0], behind), max(writer.behind[1], behind)
        if len(self.found.clusters) < WRITERS_MAX:
            self.found.clusters[line.cluster] = None
