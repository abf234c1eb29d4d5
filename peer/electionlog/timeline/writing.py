"""`tanist log timeline`: read election logs, and write the page that shows them."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tanist.peer.electionlog.filters import since_ms
from tanist.peer.electionlog.reader import Problem, sources, timed
from tanist.peer.electionlog.terminal import printable
from tanist.peer.electionlog.timeline.bands import Mark
from tanist.peer.electionlog.timeline.building import Builder
from tanist.peer.electionlog.timeline.drawing import draw
from tanist.peer.electionlog.timeline.model import Timeline
from tanist.peer.electionlog.timeline.page import page

OK, FAILED, USAGE = 0, 1, 2
"""Exit statuses, as all verbs have them."""
PROBLEMS_TOLD_MAX = 20
"""Problems that are told in words, in the page and on stderr; the rest are counted."""


class TimelineError(Exception):
    """No timeline could be made; the message says why, for people."""


@dataclass(slots=True)
class Problems:
    """What was wrong in the files: the first in words, all counted; `unreadable` when a file could not be read."""

    told: list[str] = field(default_factory=list)
    count: int = 0
    unreadable: bool = False

    def take(self, problem: Problem) -> None:
        """Take in one problem."""
        self.count += 1
        self.unreadable = self.unreadable or problem.line == 0
        if len(self.told) < PROBLEMS_TOLD_MAX:
            self.told.append(printable(str(problem)))

    def lines(self) -> list[str]:
        """All of them, for people."""
        more = self.count - len(self.told)
        return [*self.told, *([f"and {more} more such lines"] if more else [])]


def write_timeline(
    paths: Iterable[Path],
    output: Path,
    *,
    since: float | None = None,
    title: str = "",
    marks: Iterable[Mark] = (),
    problems: Problems | None = None,
) -> Timeline:
    """Write the page that shows these election logs to `output`, whole or not at all; gives what it shows.

    `paths` are files or directories (see reader.py); `since` is in milliseconds since 1970; `marks` are notes of
    whoever caused or watched all this; `problems` takes what is wrong in the files.
    Raises TimelineError where nothing can be shown, where `output` is one of the logs, or cannot be written.
    """
    problems = problems or Problems()
    paths = list(paths)
    if _is_a_log(output, paths):
        raise TimelineError(f"{output} is one of the election logs: name another file for the page, with -o")
    builder = Builder(since)
    for at, line in timed(paths, problems.take):
        builder.take(at, line)
    try:
        timeline = draw(builder.found, since_ms=since, title=title, marks=marks, problems=problems.lines())
    except ValueError as error:
        raise TimelineError(str(error)) from None
    _write(output, page(timeline))
    return timeline


def _is_a_log(output: Path, paths: Sequence[Path]) -> bool:
    """Whether the page would be written over what it is made of."""
    if not output.exists():
        return False
    logs = (file for files in sources(paths, lambda problem: None) for file in files)
    return any(file.exists() and output.samefile(file) for file in logs)


def _write(output: Path, text: str) -> None:
    part = output.with_name(f"{output.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TimelineError(f"{output} cannot be written: {error.strerror or error}") from None


def timeline(
    paths: Iterable[Path],
    output: Path,
    *,
    since: str | None = None,
    title: str = "",
    stream: TextIO | None = None,
    errors: TextIO | None = None,
) -> int:
    """Write the page, say on `stream` (stdout) where it is and on `errors` (stderr) what was wrong; the exit status.

    `since` as in filters.py. Status: 0; 1 when no page was written or a file could not be read; 2 for a wrong question.
    """
    stream = stream or sys.stdout
    errors = errors or sys.stderr
    try:
        moment = since_ms(since) if since else None
    except ValueError as error:
        errors.write(f"{printable(str(error))}\n")
        return USAGE
    problems = Problems()
    try:
        made = write_timeline(paths, output, since=moment, title=title, problems=problems)
    except TimelineError as error:
        errors.writelines(f"{text}\n" for text in [*problems.lines(), printable(str(error))])
        return FAILED
    errors.writelines(f"{text}\n" for text in problems.lines())
    left_out = f" ({made.left_out:,} earlier or foreign lines are left out)" if made.left_out else ""
    stream.write(f"{len(made.lines):,} lines of {len(made.lanes)} peers{left_out}: open {output} in a browser\n")
    return FAILED if problems.unreadable else OK
