"""Snapshots on disk: whole or not there, checked when read, received in pieces that can be resumed."""

import errno
import os
from pathlib import Path

import pytest

from tanist.election.history import History, Reign, Term
from tanist.election.messages import SnapshotMeta
from tanist.election.roster import Member, Roster
from tanist.peer.storage import snapshots as module
from tanist.peer.storage.errors import SnapshotDamaged, SnapshotMissing
from tanist.peer.storage.files import Disk
from tanist.peer.storage.snapshots import SnapshotStore, digest_of

TERM = Term(3, "aaaa")
HISTORY = History((Reign(TERM, 1, 0),), 40, 12)
ROSTER = Roster((Member("aaaa", "alpha", "127.0.0.1:7400"),))
DATA = bytes(range(256)) * 40


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


async def save(store: SnapshotStore, index: int = 40, data: bytes = DATA) -> SnapshotMeta:
    return await store.save(index=index, term=TERM, time_ns=5, history=HISTORY, roster=ROSTER, data=data)


async def test_saved_snapshots_are_there_after_a_restart(tmp_path: Path) -> None:
    store = await SnapshotStore.open(tmp_path / "s")
    assert store.newest() is None
    meta = await save(store)
    assert meta == SnapshotMeta(40, TERM, 5, HISTORY, ROSTER, len(DATA), digest_of(DATA))
    later = await save(store, 50, b"")
    again = await SnapshotStore.open(tmp_path / "s")
    assert again.newest() == later
    assert again.has(meta)
    assert await again.load(meta) == DATA
    assert await again.load(later) == b""


async def test_a_snapshot_in_pieces_is_the_same(tmp_path: Path) -> None:
    pieces = [b"a" * 700_000, b"", b"b" * 700_000, b"c"]
    store = await SnapshotStore.open(tmp_path)
    meta = await store.save(index=40, term=TERM, time_ns=5, history=HISTORY, roster=ROSTER, data=pieces)
    assert meta == await save(await SnapshotStore.open(tmp_path / "whole"), data=b"".join(pieces))
    assert await (await SnapshotStore.open(tmp_path)).load(meta) == b"".join(pieces)


async def test_any_flipped_byte_is_found(tmp_path: Path) -> None:
    store = await SnapshotStore.open(tmp_path)
    meta = await save(store, data=b"0123456789")
    (path,) = files(tmp_path)
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        reopened = await SnapshotStore.open(tmp_path)
        if at < meta.bytes:
            with pytest.raises(SnapshotDamaged):
                await reopened.load(meta)
        else:
            assert reopened.newest() is None
            assert await reopened.load(meta) == b"0123456789"
    for cut in range(len(good)):
        path.write_bytes(good[:cut])
        assert (await SnapshotStore.open(tmp_path)).newest() is None
    assert path.exists()


async def test_missing_snapshot(tmp_path: Path) -> None:
    store = await SnapshotStore.open(tmp_path)
    meta = await save(store)
    files(tmp_path)[0].unlink()
    with pytest.raises(SnapshotMissing):
        await store.load(meta)
    assert await store.read(meta.index, meta.digest, 0, 10) == b""


async def test_reading_stays_within_the_snapshot(tmp_path: Path) -> None:
    store = await SnapshotStore.open(tmp_path)
    meta = await save(store)
    assert await store.read(40, meta.digest, 0, 7) == DATA[:7]
    assert await store.read(40, meta.digest, len(DATA) - 3, 100) == DATA[-3:]
    for offset in (-1, len(DATA), len(DATA) + 5):
        assert await store.read(40, meta.digest, offset, 10) == b""
    assert await store.read(41, meta.digest, 0, 10) == b""
    assert await store.read(40, "00" * 32, 0, 10) == b""


async def copy(source: SnapshotStore, target: SnapshotStore, meta: SnapshotMeta, size: int, until: int) -> None:
    while (offset := await target.received(meta)) < until:
        piece = await source.read(meta.index, meta.digest, offset, size)
        assert await target.write(meta, offset, piece) == offset + len(piece)


async def test_received_in_pieces_and_resumed_after_a_restart(tmp_path: Path) -> None:
    source, target = await SnapshotStore.open(tmp_path / "a"), await SnapshotStore.open(tmp_path / "b")
    meta = await save(source)
    await copy(source, target, meta, 1000, 4000)
    (tmp_path / "b" / "x.tmp").write_bytes(b"leftover")
    target = await SnapshotStore.open(tmp_path / "b")
    assert await target.received(meta) == 4000
    assert target.newest() is None
    await copy(source, target, meta, 999, meta.bytes)
    await target.finish(meta)
    await target.finish(meta)
    assert target.newest() == meta
    assert await target.received(meta) == meta.bytes
    assert await target.write(meta, 0, b"again") == meta.bytes
    assert await (await SnapshotStore.open(tmp_path / "b")).load(meta) == DATA
    assert len(files(tmp_path / "b")) == 1


