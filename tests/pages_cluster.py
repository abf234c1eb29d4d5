"""Peers in this process and pages of theirs in a browser, for the tests of pages."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from chromium import Page

from tanist.config import load
from tanist.peer.peer import Peer

DEADLINE_S = 20.0


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "anna", **flags: object) -> AsyncIterator[Peer]:
    """A peer; `app` are its applications. Its pace is that of a busy machine, with a browser on it."""
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "lan", "app": ["counter"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


async def seen(page: Page, script: str, right: Callable[[Any], object] = bool) -> Any:
    """What an expression on the page gives, once that is right."""
    value = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while not right(value := await _value(page, script)):
                await asyncio.sleep(0.02)
            return value
    shown = await page.value("document.body.innerText")
    raise AssertionError(f"{script} is {value!r}; the page:\n{shown}")


async def _value(page: Page, script: str) -> Any:
    """What an expression gives; nothing while the page goes elsewhere."""
    try:
        return await page.value(script)
    except AssertionError as error:
        if "navigated" in str(error) or "context was destroyed" in str(error):
            return None
        raise


async def text(page: Page, selector: str, wanted: str) -> None:
    """Wait until an element has a text in it."""
    await seen(page, f"(document.querySelector({selector!r}) || {{}}).textContent || ''", lambda v: wanted in v)


async def fill(page: Page, submit: bool = True, /, **fields: str) -> None:
    """Type into fields, named with `_` for their dot, and send their form."""
    for name, value in fields.items():
        field = f"document.querySelector('[name=\"{name.replace('_', '.', 1)}\"]')"
        await seen(page, f"!!{field}")
        await page.value(f"{field}.focus()")
        await page.value(f"{field}.select && {field}.select()")
        await page.ask("Input.insertText", text=value)
    if submit:
        await page.key("Enter", windowsVirtualKeyCode=13)
