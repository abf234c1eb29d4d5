"""`tanist simulate`: many lives of virtual clusters, what they came through, and how to repeat the one that failed."""

import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tanist.election.settings import Safety
from tanist.election.simulation.forms import FormError
from tanist.election.simulation.outcome import Options, read_replay
from tanist.peer.application.loading import LoadError
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import paint, safe, say, say_json
from tanist.peer.simulate.arguments import CannotMake, Commands
from tanist.peer.simulate.loading import Applications
from tanist.peer.simulate.pool import Pool, processes_there
from tanist.peer.simulate.totals import Found, Totals

SEEDS_MAX = 100_000_000
"""Seeds of one run: months of it."""
FAULTS_SHOWN_MAX = 40
UNHIT_SHOWN_MAX = 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the verb was asked for."""

    seeds: str = "0:1000"
    apps: tuple[str, ...] = ()
    safety: str = ""
    replay: str = ""
    beyond: bool = False
    processes: int = 0
    output: Path | None = None
    shrink: int = 0
    all_marks: bool = False
    json: bool = False


def simulate(asked: Asked) -> int:
    """Run the lives and print what came of them; gives the exit status. Raises `VerbError`."""
    seeds, options = _what(asked)
    _check_applications(asked.apps)
    count = min(asked.processes or processes_there(), max(1, len(seeds)))
    with Pool(asked.apps, count) as pool:
        with _progress(len(seeds)) as show:
            totals = pool.run(seeds, options, show)
        found = totals.first_failure
        if found is not None:
            found = pool.shrink(found.seed, options, asked.shrink) or found
    written = _write(found, asked.output) if found is not None else None
    missed = totals.unhit if asked.all_marks and found is None else []
    if asked.json:
        say_json(as_json(totals, found, written))
    else:
        for line in told(totals, seeds, count):
            say(line)
        for line in [] if found is None else failure_told(found, asked.apps, written):
            say(line)
    if missed and not asked.json:
        say(paint(f"{len(missed)} marks were never hit: these lives do not test what they should", "bad"))
    return Exit.FAILED if found is not None or missed else Exit.OK


def _what(asked: Asked) -> tuple[range, Options]:
    """The seeds and the options that were asked for."""
    if asked.replay:
        try:
            seed, options = read_replay(asked.replay)
        except FormError as error:
            raise VerbError(Exit.USAGE, f"--replay: {error}") from None
        return range(seed, seed + 1), options
    first, colon, stop = asked.seeds.partition(":")
    try:
        seeds = range(int(first), int(stop)) if colon else range(int(first))
    except ValueError:
        raise VerbError(Exit.USAGE, f"--seeds {asked.seeds}: write FROM:TO, or how many") from None
    if not 0 < len(seeds) <= SEEDS_MAX or seeds.start < 0:
        raise VerbError(
            Exit.USAGE, f"--seeds {asked.seeds}: 1 to {SEEDS_MAX:,} seeds, from 0 up; TO is not one of them"
        )
    if asked.safety and asked.safety not in set(Safety):
        raise VerbError(Exit.USAGE, f"--safety {asked.safety}: {', '.join(Safety)}")
    return seeds, Options(safety=Safety(asked.safety) if asked.safety else None, beyond=asked.beyond)


def _check_applications(specs: tuple[str, ...]) -> None:
    """What is wrong with the applications is told once, before processes are started for them."""
    if not specs:
        return
    try:
        Commands(Applications(specs).classes)
    except LoadError as error:
        raise VerbError(Exit.USAGE, str(error)) from None
    except CannotMake as error:
        raise VerbError(Exit.USAGE, f"--app: {error}") from None


def _progress(lives: int) -> AbstractContextManager[Callable[[Totals], None]]:
    """A bar on a terminal, on stderr; nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        return nullcontext(lambda totals: None)
    return _Bar(console, lives)


