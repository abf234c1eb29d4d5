"""Drills on peers that run already: asked first, hurt by themselves, and well again whatever becomes of the drill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tanist.election.settings import Safety
from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.elsewhere import Found, find, refused, run_elsewhere
from tanist.peer.drills.reading import parse_drill
from tanist.peer.drills.ready import ORDER, ready_drill
from tanist.peer.drills.report import CannotRun

PACE = "fast"
END_S = 30.0
"""How long an end may take on a busy machine."""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[RealCluster]:
    async with RealCluster(tmp_path / "peers", 3, pace=PACE) as made:
        yield made


async def found(cluster: RealCluster) -> Found:
    return await find([peer.url for peer in cluster.peers.values()])


async def faults(cluster: RealCluster) -> list[object]:
    """All that is in force at any peer."""
    every: list[object] = []
    for peer in cluster.peers.values():
        async with cluster.http.get(f"{peer.url}/drills/faults") as answer:
            every += (await answer.json())["faults"]
    return every


async def test_running_peers_are_drilled_judged_and_left_well(cluster: RealCluster, tmp_path: Path) -> None:
    peers = await found(cluster)
    assert peers.safety is Safety.SURVIVOR and [peer.name for peer in peers.peers] == ["a", "b", "c"]
    told: list[str] = []
    drill = parse_drill(
        """
title: a link and a clock
steps:
  - cut server<>heir
  - clock other 1h
  - delay server>other 5ms
  - wait served
  - mend
  - pause heir 300ms
  - resume heir
  - wait settled within 30s
expects: [reigns < 9]
""",
        "x.yaml",
        "abc",
    )
    report = await run_elsewhere(
        drill, tmp_path, peers, pace=PACE, tell=lambda moment_s, kind, who, text: told.append(f"{who} {text}".strip())
    )
    assert report.passed, report.checks
    assert {"acknowledged", "same-state", "settled"} <= {check.name for check in report.checks}
    assert report.clients.acknowledged > 0 and "all faults end" in told
    assert await faults(cluster) == []


async def test_a_drill_that_is_interrupted_leaves_peers_well(cluster: RealCluster, tmp_path: Path) -> None:
    drill = parse_drill("title: x\nsteps: [cut server>clients, run 10min]", "x.yaml", "abc")
    begun = asyncio.Event()

    def tell(moment_s: float, kind: str, who: str, text: str) -> None:
        if text.startswith("run"):
            begun.set()

    running = asyncio.create_task(run_elsewhere(drill, tmp_path, await found(cluster), pace=PACE, tell=tell))
    async with asyncio.timeout(END_S):
        await begun.wait()
    assert await faults(cluster) != []
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await faults(cluster) == []


async def test_all_that_stands_against_it_is_told_before_anything_is_done(tmp_path: Path) -> None:
    async with RealCluster(tmp_path / "peers", 2, pace=PACE, links=False) as cluster:
        url = cluster["a"].url
        with pytest.raises(CannotRun) as caught:
            await find([url, "http://127.0.0.1:9"])
    told = str(caught.value).splitlines()
    assert "http://127.0.0.1:9: nobody answers there" in told
    assert any(line.startswith("b is a member too: give the address of its page with --at") for line in told)
    assert any(line.startswith("a: ") and "--allow-drills" in line for line in told)


def test_what_would_not_undo_itself_is_refused_with_its_place() -> None:
    told = {name: refused(ready_drill(name)) for name in ORDER}
    assert {name for name, why in told.items() if why} == {"full-disk", "churn"}
    assert [line.partition(".yaml:")[2] for line in told["churn"]] == [
        "4:5: add newcomer: a peer cannot be started from here",
        "18:5: leave newcomer: a peer that left for good would not come back",
    ]
