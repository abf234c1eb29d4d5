"""Pages of applications in a real browser: forms, boards, failovers, phones, keyboards and readers of screens."""

import contextlib
import json
import socket
from pathlib import Path

import pytest
from chromium import browsing, in_a_browser
from pages_cluster import fill, running, seen, text

from tanist.peer.application.loading import BUILT_IN
from tanist.peer.application.specification import describe
from tanist.peer.apps.counter import Counter
from tanist.peer.pages.document import files

pytestmark = in_a_browser
MADE = sorted(Path(name).stem for name in files() if name.startswith("made/"))
GENERIC = ["auth", "kv", "logs", "quiz"]
CONTRAST_MIN = 4.5

CONTRASTS = """
(() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    const c = e ? rgb(getComputedStyle(e).backgroundColor) : [255, 255, 255];
    return c.length < 4 || c[3] > 0 ? c : behind(e.parentElement);
  };
  const low = [];
  for (const e of document.querySelectorAll('main *:not(svg *)')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.offsetParent) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < MIN) low.push([e.tagName, e.className, e.textContent.slice(0, 40), ratio.toFixed(2)]);
  }
  return JSON.stringify(low);
})()
""".replace("MIN", str(CONTRAST_MIN))
"""What on the page has too little contrast to be read."""

WATCHED = """
(() => {
  const link = document.querySelector('header .link');
  window.seen = [];
  new MutationObserver(() => seen.push(link.textContent)).observe(
    link, {subtree: true, characterData: true, childList: true});
})()
"""
"""Writes down what the page says of who serves."""


