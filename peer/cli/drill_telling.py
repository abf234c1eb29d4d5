"""How drills are told: the story while it goes on, each check by name, and all runs as a table."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tanist.peer.cli.output import is_coloured, paint, safe, say, table
from tanist.peer.drills.drill import Drill
from tanist.peer.drills.report import TIMELINE, Report
from tanist.peer.electionlog.terminal import PEER_COLOURS, painted

SPEAKER_COLUMNS = 10
"""Columns for who speaks in the story."""
WIDTH = 100
"""Columns of running text where no terminal says how wide it is."""


def quiet(moment_s: float, kind: str, who: str, text: str) -> None:
    """The story is not told where JSON is asked for."""


class Teller:
    """The story on stdout, line by line while it happens, a colour a peer."""

    def __init__(self) -> None:
        self._coloured = is_coloured(sys.stdout)
        self._colours: dict[str, str] = {}

    def tell(self, moment_s: float, kind: str, who: str, text: str) -> None:
        """One line: when, who speaks, and what."""
        head = paint(f"{moment_s:6.2f} s", "soft")
        if kind == "step":
            say(f"{head}  {paint('>', 'strong')} {paint(safe(text), 'strong')}")
        else:
            speaker = f"{safe(who):{SPEAKER_COLUMNS}}"
            speaker = paint(speaker, "warn") if kind == "clients" else self._of_peer(who, speaker)
            say(f"{head}    {speaker}{safe(text)}")
        sys.stdout.flush()

    def _of_peer(self, name: str, text: str) -> str:
        colour = self._colours.setdefault(name, PEER_COLOURS[len(self._colours) % len(PEER_COLOURS)])
        return painted(text, colour) if self._coloured else text


def head(drill: Drill, peers: int, safety: str, pace: str, number: int, runs: int) -> None:
    """What is run now: the so many-th of so many runs. Alone, with what there is to know of it."""
    if number > 1:
        say()
    count = f"[{number}/{runs}] " if runs > 1 else ""
    title = f"{drill.name}: {drill.title}"
    say(f"{count}{paint(safe(title), 'strong')} ({peers} peers, {safety}, pace {pace})")
    if drill.about and runs == 1:
        for line in textwrap.wrap(safe(drill.about), shutil.get_terminal_size((WIDTH, 24)).columns):
            say(line)
    sys.stdout.flush()


def plan(drill: Drill, peers: Sequence[str]) -> None:
    """What will be done to peers that run already."""
    say(f"This will be done to {', '.join(map(safe, peers))}:")
    for step in drill.lines():
        say(f"  {safe(step.text)}")
    say("Clients write to kv meanwhile, under keys of their own. All faults end with the drill, or by themselves soon.")


def agreed() -> bool:
    """Whether whoever sits at the terminal says yes; nobody does where there is none."""
    if not sys.stdin.isatty():
        return False
    sys.stdout.write("Go on? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def verdict(report: Report) -> None:
    """Each check, and how it ended."""
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        mark = paint("ok    ", "good") if check.passed else paint("FAILED", "bad")
        say(f"{mark}  {check.name:{width}}  {safe(check.text)}")
    failed = sum(not check.passed for check in report.checks)
    if failed:
        say(paint(f"failed: {failed} of {len(report.checks)} checks, {report.seconds:.1f} s", "bad"))
    else:
        say(paint(f"passed: {len(report.checks)} checks, {report.seconds:.1f} s", "good"))
    if report.files:
        timeline = Path(report.files) / TIMELINE
        say(f"files: {report.files}" + (f"  (tanist log show {timeline})" if timeline.exists() else ""))


def summary(reports: Sequence[Report]) -> None:
    """All runs as a table."""
    rows = []
    for report in reports:
        seen = report.clients
        failed = ", ".join(check.name for check in report.checks if not check.passed)
        rows.append(
            (
                report.drill,
                str(report.peers),
                report.safety,
                f"{report.seconds:.1f} s",
                f"{seen.acknowledged:,}",
                f"{seen.longest_outage_ms:,.0f} ms",
                failed or "passed",
            )
        )
    say()
    for line in table(("drill", "peers", "safety", "took", "writes", "longest outage", "verdict"), rows):
        say(line)
    passed = sum(report.passed for report in reports)
    took_s = sum(report.seconds for report in reports)
    told = f"{passed} of {len(reports)} drills passed, {took_s / 60:.1f} minutes"
    say(paint(told, "good" if passed == len(reports) else "bad"))


def as_json(report: Report) -> dict[str, Any]:
    """A report as plain values."""
    return {"passed": report.passed, **msgspec.to_builtins(report)}
