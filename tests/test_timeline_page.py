"""The page of a timeline: what it may do, that no text breaks out of it, and what a browser makes of it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec

from tanist.election.events import MemberChanged, ReignBegan, RoleChanged
from tanist.peer.electionlog.line import make_line
from tanist.peer.electionlog.timeline.building import Builder
from tanist.peer.electionlog.timeline.drawing import draw
from tanist.peer.electionlog.timeline.model import Timeline
from tanist.peer.electionlog.timeline.page import SCRIPTS, page

SOURCES = Path(__file__).parent.parent / "peer" / "electionlog" / "timeline"
PAGE_BYTES_MAX = 96 * 1024
"""The page without its data: it opens at once, and can be read."""
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]>\u2028{{SCRIPT}}",
    "<img src=x onerror=alert(1)>",
    "\x1b[31m\u202ename",
    "&lt;b&gt;'\"`${1}",
]


def hostile() -> Timeline:
    """A cluster whose peers, terms and events are called what must never become markup."""
    builder = Builder()
    for n, name in enumerate(HOSTILE):
        for seq, event in enumerate(
            (
                RoleChanged("seeking", "server", f"1@{name}", name),
                ReignBegan(f"1@{name}", 0, 0.0, True),
                MemberChanged(f"{name}-{n}", name, "h:1", name),
            )
        ):
            line = make_line(
                event, cluster=name, peer=name, name=name, incarnation=name, seq=seq, wall_ms=n * 10 + seq, mono_ms=0.0
            )
            builder.take(n * 10.0 + seq, line)
    return draw(builder.found, title=HOSTILE[0], problems=HOSTILE)


class Elements(HTMLParser):
    """The elements of a page, and the text of its data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.data = ""
        self._in_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._in_data = ("id", "data") in attrs

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data


def test_no_text_of_a_log_becomes_markup() -> None:
    timeline = hostile()
    found = Elements(page(timeline))
    assert found.tags.count("script") == 2
    assert "img" not in found.tags
    assert msgspec.convert(json.loads(found.data), Timeline) == timeline
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e\u2028]", found.data)


def test_the_page_names_nothing_outside_itself() -> None:
    text = page(hostile())
    own = "".join((SOURCES / name).read_text() for name in (*SCRIPTS, "page.css", "page.html"))
    assert not re.search(
        r"https?:|//[a-z]+\.|\bsrc=|\bhref=|@import|url\((?!#)|fetch\(|XMLHttp|import\(|WebSocket", own
    )
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src &#x27;none&#x27;" in policy[1]
    assert "unsafe" not in policy[1]
    assert " style=" not in own, "the policy forbids style attributes"


def test_the_scripts_set_text_and_never_markup() -> None:
    script = "".join((SOURCES / name).read_text() for name in SCRIPTS)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|Function\(", script)


def test_the_page_is_small_and_all_its_scripts_are_in_it() -> None:
    assert {path.name for path in SOURCES.glob("*.js")} == set(SCRIPTS)
    assert sum((SOURCES / name).stat().st_size for name in (*SCRIPTS, "page.css", "page.html")) <= PAGE_BYTES_MAX
    ids = set(re.findall(r'id="([\w-]+)"', (SOURCES / "page.html").read_text()))
    script = "".join((SOURCES / name).read_text() for name in SCRIPTS)
    named = set(re.findall(r"(?:byId|getElementById)\('([\w-]+)'\)", script))
    assert len(named) > 10
    assert named <= ids
