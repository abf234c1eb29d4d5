"""The page of an application in a real browser, through the deaths of the server and of the page's own peer."""

from pathlib import Path

import pytest
from chromium import browsing, in_a_browser
from pages_cluster import fill, seen, text

from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.conditions import in_sync, serves

pytestmark = [in_a_browser, pytest.mark.slow]


async def test_a_page_outlives_the_server_and_then_its_own_peer(tmp_path: Path) -> None:
    async with RealCluster(tmp_path / "peers", apps=["chat"]) as cluster, browsing(tmp_path / "browser") as page:
        server, heir = await cluster.server(), await cluster.heir()
        (own,) = set(cluster.names) - {server, heir}
        await page.open(f"{cluster[own].url}/apps/chat")
        await fill(page, register_nick="ada")
        await text(page, "#talk", "You are ada")
        await fill(page, msg_text="before")
        await text(page, ".talk", "before")

        await cluster.kill(server)
        await fill(page, msg_text="while nobody serves")
        await text(page, ".talk", "while nobody serves")
        await text(page, "header .link", f"{heir} serves, you are at {own}")
        await cluster.until(serves(heir))
        await cluster.start(server)
        await cluster.until(in_sync)

        await fill(page, False, msg_text="half a sentence")
        await cluster.kill(own)
        await text(page, "header .link", f"{own} does not answer")
        await seen(page, "location.origin", lambda origin: origin == cluster[heir].url)
        await text(page, ".notice", f"{own} did not answer: this is {heir}'s page")
        await page.value("document.querySelector('[name=\"register.nick\"]').form.requestSubmit()")
        await seen(page, "(document.querySelector('[name=\"msg.text\"]') || {}).value === 'half a sentence'")
        await fill(page, msg_text="a whole sentence")
        await text(page, ".talk", "a whole sentence")
        async with cluster.http.get(f"{cluster[server].url}/apps/chat/history?n=10&read=linearizable") as answer:
            said = [(m["nick"], m["text"]) for m in (await answer.json())["result"]]
        assert said == [("ada", words) for words in ("before", "while nobody serves", "a whole sentence")]


async def test_a_page_leaves_a_peer_that_is_frozen(tmp_path: Path) -> None:
    async with RealCluster(tmp_path / "peers", apps=["counter"]) as cluster, browsing(tmp_path / "browser") as page:
        heir = await cluster.heir()
        await page.open(f"{cluster[heir].url}/apps/counter")
        await text(page, "header .link", "serves")
        await cluster.pause(heir)
        await text(page, "header .link", f"{heir} does not answer")
        elsewhere = cluster[await cluster.server()].url
        await seen(page, "location.origin", lambda origin: origin == elsewhere)
        await fill(page, add_n="2")
        await text(page, "[aria-labelledby=now-value] .value", "2")
