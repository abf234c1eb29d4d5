"""The election log of a running peer: each event becomes one line of JSON, and goes to whoever listens.

Writing is a plain append on the event loop: a few microseconds into the operating system's memory, no sync. A
disk that takes no more costs lines, never the peer: they are counted, and the count is the next line written.
"""

import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from tanist.election.events import Event
from tanist.peer.electionlog.catalogue import CATALOGUE_VERSION, at_least
from tanist.peer.electionlog.files import FILE_BYTES_MAX, FILES_MAX, RotatingFile
from tanist.peer.electionlog.line import KEYS, LogLine, make_line, serialize
from tanist.peer.electionlog.peer_events import ElectionLogLinesLost, ElectionLogUnwritable, ListenerFailed

Listener = Callable[[LogLine], None]
"""Hears each line, on the event loop, after it was written, and those too that are below the level to be written.

It must return at once, and not block.
"""


class _LineLogger(structlog.BoundLoggerBase):
    """structlog's pipeline with the one method this log has."""

    def line(self, event: str, **fields: object) -> None:
        """Pass one line through the processors to the file."""
        self._proxy_to_logger("append", event, **fields)


def _in_order(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor: the keys as the reference has them, so that the eye finds them."""
    return {key: line[key] for key in KEYS}


def _as_json(line: MutableMapping[str, Any], **_options: object) -> str:
    """The serializer for structlog's renderer, which passes options that only the json module takes."""
    return serialize(line)


class ElectionLog:
    """What a peer tells of elections: `emit` is all that others call.

    `incarnation` is the stored counter and the random part of this start. Events below `level` are not recorded.
    `mono_ns` should be the clock the core runs on; `wall_ns` counts from 1970.
    """

    def __init__(
        self,
        path: Path,
        *,
        cluster: str,
        peer: str,
        name: str,
        incarnation: tuple[int, int],
        level: str = "info",
        mono_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        file_bytes_max: int = FILE_BYTES_MAX,
        files_max: int = FILES_MAX,
    ) -> None:
        self.listeners: list[Listener] = []
        self._cluster = cluster
        self._peer = peer
        self._name = name
        self._incarnation = f"{incarnation[0]}-{incarnation[1]:x}"
        self._level = level
        self._mono_ns = mono_ns
        self._wall_ns = wall_ns
        self._seq = 0
        self._lost = 0
        self._lost_to = ""
        self._file = RotatingFile(path, file_bytes_max, files_max)
        wrapped = structlog.wrap_logger(
            self._file,
            processors=[_in_order, structlog.processors.JSONRenderer(serializer=_as_json)],
            wrapper_class=_LineLogger,
            context_class=dict,
        )
        self._logger: _LineLogger = wrapped.bind(
            v=CATALOGUE_VERSION, cluster=cluster, peer=peer, name=name, incarnation=self._incarnation
        )

    @property
    def lost(self) -> int:
        """Lines that could not be written and that the file does not tell of yet."""
        return self._lost

    def emit(self, event: Event) -> None:
        """Record one event and hand it to the listeners. Never raises for a disk or a listener that fails."""
        if not at_least(event.level, self._level):
            # Not for the file, but a terminal may ask for more, and names are learned from it. It takes no number.
            self._hand_out(self._line(event, self._seq))
            return
        newly_lost = False
        try:
            if self._lost:
                self._tell_lost()
            line = self._write(event)
        except OSError as error:
            newly_lost = not self._lost
            line = self._lose(event, error)
        self._hand_out(line)
        if newly_lost:
            self._hand_out(self._line(ElectionLogUnwritable(str(self._file.path), self._lost_to), self._seq))

    def close(self) -> None:
        """Close the file. A later `emit` opens it again."""
        self._file.close()

    def _tell_lost(self) -> None:
        """The disk may take lines again: the first says how many it did not take."""
        line = self._write(ElectionLogLinesLost(self._lost, self._lost_to))
        self._lost = 0
        self._hand_out(line)

    def _write(self, event: Event) -> LogLine:
        line = self._line(event, self._seq + 1)
        self._logger.line(
            line.event, level=line.level, wall=line.wall, mono_ms=line.mono_ms, seq=line.seq, fields=line.fields
        )
        self._seq += 1
        return line

    def _lose(self, event: Event, error: OSError) -> LogLine:
        """Count a line that was not written. Its number is used up, so that a reader sees the gap."""
        self._lost += 1
        self._lost_to = str(error)
        self._seq += 1
        return self._line(event, self._seq)

    def _line(self, event: Event, seq: int) -> LogLine:
        return make_line(
            event,
            cluster=self._cluster,
            peer=self._peer,
            name=self._name,
            incarnation=self._incarnation,
            seq=seq,
            wall_ms=self._wall_ns() // 1_000_000,
            mono_ms=self._mono_ns() // 1000 / 1000,
        )

    def _hand_out(self, line: LogLine) -> None:
        """A listener that raises hears no more: a broken page is no reason to lose a server."""
        for listener in tuple(self.listeners):
            try:
                listener(line)
            except Exception as error:
                self.listeners.remove(listener)
                label = getattr(listener, "__qualname__", type(listener).__name__)
                self.emit(ListenerFailed(label, f"{type(error).__name__}: {error}"))
