"""The bytes of a cluster's blobs: part of the machine's state, the same on every peer.

An upload is a row of commands of one session, to the application `BLOBS` that no peer can have: parts of 64 KiB, each
at its offset, and the last one gives the blob. So it rides through a failover as any command does. What is unfinished
ends with its session. A finished blob is held for its session until a command names it; from then on it stays for as
long as it stands in an application's state.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from tanist.election.entries import Command
from tanist.peer.application.blob import BLOB_BYTES_MAX, Blob
from tanist.peer.errors import BadRequest, Refused, TooLarge

BLOBS = "@blobs"
"""The application that uploads are commands of: no class can be called so."""
PART, DROP = "part", "drop"
"""Its commands."""
PART_BYTES = 64 * 1024
"""Bytes of a part, but for the last one: small enough that heartbeats and other commands go between two."""
BLOBS_BYTES_MAX = 128 << 20
"""Bytes of all blobs together, unfinished ones too: every peer has them in memory, and in each snapshot."""
UPLOADS_MAX = 64
"""Unfinished uploads of one session; that of HTTP's callers is one for each peer."""
HELD_S = 600.0
"""How long a finished blob waits for the command that names it, by log time: a failover is over long before."""
HELD_MAX = 2000
"""Finished blobs of one session that no command has named yet; of more the oldest is let go."""
SWEEP_SHARE = 8
"""Things in the state that may be walked through, for each change to it, in search of blobs that stand nowhere."""


class Part(msgspec.Struct, frozen=True):
    """Arguments of `part`: the upload's number in its session, where these bytes begin, whether they are the last."""

    upload: int
    offset: int
    data: bytes
    last: bool


class Drop(msgspec.Struct, frozen=True):
    """Arguments of `drop`: the upload that is given up."""

    upload: int


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """Since when a blob waits for its command, by log time, and for how many: two uploads may bring the same bytes."""

    since_ns: int
    count: int


class UploadState(msgspec.Struct, frozen=True, array_like=True):
    """An unfinished upload in a snapshot."""

    session: str
    upload: int
    parts: list[bytes]


class BlobsState(msgspec.Struct, frozen=True, array_like=True):
    """All bytes in a snapshot: blobs with their parts, those that are held for sessions and since when, and uploads."""

    kept: list[tuple[str, int, list[bytes]]] = []
    held: list[tuple[str, list[tuple[str, int, Hold]]]] = []
    uploads: list[UploadState] = []
    changes: int = 0
    walked: int = 0


_decode_part = msgspec.msgpack.Decoder(Part).decode
_decode_drop = msgspec.msgpack.Decoder(Drop).decode


class _Upload:
    """Parts that came, and the hash of them so far."""

    def __init__(self, parts: Iterable[bytes] = ()) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self._hash = blake2b(digest_size=32)
        for part in parts:
            self.add(part)

    def add(self, part: bytes) -> None:
        self.parts.append(part)
        self.size += len(part)
        self._hash.update(part)

    def blob(self) -> Blob:
        return Blob(self._hash.hexdigest(), self.size)


