"""How long election logs take to be read: five peers, a million events, merged and checked.

The logs tell of one election after another, without a breach. Each command runs in a process of its own, which is
timed and whose memory is measured at its peak. Run it with

    python tests/bench/logs.py [events]

Numbers of one run only are comparable. A million events may take 15 s and 500 MB.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tanist.election.events import (
    BallotEnded,
    CanvassAnswered,
    CanvassStarted,
    Event,
    FallbackChosen,
    ListPublished,
    MemberChanged,
    ReignBegan,
    ReignEnded,
    ReignOpen,
    RetriesExhausted,
    RetryEnded,
    RetryStarted,
    RoleChanged,
    ServerFollowed,
    ServerLost,
    VoteCast,
)
from tanist.election.roles import Cause, Role
from tanist.peer.electionlog.files import FILE_NAME
from tanist.peer.electionlog.line import as_json, make_line
from tanist.peer.electionlog.peer_events import PeerStarted

PEERS = [f"{digit}" * 16 for digit in "12345"]
COMMANDS = {
    "log check": ["log", "check"],
    "log show": ["log", "show"],
    "log show --json": ["log", "show", "--json"],
}
ENTRIES = 100
"""Entries of one reign."""


def election(number: int, server: str, before: str) -> Iterator[tuple[int, str, Event]]:
    """(milliseconds since the one before, who writes, what) of one election, until that server is lost again."""
    term, first, others = f"{number}@{server}", number * ENTRIES, [peer for peer in PEERS if peer != server]
    yield 1, server, RoleChanged(Role.SEEKING, Role.CANDIDATE, "none", Cause.NOBODY_AHEAD)
    yield 0, server, CanvassStarted(number, others, False)
    for peer in others:
        yield 1, server, CanvassAnswered(number, peer, "support")
    for peer in others:
        yield 1, peer, VoteCast(number, server, True, "")
    yield 1, server, BallotEnded(number, "won", others, {}, 10.0, PEERS)
    yield 0, server, RoleChanged(Role.CANDIDATE, Role.SERVER, term, Cause.WON)
    yield 0, server, ReignBegan(term, first, 910.0, number == 1, before)
    for peer in others:
        yield 1, peer, RoleChanged(Role.SEEKING, Role.CLIENT, term, Cause.FOUND_SERVER)
        yield 0, peer, ServerFollowed(server, "127.0.0.1:7411", term, 915.0)
    yield 1, server, ReignOpen(term, first, "all", 3.0)
    told = [f"peer-{peer[0]} waits (steady for hours)" for peer in others]
    yield 1, server, ListPublished(term, 1, told, others, [3.0] * len(others))
    yield 5000, server, ReignEnded(term, Cause.NO_MAJORITY, first + ENTRIES - 1)
    yield 0, server, RoleChanged(Role.SERVER, Role.SEEKING, "none", Cause.NO_MAJORITY)
    for peer in others:
        text = "the other side closed the connection"
        yield 1, peer, ServerLost(server, term, "closed", text, 3.0, first + ENTRIES - 1)
        yield 0, peer, RoleChanged(Role.CLIENT, Role.SEEKING, "none", Cause.LOST_SERVER)
    for attempt in (1, 2, 3):
        for peer in others:
            yield 74, peer, RetryStarted(attempt, 3, "127.0.0.1:7411", 300.0 * attempt + 1)
            text = "Connect call failed ('127.0.0.1', 7411)"
            yield 1, peer, RetryEnded(attempt, 3, "127.0.0.1:7411", "refused", text)
    for peer in others:
        yield 1, peer, RetriesExhausted(3, 903.0, [f"peer-{other[0]}" for other in others])
        yield 0, peer, FallbackChosen(others[0], "the first of the list that answers")


def history() -> Iterator[tuple[int, str, Event]]:
    """Peers that start, and then one election after another, without an end."""
    for peer in PEERS:
        yield 1, peer, PeerStarted("0.1.0", "quorum", "lan", "127.0.0.1:7411", "", "", 3, 300.0, 1000.0)
        for member in PEERS:
            yield 0, peer, MemberChanged(member, f"peer-{member[0]}", "127.0.0.1:7411", "joined")
    number, before = 1, "none"
    while True:
        server = PEERS[number % len(PEERS)]
        yield from election(number, server, before)
        before = f"{number}@{server}"
        number += 1


def written(folder: Path, events: int) -> list[Path]:
    """Logs of so many events, one a peer."""
    paths = {peer: folder / f"peer-{peer[0]}" / FILE_NAME for peer in PEERS}
    for path in paths.values():
        path.parent.mkdir()
    files = {peer: path.open("w", encoding="utf-8") for peer, path in paths.items()}
    seq = dict.fromkeys(PEERS, 0)
    now_ms = 1_795_000_000_000
    told = history()
    for _ in range(events):
        after_ms, peer, event = next(told)
        now_ms += after_ms
        seq[peer] += 1
        line = make_line(
            event,
            cluster="home",
            peer=peer,
            name=f"peer-{peer[0]}",
            incarnation=f"1-{peer[0]}",
            seq=seq[peer],
            wall_ms=now_ms,
            mono_ms=float(now_ms - 1_794_000_000_000),
        )
        files[peer].write(as_json(line) + "\n")
    for file in files.values():
        file.close()
    return list(paths.values())


def measured(arguments: list[str]) -> tuple[float, float, float, int]:
    """Seconds on the wall and of the processor, the peak of the memory in MB, and the status of one command."""
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "tanist.peer.cli", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    taken = time.perf_counter() - begun
    return taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode


def main(events: int) -> None:
    """Write logs, and read them with each command."""
    say = sys.stdout.write
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        paths = written(Path(scratch), events)
        size = sum(path.stat().st_size for path in paths) / 1e6
        say(f"{events:,} events of {len(paths)} peers, {size:.0f} MB, in {time.perf_counter() - begun:.0f} s\n")
        say("                       s    s of CPU   peak MB   status\n")
        for name, words in COMMANDS.items():
            taken, cpu, peak, status = measured([*words, *map(str, paths)])
            say(f"  {name:<16} {taken:>6.1f} {cpu:>9.1f} {peak:>9.0f} {status:>8}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
