"""`tanist drill`: failures injected into a cluster of real peers, its story while it goes on, and a verdict."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tanist.config.problems import ConfigError
from tanist.election.settings import PACES, Safety
from tanist.peer.cli import drill_telling as telling
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import say, say_json, table
from tanist.peer.drills.drill import NAMES, Drill
from tanist.peer.drills.reading import PEERS_MAX, read_drill
from tanist.peer.drills.ready import ORDER, ready_drill
from tanist.peer.drills.report import REPORT, CannotRun, Report, Tell

SIZES = (3, 5)
"""How many peers `--all` runs each drill with."""


_T = TypeVar("_T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the verb was asked for; 0 and "" are what was not said."""

    what: str = ""
    all: bool = False
    peers: int = 0
    safety: str = ""
    pace: str = "lan"
    json: bool = False
    keep: Path | None = None
    at: tuple[str, ...] = ()
    yes: bool = False


class Planned(msgspec.Struct, frozen=True):
    """One run: a drill, with so many peers, in a mode."""

    drill: Drill
    peers: int
    safety: Safety


def drill(asked: Asked) -> int:
    """List the drills, or perform some; gives the exit status. Raises `VerbError`."""
    _check(asked)
    if not asked.what and not asked.all:
        return _list(asked.json)
    if asked.at:
        return _elsewhere(asked)
    runs = _planned(asked)
    reports = []
    for number, run in enumerate(runs, 1):
        if not asked.json:
            telling.head(run.drill, run.peers, run.safety, asked.pace, number, len(runs))
        reports.append(_performed(partial(_on_new_peers, run, asked.pace), asked))
        if not asked.json:
            telling.verdict(reports[-1])
    if asked.json:
        say_json({"ok": all(r.passed for r in reports), "runs": [telling.as_json(r) for r in reports]})
    elif len(reports) > 1:
        telling.summary(reports)
    return Exit.OK if all(report.passed for report in reports) else Exit.FAILED


def _check(asked: Asked) -> None:
    if asked.at and (asked.all or asked.peers or asked.safety or not asked.what):
        raise VerbError(Exit.USAGE, "--at takes one drill, and the peers as they are: no --all, --peers or --safety")
    if asked.at and asked.json and not asked.yes:
        raise VerbError(Exit.USAGE, "--json asks nobody: with --at say --yes too")
    if asked.all and asked.what:
        raise VerbError(Exit.USAGE, f"--all runs every drill: leave out {asked.what}, or --all")
    if asked.pace not in PACES:
        raise VerbError(Exit.USAGE, f"--pace {asked.pace}: there is none of this name; take one of {', '.join(PACES)}")
    if asked.safety and asked.safety not in set(Safety):
        raise VerbError(Exit.USAGE, f"--safety {asked.safety}: there is no such mode; take {' or '.join(Safety)}")
    if asked.peers and not 2 <= asked.peers <= PEERS_MAX:
        raise VerbError(Exit.USAGE, f"--peers {asked.peers}: a drill is run with 2 to {PEERS_MAX}")


def _list(as_json_too: bool) -> int:
    drills = [ready_drill(name) for name in ORDER]
    if as_json_too:
        say_json({"drills": [{"name": d.name, "title": d.title, "about": d.about} for d in drills]})
        return Exit.OK
    for line in table(("drill", "what happens"), [(d.name, d.title) for d in drills]):
        say(line)
    say()
    say("Run one: tanist drill server-crash. All, with 3 and 5 peers, in both modes: tanist drill --all.")
    return Exit.OK


def _planned(asked: Asked) -> list[Planned]:
    """The runs, in order. Raises `VerbError`."""
    names = ORDER if asked.all else (asked.what,)
    sizes = (asked.peers,) if asked.peers else SIZES if asked.all else (0,)
    runs = []
    for name in names:
        for size in sizes:
            drill = _load(name, NAMES[: size or PEERS_MAX])
            if size and size < drill.peers:
                raise VerbError(Exit.USAGE, f"--peers {size}: {drill.name} needs {drill.peers}")
            for safety in _modes(drill, asked):
                runs.append(Planned(drill, size or drill.peers, safety))
    return runs


def _modes(drill: Drill, asked: Asked) -> Sequence[Safety]:
    if asked.safety:
        if Safety(asked.safety) not in drill.safety:
            raise VerbError(Exit.USAGE, f"--safety {asked.safety}: {drill.name} is for {' and '.join(drill.safety)}")
        return (Safety(asked.safety),)
    return drill.safety if asked.all else drill.safety[:1]


