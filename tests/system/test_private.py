"""What users enter stays out of the election log and of what a peer says on its terminal: logs are passed on."""

import asyncio
import contextlib
import io
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from system.cluster import Cluster
from system.test_hostile import connected
from tanist.peer.drills.process import PeerProcess

DIARY = '''
from tanist.peer.application import Application, Context, Refused, command, query


class Diary(Application):
    """Fails with what it was told, in every way there is."""

    pages: dict[str, int]

    @command
    def write(self, ctx: Context, text: str) -> int:
        """Take a number, and nothing else."""
        return int(text)

    @command
    def refuse(self, ctx: Context, text: str) -> None:
        """Refuse, and say what."""
        raise Refused("no_" + text, text)

    @query
    def read(self, ctx: Context, text: str) -> int:
        """A page that is not there."""
        return self.pages[text]
'''


def payload(what: str, marks: list[str]) -> str:
    """Text that a user would not want to read in a log; all of it is in `marks` afterwards."""
    marks.append(f"{what}{secrets.token_hex(8)}")
    return marks[-1]


def requests(marks: list[str]) -> Iterator[tuple[str, str, dict[str, object], bytes | None]]:
    """Method, path, arguments and raw body of requests that carry payloads everywhere, the right way and wrong ones."""

    def mark(what: str) -> str:
        return payload(what, marks)

    yield "POST", "/apps/kv/set", {"key": mark("key"), "value": mark("value")}, None
    yield "POST", "/apps/kv/incr", {"key": marks[0]}, None
    yield "POST", "/apps/kv/set", {"key": mark("key"), "value": {mark("field"): 1}}, None
    yield "GET", f"/apps/kv/get?key={mark('asked')}", {}, None
    yield "GET", f"/apps/kv/get?{mark('argument')}=1", {}, None
    yield "POST", "/apps/chat/register", {"nick": mark("nick")}, None
    yield "POST", "/apps/chat/msg", {"text": mark("said")}, None
    yield "GET", f"/apps/diary/read?text={mark('read')}", {}, None
    for command in ("write", "refuse"):
        yield "POST", f"/apps/diary/{command}", {"text": mark(command)}, None
    yield "POST", f"/apps/diary/{mark('command')}", {}, None
    yield "POST", f"/apps/{mark('app')}/set", {}, None
    yield "POST", "/apps/kv/set", {}, f"{{no json {mark('broken')}".encode()
    yield "POST", "/apps/kv/set", {}, json.dumps({"key": "k", "value": mark("long") * 100_000}).encode()
    yield "POST", f"/{mark('path')}?timeout={mark('timeout')}", {}, None


async def send_all(peer: PeerProcess, marks: list[str]) -> None:
    """Send all requests to a peer, with a key of its own each, and some noise to its listeners and both its ports."""
    jar, headers = aiohttp.DummyCookieJar(), {"Tanist-Note": payload("header", marks)}
    async with (
        aiohttp.ClientSession(peer.url, cookie_jar=jar, headers=headers) as http,
        http.ws_connect(f"/events?from={payload('from', marks)}") as events,
    ):
        await events.send_str(payload("event", marks))
        for method, path, arguments, body in list(requests(marks)):
            own = {"Idempotency-Key": payload("idempotency", marks)}
            raw = io.BytesIO(json.dumps(arguments).encode() if body is None else body)
            # A request that is too long is answered before all of it has left.
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.request(method, path, headers=own, data=raw if method == "POST" else None) as answer:
                    await answer.read()
    for address in (peer.address, peer.http):
        async with connected(address) as (reader, writer):
            writer.write(payload("junk", marks).encode() * 10)
            writer.write_eof()
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(10):
                    await reader.read()


async def test_nothing_that_users_enter_is_in_a_log(tmp_path: Path) -> None:
    (tmp_path / "diary.py").write_text(DIARY)
    async with Cluster(tmp_path, flags=["--app", "diary.py:Diary", "--log-level", "debug"]) as cluster:
        peer = cluster[await cluster.found("a")]
        marks: list[str] = []
        await send_all(peer, marks)
        await cluster.until_logged(peer.name, "connection_rejected")
        # It did bite: the failures are told, without what was entered.
        faults = [event["fields"] for event in peer.events("application_fault")]
        assert [fault["command"] for fault in faults] == ["read", "write"]
        assert all(re.fullmatch(r"(ValueError|KeyError) at diary\.py:\d+", fault["error"]) for fault in faults), faults
        log = (peer.data / "election.jsonl").read_text()
        for text in (log, peer.stdout, peer.stderr):
            assert [mark for mark in marks if mark in text] == []
