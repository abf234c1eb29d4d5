"""Reading on where election logs grow: what peers write from now on, in the order in which it happened."""

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from tanist.peer.electionlog.clocks import Clocks
from tanist.peer.electionlog.files import older_path
from tanist.peer.electionlog.line import LINE_BYTES_MAX, BadLine, LogLine, parse
from tanist.peer.electionlog.reader import Problem, Report, logs_at, survey_line

READ_BYTES = 1024 * 1024
"""Bytes of one file that are read at once; a look takes all there are."""


class Follower:
    """Reads on in the logs of `paths`, from where they end when it is made; peers that appear later are followed, too.

    Made before the logs are read to their ends, so that nothing is lost between; tell it by `told` what was read.
    """

    def __init__(self, paths: Sequence[Path], report: Report) -> None:
        self._paths = paths
        self._report = report
        self._clocks = Clocks()
        self._tails = {path: _Tail(path, at_end=True) for path in logs_at(paths, _to_nobody)}
        self._seen: dict[tuple[str, str], int] = {}
        """The last number of each start of a peer."""

    def go_on_from(self, clocks: Clocks) -> None:
        """The clocks of all lines so far, settled: those to come are put in order by them."""
        self._clocks = clocks

    def told(self, line: LogLine) -> None:
        """A line was read by others: it will not be given again."""
        self._seen[line.peer, line.incarnation] = line.seq

    def fresh(self) -> list[tuple[float, LogLine]]:
        """Lines with their moments, as `timed` gives them, up to the last that was there at the look before this one.

        So whatever led to a line that another peer wrote was read before that line is given.
        """
        held = {id(line) for tail in self._tails.values() for line in tail.lines}
        self._look()
        self._clocks.settle()
        given: list[tuple[float, LogLine]] = []
        waiting = len(held)
        for moment, line, tail in heapq.merge(*map(self._timed, self._tails.values()), key=lambda found: found[0]):
            if not waiting:
                break
            waiting -= id(line) in held
            tail.latest = moment
            given.append((moment, tail.lines.popleft()))
        return given

    def _look(self) -> None:
        for path in logs_at(self._paths, _to_nobody):
            tail = self._tails.get(path) or self._tails.setdefault(path, _Tail(path, at_end=False))
            try:
                for raw in tail.read():
                    self._take(raw, tail)
            except OSError as error:
                self._report(Problem(path, 0, f"cannot be read: {error.strerror or error}"))

    def _take(self, raw: bytes, tail: "_Tail") -> None:
        if not raw.strip():
            return
        try:
            line = parse(raw, tail.path)
        except BadLine as error:
            self._report(Problem(tail.path, 0, str(error)))
            return
        start = line.peer, line.incarnation
        if line.seq > self._seen.get(start, 0):
            self._seen[start] = line.seq
            survey_line(raw, self._clocks)
            tail.lines.append(line)

    def _timed(self, tail: "_Tail") -> Iterator[tuple[float, LogLine, "_Tail"]]:
        latest = tail.latest
        # A copy: lines leave the tail while this goes on.
        for line in tuple(tail.lines):
            latest = max(latest, self._clocks.moment(line.peer, line.incarnation, line.mono_ms, line.wall_ms))
            yield latest, line, tail


def _to_nobody(_problem: Problem) -> None:
    """A log that is not there yet is no problem: its peer may start later."""


class _Tail:
    """The end of one log, also when its present file is turned over and another takes its place.

    No file stays open in between: on some systems a peer could not turn it over then.
    """

    def __init__(self, path: Path, *, at_end: bool) -> None:
        self.path = path
        self.lines: deque[LogLine] = deque()
        """Read, and not given yet."""
        self.latest = float("-inf")
        self._file = 0
        self._at = 0
        self._rest = b""
        if at_end and path.exists():
            self._file = path.stat().st_ino
            self._at = _begin_of_last_line(path)

    def read(self) -> Iterator[bytes]:
        """The whole lines that came since the last look, without their ends. Raises OSError."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return
        if self._file != there.st_ino:
            yield from self._rest_of_former()
            self._file, self._at, self._rest = there.st_ino, 0, b""
        elif there.st_size < self._at:
            # Somebody emptied it.
            self._at, self._rest = 0, b""
        yield from self._read_on(self.path)

    def _rest_of_former(self) -> Iterator[bytes]:
        former = older_path(self.path, 1)
        if former.exists() and former.stat().st_ino == self._file:
            yield from self._read_on(former)
        if self._rest:
            yield self._rest

    def _read_on(self, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(self._at)
            while data := file.read(READ_BYTES):
                self._at += len(data)
                *lines, rest = (self._rest + data).split(b"\n")
                # What is longer is no line; its begin is enough to say so.
                self._rest = rest[: LINE_BYTES_MAX + 1]
                yield from lines


def _begin_of_last_line(path: Path) -> int:
    """Where the line begins that is being written, or the end."""
    with path.open("rb") as file:
        begin = max(0, file.seek(0, 2) - LINE_BYTES_MAX)
        file.seek(begin)
        return begin + file.read(LINE_BYTES_MAX).rfind(b"\n") + 1
