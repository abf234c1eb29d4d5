"""Forms of an application's page in a real browser: each kind of argument, and bytes that are sent and saved."""

import contextlib
from enum import Enum, IntEnum
from functools import partial
from operator import eq
from pathlib import Path
from typing import Literal

import pytest
from chromium import Page, browsing, in_a_browser
from pages_cluster import fill, running, seen, text

from tanist.peer.application import Application, Context, command, query
from tanist.peer.peer import Peer

pytestmark = [in_a_browser, pytest.mark.slow]
BYTES = bytes(range(256)) * 1200
"""A file that is no text, and more than one part of the log."""


class Size(Enum):
    """Of a shirt."""

    SMALL = "small"
    LARGE = "large"


class Floor(IntEnum):
    """Of a house."""

    GROUND = 0
    TOP = 3


class Kinds(Application):
    """Takes one argument of each kind, and says what it got."""

    got: list[str]

    @command
    def take(
        self,
        ctx: Context,
        size: Size,
        floor: Floor,
        wheels: Literal[2, 3, 4],
        urgent: bool,
        sure: bool | None = None,
        mood: Literal["good", "bad"] | None = None,
        share: float = 0.5,
        tags: list[str] | None = None,
        word: str = "none",
    ) -> str:
        """Take all of them."""
        self.got = [repr(given) for given in (size, floor, wheels, urgent, sure, mood, share, tags, word)]
        return "OK"

    @query
    def shown(self, ctx: Context) -> list[str]:
        """What was taken."""
        return self.got


async def _chosen(page: Page, name: str, value: str) -> None:
    await page.value(f"document.querySelector('[name=\"take.{name}\"]').value = {value!r}")


async def test_each_kind_of_argument_has_a_field_of_its_kind(tmp_path: Path) -> None:
    async with running(tmp_path, app=[f"{__file__}:Kinds"]) as peer, browsing(tmp_path / "browser") as page:
        await page.open(f"http://{peer.http_address}/apps/kinds")
        await seen(page, "!!document.querySelector('[name=\"take.size\"]')")
        options = "[...document.querySelector('[name=\"take.%s\"]').options].map(o => o.value).join()"
        for name, choices in (("size", "small,large"), ("floor", "0,3"), ("wheels", "2,3,4"),
                              ("sure", ",true,false"), ("mood", ",good,bad")):  # fmt: skip
            assert await page.value(options % name) == choices
        assert await page.value("document.querySelector('[name=\"take.urgent\"]').type") == "checkbox"
        assert await page.value("document.querySelector('[name=\"take.tags\"]').tagName") == "TEXTAREA"
        await page.click_on("[aria-labelledby=do-take] button")
        await text(page, "[aria-labelledby=do-take] .answer", "OK")
        first = ["<Size.SMALL: 'small'>", "<Floor.GROUND: 0>", "2", "False", "None", "None", "0.5", "None", "'none'"]
        assert peer.open_client().query("kinds", "shown", []) == first
        for name, value in (("size", "large"), ("floor", "3"), ("wheels", "4"), ("sure", "false"), ("mood", "bad"),
                            ("share", "1.25"), ("tags", '["a"]'), ("word", "Wörter")):  # fmt: skip
            await _chosen(page, name, value)
        await page.click_on('[name="take.urgent"]')
        await page.click_on("[aria-labelledby=do-take] button")
        await text(page, "[aria-labelledby=now-shown]", "Wörter")
        then = ["<Size.LARGE: 'large'>", "<Floor.TOP: 3>", "4", "True", "False", "'bad'", "1.25", "['a']", "'Wörter'"]
        assert peer.open_client().query("kinds", "shown", []) == then


async def test_a_file_is_sent_and_saved_as_it_was(tmp_path: Path) -> None:
    file, saved = tmp_path / "ünï <b> & co.bin", tmp_path / "saved"
    file.write_bytes(BYTES)
    saved.mkdir()
    async with running(tmp_path, app=["upload"]) as peer, browsing(tmp_path / "browser") as page:
        await page.save_in(saved)
        await page.open(f"http://{peer.http_address}/apps/upload")
        await seen(page, "!!document.querySelector('[type=file]')")
        for chosen in (Path(__file__), file):
            await page.choose_file("[type=file]", chosen)
            named = "document.querySelector('[name=\"upload.name\"]').value"
            await seen(page, named, partial(eq, chosen.name))
        await page.click_on("[aria-labelledby=do-upload] button")
        await text(page, "[aria-labelledby=do-upload] .answer", "OK")
        await text(page, "[aria-labelledby=now-list]", file.name)
        assert await page.value("document.querySelector('[type=file]').files.length") == 0
        await fill(page, get_name="nothing")
        await text(page, "[aria-labelledby=do-get] .answer", "There is none.")
        await fill(page, get_name=file.name)
        await text(page, "[aria-labelledby=do-get] .answer", f"Save {file.name} 307,200 bytes")
        await page.click_on("[aria-labelledby=do-get] .answer a")
        await seen(page, "1", lambda _: [f.read_bytes() for f in saved.iterdir() if f.suffix == ".bin"] == [BYTES])
        assert page.complaints == []


async def test_a_file_that_is_sent_while_nobody_serves_gets_there_once(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(BYTES)
    async with contextlib.AsyncExitStack() as stack:

        async def peer(name: str, *others: Peer, **flags: object) -> Peer:
            at = [other.address for other in others]
            return await stack.enter_async_context(running(tmp_path, name, app=["upload"], peer=at, **flags))

        anna = await peer("anna")
        berta = await peer("berta", anna)
        page = await stack.enter_async_context(browsing(tmp_path / "browser"))
        await page.open(f"http://{berta.http_address}/apps/upload")
        await text(page, "header .link", "anna serves, you are at berta")
        await page.choose_file("[type=file]", file)
        await anna.stop(hand_over=False)
        await page.click_on("[aria-labelledby=do-upload] button")
        await text(page, "[aria-labelledby=do-upload] .answer", "OK")
        await text(page, "header .link", "berta serves")
        assert [f["size"] for f in berta.open_client().query("upload", "list", [])] == [len(BYTES)]
        # The peer of the page goes away and comes back while the file is sent.
        at = berta.http_address
        await berta.stop()
        await text(page, "header .link", "does not answer")
        await page.choose_file("[type=file]", file)
        await page.value("document.querySelector('[name=\"upload.name\"]').value = 'again'")
        await page.click_on("[aria-labelledby=do-upload] button")
        berta = await peer("berta", http=at)
        await text(page, "[aria-labelledby=do-upload] .answer", "OK")
        assert [f["name"] for f in berta.open_client().query("upload", "list", [])] == ["notes.txt", "again"]
