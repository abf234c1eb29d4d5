"""The page of the machines in a real browser: the table comes by itself, and goes on when the server is gone."""

import contextlib
from pathlib import Path

import pytest
from chromium import browsing, in_a_browser
from pages_cluster import running, text

pytestmark = in_a_browser


@pytest.mark.slow
async def test_machines_are_ranked_and_a_failover_is_seen(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        anna = await stack.enter_async_context(running(tmp_path, app=["hosts"]))
        berta = await stack.enter_async_context(running(tmp_path, "berta", app=["hosts"], peer=[anna.address]))
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        await page.open(f"http://{berta.http_address}/apps/hosts")
        await text(page, "[aria-labelledby=device]", "anna, rank")
        await text(page, "[aria-labelledby=clients]", "berta● in the cluster")
        await anna.stop(hand_over=False)
        await text(page, "[aria-labelledby=clients]", "anna✕ silent")
        await text(page, "[aria-labelledby=device]", "berta, rank 1 of 2")
        assert [said for said in page.complaints if "WebSocket" not in said] == []
