"""A line of the election log: what every event is told with, and its one form as JSON.

The event's own fields stand under `fields`, since some are called like those every line has (`peer`, `name`).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from tanist.election.events import Event
from tanist.peer.electionlog.catalogue import CATALOGUE, CATALOGUE_VERSION
from tanist.peer.electionlog.terminal import HIDDEN

LINE_BYTES_MAX = 256 * 1024
"""Bytes of one line, its end included: a ballot of the largest roster, every text in it at its shortened length."""
TEXT_CHARS_MAX = 4000
"""Characters of one text: a long error message. What is longer is cut first, so that no line takes long to write."""
ITEMS_MAX = 256
"""Items of one list or object: far more than a roster has members; for the same reason."""
TEXT_CHARS_SHORT = 200
"""Characters that are kept of each text of a line that would be longer than `LINE_BYTES_MAX`."""
ITEMS_SHORT = 64
"""Items that are kept of each list of such a line: as many as a roster has members."""


class BadLine(Exception):
    """A line that is none of the election log's; the message says what is wrong with it."""


class LogLine(msgspec.Struct, frozen=True):
    """One line. `wall` is RFC 3339 UTC with milliseconds, `wall_ms` the same since 1970, `mono_ms` a steady clock's.

    `incarnation` is "counter-random" of the start that wrote it, `seq` the line's number since that start.
    `body` is the event, or None where this version does not know it; `fields` are its fields in either case.
    `source` and `number` say in which file it stands, and on which line of it, if it was read.
    """

    v: int
    event: str
    level: str
    wall: str
    wall_ms: int
    mono_ms: float
    cluster: str
    peer: str
    name: str
    incarnation: str
    seq: int
    fields: Mapping[str, Any]
    body: Event | None
    source: Path | None = None
    number: int = 0


class Fields(Mapping[str, Any]):
    """The fields of a line that was read, decoded when they are first looked at: most lines need only their body."""

    __slots__ = ("_found", "raw")

    def __init__(self, raw: msgspec.Raw) -> None:
        self.raw = raw
        self._found: dict[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        return self._all()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    def _all(self) -> dict[str, Any]:
        if self._found is None:
            self._found = _decode_fields(self.raw)
        return self._found


KEYS = ("v", "event", "level", "wall", "mono_ms", "cluster", "peer", "name", "incarnation", "seq", "fields")
"""The keys of a line's JSON object, in order."""


class _Json(msgspec.Struct, gc=False):
    """The JSON object of a line, for decoding."""

    v: int
    event: str
    level: str
    wall: str
    mono_ms: float
    cluster: str
    peer: str
    name: str
    incarnation: str
    seq: int
    fields: msgspec.Raw


def make_line(
    event: Event, *, cluster: str, peer: str, name: str, incarnation: str, seq: int, wall_ms: int, mono_ms: float
) -> LogLine:
    """The line that tells an event: of a running peer, or of one in a simulation."""
    return LogLine(
        v=CATALOGUE_VERSION,
        event=event.kind(),
        level=event.level,
        wall=wall_text(wall_ms),
        wall_ms=wall_ms,
        mono_ms=mono_ms,
        cluster=cluster,
        peer=peer,
        name=name,
        incarnation=incarnation,
        seq=seq,
        fields=msgspec.structs.asdict(event),
        body=event,
    )


_encoder = msgspec.json.Encoder(enc_hook=str)
_decode = msgspec.json.Decoder(_Json).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_decode_body: dict[str, Callable[[msgspec.Raw], Event]] = {
    name: msgspec.json.Decoder(cls).decode for name, cls in CATALOGUE.items()
}


def wall_text(wall_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC."""
    seconds, ms = divmod(wall_ms, 1000)
    return f"{_second_text(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=1024)
def _second_text(seconds: int) -> str:
    """A second since 1970; many lines share one."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def serialize(line: Mapping[str, Any]) -> str:
    """The object of a line (see `KEYS`) as JSON without line end, at most `LINE_BYTES_MAX` bytes with it.

    No control character is in it, not even those that JSON allows, so that it can be looked at in a terminal.
    Never raises: what JSON cannot say is written as text, and a line that would be too long is shortened.
    """
    fields = _shortened(line["fields"], TEXT_CHARS_MAX, ITEMS_MAX)
    text = _encode({**line, "fields": fields})
    if len(text) * 4 >= LINE_BYTES_MAX and len(text.encode()) >= LINE_BYTES_MAX:
        text = _encode({**line, "fields": _shortened(fields, TEXT_CHARS_SHORT, ITEMS_SHORT)})
    return text


def _encode_text(line: Mapping[str, Any]) -> str:
    try:
        return _encoder.encode(line).decode()
    except UnicodeEncodeError:
        # A file name that is no UTF-8 becomes text with lone surrogates, which UTF-8 cannot say.
        return _encoder.encode(_without_surrogates(line)).decode()


def _encode(line: Mapping[str, Any]) -> str:
    text = _encode_text(line)
    return HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], text)


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case list() | tuple():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _shortened(value: Any, chars_max: int, items_max: int) -> Any:
    match value:
        case str() if len(value) > chars_max:
            return value[: chars_max - 1] + "…"
        case list() | tuple():
            return [_shortened(item, chars_max, items_max) for item in value[:items_max]]
        case dict():
            items = islice(value.items(), items_max)
            return {
                _shortened(key, chars_max, items_max): _shortened(item, chars_max, items_max) for key, item in items
            }
    return value


