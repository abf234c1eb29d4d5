"""Pages of applications: what is served to whom, what pages may do, and what they rely on."""

import hashlib
import re
from pathlib import Path

import pytest
from http_fake import FakePeer, raw, serving

from tanist.peer.application.api import Application, Context, query
from tanist.peer.application.loading import BUILT_IN, load_application
from tanist.peer.application.specification import describe
from tanist.peer.pages.document import CONTENT_SECURITY_POLICY, FOLDER, document, files
from tanist.peer.pages.vendor import LIBRARY_SHA256

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
OWN = sorted(name for name in files() if name.endswith(".js") and not name.startswith("vendor/"))
MADE = sorted(Path(name).stem for name in OWN if name.startswith("made/"))
ALL_BYTES_MAX = 128 * 1024
"""Of all files together: pages that are there at once on a phone."""


class Poll(Application):
    """Somebody's own. <b>Not</b> the one that comes along."""

    @query
    def opinion(self, ctx: Context) -> str:
        """Another thing."""
        return ""


async def test_a_browser_gets_a_page_where_programs_get_json() -> None:
    async with serving() as web:
        for headers in ({}, {"Accept": "application/json"}, {"Accept": "*/*"}):
            async with web.session.get(f"http://{web.address}/apps/notes", headers=headers) as answer:
                assert answer.content_type == "application/json"
                assert answer.headers["Vary"] == "Accept"
                assert (await answer.json())["name"] == "notes"
        async with web.session.get(f"http://{web.address}/apps/notes", headers=BROWSER) as answer:
            assert (answer.status, answer.content_type) == (200, "text/html")
            assert answer.headers["Vary"] == "Accept"
            assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
            assert 'data-app="notes"' in await answer.text()
        assert (await web.error("GET", "/apps/nothing", headers=BROWSER))[:2] == (404, "not_found")
        # A query is a query, whoever asks.
        assert (await web.ask("GET", "/apps/notes/get?key=k", headers=BROWSER))[0] == 200


async def test_files_are_served_with_a_tag_and_nothing_else_is() -> None:
    async with serving() as web:
        for name, media_type in (("start.js", "text/javascript"), ("page.css", "text/css")):
            async with web.session.get(f"http://{web.address}/pages/{name}") as answer:
                assert (answer.status, answer.content_type) == (200, media_type)
                assert await answer.read() == files()[name].content
                tag = answer.headers["ETag"]
            async with web.session.get(f"http://{web.address}/pages/{name}", headers={"If-None-Match": tag}) as again:
                assert (again.status, await again.read()) == (304, b"")
        hidden = ("document.py", "__init__.py", "../peer.py", "%2e%2e/peer.py", "/etc/passwd", "", "made", "made%2f..")
        for name in hidden:
            answer_bytes = await raw(web, f"GET /pages/{name} HTTP/1.0\r\nHost: {web.address}\r\n\r\n".encode())
            assert answer_bytes.startswith(b"HTTP/1.0 404") or b" 404 " in answer_bytes.split(b"\r\n")[0], name


def test_the_policy_runs_files_of_this_peer_alone() -> None:
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    page = document("poll", Poll())
    assert not re.search(r"<style|<script(?! type=\"module\" src=\"/pages/start.js\">)| style=| on\w+=", page)


def test_pages_made_by_hand_are_for_the_applications_that_come_along() -> None:
    assert set(MADE) <= set(BUILT_IN)
    for name in BUILT_IN:
        _, application = load_application(name)
        assert (f'data-made="{name}"' in document(name, application)) == (name in MADE)
    page = document("poll", Poll())
    assert 'data-made=""' in page
    assert "&lt;b&gt;Not" in page
    assert '"><script>' not in document('"><script>', Poll())


@pytest.mark.parametrize("name", MADE)
def test_a_page_made_by_hand_asks_for_what_its_application_has(name: str) -> None:
    _, application = load_application(name)
    source = files()[f"made/{name}.js"].content.decode()
    operations = {o.name: o for o in (*describe(application).commands, *describe(application).queries)}
    asked = set(re.findall(r"useAsked\(link, '(\w+)'|act\('(\w+)'|<\$\{Ask\}[^>]*? name=\"(\w+)\"", source))
    names = {one or other or third for one, other, third in asked}
    assert names
    assert names <= operations.keys()
    fields = set(re.findall(r" name=\"(\w+)\.(\w+)\"", source))
    for operation, argument in fields:
        assert argument in {p.name for p in operations[operation].parameters}, (operation, argument)


@pytest.mark.parametrize("name", OWN)
def test_own_scripts_set_text_and_never_markup_and_load_nothing_from_elsewhere(name: str) -> None:
    source = files()[name].content.decode()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source)
    assert not re.search(r"https?://|srcdoc|javascript:", source)
    for imported in re.findall(r"(?:from|import\() ?['`]([^'`]+)['`]", source):
        path = (FOLDER / name).parent / imported.replace("${made}", "chat")
        assert path.resolve().relative_to(FOLDER).as_posix() in files(), imported
    assert max(map(len, source.splitlines())) <= 120


def test_what_others_wrote_is_as_they_published_it_and_comes_with_its_licences() -> None:
    assert hashlib.sha256(files()["vendor/htm-preact.js"].content).hexdigest() == LIBRARY_SHA256
    assert "Apache License" in files()["vendor/LICENSE-htm.txt"].content.decode()
    assert "The MIT License" in files()["vendor/LICENSE-preact.txt"].content.decode()


def test_all_files_together_are_small() -> None:
    assert sum(len(file.content) for name, file in files().items() if not name.endswith(".txt")) <= ALL_BYTES_MAX


async def test_the_index_is_for_the_applications_of_the_peer() -> None:
    async with serving(FakePeer()) as web:
        status, said = await web.ask("GET", "/apps")
        assert status == 200
        assert [app["name"] for app in said["apps"]] == ["notes"]
