"""The form of a snapshot: all that peers agree on after applying the log up to an index."""

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


class _Version(msgspec.Struct):
    version: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)
_version_decoder = msgspec.msgpack.Decoder(_Version)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """To bytes; equal states give equal bytes."""
    return _encoder.encode(snapshot)


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
