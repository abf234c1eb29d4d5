"""The data directory: one process at a time, one identity for good, a new incarnation at each start."""

import os
import secrets
import sys
from pathlib import Path

import msgspec
import platformdirs
from filelock import FileLock, Timeout

from tanist.peer.storage.errors import DataError, DataLocked, explain
from tanist.peer.storage.files import DISK, Disk, remove_temporaries, write_atomically

DIRECTORY_VERSION = 1
"""Of the layout of the directory and of its identity file. Newer ones are refused."""
PEER_ID_CHARACTERS = 16
"""Lower-case base32: 80 random bits, so that no two peers ever share an id."""
NAMES_MAX = 1000
"""Peers of one cluster on one host that get a name by themselves: beyond it something starts peers in a circle."""
NONCE_BITS = 48
"""An incarnation's random part: tells two copies of one directory apart, and is exact in every JSON reader."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_IDENTITY = "identity.json"
_LOCK = "lock"
_PID = "lock.pid"


class Identity(msgspec.Struct, frozen=True):
    """The identity file: who the peer is. `nonce` is the present incarnation's random part."""

    version: int
    cluster: str
    peer: str
    name: str
    incarnation: int
    nonce: int
    opened: int = 0
    """The last start that noted itself in the journal, which must know of it: else it is an older one."""


class _Version(msgspec.Struct):
    """What is read of an identity file first, whatever its version."""

    version: int


class DataDirectory:
    """An open data directory, locked until `close`. Make it with `DataDirectory.open`."""

    def __init__(self, path: Path, identity: Identity, lock: FileLock, disk: Disk = DISK) -> None:
        """Use `DataDirectory.open` instead."""
        self._disk = disk
        self.path = path
        self.identity = identity
        self._lock = lock

    @classmethod
    def open(cls, path: Path, cluster: str, name: str, disk: Disk = DISK) -> "DataDirectory":
        """Open or make the data directory of a peer, and begin a new incarnation, on disk when this returns.

        Blocks on the disk. Raises `DataLocked` when another process has it, `DataError` (path, reason, advice) when it
        cannot be used: another cluster's, a newer version's, damaged, not writable, not a directory, disk full.
        """
        lock = _lock(path)
        try:
            identity = _begin_incarnation(path, cluster, name, disk)
            remove_temporaries(path, disk)
            (path / _PID).write_text(f"{os.getpid()}\n")
        except OSError as error:
            lock.release()
            raise _unusable(path, error) from error
        except BaseException:
            lock.release()
            raise
        return cls(path, identity, lock, disk)

    @classmethod
    def open_default(cls, cluster: str, name_base: str, disk: Disk = DISK) -> "DataDirectory":
        """Open the first default directory that no other process has: the one for `name_base`, `name_base`-2, …

        Its `identity.name` is the name that goes with it. Raises `DataError`.
        """
        for _ in range(NAMES_MAX):
            path, name = default_directory(cluster, name_base)
            try:
                return cls.open(path, cluster, name, disk)
            except DataLocked:
                continue  # Another peer that starts now was faster.
        raise _no_name(cluster, name_base)

    @property
    def peer(self) -> str:
        """The peer's id."""
        return self.identity.peer

    @property
    def incarnation(self) -> tuple[int, int]:
        """The counter of starts, from 1, and this start's random part."""
        return self.identity.incarnation, self.identity.nonce

    def raise_incarnation(self, above: int) -> None:
        """Count this start above one that others know of; on disk when this returns. Blocks; raises `DataError`."""
        if self.identity.incarnation <= above:
            self._rewrite(msgspec.structs.replace(self.identity, incarnation=above + 1))

    def mark_opened(self) -> None:
        """This start has noted itself in the journal; on disk when this returns. Blocks; raises `DataError`."""
        self._rewrite(msgspec.structs.replace(self.identity, opened=self.identity.incarnation))

    def _rewrite(self, identity: Identity) -> None:
        try:
            _write_identity(self.path, identity, self._disk)
        except OSError as error:
            raise _unusable(self.path, error) from error
        self.identity = identity

    @property
    def owner(self) -> str:
        """What the journal is told it belongs to."""
        return f"{self.identity.cluster}/{self.identity.peer}"

    @property
    def journal(self) -> Path:
        """Where the journal is."""
        return self.path / "journal"

    @property
    def snapshots(self) -> Path:
        """Where snapshots are."""
        return self.path / "snapshots"

    @property
    def aside(self) -> Path:
        """Where files go that this start finds damaged."""
        return self.path / "damaged" / f"start-{self.identity.incarnation}"

    @property
    def archives(self) -> Path:
        """Where archives are."""
        return self.path / "archive"

    @property
    def election_log(self) -> Path:
        """Where the election log is."""
        return self.path / "election.jsonl"

    def close(self) -> None:
        """Let others have the directory. May be called again."""
        if self._lock.is_locked:
            (self.path / _PID).unlink(missing_ok=True)
            self._lock.release()