async def test_repeated_and_early_pieces_are_dropped(tmp_path: Path) -> None:
    source, target = await SnapshotStore.open(tmp_path / "a"), await SnapshotStore.open(tmp_path / "b")
    meta = await save(source, data=b"abcdef")
    assert await target.write(meta, 2, b"cd") == 0
    assert await target.write(meta, 0, b"abc") == 3
    assert await target.write(meta, 0, b"abc") == 3
    with pytest.raises(SnapshotDamaged, match="more bytes"):
        await target.write(meta, 3, b"defg")
    assert await target.write(meta, 3, b"def") == 6
    await target.finish(meta)
    assert await target.load(meta) == b"abcdef"


async def test_wrong_or_unfinished_bytes_are_discarded(tmp_path: Path) -> None:
    source, target = await SnapshotStore.open(tmp_path / "a"), await SnapshotStore.open(tmp_path / "b")
    meta = await save(source, data=b"abcdef")
    for wrong in (b"abcdeF", b"abc"):
        await target.write(meta, 0, wrong)
        with pytest.raises(SnapshotDamaged, match="digest"):
            await target.finish(meta)
        assert await target.received(meta) == 0
        assert target.newest() is None
    with pytest.raises(SnapshotDamaged):
        await target.finish(meta)


async def test_one_snapshot_is_received_at_a_time(tmp_path: Path) -> None:
    source, target = await SnapshotStore.open(tmp_path / "a"), await SnapshotStore.open(tmp_path / "b")
    one, two = await save(source, 1, b"one"), await save(source, 2, b"two")
    await target.write(one, 0, b"on")
    await target.write(two, 0, b"tw")
    assert await target.received(one) == 0
    assert await target.received(two) == 2


async def test_hostile_descriptions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await SnapshotStore.open(tmp_path / "s")
    for digest in ("../../etc/passwd", "zz" * 32, "ab", ""):
        with pytest.raises(SnapshotDamaged):
            await store.write(SnapshotMeta(1, TERM, 0, HISTORY, ROSTER, 3, digest), 0, b"abc")
    huge = SnapshotMeta(1, TERM, 0, HISTORY, ROSTER, module.SNAPSHOT_BYTES_MAX + 1, "ab" * 32)
    with pytest.raises(SnapshotDamaged, match="larger"):
        await store.write(huge, 0, b"abc")
    monkeypatch.setattr(module, "SNAPSHOT_BYTES_MAX", 10)
    with pytest.raises(ValueError, match="at most 10"):
        await save(store)


async def test_prune_keeps_from_an_index_on(tmp_path: Path) -> None:
    store = await SnapshotStore.open(tmp_path)
    metas = [await save(store, index, bytes([index])) for index in (10, 20, 30)]
    assert await store.prune(20) == 1
    assert [store.has(meta) for meta in metas] == [False, True, True]
    assert len(files(tmp_path)) == 2
    assert await store.read(10, metas[0].digest, 0, 1) == b""


async def test_failed_save_leaves_the_older_snapshot(tmp_path: Path) -> None:
    class Failing(Disk):
        fail = False

        def sync(self, descriptor: int) -> None:
            if self.fail:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            super().sync(descriptor)

    disk = Failing()
    store = await SnapshotStore.open(tmp_path, disk)
    old = await save(store, 10)
    disk.fail = True
    with pytest.raises(OSError, match="No space"):
        await save(store, 20)
    assert store.newest() == old
    assert (await SnapshotStore.open(tmp_path)).newest() == old
    assert [path.suffix for path in files(tmp_path)] == [".snapshot"]


async def test_a_copy_outlives_pruning_and_is_a_whole_snapshot(tmp_path: Path) -> None:
    store = await SnapshotStore.open(tmp_path / "s")
    meta = await save(store)
    copy = store.keep_copy(meta, tmp_path / "archive")
    await save(store, 50)
    await store.prune(50)
    assert not store.has(meta)
    assert files(tmp_path / "archive") == [copy]
    kept = await SnapshotStore.open(tmp_path / "archive")
    assert await kept.load(meta) == DATA
    with pytest.raises(FileNotFoundError):
        store.keep_copy(meta, tmp_path / "archive")
