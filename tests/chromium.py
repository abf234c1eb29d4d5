"""A page in a real headless Chromium, driven over its debugging protocol: pointer, keys, what is on the page."""

import asyncio
import base64
import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_a_browser = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
START_S = 60.0
"""How long the browser may take to start on a busy machine."""
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""The largest answer of the browser: a picture of a long page."""


class Page:
    """One page. What scripts and policies complain of is in `complaints`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()

    async def listen(self) -> None:
        """Take in what the browser says, until it ends."""
        async for message in self._socket:
            said = message.json()
            if (answer := self._answers.pop(said.get("id", 0), None)) is not None:
                if not answer.done():  # Somebody's patience may be over.
                    answer.set_result(said)
                continue
            match said.get("method"):
                case "Page.loadEventFired":
                    self._loaded.set()
                case "Network.requestWillBeSent":
                    self.requests.append(said["params"]["request"]["url"])
                case "Runtime.exceptionThrown" | "Log.entryAdded":
                    self.complaints.append(str(said["params"]))

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the protocol; gives its result."""
        number = next(self._numbers)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        said: dict[str, Any] = await asyncio.wait_for(answer, START_S)
        assert "error" not in said, f"{method}: {said['error']}"
        result: dict[str, Any] = said["result"]
        return result

    async def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._loaded.clear()
        await self.ask("Page.navigate", url=address)
        await asyncio.wait_for(self._loaded.wait(), START_S)

    async def value(self, script: str) -> Any:
        """What an expression gives, once what was done before is drawn; a promise is waited for."""
        after_frame = (
            "(async () => { await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))); "
            f"return await ({script}); }})()"
        )
        said = await self.ask("Runtime.evaluate", expression=after_frame, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    async def drawn(self) -> None:
        """Wait until what was done before is drawn."""
        await self.value("null")

    async def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Make the window so wide and high; a phone's has fingers and no pointer."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        await self.ask("Emulation.setTouchEmulationEnabled", enabled=phone)

    async def scheme(self, name: str) -> None:
        """Ask for the light or the dark scheme."""
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A mouse event: mouseMoved, mousePressed, mouseReleased or mouseWheel."""
        await self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    async def click(self, x: float, y: float) -> None:
        """Press and release the left button."""
        for kind in ("mousePressed", "mouseReleased"):
            await self.mouse(kind, x, y, button="left", clickCount=1)

    async def click_on(self, selector: str) -> None:
        """Click an element that a selector names, wherever it lies on the page."""
        await self.value(f"document.querySelector({selector!r}).click()")

    async def key(self, key: str, **more: Any) -> None:
        """Press and release a key, by its name in the DOM."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        await self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **more)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, **more)

    async def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in a field for files."""
        root = (await self.ask("DOM.getDocument"))["root"]["nodeId"]
        field = (await self.ask("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        await self.ask("DOM.setFileInputFiles", files=[str(path)], nodeId=field)

    async def save_in(self, folder: Path) -> None:
        """Have what is saved put into a folder, without being asked where."""
        await self.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    async def busy_ms(self) -> float:
        """How long the page's own thread has worked so far; needs `Performance.enable` with `threadTicks`."""
        metrics = (await self.ask("Performance.getMetrics"))["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")) * 1000

    async def picture(self) -> bytes:
        """A picture of what is in the window, as PNG."""
        said = await self.ask("Page.captureScreenshot", format="png")
        return base64.b64decode(said["data"])


@contextlib.asynccontextmanager
async def browsing(folder: Path, width: int = 1280, height: int = 900) -> AsyncIterator[Page]:
    """A browser with one empty page, whose profile is in `folder`; both end with the block."""
    process = await asyncio.create_subprocess_exec(
        str(BROWSER),
        *OPTIONS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        port = await asyncio.wait_for(_port(process), START_S)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            address = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=MESSAGE_BYTES_MAX) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await page.ask(f"{domain}.enable")
                await page.size(width, height)
                yield page
                listening.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    """The port at which the browser says it listens."""
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode(errors="replace"):
        if "DevTools listening on ws://" in line:
            return int(line.split("://", 1)[1].split("/")[0].rpartition(":")[2])
    raise AssertionError("the browser ended before it listened")
