"""Archives: entries that leave the log without having been everyone's, kept where people can read them.

A file of JSON lines: first a header, then one line an entry. `acknowledged` is true, or "unknown": whether somebody was
told that the entry counts cannot always be known here.
"""

import base64
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened, TimerDue
from tanist.election.ready import Archive
from tanist.election.roster import Roster
from tanist.peer.storage.files import DISK, Disk, write_atomically

ARCHIVE_VERSION = 1
"""Of the lines' fields; in the header."""
SAME_NAME_MAX = 10_000
"""Archives of the same second and the same entries: beyond it something archives in a circle."""

_KIND_NAMES = {int(kind): kind.name.lower() for kind in Kind}
_BODIES: dict[int, type[msgspec.Struct]] = {
    Kind.ROSTER: Roster,
    Kind.COMMAND: Command,
    Kind.SESSION_OPENED: SessionOpened,
    Kind.SESSION_CLOSED: SessionClosed,
    Kind.TIMER: TimerDue,
}


def write_archive(
    directory: Path, archive: Archive, *, time_ns: int, cluster: str = "", peer: str = "", disk: Disk = DISK
) -> Path:
    """Write an archive into `directory` (made if missing); returns its path when it is on disk. Blocks on the disk.

    `time_ns` is the wall clock's, for the name and the header. No file is ever overwritten. Raises `OSError`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    last = archive.first + len(archive.entries) - 1
    header = {
        "archive": ARCHIVE_VERSION,
        "cluster": cluster,
        "peer": peer,
        "time": moment.isoformat().replace("+00:00", "Z"),
        "reason": archive.reason,
        "first": archive.first,
        "last": last,
        "acknowledged_to": archive.acknowledged_to,
    }
    lines = [header]
    for index, entry in enumerate(archive.entries, archive.first):
        lines.append(entry_line(index, entry, index <= archive.acknowledged_to))
    path = _free_name(directory, f"archive-{moment:%Y%m%dT%H%M%SZ}-{archive.first}-{last}")
    try:
        write_atomically(path, b"".join(msgspec.json.encode(line) + b"\n" for line in lines), disk)
    except OSError:
        path.unlink()
        raise
    return path


def entry_line(index: int, entry: Entry, acknowledged: bool) -> dict[str, Any]:
    """An entry as plain values. A body that does not decode, or is of an unknown kind, is given as `body` in base64."""
    line: dict[str, Any] = {
        "index": index,
        "term": {"number": entry.number, "holder": entry.holder},
        "kind": _KIND_NAMES.get(entry.kind, str(entry.kind)),
        "time_ns": entry.time_ns,
        "acknowledged": True if acknowledged else "unknown",
    }
    body_type = _BODIES.get(entry.kind)
    try:
        if body_type is not None:
            return line | _body_fields(msgspec.msgpack.decode(entry.body, type=body_type))
    except msgspec.DecodeError:
        pass
    return line | {"body": readable(entry.body)} if entry.body else line


def readable(value: object) -> Any:
    """Any decoded MessagePack value as JSON can have it: bytes as text if they are UTF-8, else as base64."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return {"base64": base64.b64encode(value).decode()}
        case Mapping():
            return {k if isinstance(k, str) else str(readable(k)): readable(v) for k, v in value.items()}
        case msgspec.msgpack.Ext():
            return {"extension": value.code, "value": readable(bytes(value.data))}
        case list() | tuple():
            return [readable(item) for item in value]
        case _:
            return str(value)


def _body_fields(body: msgspec.Struct) -> dict[str, Any]:
    fields = {name: getattr(body, name) for name in body.__struct_fields__}
    if isinstance(body, Command):
        fields["arguments"] = readable(msgspec.msgpack.decode(body.arguments))
        return fields
    plain: dict[str, Any] = msgspec.to_builtins(msgspec.structs.asdict(body))
    if isinstance(body, Roster):
        plain = {"members": [msgspec.structs.asdict(member) for member in body.members]}
    return plain


def _free_name(directory: Path, stem: str) -> Path:
    """Take a name that nothing has, by making an empty file of it."""
    for number in range(1, SAME_NAME_MAX + 1):
        path = directory / f"{stem}{f'-{number}' if number > 1 else ''}.jsonl"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{SAME_NAME_MAX} archives named {stem} are in {directory}: move some away")
