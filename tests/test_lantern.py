"""The lantern: frames cut anywhere, lanterns and pages that come late, an API for any page, a stand that goes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from chromium import Page, browsing, in_a_browser
from hypothesis import given
from hypothesis import strategies as st

from tanist.config import load
from tanist.peer.cli.lantern import STAND, asked
from tanist.peer.gateways import knowing
from tanist.peer.gateways.tcp import UNREAD_BYTES_MAX
from tanist.peer.lantern.client import hang, notice_silence
from tanist.peer.lantern.commands import BY_KIND, BY_NAME, BadValue, Lantern, obey, present
from tanist.peer.lantern.frames import Frames, frame
from tanist.peer.peer import Peer

DEADLINE_S = 20.0
HOW_TO = Path(__file__).parent.parent / "docs" / "how-to" / "lantern.md"
PRESENT_OFF = bytes.fromhex("200003ffffff130000")


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    gateways = ["lantern=tlv:0", "lantern=api:0", "lantern=page:0"]
    given = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["lantern"], "gateway": gateways, **flags}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


@contextlib.asynccontextmanager
async def hung(peer: Peer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = peer.gateways["lantern=tlv"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield reader, writer
    finally:
        writer.transport.abort()


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_S)) as http:
        yield http


async def tell(http: aiohttp.ClientSession, peer: Peer, body: object) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://elsewhere"}
    async with http.post(f"http://{peer.gateways['lantern=api']}/", data=data, headers=headers) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        return answer.status, await answer.json()


def call(command: object, **value: object) -> dict[str, object]:
    return {"method": "message", "params": {"command": command, **value}}


async def test_a_new_command_is_one_small_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", HOW_TO.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    written: dict[str, Any] = {}
    exec(code, written)
    warm = written["Warm"]()
    monkeypatch.setitem(BY_NAME, "WARM", warm)
    monkeypatch.setitem(BY_KIND, warm.kind, warm)
    async with running(tmp_path) as peer, hung(peer) as (reader, _), hung(peer):
        assert await reader.readexactly(len(PRESENT_OFF)) == PRESENT_OFF
        await peer.call("lantern", "message", "warm")
        assert await reader.readexactly(3) == bytes.fromhex("210000")
        async with hung(peer) as (late, _):
            assert await late.readexactly(9) == bytes.fromhex("200003ffb347120000")
    lantern = Lantern()
    assert obey(lantern, warm.kind, b"") and (lantern.on, lantern.color) == (True, "ffb347")


@given(st.booleans(), st.binary(min_size=3, max_size=3))
def test_who_comes_late_becomes_like_the_others(on: bool, color: bytes) -> None:
    lantern, late = Lantern(on, color.hex()), Lantern(not on, "123456")
    assert str(lantern) == (f"on, #{color.hex()}" if on else "off")
    for kind, value in present(lantern):
        assert obey(late, kind, value)
    assert late == lantern


async def test_every_lantern_is_told_and_one_that_comes_late_knows_how_it_is(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, browser() as http, hung(peer) as (one, _), hung(peer) as (two, _):
        assert await one.readexactly(9) == await two.readexactly(9) == PRESENT_OFF
        assert await tell(http, peer, call("COLOR", value="ff0000")) == (200, {"result": "OK"})
        assert await tell(http, peer, call("on")) == (200, {"result": "OK"})
        told = bytes.fromhex("200003ff0000" + "120000")
        assert await one.readexactly(9) == await two.readexactly(9) == told
        async with hung(peer) as (late, _):
            assert await late.readexactly(9) == told


async def test_what_is_no_command_is_4xx_and_tells_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, browser() as http, hung(peer) as (lantern, _):
        await lantern.readexactly(9)
        colors: list[object] = ["red", "ff000", "ff00000", "", None, 5, "gg0000", ["ff0000"]]
        bad = [call("COLOR", value=value) for value in colors]
        bad += [call("COLOR"), call("BLINK"), call(5), call("ON", value="x"), call("ON", more="x"), {"method": "other"}]
        raw: list[object] = [b"", b"{", b"[]", b"[" * 5000, b"\xff", *bad]
        for body in raw:
            status, told = await tell(http, peer, body)
            assert 400 <= status < 500, body
            assert told["error"]
        async with http.get(f"http://{peer.gateways['lantern=api']}/") as answer:
            assert answer.status == 400
        async with http.options(f"http://{peer.gateways['lantern=api']}/") as answer:
            assert answer.status == 200
            assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        await tell(http, peer, call("ON"))
        assert await lantern.readexactly(3) == b"\x12\x00\x00", "nothing came before it"


async def test_lanterns_that_talk_back_reset_or_never_read_delay_nobody(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        peer = await stack.enter_async_context(running(tmp_path))
        http = await stack.enter_async_context(browser())
        well, _ = await stack.enter_async_context(hung(peer))
        talks, resets, _ = [(await stack.enter_async_context(hung(peer)))[1] for _ in range(3)]
        talks.write(bytes(3 * UNREAD_BYTES_MAX))
        resets.transport.abort()
        await well.readexactly(9)
        for i in range(100):
            assert (await tell(http, peer, call("COLOR", value=f"{i:06x}")))[0] == 200
            assert await well.readexactly(6) == frame(0x20, i.to_bytes(3, "big"))


async def test_pages_show_how_it_is_from_their_first_moment(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, browser() as http:
        page = f"http://{peer.gateways['lantern=page']}"
        async with http.get(page + "/") as answer:
            text = await answer.text()
            assert answer.status == 200
            assert f'data-api="{peer.gateways["lantern=api"].rpartition(":")[2]}"' in text
        async with http.ws_connect(page + "/ws") as early:
            assert await early.receive_json() == {"on": False, "color": "ffffff"}
            await tell(http, peer, call("COLOR", value="00ff00"))
            assert await early.receive_json() == {"on": False, "color": "00ff00"}
            async with http.ws_connect(page + "/ws") as late:
                assert await late.receive_json() == {"on": False, "color": "00ff00"}
                await tell(http, peer, call("ON"))
                assert await early.receive_json() == await late.receive_json() == {"on": True, "color": "00ff00"}
        async with http.get(page + "/ws") as answer:
            assert answer.status == 400


async def test_a_lantern_looks_for_its_stand_again_until_it_is_taken_down(tmp_path: Path) -> None:
    shown: list[tuple[bool, str, str]] = []
    changed = asyncio.Event()

    def show(lantern: Lantern, said: str) -> None:
        shown.append((lantern.on, lantern.color, said))
        changed.set()

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                changed.clear()
                await changed.wait()

    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(tmp_path, "a"))
        http = await stack.enter_async_context(browser())
        host, _, port = first.gateways["lantern=tlv"].rpartition(":")
        hanging = asyncio.create_task(hang(host, int(port), show))
        await until(lambda: bool(shown) and shown[-1][2].startswith("at the stand"))
        await tell(http, first, call("COLOR", value="0000ff"))
        await tell(http, first, call("ON"))
        await until(lambda: shown[-1][:2] == (True, "0000ff"))
        await first.stop()
        await until(lambda: "no stand" in shown[-1][2])
        assert shown[-1][:2] == (True, "0000ff"), "it shines on meanwhile"
        again = {"gateway": [f"lantern=tlv:{port}"]}
        await stack.enter_async_context(running(tmp_path, "a", **again))
        await until(lambda: shown[-1][2].startswith("at the stand"))
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=8), st.data())
def test_frames_come_out_whole_wherever_they_were_cut(frames: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(kind, value) for kind, value in frames)
    cutter, at = Frames(), 0
    found: list[tuple[int, bytes]] = []
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        found += cutter.feed(stream[at : at + step])
        at += step
    assert found == frames


def test_a_lantern_obeys_what_it_knows_also_when_it_carries_more() -> None:
    lantern = Lantern()
    assert obey(lantern, 0x12, b"")
    assert obey(lantern, 0x20, b"\x01\x02\x03\x04\x05")
    assert (lantern.on, lantern.color) == (True, "010203")
    assert not obey(lantern, 0x20, b"\x01\x02")
    assert not obey(lantern, 0x99, b"")
    assert obey(lantern, 0x13, b"later, more")
    assert (lantern.on, lantern.color) == (False, "010203")


def test_values_are_what_a_person_may_say() -> None:
    assert BY_NAME["COLOR"].value("#FF8800") == b"\xff\x88\x00"
    for wrong in ("", "ff88", None, 255, "ff 800"):
        with pytest.raises(BadValue):
            BY_NAME["COLOR"].value(wrong)
    with pytest.raises(BadValue):
        BY_NAME["ON"].value("please")


async def test_at_a_peer_that_finds_no_server_a_lantern_and_a_page_are_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(knowing, "KNOWN_S", 0.0)
    async with running(tmp_path, safety="quorum", expect=2) as peer, browser() as http, hung(peer) as (lantern, _):
        assert await lantern.read() == b"", "it had better look again"
        async with http.ws_connect(f"http://{peer.gateways['lantern=page']}/ws") as page:
            assert (await page.receive()).type == aiohttp.WSMsgType.CLOSE
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_peer_that_goes_on_from_another_log_says_how_it_is_now(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, browser() as http, hung(peer) as (lantern, _):
        await lantern.readexactly(9)
        async with http.ws_connect(f"http://{peer.gateways['lantern=page']}/ws") as page:
            await page.receive_json()
            machine = peer._replica.machine
            # A heal or a snapshot: the state is another, of which no event tells.
            machine.applications["lantern"].state = Lantern(True, "0000ff")
            peer._replica.cluster_event("history_superseded", {"fork": machine.applied}, "")
            assert await lantern.readexactly(9) == bytes.fromhex("2000030000ff120000")
            assert await page.receive_json() == {"on": True, "color": "0000ff"}


@pytest.mark.parametrize("said", ["", "host:1"])
def test_a_person_at_the_terminal_says_where_the_stand_is_or_nothing(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    def answered(prompt: str) -> str:
        assert STAND in prompt
        if not said:
            raise EOFError
        return f" {said} "

    monkeypatch.setattr("builtins.input", answered)
    assert asked() == said


def test_a_stand_whose_machine_vanished_is_noticed() -> None:
    with socket.socket() as connection:
        notice_silence(connection)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.slow
@in_a_browser
async def test_two_pages_in_a_real_browser_follow_a_call_a_button_and_a_peer_that_comes_back(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(tmp_path, "a"))
        http = await stack.enter_async_context(browser())
        pages = [await stack.enter_async_context(browsing(tmp_path / f"browser {i}")) for i in range(2)]
        address = first.gateways["lantern=page"]
        for page in pages:
            await page.open(f"http://{address}/")

        async def until(page: Page, how: str) -> None:
            async with asyncio.timeout(DEADLINE_S):
                while await page.value("document.getElementById('how').textContent") != how:
                    await asyncio.sleep(0.02)

        await tell(http, first, call("COLOR", value="ff0000"))
        await tell(http, first, call("ON"))
        for page in pages:
            await until(page, "The lantern shines, #ff0000")
        await pages[0].click_on("#off")
        for page in pages:
            await until(page, "The lantern is dark")
        assert await pages[0].value("document.querySelectorAll('button').length") == 3
        await pages[0].value("document.getElementById('color').value = '#00ff00'")
        await pages[0].click_on("#paint")
        await pages[0].click_on("#on")
        await until(pages[1], "The lantern shines, #00ff00")
        await pages[0].click_on("#off")
        await until(pages[1], "The lantern is dark")
        api = first.gateways["lantern=api"]
        await first.stop()
        again = {"gateway": [f"lantern=page:{address}", f"lantern=api:{api}"]}
        await stack.enter_async_context(running(tmp_path, "a", **again))
        async with asyncio.timeout(DEADLINE_S):
            while await pages[1].value("document.getElementById('said').textContent"):
                await asyncio.sleep(0.02)
        await pages[1].click_on("#on")
        await until(pages[0], "The lantern shines, #00ff00")
        assert not [c for page in pages for c in page.complaints if "WebSocket" not in c and "ERR_CONNECTION" not in c]
