"""What a rule is, and what is found where one is broken."""

from pathlib import Path
from typing import Any

import msgspec

from tanist.peer.electionlog.line import LogLine


class Rule(msgspec.Struct, frozen=True):
    """One rule: its fixed name, what must hold, and what it means where it does not.

    `quorum`: it holds in quorum mode only, where numbers exclude and acknowledgements survive a minority.
    """

    name: str
    holds: str
    means: str
    quorum: bool = False


class Place(msgspec.Struct, frozen=True):
    """Where a line stands: file and line, or the peer's own number of it where it was not read from a file."""

    file: Path | None
    line: int
    name: str
    seq: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else f"line {self.seq} of {self.name}"


def place_of(line: LogLine) -> Place:
    """Where this line stands."""
    return Place(line.source, line.number, line.name, line.seq)


class Finding(msgspec.Struct, frozen=True):
    """A rule is broken: by which line, how, and which other lines show it.

    `peer` is the id of who wrote the line, `name` its name; `event` is the name of the event.
    """

    rule: Rule
    place: Place
    event: str
    peer: str
    name: str
    text: str
    also: tuple[Place, ...] = ()

    def __str__(self) -> str:
        also = f" (see also {', '.join(map(str, self.also))})" if self.also else ""
        return f"{self.place}: {self.event} breaks {self.rule.name}: {self.text}{also}"

    def as_json(self) -> dict[str, Any]:
        """The finding as plain values."""
        return {
            "rule": self.rule.name,
            "place": str(self.place),
            "file": str(self.place.file) if self.place.file else None,
            "line": self.place.line,
            "event": self.event,
            "peer": self.peer,
            "name": self.name,
            "text": self.text,
            "means": self.rule.means,
            "also": [str(place) for place in self.also],
        }
