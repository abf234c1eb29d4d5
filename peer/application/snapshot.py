"""The form of a snapshot: all that peers agree on after applying the log up to an index."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tanist.election.history import Term
from tanist.election.sessions import SessionsState
from tanist.peer.application.blobstore import BlobsState
from tanist.peer.application.heals import HealsState
from tanist.peer.application.sides import Side
from tanist.peer.application.timers import TimersState
from tanist.peer.past.records import RecordState

SNAPSHOT_VERSION = 3
"""Raised when an older program could not read the form any more; older versions are read.

2 had no settings and no blobs. 1 had no heals, and of sessions neither gaps nor what had become of ended ones.
"""


class SnapshotError(Exception):
    """Bytes that are no snapshot, or one that this program cannot take over; nothing was changed."""


class ReignStart(msgspec.Struct, frozen=True, array_like=True):
    """A reign's begin: its term, the index of its first entry, and that entry's log time."""

    term: Term
    index: int
    time_ns: int


class Snapshot(msgspec.Struct, frozen=True):
    """A machine's whole state. `applications` has each application's declared state by name, sorted."""

    version: int
    applied: int
    time_ns: int
    reigns: list[ReignStart]
    sessions: SessionsState
    timers: TimersState
    applications: dict[str, msgspec.Raw]
    heals: HealsState = HealsState()
    sides: list[Side] = []
    records: list[RecordState] = []
    settings: dict[str, bytes] = {}
    blobs: BlobsState = BlobsState()


_NO_BLOBS = BlobsState()


class _Version(msgspec.Struct):
    version: int


_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Snapshot)
_version_decoder = msgspec.msgpack.Decoder(_Version)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """To bytes; equal states give equal bytes."""
    return _encode(snapshot)


def snapshot_pieces(snapshot: Snapshot) -> list[bytes]:
    """What `encode_snapshot` gives, in pieces, of which those of blobs are the very bytes that the state has.

    Copying 128 MiB of them would stall the peer for as long as it takes to lose a server.
    """
    blobs = snapshot.blobs
    head = encode_snapshot(msgspec.structs.replace(snapshot, blobs=_NO_BLOBS))
    # They stand last, so that all before them is as it was.
    pieces = [head.removesuffix(_encode(_NO_BLOBS)), _array_of(len(blobs.__struct_fields__))]
    pieces.append(_array_of(len(blobs.kept)))
    for digest, size, parts in blobs.kept:
        pieces += _with_parts((digest, size), parts)
    pieces += [_encode(blobs.held), _array_of(len(blobs.uploads))]
    for upload in blobs.uploads:
        pieces += _with_parts((upload.session, upload.upload), upload.parts)
    pieces += [_encode(blobs.changes), _encode(blobs.walked)]
    return pieces


def _with_parts(values: Sequence[Any], parts: Sequence[bytes]) -> Iterator[bytes]:
    """An array of a few values and, last, a list of bytes."""
    yield b"".join([_array_of(len(values) + 1), *map(_encode, values), _array_of(len(parts))])
    for part in parts:
        yield _bytes_of(len(part))
        yield part


def _array_of(length: int) -> bytes:
    """How MessagePack begins an array."""
    if length < 16:
        return bytes([0x90 | length])
    return b"\xdc" + length.to_bytes(2, "big") if length < 1 << 16 else b"\xdd" + length.to_bytes(4, "big")


def _bytes_of(length: int) -> bytes:
    """How MessagePack begins bytes."""
    if length < 1 << 8:
        return bytes([0xC4, length])
    return b"\xc5" + length.to_bytes(2, "big") if length < 1 << 16 else b"\xc6" + length.to_bytes(4, "big")


def decode_snapshot(data: bytes) -> Snapshot:
    """From bytes. Raises SnapshotError, for a newer version too."""
    try:
        version = _version_decoder.decode(data).version
        if version > SNAPSHOT_VERSION:
            raise SnapshotError(
                f"the snapshot has version {version}, this program reads up to {SNAPSHOT_VERSION}: update this peer"
            )
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"these bytes are no snapshot: {error}") from error
