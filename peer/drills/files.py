"""The files that a drill leaves: one election log of all peers, a page that shows it, the history, the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from tanist.peer.drills.history import History
from tanist.peer.drills.report import HISTORY, PAGE, REPORT, TIMELINE, Report
from tanist.peer.electionlog.line import as_json
from tanist.peer.electionlog.reader import read
from tanist.peer.electionlog.timeline.bands import Mark
from tanist.peer.electionlog.timeline.writing import TimelineError, write_timeline


def write_files(
    folder: Path, report: Report, history: History, marks: Iterable[Mark], folders: Mapping[str, Path]
) -> None:
    """Write them into `folder`. `folders` are the peers' data directories; without logs there is no timeline."""
    logs = [path for path in folders.values() if path.is_dir()]
    if logs:
        with (folder / TIMELINE).open("w", encoding="utf-8") as out:
            # Lines that cannot be read are told by whoever checks the logs.
            out.writelines(as_json(line) + "\n" for line in read(logs, lambda problem: None))
        title = f"{report.drill}: {report.title} ({report.peers} peers, {report.safety})"
        waited = [
            Mark(outage.began_ms, f"clients waited {outage.ms:.0f} ms", "clients", until_ms=outage.began_ms + outage.ms)
            for outage in report.clients.outages
        ]
        try:
            write_timeline(logs, folder / PAGE, title=title, marks=[*marks, *waited])
        except TimelineError as error:
            (folder / PAGE).with_suffix(".txt").write_text(f"no timeline could be drawn: {error}\n", encoding="utf-8")
    history.write(folder / HISTORY)
    (folder / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")


__all__ = ["write_files"]
