"""Files in a console: from the terminal's machine and back, in a pipe as over lines, and through the loss of a peer."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import msgspec
import pytest

from tanist.config import load
from tanist.peer.application.blob import BLOB_BYTES_MAX
from tanist.peer.apps.upload import Upload
from tanist.peer.console import carrying
from tanist.peer.console.carrying import done_on_terminal
from tanist.peer.console.completing import Completing
from tanist.peer.console.piped import Printer, run
from tanist.peer.console.remote import Remote, connected
from tanist.peer.console.signatures import Signatures
from tanist.peer.gateways.directory import describe
from tanist.peer.peer import Peer

BYTES = bytes(range(256)) * 1000


@contextlib.asynccontextmanager
async def running(folder: Path, name: str = "a", **flags: object) -> AsyncIterator[Peer]:
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["upload", "kv"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    async with Peer(load(None, {}, given).config) as peer:
        yield peer


@contextlib.asynccontextmanager
async def console(peer: Peer) -> AsyncIterator[Remote]:
    async with connected(peer.http_address, "upload") as remote:
        keeping = asyncio.create_task(remote.keep(Printer()))
        try:
            yield remote
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


async def test_on_a_terminal_a_file_is_named_and_text_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, data, nothing = tmp_path / "two words.txt", tmp_path / "data", tmp_path / "nothing"
    text.write_text("one\n.two\tthree\nчетыре\n")
    data.write_bytes(BYTES)
    nothing.touch()
    async with running(tmp_path) as peer, console(peer) as remote:

        async def said(line: str) -> list[str]:
            return (await done_on_terminal(remote, line)).text

        assert await said(f'UPLOAD "my notes" {text}') == await said(f'upload data "{data}"') == ["OK"]
        assert await said(f"UPLOAD nothing {nothing}") == ["OK"]
        assert await said("GET my notes") == ["one", ".two    three", "четыре"]
        assert await said("GET nothing") == ["0 bytes"]
        (pointed,) = await said("GET data")
        assert pointed.startswith(f"{len(BYTES)} bytes that are no text; http://")
        async with aiohttp.ClientSession() as http, http.get(pointed.split()[-3]) as got:
            assert await got.read() == BYTES
        monkeypatch.setattr(carrying, "SHOWN_BYTES_MAX", 5)
        assert "too many to show; http://" in (await said("GET my notes"))[0]
        assert await said("GET fly") == ["not found"] and await said("LIST") == ["my notes", "data", "nothing"]
        assert await said("UPLOAD x") == ["file is missing; write UPLOAD name file"]
        assert await said("GET") == ["name is missing; write GET name"]
        assert await said(f"UPLOAD ../x {text}") == await said("GET ../x") != ["not found"]
        assert await said(f"UPLOAD x {tmp_path}") == [f"there is no file {tmp_path}"]
        with text.open("r+b") as sparse:
            sparse.truncate(BLOB_BYTES_MAX + 1)
        assert "the most that is kept" in (await said(f"UPLOAD x {text}"))[0]


async def test_in_a_pipe_bytes_follow_their_line(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    async with running(tmp_path) as peer, console(peer) as remote:
        for given, out, status in (
            (b"UPLOAD two words 3\na\nbGET two words\nLIST\n", b"OK\nOK 3\na\nbOK\ntwo words\n.\n", 0),
            (b"UPLOAD d %d\n%bUPLOAD e 0\nGET d\nGET e" % (len(BYTES), BYTES), b"OK 256000\n" + BYTES + b"OK 0\n", 0),
            (b"UPLOAD ../x 4\nLISTGET e\n", b"OK 0\n", 1),
            (b"UPLOAD x\nGET e\n", b"write UPLOAD name size\nOK 0\n", 2),
            (b"UPLOAD x 5\nfour", b"ERROR of 5 bytes 4 came\n", 2),
            (b"UPLOAD x %d\nGET e\n" % (BLOB_BYTES_MAX + 1), b" bytes are kept; this is the end\n", 2),
        ):
            assert await run(remote, io.BytesIO(given)) == status, given[:40]
            shown = capsysbinary.readouterr().out
            # What happened is told between answers, and there is no saying when.
            for happened in (b"two words was uploaded, 3 bytes\n", b"d was uploaded, 256000 bytes\n"):
                shown = shown.replace(happened, b"")
            assert shown.replace(b"e was uploaded, 0 bytes\n", b"").endswith(out), given[:40]


async def test_a_file_goes_to_the_next_peer_when_one_is_lost(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(BYTES)
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(tmp_path, "a"))
        second = await stack.enter_async_context(running(tmp_path, "b", peer=[first.address]))
        remote = await stack.enter_async_context(console(second))
        assert (await done_on_terminal(remote, f"UPLOAD one {tmp_path / 'data'}")).lines == ["OK"]
        uploading = asyncio.create_task(done_on_terminal(remote, f"UPLOAD two {tmp_path / 'data'}"))
        await second.stop(hand_over=False)
        assert (await uploading).lines == ["OK"]
        assert remote.place.name == "a"
        assert (await remote.ask("LIST")).text == ["one", "two"]
        url = f"http://{first.http_address}/apps/upload/get?name={quote('two')}"
        async with aiohttp.ClientSession() as http, http.get(url) as got:
            assert await got.read() == BYTES


def test_files_are_completed(tmp_path: Path) -> None:
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    (tmp_path / "notes.txt").touch()
    completing = Completing(msgspec.convert(describe("upload", Upload()), Signatures))
    line = Document(f"UPLOAD n {tmp_path}/no")
    assert [c.text for c in completing.get_completions(line, CompleteEvent())] == ["tes.txt"]
