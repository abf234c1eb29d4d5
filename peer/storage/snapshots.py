"""Snapshots on disk: one's own, and those that arrive in pieces from another peer.

A snapshot file is its bytes, then its description, then a trailer (length and checksum of the description, magic),
so that bytes at an offset of the snapshot stand at that offset of the file. It gets its name when it is whole and
on disk. A snapshot on its way is a `.part` file, kept across restarts so that it can be resumed; one at a time.
"""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from struct import Struct
from zlib import crc32

import msgspec
from aiofiles.os import wrap

from tanist.election.archivedkeys import NO_ARCHIVES, Archives
from tanist.election.history import History, Term
from tanist.election.messages import SnapshotMeta
from tanist.election.roster import Roster
from tanist.peer.storage.aside import keep_aside
from tanist.peer.storage.errors import SnapshotDamaged, SnapshotMissing
from tanist.peer.storage.files import DISK, Disk, remove_temporaries, write_atomically

SNAPSHOT_BYTES_MAX = 1 << 30
"""Bytes of one snapshot: it is held in memory while it is made and loaded."""
READ_BYTES_MAX = 1 << 20
"""Bytes of one read or write: as much as one message may carry."""
HASH_BYTES = 1 << 20
"""Bytes hashed at a time."""
_SUFFIX = ".snapshot"
_PART_SUFFIX = ".part"
_MAGIC = b"TANISTS1"
_TRAILER = Struct(">II8s")
_encode_meta = msgspec.msgpack.Encoder().encode
_decode_meta = msgspec.msgpack.Decoder(SnapshotMeta).decode