def _load(name: str, names: Sequence[str]) -> Drill:
    try:
        if name in ORDER:
            return ready_drill(name, names)
        if not name.endswith((".yaml", ".yml", ".json")):
            known = ", ".join(ORDER)
            raise VerbError(Exit.USAGE, f"there is no drill {name!r}; there are {known}, or name a .yaml file")
        return read_drill(Path(name), names)
    except ConfigError as error:
        count = len(error.problems)
        head = "the drill cannot be run:" if count == 1 else f"the drill has {count} problems:"
        raise VerbError(Exit.USAGE, "\n".join([head, *(f"  {problem}" for problem in error.problems)])) from None


def _elsewhere(asked: Asked) -> int:
    """A drill on peers that run already: what will be done is said first. Raises `VerbError`."""
    from tanist.peer.drills.elsewhere import Found, find, refused, run_elsewhere

    found: Found = _run(find([url.rstrip("/") for url in asked.at]))
    drill = _load(asked.what, [peer.name for peer in found.peers])
    if why := refused(drill):
        raise VerbError(Exit.USAGE, "\n".join(["this drill is not for peers that run already:", *why]))
    if found.safety not in drill.safety:
        raise VerbError(
            Exit.USAGE, f"{drill.name} is for {' and '.join(drill.safety)}, and these peers run {found.safety}"
        )
    if len(found.peers) < drill.peers:
        raise VerbError(Exit.USAGE, f"{drill.name} needs {drill.peers} peers, and {len(found.peers)} were named")
    if not asked.json:
        telling.head(drill, len(found.peers), found.safety, asked.pace, 1, 1)
    if not asked.yes:
        telling.plan(drill, [f"{peer.name} ({peer.url})" for peer in found.peers])
        if not telling.agreed():
            raise VerbError(Exit.USAGE, "nothing was done; with --yes it is done without asking")

    def perform(folder: Path, teller: Tell) -> Coroutine[Any, Any, Report]:
        return run_elsewhere(drill, folder, found, pace=asked.pace, tell=teller)

    report = _performed(perform, asked)
    if asked.json:
        say_json({"ok": report.passed, "runs": [telling.as_json(report)]})
    else:
        telling.verdict(report)
    return Exit.OK if report.passed else Exit.FAILED


# Performing


def _performed(perform: Callable[[Path, Tell], Coroutine[Any, Any, Report]], asked: Asked) -> Report:
    """One run, with its files where they belong."""
    folder = Path(tempfile.mkdtemp(prefix="tanist-drill-"))
    passed = False
    try:
        report = _run(perform(folder, telling.quiet if asked.json else telling.Teller().tell))
        passed = report.passed
        return _kept(report, folder, asked.keep)
    finally:
        # What failed without a place to keep it is kept where it is, for whoever looks into it.
        if asked.keep is not None or passed or not (folder / REPORT).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _on_new_peers(run: Planned, pace: str, folder: Path, teller: Tell) -> Coroutine[Any, Any, Report]:
    # Imported here: a list of drills needs none of it.
    from tanist.peer.drills.run import run_drill

    return run_drill(run.drill, folder, peers=run.peers, safety=run.safety, pace=pace, tell=teller)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Do it on an event loop of its own. Raises `VerbError` for what cannot be run."""
    try:
        with asyncio.Runner() as runner:
            return runner.run(_until_told_to_end(work))
    except CannotRun as error:
        raise VerbError(Exit.FAILED, str(error)) from None


async def _until_told_to_end(work: Coroutine[Any, Any, _T]) -> _T:
    if sys.platform != "win32":
        # Like Ctrl-C, so that faults end and peers are cleaned up.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
    return await work


def _kept(report: Report, folder: Path, keep: Path | None) -> Report:
    """Move the files to where they are kept; on success and without --keep they are gone."""
    if keep is None:
        return msgspec.structs.replace(report, files="" if report.passed else str(folder))
    place = keep / f"{report.drill}-{report.peers}-{report.safety}"
    try:
        if place.exists():
            shutil.rmtree(place)
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, place)
    except OSError as error:
        raise VerbError(Exit.FAILED, f"--keep {keep}: {error.strerror or error}") from None
    return msgspec.structs.replace(report, files=str(place))
