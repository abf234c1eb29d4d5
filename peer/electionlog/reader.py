"""Reading election logs: one or many peers' files, also those that were turned over, as one stream of lines.

What cannot be read is reported with file and line and skipped: a log is read most eagerly after a crash.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.causes import TELLING, causes, effects
from tanist.peer.electionlog.clocks import Clocks
from tanist.peer.electionlog.files import FILE_NAME, FILES_MAX, older_path
from tanist.peer.electionlog.line import LINE_BYTES_MAX, BadLine, LogLine, parse, wall_ms_of


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a line of a file; line 0 is the file itself, which then could not be read (on)."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


Report = Callable[[Problem], None]
"""Hears each problem when it is met."""


def read(paths: Iterable[Path], report: Report) -> Iterator[LogLine]:
    """The lines of all files in the order in which things happened, each peer's own in the order it wrote them.

    Between peers: what certainly came first does, and else their clocks say, put right as far as causes tell
    (clocks.py). A path is a file (with what it was turned over into), or a directory that has an election log in it,
    or directories with one. The files are read twice; lines stream, and no more than one of each peer is held.
    """
    logs = sources(paths, report)
    if len(logs) == 1:
        return one_log(logs[0], report)
    return (line for _, line in merged(logs, survey(logs), report))


def timed(paths: Iterable[Path], report: Report) -> Iterator[tuple[float, LogLine]]:
    """The lines of `read`, each with its moment on the clock common to all, in milliseconds since 1970; never back."""
    logs = sources(paths, report)
    return merged(logs, survey(logs), report)


def merged(logs: Sequence[Sequence[Path]], clocks: Clocks, report: Report) -> Iterator[tuple[float, LogLine]]:
    """The lines of logs (see `sources`) with their moments on the clock common to all (see `survey`)."""
    if clocks.in_a_circle:
        report(Problem(logs[0][0], 0, "these logs contradict one another about what came first: of one cluster?"))
    streams = [_on_one_clock(one_log(files, report), clocks) for files in logs]
    # Merging takes the least of the heads, so a peer's own order stays whatever its clock did.
    return heapq.merge(*streams, key=lambda timed: timed[0])


def read_one_by_one(paths: Iterable[Path], report: Report) -> Iterator[LogLine]:
    """The lines of one log after another, in a third of the time: for whom each peer's own order will do.

    Where several logs are of one peer, such as a copy that was made earlier, the oldest comes first.
    """
    logs = sources(paths, report)
    for files in sorted(logs, key=_begin_of):
        yield from one_log(files, report)


def _begin_of(files: Sequence[Path]) -> tuple[str, int]:
    """Whose log it is, and when it begins; what cannot be read is reported when it is read on."""
    first = next(one_log(files, lambda problem: None), None)
    return ("", 0) if first is None else (first.peer, first.wall_ms)


def _on_one_clock(lines: Iterator[LogLine], clocks: Clocks) -> Iterator[tuple[float, LogLine]]:
    latest = float("-inf")
    for line in lines:
        # Never back: what follows a line in its file happened after it.
        latest = max(latest, clocks.moment(line.peer, line.incarnation, line.mono_ms, line.wall_ms))
        yield latest, line


class _Clocked(msgspec.Struct, gc=False):
    """As much of a line as ordering needs."""

    event: str
    wall: str
    mono_ms: float
    peer: str
    incarnation: str
    fields: msgspec.Raw


_decode_clocked = msgspec.json.Decoder(_Clocked).decode
_decode_telling = {name: msgspec.json.Decoder(CATALOGUE[name]).decode for name in TELLING}


def survey(logs: Iterable[Sequence[Path]]) -> Clocks:
    """What the clocks of all lines show, settled; lines that cannot be read are left to the reading proper."""
    clocks = Clocks()
    for files in logs:
        for path in files:
            try:
                with path.open("rb") as file:
                    for _, raw in _raw_lines(file):
                        survey_line(raw, clocks)
            except OSError:
                continue
    clocks.settle()
    return clocks


def survey_line(raw: bytes, clocks: Clocks) -> None:
    """Take in what one line shows of clocks, if it can be read."""
    try:
        line = _decode_clocked(raw)
        span = clocks.goes_on(line.peer, line.incarnation, line.mono_ms)
        if span is None:
            span = clocks.line(line.peer, line.incarnation, line.mono_ms, wall_ms_of(line.wall))
        if line.event in TELLING:
            event = _decode_telling[line.event](line.fields)
            for token in causes(line.peer, event):
                clocks.cause(token, span, line.mono_ms)
            for token in effects(line.peer, event):
                clocks.effect(token, span, line.mono_ms)
    except (BadLine, msgspec.MsgspecError, UnicodeDecodeError, OverflowError, ValueError):
        return


def sources(paths: Iterable[Path], report: Report) -> list[list[Path]]:
    """The files to read: one list for each log, the oldest file first."""
    logs: dict[Path, list[Path]] = {}
    for path in logs_at(paths, report):
        base, age = _split_age(path)
        found = logs.setdefault(base, [])
        for file in _with_older(path) if age == 0 else [path]:
            if file not in found:
                found.append(file)
    return [sorted(files, key=lambda file: -_split_age(file)[1]) for files in logs.values()]


def logs_at(paths: Iterable[Path], report: Report) -> Iterator[Path]:
    """The logs that paths stand for: a directory for the one in it, or those one below it."""
    for path in paths:
        if not path.is_dir():
            yield path
        elif (inside := path / FILE_NAME).exists():
            yield inside
        elif below := sorted(path.glob(f"*/{FILE_NAME}")):
            yield from below
        else:
            report(Problem(path, 0, f"no {FILE_NAME} in this directory, nor one below it"))


def _with_older(path: Path) -> Sequence[Path]:
    older = (older_path(path, age) for age in range(1, FILES_MAX))
    return [path, *(file for file in older if file.exists())]


def _split_age(path: Path) -> tuple[Path, int]:
    """The path of the present file, and how many files old this one is."""
    if path.suffix[1:].isdecimal() and path.suffix.isascii():
        return path.with_suffix(""), int(path.suffix[1:])
    return path, 0


def one_log(files: Sequence[Path], report: Report) -> Iterator[LogLine]:
    """The lines of one log; a gap in a start's numbers is reported."""
    last: dict[str, tuple[str, int]] = {}
    for path in files:
        for line in _one_file(path, report):
            incarnation, seq = last.get(line.peer, ("", 0))
            if line.incarnation == incarnation and line.seq > seq + 1:
                text = f"{line.seq - seq - 1} lines of {line.name} are missing before this one"
                report(Problem(path, line.number, text))
            last[line.peer] = (line.incarnation, line.seq)
            yield line


def _one_file(path: Path, report: Report) -> Iterator[LogLine]:
    try:
        with path.open("rb") as file:
            for number, raw in _raw_lines(file):
                try:
                    if not raw.isspace():
                        yield _whole(raw, path, number)
                except BadLine as error:
                    report(Problem(path, number, str(error)))
    except OSError as error:
        report(Problem(path, 0, f"cannot be read: {error.strerror or error}"))


def _raw_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, and of one that is too long only the begin."""
    number = 0
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        yield number, raw
        while raw and not raw.endswith(b"\n"):
            raw = file.readline(LINE_BYTES_MAX)


def _whole(raw: bytes, path: Path, number: int) -> LogLine:
    if len(raw) > LINE_BYTES_MAX:
        raise BadLine(f"longer than {LINE_BYTES_MAX} bytes, which no line of the election log is")
    try:
        return parse(raw, path, number)
    except BadLine:
        if raw.endswith(b"\n"):
            raise
        raise BadLine("cut short: the peer writes it just now, or died while it did") from None
