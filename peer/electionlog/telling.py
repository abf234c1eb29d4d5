"""Telling lines one after another: as a story for people, or as the lines they are."""

import shutil
from datetime import datetime, tzinfo
from typing import TextIO

from msgspec.structs import replace

from tanist.peer.durations import duration
from tanist.peer.electionlog.line import LogLine, as_json
from tanist.peer.electionlog.reigns import Reign, ReignBook
from tanist.peer.electionlog.sentences import NAMES_MAX, Names, sentence
from tanist.peer.electionlog.summary import table
from tanist.peer.electionlog.terminal import (
    BOLD,
    DIM,
    LEVEL_COLOURS,
    PEER_COLOURS,
    colour_wanted,
    folded,
    is_terminal,
    padded,
    painted,
    printable,
)

WIDTH = 100
"""Columns of the table where no terminal says how wide it is."""
NAME_COLUMNS = 12
"""Columns for the name of the peer; a longer name is cut."""
CLOCK_OFF_MS = 1000.0
"""How much a clock may differ from others without a word: a person who compares by eye is not misled by less."""


class JsonTeller:
    """The lines as they stand in the files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def take(self, moment: float, line: LogLine, asked: bool) -> None:
        """Tell one line, if it was asked for."""
        if asked:
            self._stream.write(as_json(line) + "\n")

    def end(self, since: int | None, term: int | None) -> None:
        """Nothing follows the lines."""


class StoryTeller:
    """Lines as sentences, a colour a peer, and at the end the table of reigns.

    All times are of one clock, that of `moment`; where a peer's own shows another, its first line there says so.
    """

    def __init__(self, stream: TextIO, zone: tzinfo | None, *, with_table: bool) -> None:
        self._stream = stream
        self._zone = zone
        self._colour = colour_wanted(stream)
        self._terminal = is_terminal(stream)
        self._width = shutil.get_terminal_size((WIDTH, 24)).columns if self._terminal else WIDTH
        self._names = Names()
        self._colours: dict[str, str] = {}
        self._book = ReignBook() if with_table else None
        self._day = ""
        self._second = (-1, "", "")
        self._ahead: dict[str, float] = {}
        """How far each peer's clock is ahead, in milliseconds, as was told last."""
        self._padded: dict[str, str] = {}
        """Names as they stand in their column, of those who wrote lines."""

    def take(self, moment: float, line: LogLine, asked: bool) -> None:
        """Take in one line, in order; tell it, if it was asked for. `moment` in milliseconds since 1970."""
        ahead_ms = line.wall_ms - moment
        if not -0.5 < ahead_ms < 0.5:
            line = replace(line, wall_ms=round(moment))
        self._names.learn(line)
        if self._book:
            self._book.take(line)
        if asked:
            self._tell(line, ahead_ms)

    def end(self, since: int | None, term: int | None) -> None:
        """All lines were taken in: tell the reigns that concern this time and this term."""
        reigns = [reign for reign in self._book.reigns() if _concerns(reign, since, term)] if self._book else []
        if not self._day and not reigns:
            self._write("no lines")
        elif reigns:
            self._write("")
            for row in table(reigns, self._names, width=self._width, colour=self._colour, zone=self._zone):
                self._write(row)

    def _tell(self, line: LogLine, ahead_ms: float) -> None:
        day, second = self._moment(line.wall_ms // 1000)
        if day != self._day:
            self._day = day
            self._write(painted(day, BOLD) if self._colour else day)
        if abs(ahead_ms - self._ahead.get(line.peer, 0.0)) > CLOCK_OFF_MS:
            self._tell_of_clock(line, ahead_ms)
        if (name := self._padded.get(line.name)) is None:
            if len(self._padded) >= NAMES_MAX:
                self._padded.clear()
            name = self._padded[line.name] = padded(printable(line.name), NAME_COLUMNS)
        when, text = f"{second}.{line.wall_ms % 1000:03d}", self._text(line)
        if self._colour:
            when, name = painted(when, DIM), painted(name, self._colour_of(line.peer))
            text = painted(text, LEVEL_COLOURS.get(line.level, ""))
        self._write(f"{when}  {name}  {text}")

    def _tell_of_clock(self, line: LogLine, ahead_ms: float) -> None:
        self._ahead[line.peer] = ahead_ms
        way = "ahead of" if ahead_ms > 0 else "behind"
        off = f"is {duration(abs(ahead_ms))} {way} most others" if abs(ahead_ms) > CLOCK_OFF_MS else "is right again"
        text = f"(the clock of {printable(line.name)} {off}; times here are put right)"
        self._write(painted(text, DIM) if self._colour else text)

    def _moment(self, seconds: int) -> tuple[str, str]:
        """The day and the time of day of a second; many lines share one."""
        if seconds != self._second[0]:
            moment = datetime.fromtimestamp(seconds, self._zone).astimezone(self._zone)
            zone = moment.isoformat()[-6:].replace("+00:00", "")
            self._second = (seconds, f"{moment:%A %Y-%m-%d}, UTC{zone}", f"{moment:%H:%M:%S}")
        return self._second[1:]

    def _text(self, line: LogLine) -> str:
        text = sentence(line, self._names)
        # In a pipe a line stays a line, for grep; on a terminal it is folded under itself.
        return folded(text, self._width, 12 + 2 + NAME_COLUMNS + 2) if self._terminal else text

    def _colour_of(self, peer: str) -> str:
        return self._colours.setdefault(peer, PEER_COLOURS[len(self._colours) % len(PEER_COLOURS)])

    def _write(self, text: str) -> None:
        if not text.isascii():
            encoding = self._stream.encoding or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        self._stream.write(text + "\n")


def _concerns(reign: Reign, since: int | None, term: int | None) -> bool:
    """Whether the reign has the number asked for, and had not ended before the time asked for."""
    if term is not None and reign.number != term:
        return False
    return since is None or reign.ended_ms is None or reign.ended_ms >= since
