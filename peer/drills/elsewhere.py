"""A drill on peers that run already: found by the addresses of their pages, asked whether they allow it, judged."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec

from tanist.election.settings import PACES, Safety
from tanist.peer.drills import asking
from tanist.peer.drills.clients import Clients
from tanist.peer.drills.drill import Drill
from tanist.peer.drills.files import write_files
from tanist.peer.drills.hearing import Heard, Running
from tanist.peer.drills.judging import judge_answers, judge_states
from tanist.peer.drills.remote import RemoteTarget
from tanist.peer.drills.report import CannotRun, Report, Tell
from tanist.peer.drills.run import CLIENTS, Run
from tanist.peer.drills.story import Story
from tanist.peer.drills.target import CannotPerform

APP = "kv"
"""The application that the clients of a drill use."""


class Found(msgspec.Struct, frozen=True):
    """Peers of one cluster that run and allow drills."""

    peers: tuple[Running, ...]
    safety: Safety


async def find(urls: Sequence[str]) -> Found:
    """Ask peers who they are, and whether they may be hurt. Raises `CannotRun` with all that stands against it."""
    async with aiohttp.ClientSession() as http:
        statuses = await asyncio.gather(*(asking.status_of(http, url) for url in urls))
        wrong = [f"{url}: nobody answers there" for url, status in zip(urls, statuses, strict=True) if status is None]
        known = {url: status for url, status in zip(urls, statuses, strict=True) if status is not None}
        names = [str(status["name"]) for status in known.values()]
        wrong += [f"{name} was named twice" for name in sorted({n for n in names if names.count(n) > 1})]
        if len({(status["cluster"], status["safety"]) for status in known.values()}) > 1:
            wrong.append("these are peers of different clusters")
        given = {status["id"] for status in known.values()}
        for member in next((status["members"] for status in known.values() if status["role"] == "server"), []):
            if member["id"] not in given:
                wrong.append(f"{member['name']} is a member too: give the address of its page with --at")
        wrong += [f"{s['name']} does not run the application {APP}" for s in known.values() if APP not in s["apps"]]
        target = RemoteTarget(http, {str(status["name"]): url for url, status in known.items()})
        try:
            await target.allowed()
        except CannotPerform as error:
            wrong.append(str(error))
        if wrong:
            raise CannotRun("\n".join(wrong))
    peers = tuple(Running(str(status["name"]), str(status["id"]), url) for url, status in known.items())
    return Found(peers, Safety(next(iter(known.values()))["safety"]))


def refused(drill: Drill) -> list[str]:
    """The steps that cannot be performed on running peers, each with its place and why."""
    found = []
    for step in drill.lines():
        if why := RemoteTarget.refuses(step.act):
            found.append(f"{step.where}: {step.text}: {why}")
    return found


async def run_elsewhere(drill: Drill, folder: Path, found: Found, *, pace: str, tell: Tell) -> Report:
    """Perform a drill on these peers, and judge what came of it; `folder` takes the files."""
    began_s = time.monotonic()
    connector = aiohttp.TCPConnector(limit=0)
    urls = {peer.name: peer.url for peer in found.peers}
    async with aiohttp.ClientSession(connector=connector) as http:
        target = RemoteTarget(http, urls)
        quorum = found.safety is Safety.QUORUM
        clients = Clients(http, lambda: urls, count=CLIENTS, linearizable=quorum)
        story = Story(tell)
        async with Heard(http, found.peers, story.line) as heard:
            run = Run(drill, target, clients, heard, story, safety=found.safety, pace=PACES[pace])
            try:
                checks = await run.play()
            finally:
                # Also when it was interrupted: else links stay bad for a minute.
                with contextlib.suppress(CannotPerform):
                    await target.end_faults()
        checks += await judge_states(target, clients)
        checks += judge_answers(clients, quorum=quorum)
    report = run.report(checks, len(found.peers), pace, time.monotonic() - began_s)
    write_files(folder, report, clients.history, run.marks, {})
    return report
