"""`tanist log show`: election logs as a story, and the table of who served when."""

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import TextIO

from tanist.peer.electionlog.filters import Filter, known_events, since_ms
from tanist.peer.electionlog.following import Follower
from tanist.peer.electionlog.line import LogLine
from tanist.peer.electionlog.problems import Problems
from tanist.peer.electionlog.reader import Report, merged, one_log, sources, survey
from tanist.peer.electionlog.telling import JsonTeller, StoryTeller
from tanist.peer.electionlog.terminal import printable

OK, FAILED, USAGE = 0, 1, 2
"""Exit statuses, as all verbs have them."""
GARBAGE_OBJECTS = 100_000
"""New objects after which cycles among them are looked for; Python's own 700 is for programs that make some."""
FOLLOW_EVERY_S = 0.2
"""How often a log is looked at for more: at once for a person, and next to no work."""


def show(
    paths: Iterable[Path | str],
    *,
    since: str | None = None,
    event: str | Sequence[str] | None = None,
    peer: str | None = None,
    term: int | None = None,
    json: bool = False,
    follow: bool = False,
    stream: TextIO | None = None,
    errors: TextIO | None = None,
    zone: tzinfo | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Tell election logs on `stream` (stdout), problems on `errors` (stderr), and return the exit status.

    `since`, `event` and `term` as in filters.py; `json` writes the lines themselves, merged and filtered. The table of
    reigns follows where whole stories were asked for (no `event`, no `peer`). `follow` goes on with what is written
    from now on, until `wait` raises KeyboardInterrupt, which leaves this function after the table. Status: 0; 1 when a
    file could not be read or nothing in the files was an election log; 2 when the question itself is wrong.
    """
    stream = stream or sys.stdout
    errors = errors or sys.stderr
    try:
        since_at = since_ms(since) if since else None
        asked = Filter(
            since=since_at,
            event=known_events([event] if isinstance(event, str) else event or ()),
            peer=peer or "",
            term=term,
        )
    except ValueError as error:
        errors.write(f"{printable(str(error))}\n")
        return USAGE
    problems = Problems(errors)
    files = [Path(path) for path in paths]
    lines = _followed(files, problems.take, stream, wait) if follow else _all(files, problems.take)
    teller = JsonTeller(stream) if json else StoryTeller(stream, zone, with_table=not (event or peer))
    seen = False
    try:
        try:
            with _seldom_collected():
                for moment, line in lines:
                    seen = True
                    teller.take(moment, line, asked.accepts(line, moment))
        finally:
            # Also when somebody has followed for long enough.
            teller.end(since_at, term)
            stream.flush()
    except BrokenPipeError:
        # Whoever read (head, a pager) has seen enough; the rest must not fail at the interpreter's end.
        _to_nowhere(stream)
    problems.end()
    return FAILED if problems.unreadable or (problems.count and not seen) else OK


def _all(paths: Sequence[Path], report: Report) -> Iterator[tuple[float, LogLine]]:
    """What stands in the logs now; one log alone by its own wall clock."""
    logs = sources(paths, report)
    if len(logs) == 1:
        return ((line.wall_ms, line) for line in one_log(logs[0], report))
    return merged(logs, survey(logs), report)


def _followed(
    paths: Sequence[Path], report: Report, stream: TextIO, wait: Callable[[float], None]
) -> Iterator[tuple[float, LogLine]]:
    """What stands in the logs now, and then what is written; `stream` shows all there is before each wait."""
    follower = Follower(paths, report)
    logs = sources(paths, report)
    clocks = survey(logs)
    for moment, line in merged(logs, clocks, report):
        follower.told(line)
        yield moment, line
    follower.go_on_from(clocks)
    while True:
        stream.flush()
        wait(FOLLOW_EVERY_S)
        yield from follower.fresh()


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    """A million lines make no cycles, and what is kept of them would be looked through for some again and again."""
    before = gc.get_threshold()
    gc.set_threshold(GARBAGE_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _to_nowhere(stream: TextIO) -> None:
    """What is still buffered for a closed pipe goes nowhere, instead of failing when the interpreter ends."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
