"""Frames survive any cutting of the stream, and a long one is refused by its header alone."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.transport.errors import FrameTooLarge, MisuseError
from tanist.transport.frames import HEADER, FrameParser, encode_frame

frames = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=12)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(c % (len(data) + 1) for c in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def test_a_frame_is_type_length_and_value() -> None:
    assert encode_frame(32, b"abc") == b"\x20\x00\x00\x00\x03abc"


@given(frames, st.lists(st.integers(0, 10_000), max_size=20))
def test_any_cutting_of_the_stream_gives_the_same_frames(sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(*f) for f in sent)
    parser = FrameParser(64)
    assert [f for piece in pieces(stream, cuts) for f in parser.feed(piece)] == sent


@given(frames)
def test_byte_by_byte(sent: list[tuple[int, bytes]]) -> None:
    parser = FrameParser(64)
    stream = b"".join(encode_frame(*f) for f in sent)
    assert [f for b in stream for f in parser.feed(bytes([b]))] == sent


def test_a_value_of_just_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert list(FrameParser(8).feed(encode_frame(1, b"12345678"))) == [(1, b"12345678")]
    with pytest.raises(FrameTooLarge, match="type 1 announces 9 bytes; 8 are allowed"):
        list(FrameParser(8).feed(encode_frame(1, b"123456789")))


def test_four_gibibytes_are_refused_by_the_header_without_memory_for_them() -> None:
    parser = FrameParser(1 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(FrameTooLarge):
            for byte in HEADER.pack(34, 0xFFFFFFFF):
                list(parser.feed(bytes([byte])))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_frames_before_one_that_is_too_large_are_given_out() -> None:
    got = []
    with pytest.raises(FrameTooLarge):
        for frame in FrameParser(4).feed(encode_frame(1, b"a") + encode_frame(2, b"bb") + encode_frame(3, b"12345")):
            got.append(frame)
    assert got == [(1, b"a"), (2, b"bb")]


def test_the_limit_may_change_between_two_frames_of_one_read() -> None:
    parser = FrameParser(2)
    got = []
    for frame_type, value in parser.feed(encode_frame(1, b"ab") + encode_frame(2, b"0123456789")):
        got.append((frame_type, value))
        parser.frame_bytes_max = 10
    assert got == [(1, b"ab"), (2, b"0123456789")]


@pytest.mark.parametrize("frame_type", [-1, 256])
def test_a_type_that_fits_no_byte_is_a_local_bug(frame_type: int) -> None:
    with pytest.raises(MisuseError):
        encode_frame(frame_type, b"")
