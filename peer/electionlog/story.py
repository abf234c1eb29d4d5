"""`tanist log show`: election logs as a story, and the table of who served when."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TextIO

from tanist.peer.electionlog.filters import Filter, known_events, since_ms
from tanist.peer.electionlog.line import LogLine, as_json
from tanist.peer.electionlog.problems import Problems
from tanist.peer.electionlog.reader import read
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

OK, FAILED, USAGE = 0, 1, 2
"""Exit statuses, as all verbs have them."""
WIDTH = 100
"""Columns of the table where no terminal says how wide it is."""
NAME_COLUMNS = 12
"""Columns for the name of the peer; a longer name is cut."""


def show(
    paths: Iterable[Path | str],
    *,
    since: str | None = None,
    event: str | Sequence[str] | None = None,
    peer: str | None = None,
    term: int | None = None,
    json: bool = False,
    stream: TextIO | None = None,
    errors: TextIO | None = None,
    zone: tzinfo | None = None,
) -> int:
    """Tell election logs on `stream` (stdout), problems on `errors` (stderr), and return the exit status.

    `since`, `event` and `term` as in filters.py; `json` writes the lines themselves, merged and filtered. The table of
    reigns follows where whole stories were asked for (no `event`, no `peer`). Status: 0; 1 when a file could not be
    read or nothing in the files was an election log; 2 when the question itself is wrong.
    """
    stream = stream or sys.stdout
    errors = errors or sys.stderr
    try:
        asked = Filter(
            since=since_ms(since) if since else None,
            event=known_events([event] if isinstance(event, str) else event or ()),
            peer=peer or "",
            term=term,
        )
    except ValueError as error:
        errors.write(f"{printable(str(error))}\n")
        return USAGE
    problems = Problems(errors)
    lines = read((Path(path) for path in paths), problems.take)
    teller = _JsonTeller(stream) if json else _Teller(stream, zone, with_table=not (event or peer))
    seen = False
    try:
        for line in lines:
            seen = True
            teller.take(line, asked.accepts(line))
        teller.end(since_ms(since) if since else None, term)
        stream.flush()
    except BrokenPipeError:
        # Whoever read (head, a pager) has seen enough; the rest must not fail at the interpreter's end.
        _to_nowhere(stream)
    problems.end()
    return FAILED if problems.unreadable or (problems.count and not seen) else OK


class _JsonTeller:
    """The lines as they stand in the files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def take(self, line: LogLine, asked: bool) -> None:
        if asked:
            self._stream.write(as_json(line) + "\n")

    def end(self, since: int | None, term: int | None) -> None:
        """Nothing follows the lines."""


class _Teller:
    """Lines as sentences, a colour a peer, and at the end the table of reigns."""

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
        self._padded: dict[str, str] = {}
        """Names as they stand in their column, of those who wrote lines."""

    def take(self, line: LogLine, asked: bool) -> None:
        self._names.learn(line)
        if self._book:
            self._book.take(line)
        if asked:
            self._tell(line)

    def end(self, since: int | None, term: int | None) -> None:
        reigns = [reign for reign in self._book.reigns() if _concerns(reign, since, term)] if self._book else []
        if not self._day and not reigns:
            self._write("no lines")
        elif reigns:
            self._write("")
            for row in table(reigns, self._names, width=self._width, colour=self._colour, zone=self._zone):
                self._write(row)

    def _tell(self, line: LogLine) -> None:
        day, second = self._moment(line.wall_ms // 1000)
        if day != self._day:
            self._day = day
            self._write(painted(day, BOLD) if self._colour else day)
        if (name := self._padded.get(line.name)) is None:
            if len(self._padded) >= NAMES_MAX:
                self._padded.clear()
            name = self._padded[line.name] = padded(printable(line.name), NAME_COLUMNS)
        when, text = f"{second}.{line.wall_ms % 1000:03d}", self._text(line)
        if self._colour:
            when, name = painted(when, DIM), painted(name, self._colour_of(line.peer))
            text = painted(text, LEVEL_COLOURS.get(line.level, ""))
        self._write(f"{when}  {name}  {text}")

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


def _to_nowhere(stream: TextIO) -> None:
    """What is still buffered for a closed pipe goes nowhere, instead of failing when the interpreter ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
