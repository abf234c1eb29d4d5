"""Messages: each comes back as it went, and peers of other versions can talk."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from tanist.election.entries import Entry
from tanist.election.messages import MESSAGES, Message
from tanist.election.records import RECORDS, Record

KINDS = sorted([*MESSAGES.values(), *RECORDS.values()], key=lambda kind: kind.__name__)
SAMPLES = 30


def sample(kind: Any, rng: Random) -> Any:
    """A random value of a type: Structs all the way down."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return kind(*(sample(hints[field.name], rng) for field in msgspec.structs.fields(kind)))
    if get_origin(kind) is dict:
        key, value = get_args(kind)
        return {sample(key, rng): sample(value, rng)}
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        if parts[-1] is Ellipsis:
            return tuple(sample(parts[0], rng) for _ in range(rng.randint(0, 3)))
        return tuple(sample(part, rng) for part in parts)
    if isinstance(kind, UnionType):
        chosen = rng.choice(get_args(kind))
        return None if chosen is NoneType else sample(chosen, rng)
    plain: dict[Any, Callable[[], Any]] = {
        int: lambda: rng.choice([0, 1, 255, 1 << 40, (1 << 63) - 1]),
        float: lambda: rng.choice([0.0, 0.5, 1500.0]),
        bool: lambda: rng.random() < 0.5,
        str: lambda: rng.choice(["", "a", "näme", "10.0.0.1:7400"]),
        bytes: lambda: rng.randbytes(rng.randint(0, 20)),
    }
    return plain[kind]()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_sent_is_what_arrives(kind: type[msgspec.Struct]) -> None:
    rng = Random(kind.__name__)
    for _ in range(SAMPLES):
        message = sample(kind, rng)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=kind) == message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_fields_that_a_newer_version_adds_are_ignored(kind: type[msgspec.Struct]) -> None:
    rng = Random(kind.__name__)
    for _ in range(SAMPLES):
        message = sample(kind, rng)
        fields = [*msgspec.msgpack.decode(msgspec.msgpack.encode(message)), "a field of tomorrow", 7]
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=kind) == message


def test_codes_are_unique_and_leave_room_for_the_hello_and_for_others() -> None:
    assert len(set(MESSAGES.values())) == len(MESSAGES)
    assert all(16 <= code < 112 for code in MESSAGES)
    assert len(set(RECORDS.values())) == len(RECORDS)


def test_every_message_and_record_has_a_code() -> None:
    assert set(Message.__subclasses__()) == set(MESSAGES.values())
    assert set(Record.__subclasses__()) == set(RECORDS.values())


def test_an_entry_knows_its_term() -> None:
    term = Entry(3, "a", 1, 0, 0, b"").term
    assert (term.number, term.holder) == (3, "a")
