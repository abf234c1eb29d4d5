"""The reference of the election log, made from the catalogue.

`python -m tanist.peer.electionlog.reference > docs/reference/events.md` writes it anew.
"""

import sys
from string import Formatter
from typing import get_args, get_origin

import msgspec

from tanist.election.events import EVENTS, Event
from tanist.peer.electionlog.catalogue import CATALOGUE_VERSION, PEER_EVENTS
from tanist.peer.electionlog.files import FILE_BYTES_MAX, FILES_MAX

UNITS = {
    "bytes": "bytes",
    "code": "",
    "lines": "lines",
    "calls": "calls",
    "records": "records",
    "attempt": "counted from 1",
    "attempts": "attempts",
    "number": "a term's number (founding: the attempt's)",
    "index": "index of an entry",
    "first": "index of an entry",
    "last": "index of an entry",
    "last_index": "index of an entry",
    "fork": "index of the last shared entry",
    "mine_after": "entries",
    "theirs_after": "entries",
    "archived": "entries",
    "applied": "entries",
    "superseded": "commands",
    "unknown": "commands",
    "missing": "commands",
    "version": "",
    "not_told": "connections",
}
"""What the numbers of a field count, by the field's name or its last word; `_ms` says itself."""

TEXT_FORMS = {
    "term": "number@holder",
    "from_term": "number@holder",
    "to_term": "number@holder",
    "peer": "peer id",
    "server": "peer id",
    "candidate": "peer id",
    "heir": "peer id",
    "members": "peer ids",
    "peers": "peer ids",
    "asked": "peer ids",
    "support": "peer ids",
    "left_out": "peer id to evidence",
    "fallbacks": "best first: peer id, then words",
    "address": "host:port",
    "http": "URL",
    "source": "host:port",
    "path": "path",
    "data": "path",
}
"""How the text of a field is to be read, by the field's name."""

_HEAD = """\
# The events of the election log

<!-- Made from the catalogue: python -m tanist.peer.electionlog.reference > docs/reference/events.md -->

Every peer writes what it sees of elections to `election.jsonl` in its data directory: one JSON object a line. When the
file has {mib} MiB it becomes `election.jsonl.1`, the one before `.2`, and so on; {files} files are kept. Read them with
`tanist log show FILES…`, or with anything that reads JSON lines.

This is version {version} of the catalogue: a new event, or a new field, keeps the version; a changed meaning raises it.
Readers keep events they do not know.

## What every line has

| key | type | meaning |
| --- | --- | --- |
| `v` | integer | version of the catalogue |
| `event` | text | name of the event, below |
| `level` | text | debug, info, warning or error; debug is recorded only with `--log-level debug` |
| `wall` | text | the peer's wall clock, RFC 3339, UTC, milliseconds; it may jump |
| `mono_ms` | number | the peer's steady clock, milliseconds; compares only within one start |
| `cluster` | text | name of the cluster |
| `peer` | text | id of the peer that writes |
| `name` | text | its name |
| `incarnation` | text | this start of it: a counter, `-`, a random part in hexadecimal |
| `seq` | integer | number of the line since that start, from 1; a gap says that lines were lost |
| `fields` | object | the event's own fields, below |

A number that is not finite is `null`. No control character stands in the file as such: all are written as `\\uXXXX`.
"""


def reference() -> str:
    """The page, as it must stand in docs/reference/events.md."""
    head = _HEAD.format(mib=FILE_BYTES_MAX >> 20, files=FILES_MAX, version=CATALOGUE_VERSION)
    parts = [head, "## Events of the election\n"]
    parts += [_section(EVENTS[name]) for name in EVENTS]
    parts.append("## Events of the running peer\n")
    parts += [_section(PEER_EVENTS[name]) for name in PEER_EVENTS]
    return "\n".join(parts)


def _section(cls: type[Event]) -> str:
    meaning = " ".join((cls.__doc__ or "").split())
    rows = [
        f"| `{field.name}` | {type_text(field.type)} | {form_of(field.name, field.type)} |"
        for field in msgspec.structs.fields(cls)
    ]
    return "\n".join(
        [
            f"### `{cls.kind()}`",
            "",
            f"{meaning} Level: {cls.level}.",
            "",
            f"> `{cls.line}`",
            "",
            "| field | type | unit or form |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def type_text(kind: object) -> str:
    """The type of a field in JSON's words. Raises KeyError for a type that no field should have."""
    if origin := get_origin(kind):
        of = " to ".join(type_text(arg) for arg in get_args(kind))
        return f"{ {list: 'list of', dict: 'object,'}[origin] } {of}"
    return {str: "text", int: "integer", float: "number", bool: "true or false"}[kind]  # type: ignore[index]


def form_of(name: str, kind: object) -> str:
    """What a field counts, or how its text is to be read; "" where its name and the event say all."""
    if kind in (int, float):
        last_word = name.rpartition("_")[2]
        return "milliseconds" if "_ms" in name else UNITS.get(name, UNITS.get(last_word, ""))
    return TEXT_FORMS.get(name, "")


def template_fields(cls: type[Event]) -> set[str]:
    """The fields that an event's template for people names."""
    return {name for _, name, _, _ in Formatter().parse(cls.line) if name is not None}


if __name__ == "__main__":
    sys.stdout.write(reference())
