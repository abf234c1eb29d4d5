"""Uploaded files, through the machine as peers run it, over lines and HTTP: exact bytes, nothing of what fails."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any, Self

import aiohttp
import msgspec
import pytest
from app_room import Room, room_of

from tanist.config import load
from tanist.election import node
from tanist.peer import chores, uploads
from tanist.peer.application import blobstore
from tanist.peer.application.blob import BLOB_BYTES_MAX
from tanist.peer.application.blobstore import PART_BYTES
from tanist.peer.apps import upload as module
from tanist.peer.apps.upload import Upload
from tanist.peer.cli.calls import call
from tanist.peer.cli.client import Client
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.gateways import tcp
from tanist.peer.peer import Peer

DEADLINE_S = 20.0
SIZES = (0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 10_000_000)


def some(size: int) -> bytes:
    """Bytes of all kinds, line ends and words among them."""
    return (b"\r\n.\nQUIT\nUPLOAD x 3\n\0\xff" + Random(size).randbytes(size))[:size]


# What the application says


def put(room: Room, session: str, name: str, data: bytes) -> Any:
    return room.call(session, "upload", name, msgspec.to_builtins(room.upload(session, data)))


def test_a_file_is_there_for_all_and_the_last_of_a_name_counts() -> None:
    with room_of(Upload) as room:
        assert put(room, "a", "notes.txt", b"one") == "OK"
        assert put(room, "b", "other.txt", b"two") == "OK"
        assert put(room, "c", "notes.txt", b"three") == "OK"
        assert room.said("b", "list") == ["other.txt", "notes.txt"]
        assert room.ask("b", "get", "notes.txt")["size"] == 5
        assert room.heard["b"] == ["notes.txt was uploaded, 3 bytes", "notes.txt was uploaded, 5 bytes"]
        assert room.machine.blobs.bytes_kept == 8, "nothing is left of the first one"
        assert room.call("b", "del", "notes.txt") == "OK"
        assert room.refused("b", "del", "notes.txt") == "no_such_file"
        assert room.ask("b", "get", "notes.txt") is None
        assert room.machine.blobs.bytes_kept == 3


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc/passwd", "a/b", r"..\x", r"a\b", "C:x", "a\0b", "x" * 256, "a/../b"]
)
def test_a_name_leads_nowhere(name: str) -> None:
    with room_of(Upload) as room:
        blob = msgspec.to_builtins(room.upload("a", b"x"))
        assert room.refused("a", "upload", name, blob) == "bad_name"
        assert room.machine.blobs.bytes_kept == 0
        assert room.refused("a", "get", name) == "bad_name"


def test_there_is_an_end_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILES_MAX", 1)
    with room_of(Upload) as room:
        put(room, "a", "one", b"1")
        blob = msgspec.to_builtins(room.upload("a", b"2"))
        assert room.refused("a", "upload", "two", blob) == "full"
        assert put(room, "a", "one", b"3") == "OK"


# Over lines


class Nc:
    """A connection that sends and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, peer: Peer) -> Self:
        host, _, port = peer.gateways["upload=line"].rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port), limit=1 << 20))

    async def line(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readline()

    async def ask(self, *data: bytes) -> bytes:
        """Send pieces, each when there is room for it; the answer's first line."""
        for piece in data:
            self.writer.write(piece)
            await self.writer.drain()
        return (await self.line()).removesuffix(b"\n")

    async def get(self, name: str) -> bytes:
        word, size = (await self.ask(f"GET {name}\n".encode())).split(b" ")
        assert word == b"OK"
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readexactly(int(size))

    async def names(self) -> list[bytes]:
        assert await self.ask(b"LIST\n") == b"OK"
        lines = []
        while (got := await self.line()) != b".\n":
            lines.append(got[:-1])
        return lines

    def close(self) -> None:
        self.writer.transport.abort()


def started(folder: Path, name: str = "a", **flags: object) -> Peer:
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast", "app": ["upload"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "gateway": ["upload=line:0"], **flags}
    return Peer(load(None, {}, given).config)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Peer]:
    async with started(folder) as peer:
        await until(lambda: peer.status().server is not None)
        yield peer


