"""Pages of applications in a real browser, over a long time: connections that die in silence, votes, the keyboard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chromium import browsing, in_a_browser
from pages_cluster import fill, running, seen, text

pytestmark = [in_a_browser, pytest.mark.slow]
FOCUS = "document.activeElement.name || document.activeElement.textContent"


class Way:
    """What a peer is reached through. `sleep()`: connections that stand carry nothing any more, and nobody is told."""

    def __init__(self, address: str) -> None:
        self.address = ""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._awake = object()
        self._tasks: set[asyncio.Task[None]] = set()

    def sleep(self) -> None:
        """Have all connections of now be dead."""
        self._awake = object()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen while the block runs."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for task in [*self._tasks]:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._host, self._port)
        awake = self._awake
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._copy(source, sink, awake))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, awake: object) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while (data := await reader.read(65536)) and awake is self._awake:
                    writer.write(data)
            if awake is not self._awake:
                await asyncio.Event().wait()  # Neither end hears of the other.
        finally:
            writer.close()


async def test_a_connection_that_died_in_silence_is_noticed_and_nothing_is_lost(tmp_path: Path) -> None:
    async with running(tmp_path, app=["chat"]) as peer, browsing(tmp_path / "browser") as page:
        way = Way(peer.http_address)
        async with way.open():
            await page.open(f"http://{way.address}/apps/chat")
            await fill(page, register_nick="ada")
            await text(page, "#talk", "You are ada")
            way.sleep()
            await fill(page, msg_text="after the sleep")
            await text(page, "#events", "connected to anna again")
            await text(page, ".talk", "after the sleep")
            said = peer.open_client().query("chat", "history", [])
            assert [(m["nick"], m["text"]) for m in said] == [("ada", "after the sleep")]


async def test_the_page_of_the_lantern_is_right_again_when_the_phone_wakes(tmp_path: Path) -> None:
    gateways = ["lantern=page:127.0.0.1:0"]
    peering = running(tmp_path, app=["lantern"], gateway=gateways)
    async with peering as peer, browsing(tmp_path / "browser") as page:
        way = Way(peer.gateways["lantern=page"])
        async with way.open():
            await page.open(f"http://{way.address}/")
            await text(page, "#how", "The lantern is dark")
            await seen(page, "socket.readyState", lambda state: state == 1)
            way.sleep()
            await peer.call("lantern", "message", "COLOR", "00ff00")
            await peer.call("lantern", "message", "ON", "")
            await page.value("document.dispatchEvent(new Event('visibilitychange'))")
            await text(page, "#how", "The lantern shines, #00ff00")


async def test_the_page_of_the_peer_hears_again_what_happens_when_the_phone_wakes(tmp_path: Path) -> None:
    turn = """(async (hidden, later) => {
      const now = Date.now;
      Date.now = () => now() + later;
      Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
      document.dispatchEvent(new Event('visibilitychange'));
    })(%s, %d)"""
    async with running(tmp_path, app=["poll"]) as peer, browsing(tmp_path / "browser") as page:
        way = Way(peer.http_address)
        async with way.open():
            await page.open(f"http://{way.address}/")
            await text(page, "#serving", "anna serves")
            await seen(page, "hearing.readyState", lambda state: state == 1)
            await page.value(turn % ("true", 0))
            way.sleep()
            await peer.call("poll", "vote", 1)
            await page.value(turn % ("false", 60_000))
            await text(page, "#events", "poll: 1 voted")


async def test_a_vote_is_remembered_by_the_page_and_by_the_page_of_another_peer(tmp_path: Path) -> None:
    voted, buttons = "By bicycle", "document.querySelectorAll('.bars button').length"
    async with contextlib.AsyncExitStack() as stack:
        anna = await stack.enter_async_context(running(tmp_path, app=["poll"]))
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        async with running(tmp_path, "berta", app=["poll"], peer=[anna.address]) as berta:
            await page.open(f"http://{berta.http_address}/apps/poll#poll.mine=nonsense")
            await seen(page, buttons, lambda n: n == 4)
            await page.click_on(f'[aria-label="Vote for {voted}"]')
            await text(page, ".bars", f"✓ {voted}")
            assert "yours is in" in await seen(page, FOCUS)
            await page.open(f"http://{berta.http_address}/apps/poll")
            await text(page, ".bars", f"✓ {voted}")
            assert await page.value(buttons) == 0
        await seen(page, "location.host", lambda host: host == anna.http_address)
        await text(page, ".bars", f"✓ {voted}")
        assert await page.value(buttons) == 0
        # Another question, in the same words: who voted before may vote again.
        asker = anna.open_client()
        options = "On foot,By bicycle,By bus or train,By car"
        await asker.call("poll", "ask", ["Which way do you go to work?", options])
        await seen(page, buttons, lambda n: n == 4)


async def test_what_is_read_out_is_there_before_its_text_is(tmp_path: Path) -> None:
    async with running(tmp_path, app=["counter", "auction"]) as peer, browsing(tmp_path / "browser") as page:

        async def live() -> list[str]:
            """The regions that a reader of the screen watches, by their roles."""
            nodes = (await page.ask("Accessibility.getFullAXTree"))["nodes"]
            return [n["role"]["value"] for n in nodes if not n.get("ignored") and _property(n, "live") == "polite"]

        await page.open(f"http://{peer.http_address}/apps/counter")
        await text(page, "header .link", "anna serves")
        before = await live()
        assert before.count("log") == 1
        await fill(page, add_n="many")
        await text(page, "[aria-labelledby=do-add] .said.bad", "a whole number")
        assert await live() == before
        await page.open(f"http://{peer.http_address}/apps/auction")
        await text(page, "#lot", "No lot is open")
        assert await page.value("!!document.querySelector('#lot').closest('[role=status]')")


def _property(node: dict[str, Any], name: str) -> object:
    return next((p["value"].get("value") for p in node.get("properties", []) if p["name"] == name), None)


async def test_the_keyboard_goes_on_where_a_form_was(tmp_path: Path) -> None:
    apps = ["chat", "tictactoe", "auction"]
    async with running(tmp_path, app=apps) as peer, browsing(tmp_path / "browser") as page:
        await peer.open_client().call("auction", "open", ["a clock", 10, 600])
        await page.open(f"http://{peer.http_address}/apps/chat")
        await fill(page, register_nick="ada")
        await seen(page, FOCUS, lambda name: name == "msg.text")
        await page.open(f"http://{peer.http_address}/apps/auction")
        await fill(page, join_name="ada")
        await seen(page, FOCUS, lambda name: name == "bid.amount")
        await fill(page, bid_amount="5")
        await text(page, ".said.bad", "Bid 10 or more")
        # What was refused is typed over.
        await page.ask("Input.insertText", text="12")
        assert await page.value("document.querySelector('[name=\"bid.amount\"]').value") == "12"
        await page.open(f"http://{peer.http_address}/apps/tictactoe")
        await fill(page, create_room="garden")
        await seen(page, "document.activeElement.className", lambda name: "cell" in name)
        await page.click_on("[aria-labelledby=game] > .row button")
        await seen(page, FOCUS, lambda name: name == "create.room")