def as_json(line: LogLine) -> str:
    """The line as it stands in the file, without line end."""
    told = {key: getattr(line, key) for key in KEYS}
    if isinstance(line.fields, Fields):
        # Read from a line that was short enough; looked through it must be, whoever wrote it.
        text = _encode_text(told | {"fields": line.fields.raw})
        if HIDDEN.search(text) is None:
            return text
    return serialize(told | {"fields": dict(line.fields)})


def parse(raw: bytes, source: Path | None = None, number: int = 0) -> LogLine:
    """Read one line, which stands in `source` as line `number`.

    A line or an event of a newer catalogue is kept, with `body` None where it does not fit. Raises BadLine, in words
    that follow "file:line: ".
    """
    try:
        found = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLine(f"not a line of the election log: {error}") from None
    fields, wall = Fields(found.fields), found.wall
    wall_ms = wall_ms_of(wall)
    return LogLine(
        found.v,
        found.event,
        found.level,
        wall if len(wall) == _WALL_CHARS and wall[-1] == "Z" else wall_text(wall_ms),
        wall_ms,
        found.mono_ms,
        found.cluster,
        found.peer,
        found.name,
        found.incarnation,
        found.seq,
        fields,
        _body(found, fields),
        source,
        number,
    )


_WALL_CHARS = len("2026-11-21T11:40:37.123Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_ms_of(wall: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 text. Raises BadLine."""
    if len(wall) == _WALL_CHARS and wall[19] == "." and wall[20:23].isdecimal() and wall[23] == "Z":
        # As it is written here; many lines share a second.
        return _second_ms(wall[:19] + "Z") + int(wall[20:23])
    return _moment_ms(wall)


@lru_cache(maxsize=1024)
def _second_ms(wall: str) -> int:
    return _moment_ms(wall)


def _moment_ms(wall: str) -> int:
    """Whole milliseconds, without the rounding of a float."""
    try:
        moment = msgspec.convert(wall, datetime)
    except msgspec.ValidationError as error:
        raise BadLine(f"not a line of the election log: `wall`: {error}") from None
    if moment.tzinfo is None:
        raise BadLine("not a line of the election log: `wall` has no time zone")
    past = moment - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1000 + past.microseconds // 1000


def _body(found: _Json, fields: Fields) -> Event | None:
    decode = _decode_body.get(found.event)
    if decode is not None:
        try:
            return decode(found.fields)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # With a number that JSON cannot say, of a newer version, or wrong: what follows tells them apart.
            pass
    try:
        given = dict(fields)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLine(f"not a line of the election log: its `fields`: {error}") from None
    return _lenient_body(found, given)


def _lenient_body(found: _Json, given: dict[str, Any]) -> Event | None:
    """The event of a line whose fields are not just as the catalogue has them."""
    cls = CATALOGUE.get(found.event)
    if cls is None:
        return None
    try:
        return msgspec.convert(_with_nan(cls, given), cls)
    except msgspec.ValidationError as error:
        if found.v > CATALOGUE_VERSION:
            return None
        raise BadLine(f"the fields of {found.event} are not as the catalogue says: {error}") from None


def _with_nan(cls: type[Event], fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinite numbers: they are written as null, and read as "not a number"."""
    if None not in fields.values():
        return fields
    floats = {field.name for field in msgspec.structs.fields(cls) if field.type is float}
    return {key: float("nan") if value is None and key in floats else value for key, value in fields.items()}
