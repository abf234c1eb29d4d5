"""Files of a folder: what an import takes and leaves out, that bytes are exact, and that they outlive the folder."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from heal_fake import Side

from tanist.config import load
from tanist.election.entries import Command, Kind
from tanist.peer.application.blob import BLOB_BYTES_MAX, Blob
from tanist.peer.application.blobstore import BLOBS, PART, Part
from tanist.peer.application.replies import error_code
from tanist.peer.apps import files as module
from tanist.peer.apps.files import Files, Imported
from tanist.peer.errors import Refused
from tanist.peer.peer import Peer

DEADLINE_S = 20.0


def started(folder: Path, name: str = "a", settings: str = "{folder: shared}", **flags: object) -> Peer:
    file = folder / f"{name}.yaml"
    file.write_text(f"apps: {{files: {settings}}}\n")
    given: dict[str, object] = {"data": str(folder / name), "name": name, "pace": "fast"}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    return Peer(load(file, {}, given).config)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


async def imported(peer: Peer) -> Imported:
    return msgspec.convert((await peer.call("files", "import")).result, type=Imported)


async def names(peer: Peer) -> dict[str, int]:
    listed: Any = await peer.query("files", "list", read="server")
    return {file["name"]: file["size"] for file in listed}


async def content(peer: Peer, name: str) -> bytes:
    got = msgspec.convert(await peer.query("files", "get", name, read="server"), type=Blob)
    return b"".join(peer.own_client.parts_of(got))


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


async def test_all_files_of_a_folder_are_exact_and_outlive_it(tmp_path: Path, shared: Path) -> None:
    here = {"empty": 0, "one": 1, "part": 65_536, "more": 65_537, "ten": 10_000_000}
    here |= {"with blanks": 7, "ünïcödé 文": 8, 'quo"te': 9, "line\nbreak": 10, ".hidden": 11, "sub/deep/file": 12}
    for name, size in here.items():
        path = shared / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Random(size).randbytes(size))
    async with started(tmp_path) as a, started(tmp_path, "b", "{}", peer=[a.address]) as b:
        assert await imported(a) == Imported(len(here), [])
        await until(lambda: b.status().server is not None)
        assert await names(b) == dict(sorted(here.items()))
        shutil.rmtree(shared)
        await a.stop()
        for name, size in here.items():
            assert await content(b, name) == Random(size).randbytes(size), name


async def test_what_is_no_plain_file_within_is_left_out(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("not for others")
    (tmp_path / "shared-not").mkdir()
    (tmp_path / "shared-not" / "x").write_text("beside")
    (shared / "good").write_text("good")
    (shared / "inner").symlink_to("good")
    (shared / "out").symlink_to(tmp_path / "secret")
    (shared / "up").symlink_to("../secret")
    (shared / "beside").symlink_to("../shared-not/x")
    (shared / "folder").symlink_to("/etc")
    (shared / "nowhere").symlink_to("not-here")
    os.mkfifo(shared / "pipe")
    with (shared / "large").open("wb") as file:
        file.truncate(BLOB_BYTES_MAX + 1)
    (shared / os.fsdecode(b"caf\xe9")).write_text("old name")
    monkeypatch.setattr(module, "LEFT_OUT_MAX", 6)
    async with started(tmp_path) as a:
        result = await imported(a)
        assert result.files == 3
        assert result.left_out == [
            "beside: a link out of the folder",
            "folder: a link out of the folder",
            f"large: more than {BLOB_BYTES_MAX} bytes",
            "nowhere: no plain file",
            "out: a link out of the folder",
            "pipe: no plain file",
            "1 more",
        ]
        assert await names(a) == {"caf\\xe9": 8, "good": 4, "inner": 4}
        for name in ("../secret", "/etc/passwd", "sub/../../secret", "..", ".", "a//b"):
            with pytest.raises(Refused, match="leads nowhere else"):
                await a.query("files", "get", name)
        assert await a.query("files", "get", "out") is None


async def test_a_second_import_replaces_and_keeps(tmp_path: Path, shared: Path) -> None:
    (shared / "a").write_text("one")
    (shared / "b").write_text("two")
    async with started(tmp_path) as peer:
        await imported(peer)
        (shared / "a").write_text("another")
        (shared / "b").unlink()
        assert (await imported(peer)).files == 1
        assert await names(peer) == {"a": 7, "b": 3}
        assert await content(peer, "a") == b"another"
        assert peer.machine.blobs.bytes_kept == 10, "the old bytes are gone"


@pytest.mark.parametrize("settings", ["{}", "{folder: nothing-there}"])
async def test_without_a_folder_nothing_is_imported(tmp_path: Path, settings: str) -> None:
    async with started(tmp_path, settings=settings) as peer:
        with pytest.raises(Refused) as caught:
            await imported(peer)
        assert caught.value.code == "no_folder"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "", "a\0"])
def test_names_in_the_log_are_looked_at_too(name: str) -> None:
    """Whatever a peer sends: an import is as careful as the peer that has the folder."""
    side = Side(1, Files, "files")
    side.machine.local_sessions = {"s"}
    side.open("s")
    blob = Blob(blake2b(b"x", digest_size=32).hexdigest(), 1)
    part = msgspec.Raw(msgspec.msgpack.encode(Part(1, 0, b"x", True)))
    side.write(Kind.COMMAND, Command("s", 1, 1, BLOBS, PART, part))
    given = msgspec.Raw(msgspec.msgpack.encode({"found": {name: blob}, "left_out": []}))
    (outcome,) = side.write(Kind.COMMAND, Command("s", 2, 1, "files", "import", given))
    assert error_code(outcome.reply) == "bad_name"


def test_there_is_an_end_to_it(tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILES_MAX", 2)
    for n in range(4):
        (shared / str(n)).write_text("x" * n)

    async def go() -> Imported:
        async with started(tmp_path) as peer:
            return await imported(peer)

    assert asyncio.run(go()) == Imported(2, ["2: more than 2 files", "3: more than 2 files"])
