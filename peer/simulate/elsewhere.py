"""Runs as a process of its own, as if on another machine: another hash order, and another time of day.

It is given logs, each entry with the digest of the state that the virtual peers came to, applies them to applications
that it has loaded itself, and says where its state differs first. Started by `mirror`; frames on stdin and stdout.
"""

import os
import signal
import sys
import time
from hashlib import blake2b
from typing import IO

import msgspec

from tanist.election.entries import Entry
from tanist.peer.application.machine import Machine
from tanist.peer.simulate.loading import Applications

AWAY_S = 400 * 24 * 3600 + 12345
"""How far the clock of this process is ahead: other in every part, years to seconds."""
LENGTH_BYTES = 4
RESTORES = 7
"""How often, in one log, a process is ended and another begins with a snapshot of it."""


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A log to apply, and the digest of the state after each entry."""

    entries: list[Entry]
    digests: list[bytes]


class Parted(msgspec.Struct, frozen=True, array_like=True):
    """The state differs after the entry at `index`, which left `state` here. Index 0: it never does.

    `began` is the index of the snapshot that this state was built on, 0 for the log alone.
    """

    index: int
    began: int = 0
    state: bytes = b""


def read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame; None at the end of the stream."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length = int.from_bytes(head, "big")
    data = stream.read(length)
    return data if len(data) == length else None


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """Write a frame."""
    stream.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    stream.flush()


def move_clocks() -> None:
    """From now on it is another time in this process, for all that is imported later.

    Not for `datetime`: its classes cannot be replaced without becoming other types; and what `now()` says is never the
    same for two peers anyway.
    """
    real_time, real_ns = time.time, time.time_ns
    monotonic, perf_counter = time.monotonic, time.perf_counter
    time.time = lambda: real_time() + AWAY_S
    time.time_ns = lambda: real_ns() + AWAY_S * 10**9
    time.monotonic = lambda: monotonic() + AWAY_S
    time.perf_counter = lambda: perf_counter() + AWAY_S


def parted(applications: Applications, asked: Asked) -> Parted:
    """Where the state comes to differ: of a process that begins with the log, or of one that begins with a snapshot."""
    step = max(1, len(asked.entries) // (RESTORES + 1))
    for every in (0, step):
        machine = Machine(applications.make())
        began = 0
        for index, (entry, digest) in enumerate(zip(asked.entries, asked.digests, strict=True), 1):
            machine.apply(index, [entry])
            state = machine.snapshot()
            if blake2b(state, digest_size=16).digest() != digest:
                return Parted(index, began, state)
            if every and index % every == 0:
                machine = Machine(applications.make())
                machine.restore(state)
                began = index
    return Parted(0)


def main(specs: list[str]) -> None:
    """Answer logs until stdin ends."""
    # Whoever started this ends it, by closing stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What an application prints must not get between the frames.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    move_clocks()
    applications = Applications(specs)
    decode = msgspec.msgpack.Decoder(Asked).decode
    while (data := read_frame(sys.stdin.buffer)) is not None:
        write_frame(out, msgspec.msgpack.encode(parted(applications, decode(data))))


if __name__ == "__main__":
    main(sys.argv[1:])
