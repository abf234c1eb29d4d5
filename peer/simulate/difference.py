"""How two snapshots of the same entry differ, for the person who wrote the application."""

from typing import Any

import msgspec

from tanist.peer.application.snapshot import Snapshot, decode_snapshot

LINES_MAX = 12
"""Differences told: where there is one there are often hundreds."""
VALUE_MAX = 100
"""Characters of one value."""
_ABSENT = "nothing"


def differences(one: bytes, other: bytes, name: str, other_name: str) -> list[str]:
    """A line for each place where two encoded snapshots differ, at most `LINES_MAX`."""
    mine, theirs = decode_snapshot(one), decode_snapshot(other)
    found: list[tuple[str, Any, Any]] = []
    for app in sorted({*mine.applications, *theirs.applications}):
        _compare(app, _state(mine, app), _state(theirs, app), found)
    if not found:
        found = _replies(mine, theirs)
    if not found:
        _compare("machine", _rest(mine), _rest(theirs), found)
    lines = [f"  {where}: {_short(a)} at {name}, {_short(b)} at {other_name}" for where, a, b in found[:LINES_MAX]]
    if len(found) > LINES_MAX:
        lines.append(f"  ... and {len(found) - LINES_MAX} more")
    return lines


def _state(snapshot: Snapshot, app: str) -> Any:
    raw = snapshot.applications.get(app)
    return None if raw is None else msgspec.msgpack.decode(raw)


def _replies(mine: Snapshot, theirs: Snapshot) -> list[tuple[str, Any, Any]]:
    """Commands that were answered otherwise, though the applications are in the same state."""
    found: list[tuple[str, Any, Any]] = []
    others = {record.session: record for record in theirs.sessions.sessions}
    for record in mine.sessions.sessions:
        other = others.get(record.session)
        if other is None:
            continue
        for number, (a, b) in enumerate(zip(record.replies, other.replies, strict=False), record.floor):
            if a != b:
                where = f"the answer to command {number} of session {record.session}"
                found.append((where, msgspec.msgpack.decode(a)[1:], msgspec.msgpack.decode(b)[1:]))
    return found


def _rest(snapshot: Snapshot) -> Any:
    # By way of its bytes: what it holds encoded already has no other plain form.
    told = [field for field in snapshot.__struct_fields__ if field != "applications"]
    return {field: msgspec.msgpack.decode(msgspec.msgpack.encode(getattr(snapshot, field))) for field in told}


def _compare(where: str, a: Any, b: Any, found: list[tuple[str, Any, Any]]) -> None:
    if type(a) is type(b) and isinstance(a, dict):
        for key in [*a, *(k for k in b if k not in a)]:
            _compare(f"{where}.{key}", a.get(key, _ABSENT), b.get(key, _ABSENT), found)
        if a == b and list(a) != list(b):
            found.append((f"{where}, the order of its keys", list(a), list(b)))
    elif type(a) is type(b) and isinstance(a, list) and len(a) == len(b):
        for place, (x, y) in enumerate(zip(a, b, strict=True)):
            _compare(f"{where}[{place}]", x, y, found)
    elif a != b or type(a) is not type(b):
        found.append((where, a, b))


def _short(value: Any) -> str:
    text = value if value is _ABSENT else repr(value)
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}..."
