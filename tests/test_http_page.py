"""The page: what it may do, and what a browser makes of it."""

import asyncio
import re
import shutil
from pathlib import Path

import aiohttp
import msgspec
import pytest
from http_fake import FakePeer, serving

from tanist.peer.gateways.http_page import CONTENT_SECURITY_POLICY, PAGE
from tanist.peer.gateways.http_page_script import SCRIPT
from tanist.peer.status import FallbackView, MemberView, Status

PAGE_BYTES_MAX = 32_768
"""A page that loads at once over any line."""
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_a_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")


async def test_the_page_is_served_with_a_policy_that_lets_its_own_script_and_style_run_alone() -> None:
    async with serving() as web, web.session.get(f"http://{web.address}/") as answer:
        assert await answer.text() == PAGE
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "'unsafe-inline'" not in CONTENT_SECURITY_POLICY
    assert PAGE.count("<script>") == PAGE.count("<style>") == 1
    assert " style=" not in PAGE, "the policy forbids style attributes"


def test_the_page_is_small_and_loads_nothing_from_elsewhere() -> None:
    assert len(PAGE.encode()) <= PAGE_BYTES_MAX
    own = PAGE.replace("location.origin.replace('http', 'ws')", "").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|src=|@import|url\(", own)


def test_what_the_script_looks_for_is_on_the_page() -> None:
    named = set(re.findall(r"\$\('([\w-]+)'\)|(?:say|draw)\('([\w-]+)'", SCRIPT))
    ids = {one or other for one, other in named}
    assert len(ids) > 10
    assert ids <= set(re.findall(r'id="([\w-]+)"', PAGE))


def test_the_script_sets_text_and_never_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", SCRIPT)


class Shown(FakePeer):
    """A fake whose status a test chooses."""

    changes: dict[str, object]

    def status(self) -> Status:
        """The fake's, with the changes."""
        return msgspec.structs.replace(super().status(), **self.changes)


async def seen(directory: Path, **changes: object) -> str:
    """The page's elements as Chromium has them after three seconds of its own time."""
    peer = Shown()
    peer.changes = changes
    async with serving(peer) as web:
        options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
        options += " --disable-background-networking --disable-component-update --virtual-time-budget=3000 --dump-dom"
        process = await asyncio.create_subprocess_exec(
            str(BROWSER),
            *options.split(),
            f"--user-data-dir={directory}",
            f"http://{web.address}/",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode()


def text_of(page: str, element: str) -> str:
    """The text of an element that has an id."""
    found = re.search(rf'<(\w+)[^>]* id="{element}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    assert found is not None, f"{element} is not on the page"
    return re.sub(r"<[^>]+>", " ", found[2])


@in_a_browser
async def test_the_page_says_who_serves_and_who_is_next(tmp_path: Path) -> None:
    page = await seen(tmp_path)
    assert text_of(page, "serving") == "★ anna serves"
    assert "<title>anna serves · default</title>" in page
    assert text_of(page, "spoken") == "anna serves, in term 3. The heir is bert."
    assert text_of(page, "after") == "If anna dies, bert serves on"
    heirs = re.findall(r'<li class="heir">.*?</li>', page)
    assert len(heirs) == 1
    assert "bert" in heirs[0]
    assert "in sync, mains" in heirs[0]
    assert "anna (this page)" in text_of(page, "members")
    assert "on the disks of the server and its heir" in text_of(page, "facts")
    assert text_of(page, "link") == ""


@in_a_browser
async def test_the_page_is_an_index_of_the_applications(tmp_path: Path) -> None:
    page = await seen(tmp_path)
    assert '<a class="name" href="/apps/notes">notes</a>' in page
    assert "Notes by name." in text_of(page, "apps")


@pytest.mark.slow
@in_a_browser
async def test_the_page_leads_to_those_of_other_members_where_a_browser_can_reach_them(tmp_path: Path) -> None:
    members = [
        MemberView("p1", "own", "127.0.0.1:7400", "live", 0, "127.0.0.1:7480"),
        MemberView("p2", "near", "127.0.0.1:7401", "live", 0, "127.0.0.1:7481"),
        MemberView("p3", "closed", "10.0.0.5:7400", "live", 0, "127.0.0.1:7480"),
        MemberView("p4", "open", "10.0.0.6:7400", "live", 0, "0.0.0.0:7480"),
        MemberView("p5", "none", "10.0.0.7:7400", "absent", 0, ""),
    ]
    page = await seen(tmp_path, members=members)
    shown = re.search(r'<ul[^>]* id="members">(.*?)</ul>', page)
    assert shown is not None
    assert re.findall(r'<a class="name" href="([^"]*)">(\w+)</a>', shown[1]) == [
        ("http://127.0.0.1:7481", "near"),
        ("http://10.0.0.6:7480", "open"),
    ]


@in_a_browser
async def test_the_page_says_that_nobody_serves_and_why(tmp_path: Path) -> None:
    page = await seen(tmp_path, server=None, role="seeking", problem="no majority: 1 of 3 voters are here")
    assert text_of(page, "serving") == "◌ Nobody serves"
    assert text_of(page, "problem") == "No majority: 1 of 3 voters are here."
    assert '<section id="now" class="nobody"' in page or 'class="nobody"' in page
    assert text_of(page, "after") == "Who may serve on"
    assert "commands wait" in text_of(page, "facts")


@in_a_browser
async def test_names_and_reasons_are_text_whatever_they_are(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    members = [MemberView("p1", evil, "127.0.0.1:7400", "live", 0)]
    fallbacks = [FallbackView("p2", evil, "127.0.0.1:7401", False, 1, False, evil)]
    page = await seen(tmp_path, name=evil, members=members, fallbacks=fallbacks, cluster=evil)
    assert "<img" not in page
    assert page.count("&lt;img") >= 4
    assert "1 entry behind" in text_of(page, "fallbacks")


@in_a_browser
async def test_the_button_hands_over_only_at_the_server(tmp_path: Path) -> None:
    server = await seen(tmp_path / "server")
    assert text_of(server, "handover") == "Let bert serve now"
    assert not re.search(r'<button[^>]*id="handover"[^>]*hidden', server)
    client = await seen(tmp_path / "client", role="client")
    assert re.search(r'<button[^>]*id="handover"[^>]*hidden', client)


async def test_a_page_of_this_peer_may_hand_over_and_one_of_another_port_may_not() -> None:
    async with serving() as web, aiohttp.ClientSession() as session:
        for origin, status in ((f"http://{web.address}", 200), ("http://127.0.0.1:1", 403)):
            url = f"http://{web.address}/cluster/handover"
            async with session.post(url, data=b"{}", headers={"Origin": origin}) as answer:
                assert answer.status == status
