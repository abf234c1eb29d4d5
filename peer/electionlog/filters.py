"""Which lines of an election log a person asked for."""

import difflib
import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from datetime import time as time_of_day

from tanist.election.events import BallotEnded, CanvassAnswered, CanvassStarted, VoteCast
from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.line import LogLine

ID_PREFIX_CHARS_MIN = 4
"""A begin of an id this long selects its peer; a shorter one would be taken for a name."""

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhd])")
_TERM_FIELDS = ("term", "from_term", "to_term")


def since_ms(text: str, now_ms: int | None = None) -> int:
    """The moment that a person means, in milliseconds since 1970.

    "10m" (s, m, h, d) is so long ago, "11:40" or "11:40:37" the last such local time, and RFC 3339 itself; without
    a zone it is local. Raises ValueError in words for people.
    """
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    if ago := _AGO.fullmatch(text):
        return int(now_ms - float(ago[1]) * _UNITS_S[ago[2]] * 1000)
    try:
        clock = time_of_day.fromisoformat(text)
    except ValueError:
        clock = None
    try:
        # A date alone is a moment for one parser and a time of day for the other (20261121): eight digits are a date.
        if clock is not None and ":" in text:
            return _last_such_ms(clock, now_ms)
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"cannot read the time {text!r}: write 10m (s, m, h, d) for so long ago, 11:40, or 2026-11-21T11:40:00Z"
        ) from None


def _last_such_ms(clock: time_of_day, now_ms: int) -> int:
    now = datetime.fromtimestamp(now_ms / 1000, clock.tzinfo)
    moment = datetime.combine(now.date(), clock)
    if moment > now:
        moment -= timedelta(days=1)
    return int(moment.timestamp() * 1000)


def known_events(names: Sequence[str]) -> frozenset[str]:
    """The event names a person asked for, hyphens allowed. Raises ValueError for one the catalogue lacks."""
    wanted = [name.strip().lower().replace("-", "_") for name in names]
    for name in wanted:
        if name not in CATALOGUE:
            close = difflib.get_close_matches(name, CATALOGUE, 3)
            hint = f"did you mean {' or '.join(close)}?" if close else "docs/reference/events.md lists them"
            raise ValueError(f"there is no event {name!r}: {hint}")
    return frozenset(wanted)


class Filter:
    """Says of one line after another whether it was asked for; everything not given lets all pass.

    `since` in milliseconds since 1970; `peer` is the name, id or begin of the id of who wrote the line. `term` is a
    number: lines that name it, and those that name none while their peer was in it.
    """

    def __init__(
        self, since: int | None = None, event: frozenset[str] = frozenset(), peer: str = "", term: int | None = None
    ) -> None:
        self._since = since
        self._events = event
        self._peer = peer
        self._term = term
        self._term_of: dict[str, int] = {}

    def accepts(self, line: LogLine, moment: float | None = None) -> bool:
        """Whether the line was asked for. Say all lines in order: the term a peer is in follows from earlier ones.

        `moment` is when it was written, in milliseconds since 1970, where its own wall clock is not to be believed.
        """
        in_term = self._in_term(line)
        return (
            in_term
            and (self._since is None or (line.wall_ms if moment is None else moment) >= self._since)
            and (not self._events or line.event in self._events)
            and (not self._peer or _is_peer(line, self._peer))
        )

    def _in_term(self, line: LogLine) -> bool:
        if self._term is None:
            return True
        named = set(_terms_named(line))
        if line.event == "peer_started":
            self._term_of.pop(line.peer, None)
        if isinstance(term := line.fields.get("term"), str) and named:
            self._term_of[line.peer] = _number(term)
        return self._term in named if named else self._term == self._term_of.get(line.peer)


def _is_peer(line: LogLine, peer: str) -> bool:
    return peer in (line.name, line.peer) or (len(peer) >= ID_PREFIX_CHARS_MIN and line.peer.startswith(peer))


def _terms_named(line: LogLine) -> Iterator[int]:
    """The numbers of the terms that a line speaks of; "none" is no term."""
    for field in _TERM_FIELDS:
        if isinstance(term := line.fields.get(field), str) and (number := _number(term)):
            yield number
    if isinstance(line.body, CanvassStarted | CanvassAnswered | VoteCast | BallotEnded):
        yield line.body.number


def _number(term: str) -> int:
    """The number of a term written "number@holder", or 0."""
    head = term.partition("@")[0]
    return int(head) if head.isascii() and head.isdecimal() and len(head) < 20 else 0
