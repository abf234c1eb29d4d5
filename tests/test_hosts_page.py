"""The page of the machines in a real browser: it goes on by itself, and when the server is gone."""

import asyncio
import contextlib
from functools import partial
from operator import eq
from pathlib import Path

import pytest
from chromium import browsing, in_a_browser
from pages_cluster import running, seen, text

from tanist.peer import machine
from tanist.peer.machine import Figures

pytestmark = in_a_browser
FRESH_S = 4.0
"""What is shown is no older."""
SLACK_S = 4.0
"""For the browser and the peers of a busy machine."""


@pytest.mark.slow
async def test_machines_are_ranked_and_a_failover_is_seen(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        anna = await stack.enter_async_context(running(tmp_path, app=["hosts"]))
        berta = await stack.enter_async_context(running(tmp_path, "berta", app=["hosts"], peer=[anna.address]))
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        await page.open(f"http://{berta.http_address}/apps/hosts")
        await text(page, "[aria-labelledby=device]", "anna, rank")
        await text(page, "[aria-labelledby=clients]", "RAM MBBandwidth MB freeDisk GB freeStatus")
        await text(page, "[aria-labelledby=clients]", "clientof the cluster")
        await anna.stop(hand_over=False)
        await text(page, "[aria-labelledby=clients]", "silenttwo pulses missed")
        await text(page, "[aria-labelledby=device]", "berta, rank 1 of 2")
        assert [said for said in page.complaints if "WebSocket" not in said] == []


@pytest.mark.slow
async def test_a_load_is_seen_within_4_s_without_a_touch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = 1.5

    class Made(machine.Gauge):
        """Figures that the test makes."""

        def read(self) -> Figures:
            return Figures(load, 1000.0, 8000.0, 100.0, 50.0, 50.0)

    monkeypatch.setattr(machine, "Gauge", Made)
    async with running(tmp_path, app=["hosts"]) as anna, browsing(tmp_path / "browser") as page:
        await page.open(f"http://{anna.http_address}/apps/hosts")
        shown = "(document.querySelector('.loads .load')?.textContent ?? '').trim()"
        for load in (2.5, 97.5, 0.0):
            async with asyncio.timeout(FRESH_S + SLACK_S):
                await seen(page, shown, partial(eq, f"{load:.1f}"))
