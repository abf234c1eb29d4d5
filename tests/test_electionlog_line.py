"""A line's one form as JSON: it reads back as it was, and what it cannot be is told."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.events import BallotEnded, CanvassStarted, Event, ServerLost
from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.line import (
    LINE_BYTES_MAX,
    TEXT_CHARS_MAX,
    BadLine,
    LogLine,
    as_json,
    make_line,
    parse,
    wall_text,
)
from tanist.peer.electionlog.peer_events import ApplicationFault, LoopStalled

WALL_MS = 1_795_000_000_123


def line_of(event: Event) -> LogLine:
    return make_line(
        event, cluster="home", peer="a1", name="anna", incarnation="3-beef", seq=7, wall_ms=WALL_MS, mono_ms=12.345
    )


def with_changes(**changes: Any) -> bytes:
    found = json.loads(as_json(line_of(LoopStalled(5.0))))
    return json.dumps(found | changes).encode()


@pytest.mark.parametrize("cls", CATALOGUE.values(), ids=CATALOGUE)
def test_every_event_reads_back_as_it_was(cls: type[Event]) -> None:
    values: dict[Any, Any] = {str: "x y", int: 3, float: 1.5, bool: True}
    values |= {list[str]: ["b"], list[float]: [1.5], dict[str, str]: {"b": "c"}}
    event = cls(*(values[field.type] for field in msgspec.structs.fields(cls)))
    line = line_of(event)
    assert parse(as_json(line).encode()) == line


def test_the_event_cannot_shadow_what_every_line_has() -> None:
    event = CATALOGUE["peer_seen"]("b2", "bert", "127.0.0.1:7400")
    found = json.loads(as_json(line_of(event)))
    assert (found["peer"], found["name"]) == ("a1", "anna")
    assert found["fields"] == {"peer": "b2", "name": "bert", "address": "127.0.0.1:7400"}


@given(st.text(max_size=50))
def test_any_text_is_one_printable_line(text: str) -> None:
    encoded = as_json(line_of(ApplicationFault("poll", "vote", text)))
    assert len(encoded.splitlines()) == 1
    assert encoded.isprintable() or all(ord(c) >= 0xA0 for c in encoded if not c.isprintable())
    assert parse(encoded.encode()).fields["error"] == text


def test_a_file_name_that_is_no_utf8_is_written_all_the_same() -> None:
    event = ApplicationFault("poll", "vote", "no such file: \udcff")
    assert parse(as_json(line_of(event)).encode()).fields["error"] == "no such file: \\udcff"


def test_an_infinite_number_is_null_and_reads_as_not_a_number() -> None:
    encoded = as_json(line_of(ServerLost("a", "1@a", "silent", "", math.inf)))
    assert json.loads(encoded)["fields"]["heard_ms_ago"] is None
    body = parse(encoded.encode()).body
    assert isinstance(body, ServerLost) and math.isnan(body.heard_ms_ago)


def test_the_largest_ballot_fits_when_shortened() -> None:
    huge = "\x1b" * 100_000
    event = BallotEnded(9, huge, [huge] * 500, {f"{i}{huge}": huge for i in range(500)}, 1.0)
    encoded = as_json(line_of(event)).encode()
    assert len(encoded) < LINE_BYTES_MAX
    body = parse(encoded).body
    assert isinstance(body, BallotEnded) and len(body.support) == 64


def test_a_long_text_is_cut_and_a_usual_one_is_whole() -> None:
    for length, kept in ((TEXT_CHARS_MAX, TEXT_CHARS_MAX), (10_000_000, TEXT_CHARS_MAX)):
        error = parse(as_json(line_of(ApplicationFault("poll", "vote", "é" * length))).encode()).fields["error"]
        assert len(error) == kept
        assert error.endswith("…") is (length > TEXT_CHARS_MAX)


def test_unknown_events_and_newer_lines_are_kept() -> None:
    unknown = parse(with_changes(event="tea_served", fields={"cups": 2}))
    assert unknown.body is None and unknown.fields == {"cups": 2}
    newer = parse(with_changes(v=99, fields={"stalled_s": 1}))
    assert newer.body is None and newer.event == "loop_stalled"


def test_a_field_more_is_no_error() -> None:
    assert parse(with_changes(fields={"stalled_ms": 5.0, "why": "gc"})).body == LoopStalled(5.0)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\x00" * 40, "not a line"),
        (b"2026-11-21 INFO something else", "not a line"),
        (b'{"hello": "world"}', "missing required field"),
        (b'{"v":1,"event":"\xff"}', "not a line"),
        (with_changes(fields={}), "the fields of loop_stalled"),
        (with_changes(fields={"stalled_ms": "long"}), "the fields of loop_stalled"),
        (with_changes(wall="2026-11-21T11:40:00"), "time zone"),
        (with_changes(wall="yesterday"), "not a line"),
        (with_changes(seq="7"), "not a line"),
    ],
)
def test_what_is_no_line_is_told(raw: bytes, says: str) -> None:
    with pytest.raises(BadLine, match=says):
        parse(raw)


def test_wall_time_keeps_its_milliseconds() -> None:
    assert wall_text(WALL_MS) == "2026-11-18T11:06:40.123Z"
    assert parse(as_json(line_of(CanvassStarted(2, [], False))).encode()).wall_ms == WALL_MS