async def test_forms_and_answers_come_from_signatures(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, browsing(tmp_path / "browser") as page:
        await peer.call("counter", "add", 40)
        await page.open(f"http://{peer.http_address}/apps/counter")
        await text(page, "header .link", "anna serves")
        await text(page, "[aria-labelledby=now-value] .value", "40")
        for operation in (*describe(Counter).commands, *describe(Counter).queries):
            await text(page, "main", operation.doc)
        await fill(page, add_n="2")
        await text(page, "[aria-labelledby=do-add] .answer", "42")
        await text(page, "[aria-labelledby=now-value] .value", "42")
        await fill(page, add_n="many")
        await text(page, "[aria-labelledby=do-add] .said.bad", "a whole number")
        assert page.complaints == []
        assert all(url.startswith((f"http://{peer.http_address}/", f"ws://{peer.http_address}/", "data:"))
                   for url in page.requests)  # fmt: skip


@pytest.mark.slow
async def test_a_failover_is_seen_and_nothing_is_lost_or_said_twice(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        anna = await stack.enter_async_context(running(tmp_path, app=["chat"]))
        berta = await stack.enter_async_context(running(tmp_path, "berta", app=["chat"], peer=[anna.address]))
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        await page.open(f"http://{berta.http_address}/apps/chat")
        await text(page, "header .link", "anna serves, you are at berta")
        await fill(page, register_nick="ada")
        await text(page, "#talk", "You are ada")
        await fill(page, msg_text="before")
        await text(page, ".talk", "before")
        await page.value(WATCHED)
        await anna.stop(hand_over=False)
        await fill(page, msg_text="meanwhile")
        await text(page, ".talk", "meanwhile")
        await text(page, "header .link", "berta serves")
        assert any("Looking for a server" in said for said in await page.value("seen"))
        said = berta.open_client().query("chat", "history", [])
        assert [m["text"] for m in said] == ["before", "meanwhile"]
        assert [m["nick"] for m in said] == ["ada", "ada"]
        assert page.complaints == []


@pytest.mark.slow
async def test_a_page_comes_back_when_its_peer_does_as_who_it_was(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        anna = await stack.enter_async_context(running(tmp_path, app=["chat"]))
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        async with running(tmp_path, "berta", app=["chat"], peer=[anna.address]) as berta:
            at = berta.http_address
            await page.open(f"http://{at}/apps/chat")
            await fill(page, register_nick="ada")
            await text(page, "#talk", "You are ada")
        await text(page, "header .link", "does not answer")
        await fill(page, msg_text="<b>said</b> while away")
        async with running(tmp_path, "berta", app=["chat"], peer=[anna.address], http=at):
            await text(page, ".talk", "<b>said</b> while away")
            await text(page, "#events", "connected to berta again")
            said = anna.open_client().query("chat", "history", [])
            assert [(m["nick"], m["text"]) for m in said] == [("ada", "<b>said</b> while away")]


@pytest.mark.slow
async def test_a_page_whose_peer_is_gone_goes_to_another_with_what_was_typed(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        anna = await stack.enter_async_context(running(tmp_path, app=["chat"]))
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        async with running(tmp_path, "berta", app=["chat"], peer=[anna.address]) as berta:
            await page.open(f"http://{berta.http_address}/apps/chat")
            await fill(page, register_nick="ada")
            await text(page, "#talk", "You are ada")
            await fill(page, False, msg_text="not sent yet")
            await text(page, "header .link", "serves")
        await seen(page, "location.host", lambda host: host == anna.http_address)
        await text(page, ".notice", "berta did not answer: this is anna's page")
        await text(page, "header .link", "anna serves")
        assert await page.value("location.hash") == ""
        # It is there again, to be sent by hand: a link could be anybody's.
        assert anna.open_client().query("chat", "who", []) == []
        assert await seen(page, "document.querySelector('[name=\"register.nick\"]').value") == "ada"
        await page.value("document.querySelector('[name=\"register.nick\"]').form.requestSubmit()")
        assert await seen(page, "(document.querySelector('[name=\"msg.text\"]') || {}).value") == "not sent yet"


@pytest.mark.slow
async def test_a_peer_that_takes_connections_and_says_nothing_is_left_too(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        anna = await stack.enter_async_context(running(tmp_path, app=["counter"]))
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        async with running(tmp_path, "berta", app=["counter"], peer=[anna.address]) as berta:
            await page.open(f"http://{berta.http_address}/apps/counter")
            await text(page, "header .link", "serves")
        host, _, port = berta.http_address.rpartition(":")
        with socket.create_server((host, int(port))):
            await fill(page, add_n="5")
            await seen(page, "location.host", lambda at: at == anna.http_address)
        await text(page, ".notice", "Not done: add.")
        assert await page.value("document.querySelector('[name=\"add.n\"]').value") == "5"
        assert anna.open_client().query("counter", "value", []) == 0


@pytest.mark.slow
async def test_where_else_to_go(tmp_path: Path) -> None:
    def status(**places: tuple[str, str]) -> str:
        members = [{"id": n, "name": n, "address": a, "http": h} for n, (a, h) in places.items()]
        return json.dumps({"id": "me", "server": {"id": "s"}, "fallbacks": [{"id": "h"}], "members": members})

    own, other = ("127.0.0.1:7400", "127.0.0.1:7480"), ("10.0.0.2:7400", "10.0.0.2:7480")
    cases: tuple[tuple[str, str, list[str]], ...] = (
        # On one machine: the server's first, then the heir's, then all others'.
        (status(me=own, a=("127.0.0.1:7403", "127.0.0.1:7483"), h=("127.0.0.1:7402", "127.0.0.1:7482"),
                s=("127.0.0.1:7401", "127.0.0.1:7481")), "localhost:7480",
         ["127.0.0.1:7481", "127.0.0.1:7482", "127.0.0.1:7483"]),
        # Loopback of another machine is not this one's; any address is its machine's; none is none.
        (status(me=("10.0.0.1:7400", "10.0.0.1:7480"), s=("10.0.0.2:7400", "127.0.0.1:7480"),
                h=("10.0.0.3:7400", "0.0.0.0:7480"), b=other, c=("10.0.0.4:7400", "")), "10.0.0.1:7480",
         ["10.0.0.3:7480", "10.0.0.2:7480"]),
        (status(me=("10.0.0.1:7400", "127.0.0.1:7480"), s=("10.0.0.2:7400", "127.0.0.1:7480")), "127.0.0.1:7480", []),
        (status(me=own), "127.0.0.1:7480", []),
    )  # fmt: skip
    async with running(tmp_path) as peer, browsing(tmp_path / "browser") as page:
        await page.open(f"http://{peer.http_address}/apps/counter")
        for known, at, places in cases:
            asked = f"import('/pages/connection.js').then(m => m.elsewhere({known}, {json.dumps(at)}))"
            assert await page.value(asked) == places


@pytest.mark.slow
async def test_a_game_is_played_with_the_keyboard_alone(tmp_path: Path) -> None:
    async with running(tmp_path, app=["tictactoe"]) as peer, browsing(tmp_path / "browser") as page:
        await page.open(f"http://{peer.http_address}/apps/tictactoe")
        await fill(page, create_room="garden")
        await text(page, "[aria-labelledby=game]", "Waiting for another player")
        other = peer.open_client()
        await other.call("tictactoe", "join", ["garden"])
        await text(page, "[aria-labelledby=game]", "Your turn")
        for keys, row in ((["ArrowDown"], 1), (["ArrowRight"], 3)):
            for key in keys:
                await page.key(key)
            await page.key("Enter", windowsVirtualKeyCode=13)
            await text(page, "[aria-labelledby=game]", "Your opponent's turn")
            await other.call("tictactoe", "move", [row, row])
            await text(page, "[aria-labelledby=game]", "Your turn")
        await page.key("ArrowRight")
        await page.key("Enter", windowsVirtualKeyCode=13)
        await text(page, "[aria-labelledby=game]", "You win!")
        labels = await page.value("[...document.querySelectorAll('.cell')].map(c => c.getAttribute('aria-label'))")
        assert [label.rpartition(" ")[2] for label in labels] == ["o", "empty", "empty", "x", "x", "x", "empty",
                                                                  "empty", "o"]  # fmt: skip


@pytest.mark.slow
async def test_seats_bids_votes_and_places_are_made_by_a_click(tmp_path: Path) -> None:
    apps = ["booking", "poll", "positions", "lantern", "auction", "monitor"]
    async with running(tmp_path, app=apps) as peer, browsing(tmp_path / "browser") as page:
        other = peer.open_client()
        at = f"http://{peer.http_address}/apps/"
        await page.open(at + "booking")
        await seen(page, "document.querySelectorAll('.seat').length", lambda n: n == 40)
        await page.click_on('[aria-label="Seat 7, free"]')
        await seen(page, "!!document.querySelector('[aria-label=\"Seat 7, yours\"]')")
        await other.call("booking", "book", [8])
        await seen(page, "!!document.querySelector('[aria-label=\"Seat 8, booked\"]')")
        await page.click_on('[aria-label="Seat 8, booked"]')
        await text(page, ".said.bad", "booked by another")
        await page.open(at + "poll")
        await seen(page, "document.querySelectorAll('.bars li').length", lambda n: n == 4)
        await page.click_on('[aria-label="Vote for By bicycle"]')
        await text(page, ".bars", "✓ By bicycle1 vote, 100 %")
        await page.open(at + "positions")
        await seen(page, "!!document.querySelector('.map')")
        await other.call("positions", "move", [3, -4])
        await text(page, "[aria-labelledby=places]", "at 3, -4")
        await page.value("document.querySelector('.map').focus()")
        await page.key("ArrowUp")
        await text(page, "[aria-labelledby=places]", "(you) at 0, 1")
        await page.open(at + "lantern")
        await seen(page, "document.querySelectorAll('.hang button').length", lambda n: n == 2)
        await page.value("document.querySelector('.hang button').click()")
        await text(page, "#how", "It shines, #ffffff")
        await other.call("lantern", "message", ["COLOR", "00ff00"])
        await text(page, "#how", "#00ff00")
        await page.open(at + "auction")
        await fill(page, join_name="ada")
        await other.call("auction", "join", ["bob"])
        await other.call("auction", "open", ["a clock", 10, 60])
        await text(page, "#lot", "a clock")
        await fill(page, bid_amount="12")
        await text(page, "[aria-labelledby=lot]", "12 by ada")
        await page.open(at + "monitor")
        await other.call("monitor", "push", ["laptop", 91.5, 20, 30])
        await text(page, ".loads", "laptop● reports91.5 %")
        assert page.complaints == []


@pytest.mark.slow
async def test_every_page_can_be_read_in_light_and_dark_on_desks_and_phones(tmp_path: Path) -> None:
    async with running(tmp_path, app=sorted(BUILT_IN)) as peer, browsing(tmp_path / "browser") as page:
        other = peer.open_client()
        await other.call("monitor", "push", ["a-machine-with-a-name", 91.5, 20, 30])
        await other.call("positions", "move", [3, -4])
        await other.call("auction", "open", ["a clock", 10, 60])
        for app in (*MADE, *GENERIC):
            await page.open(f"http://{peer.http_address}/apps/{app}")
            await text(page, "header .link", "anna serves")
            for width, scheme in ((1280, "light"), (390, "dark"), (390, "light"), (320, "dark")):
                await page.size(width, 800, phone=width < 1000)
                await page.scheme(scheme)
                assert json.loads(await page.value(CONTRASTS)) == [], (app, scheme)
                assert await page.value("document.documentElement.scrollWidth") <= width, (app, width)
            nodes = (await page.ask("Accessibility.getFullAXTree"))["nodes"]
            asked = (
                "button",
                "textbox",
                "combobox",
                "checkbox",
                "link",
                "application",
                "img",
                "spinbutton",
                "ColorWell",
            )
            nameless = [n for n in nodes if n.get("role", {}).get("value") in asked
                        and not n.get("ignored") and not n.get("name", {}).get("value")]  # fmt: skip
            assert nameless == [], app
            assert page.complaints == [], app