def digest_of(data: bytes | Iterable[bytes]) -> str:
    """The BLAKE2b-256 of a snapshot's bytes, in hex."""
    found = hashlib.blake2b(digest_size=32)
    for piece in (data,) if isinstance(data, bytes) else data:
        found.update(piece)
    return found.hexdigest()


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of a mebibyte and more: a thread waits for its turn once for each."""
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= HASH_BYTES:
            yield b"".join(batch)
            batch, size = [], 0
    yield b"".join(batch)


class SnapshotStore:
    """The snapshots in one directory. Make it with `SnapshotStore.open`; disk work runs off the event loop.

    All methods that touch the disk raise `OSError` when it does not do what is asked.
    """

    def __init__(self, directory: Path, found: dict[tuple[int, str], SnapshotMeta], disk: Disk = DISK) -> None:
        """Use `SnapshotStore.open` instead."""
        self._directory = directory
        self._found = found
        self._disk = disk
        # One change at a time: a piece that arrives must not meet the `finish` of the piece before it.
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, directory: Path, disk: Disk = DISK) -> "SnapshotStore":
        """Open a directory of snapshots (made if missing). Half-written leftovers go, unreadable files stay."""
        return cls(directory, await wrap(_scan)(directory, disk), disk)

    def newest(self) -> SnapshotMeta | None:
        """The snapshot that reaches furthest, or None. Its bytes are checked by `load`."""
        return max(self._found.values(), key=lambda meta: (meta.index, meta.term.number), default=None)

    def has(self, meta: SnapshotMeta) -> bool:
        """Whether this very snapshot is here."""
        return (meta.index, meta.digest) in self._found

    async def save(
        self,
        *,
        index: int,
        term: Term,
        time_ns: int,
        history: History,
        roster: Roster,
        data: bytes | Sequence[bytes],
        archived: Archives = NO_ARCHIVES,
    ) -> SnapshotMeta:
        """Keep a snapshot of this peer's own, given in one or in pieces; its description when it is on disk.

        Raises `ValueError` for one over `SNAPSHOT_BYTES_MAX`.
        """
        pieces = (data,) if isinstance(data, bytes) else data
        size = sum(map(len, pieces))
        if size > SNAPSHOT_BYTES_MAX:
            raise ValueError(f"the snapshot has {size} bytes, at most {SNAPSHOT_BYTES_MAX} are kept")
        async with self._lock:
            digest = await wrap(digest_of)(_gathered(pieces))
            meta = SnapshotMeta(index, term, time_ns, history, roster, size, digest, archived)
            await wrap(write_atomically)(self._path(meta), chain(_gathered(pieces), [_trailer(meta)]), self._disk)
            self._found[index, digest] = meta
        return meta

    async def load(self, meta: SnapshotMeta) -> bytes:
        """The bytes of a snapshot, checked. Raises `SnapshotMissing`, `SnapshotDamaged`."""
        try:
            data: bytes = await wrap(_read)(self._path(meta), 0, meta.bytes)
        except FileNotFoundError:
            raise SnapshotMissing(f"there is no snapshot of index {meta.index} in {self._directory}") from None
        if len(data) != meta.bytes or await wrap(digest_of)(data) != meta.digest:
            raise SnapshotDamaged(f"{self._path(meta)}: its bytes do not have its digest: fetch it from another peer")
        return data

    async def read(self, index: int, digest: str, offset: int, size: int) -> bytes:
        """At most `size` (and `READ_BYTES_MAX`) bytes from `offset` on; none behind the end or when it is not here."""
        meta = self._found.get((index, digest))
        if meta is None or not 0 <= offset < meta.bytes:
            return b""
        try:
            data: bytes = await wrap(_read)(self._path(meta), offset, min(size, READ_BYTES_MAX, meta.bytes - offset))
        except FileNotFoundError:
            return b""
        return data

    async def received(self, meta: SnapshotMeta) -> int:
        """How many bytes of a snapshot are here: where to go on fetching. All of them when it is whole."""
        if self.has(meta):
            return meta.bytes
        return await wrap(_size)(self._part(meta))

    async def write(self, meta: SnapshotMeta, offset: int, data: bytes) -> int:
        """Keep a piece of a snapshot on its way; returns how many bytes are here now: when all are, call `finish`.

        A piece that does not begin where the last one ended (repeated, or after a hole) is dropped. Pieces of another
        snapshot are removed: one is received at a time. Raises `SnapshotDamaged` for bytes behind its end, or a
        snapshot over `SNAPSHOT_BYTES_MAX`.
        """
        if not 0 <= meta.bytes <= SNAPSHOT_BYTES_MAX or len(data) > READ_BYTES_MAX:
            raise SnapshotDamaged(f"the snapshot of index {meta.index} is larger than may be received")
        async with self._lock:
            if self.has(meta):
                return meta.bytes
            return await wrap(self._append)(meta, offset, data)

    async def finish(self, meta: SnapshotMeta) -> None:
        """Check a received snapshot and give it its name; it is on disk when this returns.

        Raises `SnapshotDamaged` when its bytes are not those of `meta`: they are gone then, to be fetched again.
        """
        async with self._lock:
            if not self.has(meta):
                await wrap(self._finish)(meta)
                self._found[meta.index, meta.digest] = meta

    async def prune(self, keep_index: int) -> int:
        """Remove the snapshots of indexes below `keep_index`; returns how many. Call it when a newer one counts."""
        async with self._lock:
            old = [meta for meta in self._found.values() if meta.index < keep_index]
            for meta in old:
                del self._found[meta.index, meta.digest]
            await wrap(_remove)([self._path(meta) for meta in old], self._disk)
        return len(old)

    async def mend(self, meta: SnapshotMeta, data: bytes) -> None:
        """Write a snapshot's file anew, whose bytes are sound and whose description is not."""
        async with self._lock:
            await wrap(write_atomically)(self._path(meta), (data, _trailer(meta)), self._disk)
            self._found[meta.index, meta.digest] = meta

    def keep_aside(self, meta: SnapshotMeta, directory: Path) -> None:
        """Move a damaged snapshot's file to another directory, if it is there at all. Blocks; raises `OSError`."""
        self._found.pop((meta.index, meta.digest), None)
        path = self._path(meta)
        if path.exists():
            keep_aside([path], directory, self._disk)
            self._disk.remove(path)

    def keep_copy(self, meta: SnapshotMeta, directory: Path) -> Path:
        """Copy a snapshot's file into another directory (made if missing), where `prune` does not reach it.

        Gives the copy's path; it is on disk when this returns. Blocks on the disk; raises `OSError`.
        """
        directory.mkdir(parents=True, exist_ok=True)
        source = self._path(meta)
        copy = directory / source.name
        write_atomically(copy, source.read_bytes(), self._disk)
        return copy

    def _path(self, meta: SnapshotMeta) -> Path:
        return self._directory / (_stem(meta) + _SUFFIX)

    def _part(self, meta: SnapshotMeta) -> Path:
        return self._directory / (_stem(meta) + _PART_SUFFIX)

    def _append(self, meta: SnapshotMeta, offset: int, data: bytes) -> int:
        part = self._part(meta)
        have = _size(part)
        if offset != have:
            return have
        if have + len(data) > meta.bytes:
            raise SnapshotDamaged(f"more bytes came for the snapshot of index {meta.index} than its {meta.bytes}")
        if offset == 0:
            _remove([path for path in self._directory.glob("*" + _PART_SUFFIX) if path != part], self._disk)
        self._disk.append(part, data)
        return have + len(data)

    def _finish(self, meta: SnapshotMeta) -> None:
        part = self._part(meta)
        if _size(part) != meta.bytes or _file_digest(part) != meta.digest:
            _remove([part], self._disk)
            raise SnapshotDamaged(f"what was received for the snapshot of index {meta.index} does not have its digest")
        with part.open("ab", buffering=0) as file:
            self._disk.write(file.fileno(), _trailer(meta))
            self._disk.sync(file.fileno())
        self._disk.replace(part, self._path(meta))
        self._disk.sync_directory(self._directory)