async def test_bytes_are_exact_for_every_size_and_name(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        names = ["a", "with blanks", 'quo"ted', "ünïcödé 文", "-rf", "x" * 255]
        for name, size in zip(names, SIZES, strict=True):
            data = some(size)
            assert await nc.ask(f"UPLOAD {name} {size}\r\n".encode(), data) == b"OK"
            assert await nc.get(name) == data
        assert await nc.names() == [name.encode() for name in names]
        nc.close()


async def test_pieces_of_any_size_do(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        data = some(300)
        assert await nc.ask(*(bytes([byte]) for byte in b"UPLOAD slow 300\n" + data)) == b"OK"
        assert await nc.ask(b'"UPLOAD" "quo ted" 4\nabcd') == b"OK"
        assert await nc.get("quo ted") == b"abcd"
        glued = b"UPLOAD one 3\n123UPLOAD two 0\nUPLOAD three 2\r\n\r\nGET one\n"
        assert [await nc.ask(glued), await nc.line(), await nc.line()] == [b"OK", b"OK\n", b"OK\n"]
        assert await nc.line() == b"OK 3\n"
        assert await nc.reader.readexactly(3) == b"123"
        assert await nc.get("slow") == data
        assert await nc.get("three") == b"\r\n"
        nc.close()


async def test_what_is_refused_leaves_the_connection_in_step(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        assert (await nc.ask(b"UPLOAD ../x 11\nDEL a\nDEL b")).startswith(b"ERROR A name leads nowhere")
        assert (await nc.ask(b"UPLOAD 5\nhello")).startswith(b"ERROR name is missing")
        for wrong in (b"UPLOAD", b"UPLOAD x", b"UPLOAD x -1", b"UPLOAD x 1e3", b"UPLOAD x 1.5"):
            assert (await nc.ask(wrong + b"\n")).startswith(b"ERROR the size is a whole number"), wrong
        assert await nc.ask(b"GET x\n") == b"ERROR not found"
        assert await nc.names() == []
        assert peer.machine.blobs.bytes_kept == 0
        nc.close()


async def test_bytes_behind_a_line_that_is_no_text_are_no_commands(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        assert await nc.ask(b"UPLOAD kept 1\nx") == b"OK"
        assert await nc.ask(b"UPLOAD caf\xe9 9\nDEL kept\n") == b"ERROR lines are UTF-8"
        assert await nc.names() == [b"kept"]
        assert (await nc.ask(b"UPLOAD kept " + b"9" * 30 + b"\nDEL kept\n")).startswith(b"ERROR at most ")
        assert await nc.line() == b""
        nc.close()


async def test_too_large_is_refused_before_a_byte_is_read(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        answer = await nc.ask(f"UPLOAD big {BLOB_BYTES_MAX + 1}\nDEL".encode())
        assert answer == f"ERROR at most {BLOB_BYTES_MAX} bytes are kept; the connection ends".encode()
        assert await nc.line() == b"", "what comes now may be its bytes or a command"
        huge = await Nc.to(peer)
        assert (await huge.ask(b"UPLOAD big 999999999999999999\n")).startswith(b"ERROR at most")
        nc.close()
        huge.close()


async def test_no_room_is_said_and_the_rest_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobstore, "BLOBS_BYTES_MAX", 2 * PART_BYTES)
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        assert (await nc.ask(b"UPLOAD big 1000000\n", some(1_000_000))).startswith(b"ERROR all files together")
        assert await nc.ask(b"UPLOAD small 3\nabc") == b"OK"
        assert peer.machine.blobs.bytes_kept == 3
        nc.close()


async def test_a_broken_upload_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        cut, half = await Nc.to(peer), await Nc.to(peer)
        for nc in (cut, half):
            nc.writer.write(b"UPLOAD broken 1000000\n" + some(500_000))
        await until(lambda: peer.machine.blobs.bytes_kept >= 12 * PART_BYTES)
        cut.close()
        half.writer.write_eof()
        await until(lambda: peer.machine.blobs.bytes_kept == 0)
        nc = await Nc.to(peer)
        assert await nc.names() == []
        nc.close()
        half.close()


async def test_one_that_stalls_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "STALL_S", 0.05)
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        assert await nc.ask(b"UPLOAD x 10\nabc") == b""
        await until(lambda: peer.machine.blobs.bytes_kept == 0)
        nc.close()


async def test_events_come_between_answers_and_never_within_the_bytes(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        reader, other = await Nc.to(peer), await Nc.to(peer)
        data = some(8_000_000)
        assert await other.ask(b"UPLOAD big 8000000\n", data) == b"OK"
        assert await reader.line() == b"big was uploaded, 8000000 bytes\n"
        reader.writer.write(b"GET big\n")
        assert await reader.line() == b"OK 8000000\n"
        for n in range(20):
            assert await other.ask(f"UPLOAD {n} 1\nx".encode()) == b"OK"
        async with asyncio.timeout(DEADLINE_S):
            assert await reader.reader.readexactly(len(data)) == data
        assert [await reader.line() for _ in range(20)] == [f"{n} was uploaded, 1 bytes\n".encode() for n in range(20)]
        reader.close()
        other.close()


async def test_who_reads_the_old_bytes_gets_them_whole(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        reader, other = await Nc.to(peer), await Nc.to(peer)
        data = some(8_000_000)
        assert await other.ask(b"UPLOAD x 8000000\n", data) == b"OK"
        await reader.line()
        reader.writer.write(b"GET x\n")
        await reader.line()
        assert await other.ask(b"UPLOAD x 3\nnew") == b"OK"
        async with asyncio.timeout(DEADLINE_S):
            assert await reader.reader.readexactly(len(data)) == data
        reader.close()
        other.close()


async def test_who_does_not_read_is_ended_and_delays_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as peer:
        lazy, other = await Nc.to(peer), await Nc.to(peer)
        data = some(BLOB_BYTES_MAX)
        assert await other.ask(f"UPLOAD x {len(data)}\n".encode(), data) == b"OK"
        monkeypatch.setattr(tcp, "STALL_S", 0.2)
        lazy.writer.transport.pause_reading()  # type: ignore[attr-defined]
        lazy.writer.write(b"GET x\n" * 3)
        assert await other.ask(b"UPLOAD y 1\ny") == b"OK"
        (gateway,) = peer._gateways._running
        await until(lambda: len(gateway._connections) == 1)  # type: ignore[attr-defined]
        assert await other.get("y") == b"y"
        lazy.close()
        other.close()


async def test_who_does_not_read_keeps_nobody_waiting_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(tmp_path, app=["upload", "poll"], gateway=["upload=line:0", "poll=line:0"]) as peer:
        monkeypatch.setattr(tcp, "END_S", DEADLINE_S)
        lazy = await Nc.to(peer)
        assert await lazy.ask(b"UPLOAD x 10000000\n", some(10_000_000)) == b"OK"
        lazy.writer.transport.pause_reading()  # type: ignore[attr-defined]
        lazy.writer.write(b"GET x\n")
        streams = []
        for address in (peer.gateways["poll=line"], peer.http_address):
            host, _, port = address.rpartition(":")
            streams.append(await asyncio.open_connection(host, int(port)))
        ending = asyncio.ensure_future(peer.stop())
        async with asyncio.timeout(DEADLINE_S / 2):
            assert [await reader.read() for reader, _ in streams] == [b"", b""]
        assert not ending.done()
        lazy.close()
        await ending
        for _, writer in streams:
            writer.close()


async def test_only_so_many_upload_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOADS_MAX", 1)
    async with running(tmp_path) as peer:
        first, second = await Nc.to(peer), await Nc.to(peer)
        first.writer.write(b"UPLOAD one 100000\n" + some(90_000))
        await until(lambda: peer.machine.blobs.bytes_kept > 0)
        assert (await second.ask(b"UPLOAD two 3\nabc")).startswith(b"ERROR 1 uploads are under way")
        assert await first.ask(some(100_000)[90_000:]) == b"OK"
        assert await second.ask(b"UPLOAD two 3\nabc") in (b"OK", b"one was uploaded, 100000 bytes")
        first.close()
        second.close()


# Over HTTP


@contextlib.asynccontextmanager
async def browser(peer: Peer) -> AsyncIterator[Callable[..., Any]]:
    """Makes requests: `ask(method, name, …)` gives status, headers and body."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(DEADLINE_S)) as session:

        async def ask(method: str, operation: str, **options: Any) -> tuple[int, Any, bytes]:
            url = f"http://{peer.http_address}/apps/upload/{operation}"
            async with session.request(method, url, **options) as answer:
                return answer.status, answer.headers, await answer.read()

        yield ask


async def test_put_and_get_over_http(tmp_path: Path) -> None:
    async with running(tmp_path) as peer, browser(peer) as ask:
        for size in (0, 1, 200_000, 10_000_000):
            data, name = some(size), {"name": f"file {size}"}
            status, _, body = await ask("PUT", "upload", params=name, data=io.BytesIO(data))
            assert (status, msgspec.json.decode(body)["result"]) == (200, "OK")
            status, headers, body = await ask("GET", "get", params=name)
            assert (status, body == data) == (200, True)
            assert headers["Content-Type"] == "application/octet-stream"
            assert headers["Content-Disposition"] == "attachment", "never a page of this peer"
            assert headers["X-Content-Type-Options"] == "nosniff"
            status, headers, body = await ask("HEAD", "get", params=name)
            assert (status, headers["Content-Length"], body) == (200, str(size), b"")
        assert (await ask("GET", "get", params={"name": "none"}))[0] == 404

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield WORD

        assert (await ask("PUT", "upload", params={"name": "chunked"}, data=pieces()))[0] == 200
        assert (await ask("GET", "get", params={"name": "chunked"}))[2] == WORD * 5


WORD = b"word" * 50_000


async def test_what_is_wrong_with_a_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as peer, browser(peer) as ask:
        for method, operation, params, status in (
            ("PUT", "upload", {}, 400),
            ("PUT", "upload", {"nam": "x"}, 400),
            ("PUT", "upload", {"name": "../x"}, 409),
            ("PUT", "del", {"name": "x"}, 405),
            ("PUT", "fly", {"name": "x"}, 404),
            ("DELETE", "upload", {"name": "x"}, 405),
            ("POST", "upload", {}, 400),
        ):
            assert (await ask(method, operation, params=params, data=b"abc"))[0] == status, (method, operation, params)
        gzip = {"Content-Encoding": "gzip"}
        assert (await ask("PUT", "upload", params={"name": "x"}, data=b"abc", headers=gzip, compress=False))[0] == 400
        known = {"name": "x", "blob": {"hash": "0" * 64, "size": 3}}
        status, _, body = await ask("POST", "upload", json=known)
        assert (status, msgspec.json.decode(body)["error"]["code"]) == (409, "blob_unknown")
        assert peer.machine.blobs.bytes_kept == 0
        assert (await ask("GET", "list"))[2] == b'{"result":[],"lines":[]}\n'


async def raw(peer: Peer, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = peer.http_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    return reader, writer


async def test_a_put_that_is_too_large_or_breaks_off(tmp_path: Path) -> None:
    async with running(tmp_path) as peer:
        head = b"PUT /apps/upload/upload?name=x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"
        reader, writer = await raw(peer, head % (BLOB_BYTES_MAX + 1))
        async with asyncio.timeout(DEADLINE_S):
            assert (await reader.readline()).split()[1] == b"413", "before a byte of it came"
        writer.transport.abort()
        reader, writer = await raw(peer, head % 1_000_000 + some(500_000))
        await until(lambda: peer.machine.blobs.bytes_kept >= 6 * PART_BYTES)
        writer.transport.abort()
        await until(lambda: peer.machine.blobs.bytes_kept == 0)


async def test_the_command_line_gives_and_takes_files(tmp_path: Path) -> None:
    file = tmp_path / "in.bin"
    file.write_bytes(some(100_000))
    async with running(tmp_path) as peer:

        async def run(*words: str) -> Any:
            client = Client(peer.http_address)
            return await asyncio.to_thread(call, client, "upload", words[0], words[1:], timeout_s=DEADLINE_S)

        assert (await run("upload", "out name", str(file)))["result"] == "OK"
        assert await run("get", "out name") == file.read_bytes()
        for words, status in (
            (("upload", "x", str(tmp_path / "none")), Exit.USAGE),
            (("upload", "../x", str(file)), Exit.FAILED),
            (("get", "none"), Exit.USAGE),
            (("upload", "x"), Exit.USAGE),
        ):
            with pytest.raises(VerbError) as caught:
                await run(*words)
            assert caught.value.status is status, (words, caught.value.message)


# A failover in the middle, and who comes late


async def test_an_upload_survives_its_server(tmp_path: Path) -> None:
    a, data = started(tmp_path), some(3_000_000)
    await a.start()
    b, c = [started(tmp_path, name, peer=[a.address]) for name in "bc"]
    async with b, c:
        await until(lambda: a.status().role == "server" and any(f.counts for f in a.status().fallbacks))
        await until(lambda: c.status().server is not None)
        nc = await Nc.to(c)
        async with browser(c) as ask:
            half = asyncio.Event()

            async def body() -> AsyncIterator[bytes]:
                yield data[:1_500_000]
                await half.wait()
                yield data[1_500_000:]

            put = asyncio.create_task(ask("PUT", "upload", params={"name": "web", "timeout": "20"}, data=body()))
            nc.writer.write(b"UPLOAD line 3000000\n" + data[:1_500_000])
            await until(lambda: c.machine.blobs.bytes_kept >= 40 * PART_BYTES)
            await a.stop(hand_over=False)
            half.set()
            nc.writer.write(data[1_500_000:])
            answers = [await nc.line() for _ in range(2)]
            assert sorted(answers) == [b"OK\n", b"web was uploaded, 3000000 bytes\n"]
            assert (await put)[0] == 200
        await until(lambda: b.machine.blobs.bytes_kept == c.machine.blobs.bytes_kept == len(data))
        other = await Nc.to(b)
        assert await other.get("line") == await other.get("web") == data
        other.close()
        nc.close()


async def test_who_comes_late_gets_the_bytes_with_the_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("snapshot: {every: 20, keep: 5}\n")

    def small(name: str, **flags: object) -> Peer:
        given: dict[str, object] = {"name": name, "data": str(tmp_path / name), "pace": "fast", "app": ["upload"]}
        given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "gateway": ["upload=line:0"], **flags}
        return Peer(load(file, {}, given).config)

    data = some(5_000_000)
    async with small("a") as a:
        await until(lambda: a.status().server is not None)
        nc = await Nc.to(a)
        assert await nc.ask(b"UPLOAD x 5000000\n", data) == b"OK"
        for n in range(40):
            assert await nc.ask(f"UPLOAD {n} 1\nx".encode()) == b"OK"
        await until(lambda: a.core.node.log.first > 1)
        async with small("b", peer=[a.address]) as b:
            await until(lambda: b.machine.applied >= a.machine.applied > 0)
            late = await Nc.to(b)
            assert await late.get("x") == data
            await until(lambda: a.machine.applied == b.machine.applied and a.machine.digest() == b.machine.digest())
            late.close()
        nc.close()


async def test_many_bytes_make_a_snapshot_due_and_leave_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "LOG_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(node, "KEPT_BYTES_MAX", 1 << 20)
    async with running(tmp_path) as peer:
        nc = await Nc.to(peer)
        assert await nc.ask(b"UPLOAD x 9000000\n", some(9_000_000)) == b"OK"
        log = peer.core.node.log
        await until(lambda: log.first > 32)
        assert log.last < 200, "so few entries would stay for long"
        assert await nc.get("x") == some(9_000_000)
        nc.close()
