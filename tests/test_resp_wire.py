"""The bytes of RESP: cut anywhere, glued, binary, hostile; and answers in both versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.peer.gateways.resp_wire import (
    ARGUMENTS_MAX,
    BULK_BYTES_MAX,
    COMMAND_BYTES_MAX,
    INLINE_BYTES_MAX,
    Commands,
    Error,
    ProtocolError,
    Push,
    Simple,
    encode,
)

COMMANDS = st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=5), max_size=6)


def wire(command: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


@given(COMMANDS, st.data())
def test_commands_come_out_whole_wherever_they_were_cut(commands: list[list[bytes]], data: st.DataObject) -> None:
    stream = b"".join(map(wire, commands))
    cutter, at = Commands(), 0
    found: list[list[bytes]] = []
    while at < len(stream):
        step = data.draw(st.integers(1, len(stream) - at))
        found += cutter.feed(stream[at : at + step])
        at += step
    assert found == commands


def test_inline_commands_and_empty_lines() -> None:
    commands = Commands()
    found = list(commands.feed(b"PING\r\n\r\n  \nSET k \"a b\"\nGET 'x y'\r\n*0\r\n*-1\r\nEC"))
    assert found == [[b"PING"], [b"SET", b"k", b"a b"], [b"GET", b"x y"]]
    assert list(commands.feed(b"HO \xff\xfe\n")) == [[b"ECHO", b"\xff\xfe"]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (rb'SET k "\x00\xfFa\n\"\\"', [b"SET", b"k", b'\x00\xffa\n"\\']),
        (rb"SET k 'it\'s \n' x\y", [b"SET", b"k", rb"it's \n", rb"x\y"]),
        (b"""SET "" '' a"b c" """, [b"SET", b"", b"", b"ab c"]),
    ],
)
def test_inline_quotes_mean_what_they_mean_elsewhere(line: bytes, words: list[bytes]) -> None:
    assert list(Commands().feed(line + b"\r\n")) == [words]


@pytest.mark.parametrize(
    "data",
    [
        b"*1\r\n:5\r\n",
        b"*x\r\n",
        b"*-2\r\n",
        b"*%d\r\n" % (ARGUMENTS_MAX + 1),
        b"*1\r\n$%d\r\n" % (BULK_BYTES_MAX + 1),
        b"*1\r\n$99999999999999999999\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$1\r\nab\r\n",
        b'SET "k\r\n',
        b'SET "k"x\r\n',
        b"SET 'k\\'\r\n",
        b"x" * (INLINE_BYTES_MAX + 1),
        b"*9\r\n"
        + (b"$%d\r\n" % BULK_BYTES_MAX + bytes(BULK_BYTES_MAX) + b"\r\n") * (COMMAND_BYTES_MAX // BULK_BYTES_MAX + 1),
    ],
    ids=lambda data: repr(data[:24]),
)
def test_bytes_that_are_no_command_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Commands().feed(data))


def test_what_waits_for_its_end_is_bounded() -> None:
    commands, chunk = Commands(), b"$%d\r\n%b\r\n" % (60_000, bytes(60_000))
    list(commands.feed(b"*100\r\n"))
    with pytest.raises(ProtocolError, match="too big"):
        for _ in range(100):
            list(commands.feed(chunk))


def test_answers_in_both_versions() -> None:
    for answer, two, three in (
        (None, b"$-1\r\n", b"_\r\n"),
        (True, b":1\r\n", b"#t\r\n"),
        (-5, b":-5\r\n", b":-5\r\n"),
        (1.5, b"$3\r\n1.5\r\n", b"$3\r\n1.5\r\n"),
        ("ä", b"$2\r\n\xc3\xa4\r\n", b"$2\r\n\xc3\xa4\r\n"),
        (b"\xff\r\n", b"$3\r\n\xff\r\n\r\n", b"$3\r\n\xff\r\n\r\n"),
        (Simple("OK"), b"+OK\r\n", b"+OK\r\n"),
        (Error("ERR a\r\nb"), b"-ERR a b\r\n", b"-ERR a b\r\n"),
        ([1, None], b"*2\r\n:1\r\n$-1\r\n", b"*2\r\n:1\r\n_\r\n"),
        ({"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
        (Push(("m", 1)), b"*2\r\n$1\r\nm\r\n:1\r\n", b">2\r\n$1\r\nm\r\n:1\r\n"),
    ):
        assert encode(answer, 2) == two
        assert encode(answer, 3) == three