def _stem(meta: SnapshotMeta) -> str:
    """A file name without its suffix. The digest came from another peer, so only its hexadecimal digits are used."""
    try:
        digest = bytes.fromhex(meta.digest)
    except ValueError:
        raise SnapshotDamaged("a snapshot's digest is not hexadecimal") from None
    if len(digest) != 32 or meta.index < 0:
        raise SnapshotDamaged("a snapshot's description makes no sense")
    return f"{meta.index:020d}-{digest.hex()}"


def _trailer(meta: SnapshotMeta) -> bytes:
    """What follows a snapshot's bytes in its file."""
    encoded = _encode_meta(meta)
    return encoded + _TRAILER.pack(len(encoded), crc32(encoded), _MAGIC)


def _scan(directory: Path, disk: Disk) -> dict[tuple[int, str], SnapshotMeta]:
    """The descriptions of all whole snapshots in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    remove_temporaries(directory, disk)
    metas = [_describe(path) for path in sorted(directory.glob("*" + _SUFFIX))]
    return {(meta.index, meta.digest): meta for meta in metas if meta is not None}


def _describe(path: Path) -> SnapshotMeta | None:
    """The description in a snapshot's file, or None when the file is not whole."""
    size = _size(path)
    if size < _TRAILER.size:
        return None
    length, checksum, magic = _TRAILER.unpack(_read(path, size - _TRAILER.size, _TRAILER.size))
    begin = size - _TRAILER.size - length
    if magic != _MAGIC or begin < 0:
        return None
    encoded = _read(path, begin, length)
    if crc32(encoded) != checksum:
        return None
    try:
        meta = _decode_meta(encoded)
    except msgspec.DecodeError:
        return None
    return meta if meta.bytes == begin and path.stem == _stem(meta) else None


def _read(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _size(path: Path) -> int:
    """A file's bytes, 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _remove(paths: list[Path], disk: Disk) -> None:
    for path in paths:
        if path.exists():
            disk.remove(path)


def _file_digest(path: Path) -> str:
    """The digest of a file's bytes, without holding them all in memory."""
    digest = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while piece := file.read(HASH_BYTES):
            digest.update(piece)
    return digest.hexdigest()