class _Bar:
    def __init__(self, console: Console, lives: int) -> None:
        columns = (TextColumn("lives"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
        self._task = self._progress.add_task("", total=lives)

    def __enter__(self) -> Callable[[Totals], None]:
        self._progress.start()
        return self._show

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def _show(self, totals: Totals) -> None:
        speed = f"{totals.events_per_second:,.0f} events/s, {totals.simulated_hours:,.1f} h simulated"
        self._progress.update(self._task, completed=totals.lives, description=speed)


def told(totals: Totals, seeds: range, processes: int) -> list[str]:
    """The sums, for people."""
    modes = ", ".join(f"{count:,} {safety}" for safety, count in sorted(totals.safeties.items()))
    lines = [
        f"lives      {totals.lives:,} of seeds {seeds.start}:{seeds.stop} ({modes})",
        f"events     {totals.events:,}, {totals.events_per_second:,.0f} a second on {processes} processes, "
        f"{totals.took_s:.1f} s",
        f"simulated  {totals.simulated_hours:,.1f} hours of clusters",
    ]
    if totals.commands:
        lines.append(f"commands   {totals.commands:,} applied to the applications, each compared between peers")
    if totals.checked_operations:
        lines.append(f"clients    {totals.checked_operations:,} operations checked for linearizability")
    faults = [f"{name} {count:,}" for name, count in totals.faults.most_common(FAULTS_SHOWN_MAX)]
    lines.append(f"faults     {', '.join(faults) or 'none'}")
    unhit = totals.unhit
    lines.append(f"marks      {len(totals.marks)} rare branches taken, {len(unhit)} not")
    if unhit:
        more = f" and {len(unhit) - UNHIT_SHOWN_MAX} more" if len(unhit) > UNHIT_SHOWN_MAX else ""
        lines.append(f"           not: {', '.join(unhit[:UNHIT_SHOWN_MAX])}{more}")
    if not totals.failures:
        lines.append(paint("no invariant was broken", "good"))
    return lines


def failure_told(found: Found, apps: tuple[str, ...], written: Path | None) -> list[str]:
    """A failure, for people."""
    flags = "".join(f" --app {shlex.quote(app)}" for app in apps)
    lines = ["", paint(f"seed {found.seed} broke: {found.invariant}", "bad"), safe(found.detail, lines=True), ""]
    lines.append(f"repeat it: tanist simulate{flags} --replay {shlex.quote(found.replay)}")
    if written is not None:
        lines.append(f"shrunk to: {written}, with its timeline and the history of its clients beside it")
    else:
        lines += ["", paint("shrunk to", "strong"), safe(found.timeline.rstrip(), lines=True)]
    return lines


def _write(found: Found, output: Path | None) -> Path | None:
    """The scenario and its timeline in files; gives the scenario's."""
    if output is None:
        return None
    path = output / f"seed-{found.seed}.scenario"
    try:
        output.mkdir(parents=True, exist_ok=True)
        path.write_text(found.scenario, encoding="utf-8")
        path.with_suffix(".timeline").write_text(found.timeline + "\n", encoding="utf-8")
        path.with_suffix(".history.jsonl").write_text(found.history, encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"{output} cannot be written: {error}\n")
        return None
    return path


def as_json(totals: Totals, found: Found | None, written: Path | None) -> dict[str, Any]:
    """The sums and the failure, as plain values."""
    failure = None
    if found is not None:
        failure = {
            "seed": found.seed,
            "invariant": found.invariant,
            "detail": found.detail,
            "replay": found.replay,
            "scenario": found.scenario,
            "timeline": found.timeline,
            "file": None if written is None else str(written),
        }
    return {
        "ok": found is None,
        "lives": totals.lives,
        "events": totals.events,
        "events_per_second": round(totals.events_per_second),
        "simulated_hours": round(totals.simulated_hours, 3),
        "seconds": round(totals.took_s, 3),
        "commands": totals.commands,
        "checked_operations": totals.checked_operations,
        "faults": dict(sorted(totals.faults.items())),
        "marks": sorted(totals.marks),
        "marks_not_hit": totals.unhit,
        "failure": failure,
    }
