"""What a timeline shows, made of election logs and drawn by the page: lanes, spans, arrows, bands, reigns, gaps, lines.

All moments are on the clock common to all peers, in milliseconds since `Timeline.begin_ms`, to a thousandth of one.
Peers are named by the number of their lane; lines by their place in `Timeline.lines`. All text is printable.
"""

from typing import Any

import msgspec

UNKNOWN, SEEKING, CLIENT, CANDIDATE, SERVER, STOPPED, GONE = (
    "unknown",
    "seeking",
    "client",
    "candidate",
    "server",
    "stopped",
    "gone",
)
"""The states of a lane: the roles; not known before the first line that tells; ended and said so; ended without."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of all parts: fields that have their default are not written into the page."""


class Lane(Part, frozen=True):
    """One peer. `behind_ms` is how far its wall clock lay behind the common clock: the least and the most of its lines.

    `logged` is whether a log of its own was read; else it is only known from what others say.
    """

    id: str
    name: str
    logged: bool = True
    lines: int = 0
    starts: int = 0
    behind_ms: tuple[float, float] = (0.0, 0.0)


class Span(Part, frozen=True):
    """A lane's state for a time. `term` is "number@name" where it has one; `text` says why, or how that is known."""

    lane: int
    state: str
    begin: float
    end: float
    term: str = ""
    text: str = ""


class Absence(Part, frozen=True):
    """A time in which a peer did nothing though its process lived: "away", "stalled" or "disk"."""

    lane: int
    kind: str
    begin: float
    end: float
    text: str = ""


class Arrow(Part, frozen=True):
    """A message, or an exchange: where it was when, as (lane, moment), two or three of them.

    `ok` is whether it had the effect it was sent for. `guess` says that no line tells the moment in the middle.
    """

    kind: str
    path: tuple[tuple[int, float], ...]
    text: str
    line: int = -1
    ok: bool = True
    guess: bool = False


class Band(Part, frozen=True):
    """A fault that was injected (`mark` false), or what somebody noted about a time; lane -1 is the whole cluster."""

    lane: int
    kind: str
    begin: float
    end: float
    text: str
    line: int = -1
    mark: bool = False


class ReignSpan(Part, frozen=True):
    """One server's time. `row` tells apart those that lie beside one another; `facts` are label and text, for people.

    `served` are the parts in which the server was there. `open` is when clients were answered first.
    """

    term: str
    number: int
    lane: int
    begin: float
    end: float
    row: int
    why: str
    served: tuple[tuple[float, float], ...]
    facts: tuple[tuple[str, str], ...] = ()
    open: float | None = None
    lasts: bool = False


class Gap(Part, frozen=True):
    """A time in which nobody served."""

    begin: float
    end: float
    text: str


class Line(Part, frozen=True):
    """One line of a log. `wall` is what the peer's own clock showed."""

    at: float
    lane: int
    event: str
    level: str
    text: str
    wall: str
    incarnation: str
    seq: int
    fields: dict[str, Any]


class Timeline(Part, frozen=True):
    """Everything. `begin_ms` is in milliseconds since 1970, `end` is relative to it.

    `left_out` counts lines that were there and are not shown: too many, or before the time asked for.
    `problems` are what was wrong in the files, in words.
    """

    title: str
    clusters: tuple[str, ...]
    begin_ms: float
    end: float
    lanes: list[Lane]
    spans: list[Span]
    absences: list[Absence]
    arrows: list[Arrow]
    bands: list[Band]
    reigns: list[ReignSpan]
    gaps: list[Gap]
    lines: list[Line]
    left_out: int = 0
    problems: tuple[str, ...] = ()
