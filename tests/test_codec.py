"""Every message survives the wire, old and new peers understand each other, and damage is told from ignorance."""

import types
import typing
from typing import Any

import msgspec
import pytest

from tanist.election.messages import MESSAGES, Goodbye, Message, Oppose, Support
from tanist.transport.codec import decode_message, encode_message
from tanist.transport.errors import MisuseError, ProtocolError
from tanist.transport.frames import HEADER_BYTES, FrameParser

SAMPLES: dict[type, Any] = {int: 7, float: 1.5, str: "peer-ä", bool: True, bytes: b"\x00\xff", type(None): None}


def sample(kind: Any) -> Any:
    """A value of a type, with something in every field."""
    if kind in SAMPLES:
        return SAMPLES[kind]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        return {sample(args[0]): sample(args[1])}
    if origin is tuple:
        return (sample(args[0]), sample(args[0])) if args[-1] is Ellipsis else tuple(sample(a) for a in args)
    if origin in (typing.Union, types.UnionType):
        return sample(args[0])
    assert issubclass(kind, msgspec.Struct), kind
    return kind(**{name: sample(hint) for name, hint in typing.get_type_hints(kind).items() if name[0] != "_"})


def frame_of(data: bytes) -> tuple[int, bytes]:
    [frame] = FrameParser(1 << 20).feed(data)
    return frame


def value_of(*fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


@pytest.mark.parametrize("code", MESSAGES, ids=lambda c: MESSAGES[c].__name__)
def test_every_message_survives_the_wire(code: int) -> None:
    message = sample(MESSAGES[code])
    frame_type, value = frame_of(encode_message(message))
    assert frame_type == code
    assert decode_message(frame_type, value) == message


@pytest.mark.parametrize("code", MESSAGES, ids=lambda c: MESSAGES[c].__name__)
def test_no_cut_off_value_passes_for_a_message(code: int) -> None:
    value = encode_message(sample(MESSAGES[code]))[HEADER_BYTES:]
    for length in range(len(value)):
        with pytest.raises(ProtocolError):
            decode_message(code, value[:length])


def test_the_bytes_on_the_wire_do_not_drift() -> None:
    assert encode_message(Goodbye("bye")) == b"\x16\x00\x00\x00\x05\x91\xa3bye"


def test_an_unknown_type_is_skipped() -> None:
    assert decode_message(111, b"\xc1 whatever") is None


def test_fields_of_a_newer_peer_are_ignored() -> None:
    assert decode_message(49, value_of(5, "new", [1])) == Support(5)


def test_fields_that_an_older_peer_lacks_take_their_defaults() -> None:
    assert decode_message(50, value_of(5, "fresher", 4)) == Oppose(5, "fresher", 4)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xc1",
        value_of("five"),
        value_of(),
        b"\x91\xd9\xff",
        b"\x81\xa1a\x01",
        b"\x91" * 100_000,
        b"\x91\xa2\xff\xff",
    ],
    ids=["empty", "no-msgpack", "wrong-type", "missing", "cut", "map", "deep", "broken-utf8"],
)
def test_a_malformed_value_is_the_other_sides_fault_and_says_of_what(value: bytes) -> None:
    with pytest.raises(ProtocolError, match="type 49 is no Support"):
        decode_message(49, value)


def test_a_message_without_a_code_is_a_local_bug() -> None:
    class Unlisted(Message, frozen=True):
        """Not in MESSAGES."""

    with pytest.raises(MisuseError, match="Unlisted has no frame type"):
        encode_message(Unlisted())


def test_a_message_that_cannot_be_encoded_is_a_local_bug() -> None:
    with pytest.raises(MisuseError, match="Support cannot be encoded"):
        encode_message(Support(1 << 70))