def default_directory(cluster: str, name_base: str) -> tuple[Path, str]:
    """The first of the user's default directories that is free now, and the peer name that goes with it.

    Names are `name_base`, `name_base`-2, … Another process may still be faster: see `DataDirectory.open_default`.
    Raises `DataError` when none is free or one cannot be used.
    """
    base = Path(platformdirs.user_data_dir("tanist", appauthor=False)) / file_name(cluster)
    for number in range(1, NAMES_MAX + 1):
        name = name_base if number == 1 else f"{name_base}-{number}"
        path = base / file_name(name)
        if not path.exists():
            return path, name
        try:
            _lock(path).release()
        except DataLocked:
            continue
        return path, name
    raise _no_name(cluster, name_base)


def file_name(text: str) -> str:
    """A cluster's or peer's name as one part of a path: what could mean something else there is escaped."""
    escaped = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else f"%{ord(c):x}." for c in text)
    return escaped if escaped.strip(".") else f"%{escaped}"


def new_peer_id() -> str:
    """A random peer id."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PEER_ID_CHARACTERS))


def _lock(path: Path) -> FileLock:
    """Make a directory if need be, and lock it. Raises `DataLocked`, `DataError`."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / _LOCK, thread_local=False)
        lock.acquire(blocking=False)
    except FileExistsError:
        raise DataError(path, "it is not a directory", "choose another path") from None
    except Timeout:
        raise DataLocked(path, _locked_by(path)) from None
    except OSError as error:
        raise _unusable(path, error) from error
    return lock


def _locked_by(path: Path) -> int | None:
    """The process that has a directory, as far as it said."""
    try:
        return int((path / _PID).read_text())
    except (OSError, ValueError):
        return None


def _begin_incarnation(path: Path, cluster: str, name: str, disk: Disk) -> Identity:
    """Read or make the identity, count its start, and put it on disk."""
    known = _read_identity(path)
    if known is None:
        if any((path / "journal").glob("*.journal")):
            advice = f"restore {_IDENTITY} from a copy, or give this peer an empty directory"
            raise DataError(path, f"there is a journal but no {_IDENTITY}", advice)
        known = Identity(DIRECTORY_VERSION, cluster, new_peer_id(), name, 0, 0)
    elif known.cluster != cluster:
        advice = f"use --cluster {known.cluster}, or give this peer another data directory"
        raise DataError(path, f"it belongs to cluster {known.cluster!r}, not to {cluster!r}", advice)
    nonce = secrets.randbits(NONCE_BITS)
    identity = Identity(DIRECTORY_VERSION, cluster, known.peer, name, known.incarnation + 1, nonce, known.opened)
    _write_identity(path, identity, disk)
    return identity


def _write_identity(path: Path, identity: Identity, disk: Disk) -> None:
    write_atomically(path / _IDENTITY, msgspec.json.format(msgspec.json.encode(identity)) + b"\n", disk)


def _read_identity(path: Path) -> Identity | None:
    """The identity in a directory, or None when there is none yet. Raises `DataError`, `OSError`."""
    try:
        data = (path / _IDENTITY).read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version > DIRECTORY_VERSION:
            reason = f"it was made by a newer version (layout {version}, this program knows {DIRECTORY_VERSION})"
            raise DataError(path, reason, "use that version; nothing was changed")
        return msgspec.json.decode(data, type=Identity)
    except msgspec.DecodeError as error:
        advice = f"restore {_IDENTITY} from a copy, or give this peer an empty directory: it joins anew then"
        raise DataError(path, f"{_IDENTITY} cannot be read ({error})", advice) from None


def _unusable(path: Path, error: OSError) -> DataError:
    """What an operating system error means for a data directory."""
    where = Path(error.filename) if isinstance(error.filename, str) else path
    reason = f"{where.name} cannot be used" if where != path else "it cannot be used"
    return DataError(path, reason + _owned_by_another(path), explain(error))


def _owned_by_another(path: Path) -> str:
    """Say so when a directory is another user's: the commonest reason why it cannot be used."""
    if sys.platform == "win32":
        return ""
    try:
        owner = path.stat().st_uid
    except OSError:
        return ""
    return f" (it belongs to user {owner}, this is user {os.geteuid()})" if owner != os.geteuid() else ""


def _no_name(cluster: str, name_base: str) -> DataError:
    base = Path(platformdirs.user_data_dir("tanist", appauthor=False)) / file_name(cluster)
    return DataError(base, f"all of {NAMES_MAX} names from {name_base!r} on are in use", "name one with --data")
