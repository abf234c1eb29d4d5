"""The page of a timeline: what it may do, that no text breaks out of it, and what a browser makes of it."""

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from chromium import Page, browsing, in_a_browser
from timeline_lines import STARTED, at, election, shown

from tanist.election.events import (
    BallotEnded,
    CanvassAnswered,
    CanvassStarted,
    Event,
    ListPublished,
    MemberChanged,
    ReignBegan,
    ReignEnded,
    RetryEnded,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    VoteCast,
    Woke,
)
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


def ratio(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG 2 reckons it."""

    def luminance(colour: str) -> float:
        full = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
        parts = [int(full[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_and_shapes_stand_out_in_the_light_the_dark_and_on_paper() -> None:
    roots = re.findall(r":root \{(.*?)\}", (SOURCES / "page.css").read_text(), re.DOTALL)
    assert len(roots) == 3
    light = dict(re.findall(r"--([\w-]+):\s*(#\w+)", roots[0]))
    for root in roots:
        colours = light | dict(re.findall(r"--([\w-]+):\s*(#\w+)", root))
        for ground in ("ground", "odd", "panel"):
            for text in ("text", "dim", "link"):
                assert ratio(colours[text], colours[ground]) >= 4.5, (text, ground)
        for bar in ("server", "client", "candidate", "seeking"):
            assert ratio("#111", colours[bar]) >= 4.5, f"labels on {bar}"
            assert max(ratio(colours[bar], colours["odd"]), ratio(colours["edge"], colours["odd"])) >= 3, bar
        for arrow in ("canvass", "vote", "follow", "lost", "retry", "fallback", "handover", "heal", "fault"):
            assert ratio(colours[arrow], colours["odd"]) >= 3, arrow


# In a browser

ELECTIONS = 150
"""Elections of a long log: ten thousand lines."""
ELEMENTS_MAX = 1500
"""Elements of the chart, however many lines there are: what a browser lays out within a frame."""
FRAMES = 60
"""Turns of the wheel that are measured, closer and back."""
FRAME_MS_MAX = 50.0
"""What a frame may take of the processor while the wheel turns: 20 frames a second, on a slow and busy machine."""


def long_life() -> Timeline:
    """Ten thousand lines of seven peers: each server falls silent, and another is elected."""
    builder = Builder()
    names = [f"peer-{n}" for n in range(7)]
    moment = 0.0

    def tell(peer: str, *events: Event) -> None:
        nonlocal moment
        for event in events:
            moment += 0.7
            line = make_line(
                event, cluster="home", peer=peer, name=peer, incarnation="1-1", seq=1, wall_ms=0, mono_ms=moment
            )
            builder.take(moment, line)

    for number in range(1, ELECTIONS + 1):
        moment += 60_000
        old, new = names[number % 7], names[(number + 1) % 7]
        others = [name for name in names if name not in (old, new)]
        last, term = f"{number - 1}@{old}", f"{number}@{new}"
        for name in (new, *others):
            tell(
                name, ServerLost(old, last, "silent", "no heartbeat", 900.0), RoleChanged("client", "seeking", last, "")
            )
            tell(name, *(RetryEnded(n, 3, "h:1", "silent", "no answer in time") for n in (1, 2, 3)))
        tell(new, RoleChanged("seeking", "candidate", last, ""), CanvassStarted(number, others, False))
        tell(new, *(CanvassAnswered(number, name, "support") for name in others))
        for name in others:
            tell(name, VoteCast(number, new, True, ""))
        tell(new, BallotEnded(number, "won", others, {old: "silent"}, 9.0))
        tell(new, RoleChanged("candidate", "server", term, "won"), ReignBegan(term, 1, 900.0, False))
        tell(new, *(ListPublished(term, n, others) for n in range(8)))
        tell(old, Woke(950.0, "server"), ReignEnded(last, "gave way"), RoleChanged("server", "seeking", last, ""))
        for name in (old, *others):
            tell(name, RoleChanged("seeking", "client", term, "found a server"), ServerFollowed(new, "h", term, 900.0))
    return draw(builder.found, title="A long life")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages that are looked at."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "hostile.html").write_text(page(hostile()))
    (folder / "short.html").write_text(page(shown(*election(), at(2000, "a", STARTED, "2-1"))))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    """One browser for all these tests: it takes a second to start."""
    async with browsing(tmp_path_factory.mktemp("profile")) as page:
        yield page


in_one_browser = pytest.mark.asyncio(loop_scope="module")
DETAILS = "document.querySelector('#details h3').textContent"


async def opened(browser: Page, path: Path, *, width: int = 1280, phone: bool = False) -> tuple[float, float, float]:
    """Open a page; gives left, top and width of its chart."""
    browser.complaints.clear()
    browser.requests.clear()
    await browser.size(width, 900, phone=phone)
    await browser.open(path.as_uri())
    await browser.drawn()
    left, top, wide = await browser.value(
        "(box => [box.left, box.top, box.width])(document.getElementById('chart').getBoundingClientRect())"
    )
    return left, top, wide


@in_a_browser
@in_one_browser
async def test_hostile_names_are_text_and_nothing_is_loaded(browser: Page, pages: Path) -> None:
    await opened(browser, pages / "hostile.html")
    assert await browser.value("document.querySelectorAll('img, script').length") == 2
    text = await browser.value("document.body.textContent")
    for name in ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "{{SCRIPT}}", "\\x1b[31m"):
        assert name in text
    assert browser.requests == [(pages / "hostile.html").as_uri()]
    assert not browser.complaints


@in_a_browser
@in_one_browser
async def test_lanes_roles_reigns_and_the_gap_are_drawn(browser: Page, pages: Path) -> None:
    await opened(browser, pages / "short.html")
    labels = await browser.value("[...document.querySelectorAll('#chart text')].map(text => text.textContent)")
    assert {"who serves", "a", "b", "c", "★ term 1@a", "ended without a word"} <= set(labels)
    assert any(label.startswith("nobody") or label == "115 ms" for label in labels)
    classes = await browser.value("[...document.querySelectorAll('#chart path')].map(path => path.className.baseVal)")
    for name in (
        "state server",
        "state gone",
        "state gone-end",
        "state seeking",
        "gap",
        "arrow vote ok",
        "arrow lost not",
    ):
        assert name in classes
    rows = await browser.value("[...document.querySelectorAll('#reigns tbody tr')].map(row => row.innerText)")
    assert len(rows) == 2
    assert "lost: closed" in rows[0]
    assert await browser.value("document.querySelectorAll('#story li').length") == 29
    clocks = await browser.value("document.querySelector('#clocks tbody').innerText")
    assert "as the common clock" in clocks


@in_a_browser
@in_one_browser
async def test_wheel_drag_buttons_and_keys_zoom_and_move(browser: Page, pages: Path) -> None:
    left, top, wide = await opened(browser, pages / "short.html")
    ticks = "[...document.querySelectorAll('#chart .tick:not(.cursor-text)')].map(text => text.textContent)"
    whole = await browser.value(ticks)
    for _ in range(12):
        await browser.mouse("mouseWheel", left + wide / 2, top + 100, deltaX=0, deltaY=-200)
    close = await browser.value(ticks)
    assert close != whole
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3,}", text) for text in close)
    await browser.mouse("mousePressed", left + 700, top + 100, button="left", clickCount=1)
    await browser.mouse("mouseMoved", left + 400, top + 100, button="left", buttons=1)
    await browser.mouse("mouseReleased", left + 400, top + 100, button="left", clickCount=1)
    moved = await browser.value(ticks)
    assert moved[-1] > close[-1]
    await browser.click_on("#all")
    assert await browser.value(ticks) == whole
    await browser.value("document.getElementById('chart').focus()")
    await browser.key("+")
    assert await browser.value(ticks) != whole
    await browser.key("0")
    assert await browser.value(ticks) == whole
    await browser.click_on("#later")
    await browser.click_on("#later")
    assert "nobody, 115 ms" in await browser.value("document.getElementById('chart').textContent")


@in_a_browser
@in_one_browser
async def test_pointing_tells_and_choosing_tells_all(browser: Page, pages: Path) -> None:
    left, top, wide = await opened(browser, pages / "short.html")
    x, y = await browser.value(
        "(box => [box.left + box.width / 2, box.top + box.height / 2])"
        "(document.querySelector('#chart .gap').getBoundingClientRect())"
    )
    await browser.mouse("mouseMoved", x, y)
    await browser.drawn()
    assert "nobody served for 115 ms, after 1@a" in await browser.value("document.getElementById('tip').innerText")
    await browser.click(x, y)
    assert await browser.value(DETAILS) == "Nobody served"
    await browser.mouse("mouseMoved", left + wide / 4, top - 30)
    assert await browser.value("document.getElementById('tip').hidden")


@in_a_browser
@in_one_browser
async def test_keys_go_from_line_to_line_and_lane_to_lane(browser: Page, pages: Path) -> None:
    await opened(browser, pages / "short.html")
    await browser.value("document.getElementById('chart').focus()")
    heads = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowLeft", "Home"):
        await browser.key(key)
        heads.append((await browser.value(DETAILS)).partition(":")[0])
    assert heads == ["a", "a", "b", "a", "c", "a"]
    assert "started at" in await browser.value(DETAILS)
    await browser.key("Escape")
    assert await browser.value("document.querySelector('#details h3')") is None


@in_a_browser
@in_one_browser
async def test_search_marks_hits_and_goes_from_one_to_the_next(browser: Page, pages: Path) -> None:
    await opened(browser, pages / "short.html")
    await browser.key("/")
    for letter in "lost server":
        await browser.key(letter)
    hits = "document.getElementById('hits').textContent"
    assert await browser.value(hits) == "2"
    assert await browser.value("document.querySelector('#chart .found').getAttribute('d')") != ""
    await browser.key("Enter")
    assert await browser.value(hits) == "1 of 2"
    first = await browser.value(DETAILS)
    await browser.key("Enter")
    assert await browser.value(hits) == "2 of 2"
    assert {first, await browser.value(DETAILS)} == {
        "b: lost the server a: closed reset",
        "c: lost the server a: closed reset",
    }
    await browser.key("Enter")
    assert await browser.value(DETAILS) == first
    for letter in "qqq":
        await browser.key(letter)
    assert await browser.value(hits) == "none"


@in_a_browser
@in_one_browser
async def test_kinds_of_messages_can_be_hidden(browser: Page, pages: Path) -> None:
    await opened(browser, pages / "short.html")
    votes = "document.querySelectorAll('#chart .vote').length"
    assert await browser.value(votes) == 1
    await browser.click_on("#signs input[data-kind=vote]")
    assert await browser.value(votes) == 0


@in_a_browser
@in_one_browser
async def test_a_phone_shows_all_of_it_within_its_width_and_fingers_work(browser: Page, pages: Path) -> None:
    left, top, _ = await opened(browser, pages / "short.html", width=390, phone=True)
    assert await browser.value("document.documentElement.scrollWidth") <= 390
    whole = await browser.value("document.querySelector('#overview .frame').getAttribute('width')")
    fingers = [{"x": left + 150, "y": top + 100, "id": 0}, {"x": left + 190, "y": top + 100, "id": 1}]
    apart = [{"x": left + 60, "y": top + 100, "id": 0}, {"x": left + 300, "y": top + 100, "id": 1}]
    await browser.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=fingers)
    await browser.ask("Input.dispatchTouchEvent", type="touchMove", touchPoints=apart)
    await browser.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    pinched = await browser.value("document.querySelector('#overview .frame').getAttribute('width')")
    assert float(pinched) < float(whole) / 3
    assert not browser.complaints


@pytest.mark.slow
@in_a_browser
@in_one_browser
async def test_ten_thousand_lines_do_not_get_stuck(browser: Page, tmp_path: Path) -> None:
    life = long_life()
    assert len(life.lines) > 10_000
    (tmp_path / "long.html").write_text(page(life))
    await opened(browser, tmp_path / "long.html")
    await browser.ask("Performance.enable", timeDomain="threadTicks")
    before_ms = await browser.busy_ms()
    most = await browser.value(
        f"""(async () => {{
        const chart = document.getElementById('chart');
        const box = chart.getBoundingClientRect();
        let most = 0;
        for (let n = 0; n < {FRAMES}; n += 1) {{
          const where = {{clientX: box.left + 600, clientY: box.top + 100}};
          const deltaY = n < {FRAMES // 2} ? -120 : 120;
          chart.dispatchEvent(new WheelEvent('wheel', {{...where, deltaY, cancelable: true}}));
          await new Promise(requestAnimationFrame);
          most = Math.max(most, chart.querySelectorAll('*').length);
        }}
        return most;
        }})()"""
    )
    frame_ms = (await browser.busy_ms() - before_ms) / FRAMES
    print(f"a frame takes {frame_ms:.1f} ms of the processor, and at most {most} elements")
    assert most <= ELEMENTS_MAX
    assert frame_ms <= FRAME_MS_MAX
    assert not browser.complaints
