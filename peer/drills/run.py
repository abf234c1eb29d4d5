"""One run of a drill: performed while clients work, its story told, then judged, and its files written."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from tanist.election.settings import PACES, Pace, Safety
from tanist.peer.drills import words
from tanist.peer.drills.chronicle import Chronicle, LogFiles
from tanist.peer.drills.clients import Clients
from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.drill import NAMES, Drill
from tanist.peer.drills.facts import Facts
from tanist.peer.drills.files import write_files
from tanist.peer.drills.judging import judge
from tanist.peer.drills.local import LocalTarget
from tanist.peer.drills.performing import Failed, Performer, Result, stretch
from tanist.peer.drills.process import ClusterError
from tanist.peer.drills.report import CannotRun, Check, Report, Seen, Tell, outages_of
from tanist.peer.drills.story import Story
from tanist.peer.drills.target import CannotPerform, Target
from tanist.peer.drills.waiting import until
from tanist.peer.electionlog.timeline.bands import Mark

CLIENTS = 4
"""Clients at once: enough that some are always in the middle of a write when a server dies."""
STEPS_S_MAX = 180.0
"""How long the steps may take, by the pace that times are written for: far longer than any sensible drill."""
SETTLE_S = 30.0
"""How long the cluster may take to settle when every fault has ended."""
TELL_S = 0.05
"""Between two looks at the logs and the clients, for the story."""


async def run_drill(drill: Drill, folder: Path, *, peers: int, safety: Safety, pace: str, tell: Tell) -> Report:
    """Start a cluster in `folder`, perform the drill, and judge what came of it; `folder` keeps all files.

    Raises `CannotRun` when the cluster cannot even be started.
    """
    began_s = time.monotonic()
    cluster = RealCluster(folder / "peers", names=NAMES[:peers], safety=safety, pace=pace)
    try:
        await cluster.__aenter__()
    except ClusterError as error:
        raise CannotRun(f"the cluster did not come up: {error}") from None
    try:
        target = LocalTarget(cluster)
        clients = cluster.clients(CLIENTS)
        story = Story(tell)
        logs = LogFiles(target.folders, story.line)
        run = Run(drill, target, clients, logs, story, safety=safety, pace=PACES[pace])
        checks = [*await run.play(), *await judge(cluster, clients)]
    finally:
        await cluster.close()
    report = run.report(checks, peers, pace, time.monotonic() - began_s)
    write_files(folder, report, clients.history, run.marks, target.folders)
    return report


class Run:
    """One performance: the drill, its story and the clients beside one another. `play` it once, then `report`."""

    def __init__(
        self,
        drill: Drill,
        target: Target,
        clients: Clients,
        chronicle: Chronicle,
        story: Story,
        *,
        safety: Safety,
        pace: Pace,
    ) -> None:
        """`chronicle` has what the peers tell of elections; `story` tells it, and what clients see."""
        self.marks: list[Mark] = []
        """The steps, as a timeline shows them."""
        self._drill = drill
        self._target = target
        self._clients = clients
        self._safety = safety
        self._stretch = stretch(pace)
        self._story = story
        self._chronicle = chronicle
        self._facts = Facts(target, clients.history, chronicle, pace)
        self._performer = Performer(drill, target, self._facts, safety, pace, self._step)

    async def play(self) -> list[Check]:
        """Perform it while clients work, end all faults, and wait until all is calm and the clients are answered."""
        self._chronicle.skip()
        self._clients.start()
        telling = asyncio.create_task(self._tell())
        try:
            checks = [await self._steps()]
            if checks[0].passed:
                checks += [_check(result) for result in await self._performer.expectations()]
            checks += [_check(result) for result in self._performer.never]
            checks.append(await self._settled())
            await self._clients.stop()
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
            self._chronicle.read_on()
        return checks

    def report(self, checks: Sequence[Check], peers: int, pace: str, took_s: float) -> Report:
        """All that came of it, once all is judged."""
        history = self._clients.history
        return Report(
            drill=self._drill.name,
            title=self._drill.title,
            peers=peers,
            safety=self._safety,
            pace=pace,
            seconds=round(took_s, 2),
            checks=tuple(checks),
            clients=Seen(
                acknowledged=history.acknowledged,
                unknown=history.unknown,
                reads=history.reads,
                longest_outage_ms=round(history.longest_silence_s() * 1000, 1),
                outages=outages_of(history),
            ),
            reigns=tuple(self._facts.reigns()),
        )

    async def _steps(self) -> Check:
        limit_s = STEPS_S_MAX * max(1.0, self._stretch)
        try:
            async with asyncio.timeout(limit_s):
                await self._performer.perform()
        except Failed as error:
            return Check("steps", False, str(error))
        except TimeoutError:
            return Check("steps", False, f"not done within {limit_s:g} s")
        return Check("steps", True, f"{self._performer.done} steps were done, and all came that was waited for")

    async def _settled(self) -> Check:
        """End every fault; then all must come to one mind."""
        self._step("all faults end")
        try:
            await self._target.undo()
        except CannotPerform as error:
            return Check("settled", False, f"{error}; {await self._facts.seen()}")
        settled = await until(lambda: self._facts.holds(words.Settled()), SETTLE_S * max(1.0, self._stretch))
        return Check("settled", settled, f"{'' if settled else 'not in time: '}{await self._facts.seen()}")

    def _step(self, text: str) -> None:
        # What peers wrote before it is told before it.
        self._chronicle.read_on()
        self._story.step(text)
        self.marks.append(Mark(time.time() * 1000, text, "step"))

    async def _tell(self) -> None:
        while True:
            self._chronicle.read_on()
            self._story.clients(self._clients.history.silent_s())
            await asyncio.sleep(TELL_S)


def _check(result: Result) -> Check:
    return Check(result.text, result.passed, result.told if result.passed else f"{result.told} ({result.where})")


__all__ = ["CLIENTS", "Run", "run_drill"]