class BlobStore:
    """`in_state` walks through all that may name a blob, as `blob.within` does; None if that cannot be said."""

    def __init__(self, in_state: Callable[[], Iterator[Blob | None] | None]) -> None:
        self._in_state = in_state
        self._kept: dict[Blob, Sequence[bytes]] = {}
        self._held: dict[str, dict[Blob, Hold]] = {}
        """By session."""
        self._uploads: dict[tuple[str, int], _Upload] = {}
        self._bytes = 0
        self._changes = 0
        self._walked = 0

    @property
    def bytes_kept(self) -> int:
        """Bytes of all blobs, unfinished ones too."""
        return self._bytes

    def parts(self, blob: Blob) -> Sequence[bytes] | None:
        """The bytes of a blob in their order, None if it is not here. They stay for whoever has them."""
        return self._kept.get(blob)

    # Uploads

    def execute(self, command: Command, session: str, time_ns: int) -> Any:
        """Have one of these commands done; a part that is the last gives the blob. Raises CallError, MsgspecError."""
        self._let_go(time_ns)
        if command.name == DROP:
            self._drop((session, _decode_drop(command.arguments).upload))
            return None
        return self._part(_decode_part(command.arguments), session, time_ns)

    def _part(self, part: Part, session: str, time_ns: int) -> Blob | None:
        key, size = (session, part.upload), len(part.data)
        if size > PART_BYTES or (size < PART_BYTES and not part.last):
            raise BadRequest(f"a part has {PART_BYTES} bytes; only the last one has fewer")
        upload = self._uploads.get(key)
        if upload is None and part.offset == 0:
            if sum(1 for owner, _ in self._uploads if owner == session) >= UPLOADS_MAX:
                raise Refused(f"{UPLOADS_MAX} uploads are under way: no more", "too_many_uploads")
            upload = self._uploads[key] = _Upload()
        if upload is None or upload.size != part.offset:
            raise Refused("what came before of this upload is not here any more: send it again", "upload_lost")
        if upload.size + size > BLOB_BYTES_MAX:
            self._drop(key)
            raise TooLarge(f"a blob has at most {BLOB_BYTES_MAX} bytes")
        if self._bytes + size > BLOBS_BYTES_MAX:
            self._sweep()
        if self._bytes + size > BLOBS_BYTES_MAX:
            self._drop(key)
            raise Refused(f"all files together have at most {BLOBS_BYTES_MAX >> 20} MiB, and that is reached", "full")
        upload.add(part.data)
        self._bytes += size
        return self._finish(key, upload, time_ns) if part.last else None

    def _finish(self, key: tuple[str, int], upload: _Upload, time_ns: int) -> Blob:
        blob = upload.blob()
        del self._uploads[key]
        if blob in self._kept:
            self._bytes -= blob.size
        else:
            self._kept[blob] = tuple(upload.parts)
        held = self._held.setdefault(key[0], {})
        earlier = held.pop(blob, None)
        held[blob] = Hold(time_ns, 1 if earlier is None else earlier.count + 1)
        if len(held) > HELD_MAX:
            del held[next(iter(held))]
        return blob

    def _drop(self, key: tuple[str, int]) -> None:
        upload = self._uploads.pop(key, None)
        if upload is not None:
            self._bytes -= upload.size

    # What stays

    def _let_go(self, time_ns: int) -> None:
        """Wait no longer for what should have been named long ago. Of each session the first is the oldest."""
        before_ns = time_ns - int(HELD_S * 1e9)
        old = [session for session, held in self._held.items() if next(iter(held.values())).since_ns < before_ns]
        for session in old:
            held = self._held[session]
            for blob in [blob for blob, hold in held.items() if hold.since_ns < before_ns]:
                del held[blob]
            if not held:
                del self._held[session]
        if old:
            self._sweep()

    def named(self, session: str, blobs: Iterable[Blob]) -> None:
        """A command of a session has named blobs: from now on it is the state that keeps them."""
        held = self._held.get(session, {})
        for blob in blobs:
            hold = held.get(blob)
            if hold is not None and hold.count > 1:
                held[blob] = Hold(hold.since_ns, hold.count - 1)
            else:
                held.pop(blob, None)
        if not held:
            self._held.pop(session, None)

    def ended(self, session: str) -> None:
        """A session has ended: nothing is left of what it had not finished."""
        for key in [key for key in self._uploads if key[0] == session]:
            self._drop(key)
        if self._held.pop(session, None) is not None:
            self._sweep()

    def changed(self) -> None:
        """The state of an application with blobs may have changed: what stands nowhere any more goes, soon.

        A state with few things in it is looked through at once; a large one after as many changes as make up for it.
        """
        if self._kept:
            self._changes += 1
            if self._changes * SWEEP_SHARE >= self._walked:
                self._sweep()

    def _sweep(self) -> None:
        stand = self._in_state()
        if stand is None:
            return
        self._changes = self._walked = 0
        keep: set[Blob] = {blob for held in self._held.values() for blob in held}
        for found in stand:
            self._walked += 1
            if found is not None:
                keep.add(found)
        # The order is that of the dict; the set only says which.
        for blob in [blob for blob in self._kept if blob not in keep]:
            del self._kept[blob]
            self._bytes -= blob.size

    # Snapshots

    def state(self) -> BlobsState:
        """All of it, for a snapshot."""
        return BlobsState(
            [(blob.hash, blob.size, list(parts)) for blob, parts in self._kept.items()],
            [
                (session, [(blob.hash, blob.size, hold) for blob, hold in held.items()])
                for session, held in self._held.items()
            ],
            [UploadState(session, number, upload.parts) for (session, number), upload in self._uploads.items()],
            self._changes,
            self._walked,
        )

    def restore(self, state: BlobsState) -> None:
        """Become what `state` was taken from."""
        self._kept = {Blob(digest, size): tuple(parts) for digest, size, parts in state.kept}
        self._held = {
            session: {Blob(digest, size): hold for digest, size, hold in held} for session, held in state.held
        }
        self._uploads = {(u.session, u.upload): _Upload(u.parts) for u in state.uploads}
        self._bytes = sum(blob.size for blob in self._kept) + sum(u.size for u in self._uploads.values())
        self._changes, self._walked = state.changes, state.walked
