"""From what was found to what is drawn: ids become lanes, moments relative, texts printable with names for ids."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tanist.peer.durations import duration
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.sentences import sentence
from tanist.peer.electionlog.summary import details
from tanist.peer.electionlog.terminal import printable
from tanist.peer.electionlog.timeline.bands import Fault, Mark
from tanist.peer.electionlog.timeline.building import Found
from tanist.peer.electionlog.timeline.messages import Message
from tanist.peer.electionlog.timeline.model import Absence, Arrow, Band, Gap, Lane, Line, ReignSpan, Span, Timeline
from tanist.peer.electionlog.timeline.serving import Served, gaps

LANES_MAX = 128
"""Lanes: those who wrote lines (building.py, `WRITERS_MAX`), and as many of whom these only speak."""
MARK_MS_MAX = 600_000.0
"""How far before or after all lines a mark may lie; a further one is from another clock, or another day."""
DIGITS = 3
"""Decimals of a millisecond in the page; clocks of different machines tell less."""


def draw(
    found: Found,
    *,
    since_ms: float | None = None,
    title: str = "",
    marks: Iterable[Mark] = (),
    problems: Sequence[str] = (),
) -> Timeline:
    """The timeline of what was found and of the marks. Call once. Raises ValueError where there is nothing to show.

    Marks that end before `since_ms` (milliseconds since 1970) are left out.
    """
    if not found.lines:
        raise ValueError("no line was written since then" if found.count else "there is no line of an election log")
    begin, end = found.lines[0][0], found.lines[-1][0]
    earliest = begin - MARK_MS_MAX if since_ms is None else since_ms
    noted = [mark for mark in marks if mark.last_ms >= earliest and mark.at_ms <= end + MARK_MS_MAX]
    begin = min([begin, *(mark.at_ms for mark in noted)])
    end = max([end, *(mark.last_ms for mark in noted)])
    found.states.finish(end)
    drawing = _Drawing(found, begin, end)
    served = found.serving.served(end, found.states.spans, found.states.absences)
    return Timeline(
        title=printable(title),
        clusters=tuple(printable(name) for name in found.clusters),
        begin_ms=round(begin, DIGITS),
        end=drawing.relative(end),
        spans=drawing.spans(),
        absences=drawing.absences(),
        arrows=drawing.arrows(),
        bands=[*drawing.faults(), *(drawing.mark(mark) for mark in noted)],
        reigns=[drawing.reign(one) for one in served if one.end > begin],
        gaps=[drawing.gap(*gap, served) for gap in gaps(served, end) if gap[1] > begin],
        lines=drawing.lines(),
        lanes=drawing.lanes,
        left_out=found.left_out,
        problems=tuple(printable(text) for text in problems),
    )


class _Drawing:
    """The parts of one timeline, between two moments in milliseconds since 1970."""

    def __init__(self, found: Found, begin: float, end: float) -> None:
        self.lanes: list[Lane] = []
        self._found = found
        self._begin = begin
        self._end = end
        self._names = found.names
        self._numbers: dict[str, int] = {}
        self._first = found.count - len(found.lines)
        """The number of the first line that is shown."""
        for peer, writer in found.writers.items():
            behind = round(writer.behind[0], DIGITS), round(writer.behind[1], DIGITS)
            name = printable(writer.name or peer)
            self._numbers[peer] = len(self.lanes)
            self.lanes.append(Lane(printable(peer), name, lines=writer.lines, starts=writer.starts, behind_ms=behind))

    def relative(self, at: float) -> float:
        """A moment as the page has it; one outside is moved to the edge."""
        return round(min(max(at, self._begin), self._end) - self._begin, DIGITS)

    def spans(self) -> list[Span]:
        """What each peer was when."""
        return [
            Span(
                self._numbers[span.peer],
                span.state,
                self.relative(span.begin),
                self.relative(span.end),
                self._text(span.term),
                self._text(span.text),
            )
            for span in self._found.states.spans
            if span.end > self._begin
        ]

    def absences(self) -> list[Absence]:
        """When a peer did nothing."""
        return [
            Absence(
                self._numbers[away.peer],
                away.kind,
                self.relative(away.begin),
                self.relative(away.end),
                self._text(away.text),
            )
            for away in self._found.states.absences
            if away.end > self._begin
        ]

    def arrows(self) -> list[Arrow]:
        """The messages whose ends all have lanes."""
        messages = self._found.messages.finish()
        return [arrow for message in messages if (arrow := self._arrow(message)) is not None]

    def _arrow(self, message: Message) -> Arrow | None:
        if message.path[-1][1] < self._begin:
            return None
        lanes = [self._lane(peer) for peer, _ in message.path]
        if None in lanes:
            return None
        path = tuple((lane or 0, self.relative(at)) for lane, (_, at) in zip(lanes, message.path, strict=True))
        line = max(message.line - self._first, -1)
        return Arrow(message.kind, path, self._text(message.text), line, message.ok, message.guess)

    def _lane(self, peer: str) -> int | None:
        """The lane of a peer; one that wrote no line gets one if others tell its name. None where it has none."""
        number = self._numbers.get(peer)
        if number is None and self._names.knows(peer) and len(self.lanes) < LANES_MAX:
            number = self._numbers[peer] = len(self.lanes)
            self.lanes.append(Lane(printable(peer), self._names.of(peer), logged=False))
        return number

    def faults(self) -> list[Band]:
        """The faults that befell peers."""
        return [self._fault(fault) for fault in self._found.faults.finish(self._end) if fault.last_ms > self._begin]

    def _fault(self, fault: Fault) -> Band:
        begin, end = self.relative(fault.begin), self.relative(fault.last_ms)
        line = max(fault.line - self._first, -1)
        return Band(self._numbers[fault.peer], printable(fault.kind), begin, end, self._text(fault.text), line)

    def mark(self, mark: Mark) -> Band:
        """A note, in its peer's lane where it has one."""
        by_name = {lane.name: number for number, lane in enumerate(self.lanes)}
        lane = self._numbers.get(mark.peer, by_name.get(mark.peer, -1))
        begin, end = self.relative(mark.at_ms), self.relative(mark.last_ms)
        return Band(lane, printable(mark.kind), begin, end, self._text(mark.text or mark.kind), mark=True)

    def reign(self, served: Served) -> ReignSpan:
        """One server's time, with all that there is to say of it."""
        reign = served.reign
        return ReignSpan(
            term=self._text(reign.term),
            number=reign.number,
            lane=self._numbers.get(reign.server, -1),
            begin=self.relative(served.begin),
            end=self.relative(served.end),
            row=served.row,
            why=self._text(reign.why) if reign.why else "not ended in these lines",
            served=tuple((self.relative(a), self.relative(b)) for a, b in served.parts if b > self._begin),
            facts=tuple((label, printable(text)) for label, text in details(reign, self._names)),
            open=None if served.open is None or served.open < self._begin else self.relative(served.open),
            lasts=served.lasts,
        )

    def gap(self, begin: float, end: float, served: Sequence[Served]) -> Gap:
        """A time without a server: between whom, and what callers felt of it."""
        before = next((one.reign for one in served if any(part[1] == begin for part in one.parts)), None)
        after = next((one.reign for one in served if any(part[0] == end for part in one.parts)), None)
        text = f"nobody served for {duration(end - begin)}"
        if before is not None:
            text += f", after {before.term}"
            if before.calls_waited:
                calls = f"{before.calls_waited} call{'s' * (before.calls_waited != 1)}"
                text += f"; {calls} waited, the longest {duration(before.longest_wait_ms)}"
        if after is not None:
            text += f"; then {after.term}"
        return Gap(self.relative(begin), self.relative(end), self._in_words(text))

    def lines(self) -> list[Line]:
        """The lines themselves."""
        return [self._line(at, line) for at, line in self._found.lines]

    def _line(self, at: float, line: LogLine) -> Line:
        return Line(
            at=self.relative(at),
            lane=self._numbers[line.peer],
            event=printable(line.event),
            level=printable(line.level),
            text=sentence(line, self._names),
            wall=line.wall,
            incarnation=printable(line.incarnation),
            seq=line.seq,
            fields=_printable_all(line.fields),
        )

    def _text(self, text: str) -> str:
        """Text of a line for people: a term, or prose."""
        return self._in_words(text) if text else ""

    def _in_words(self, text: str) -> str:
        return " ".join(self._names.in_item(text).split())


def _printable_all(value: Any) -> Any:
    """A field's value with every text in it printable."""
    match value:
        case str():
            return printable(value)
        case list() | tuple():
            return [_printable_all(item) for item in value]
        case Mapping():
            return {printable(str(key)): _printable_all(item) for key, item in value.items()}
    return value
