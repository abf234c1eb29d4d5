"""The applications that come along under the referee: the same on every peer, after restarts and from snapshots too."""

from collections.abc import Iterator
from random import Random

import msgspec
import pytest

from tanist.election.entries import Command, Entry, Kind, SessionClosed, SessionOpened
from tanist.election.simulation.outcome import Options
from tanist.peer.application.loading import BUILT_IN
from tanist.peer.application.machine import Machine
from tanist.peer.simulate.arguments import Commands
from tanist.peer.simulate.lives import Lives
from tanist.peer.simulate.loading import Applications
from tanist.peer.simulate.machines import ApplicationMachine
from tanist.peer.simulate.mirror import Mirror
from tanist.peer.simulate.referee import Referee

SPECS = sorted(BUILT_IN)
SESSIONS = ("s1", "s2", "s3", "s4")
COMMANDS = 40 * len(SPECS)
LIVES = 4
"""Of each application alone: some in each safety mode."""


def entries(applications: Applications, seed: int) -> Iterator[Entry]:
    """Commands of sessions that come and go, a second apart, and timers as they come due."""
    rng, machine = Random(seed), Machine(applications.make())
    commands = Commands(applications.classes)
    sequences: dict[str, int] = {}
    bodies: list[tuple[Kind, msgspec.Struct]] = []

    def following() -> Entry:
        kind, body = bodies.pop(0)
        time_ns = (machine.applied + 1) * 10**9
        entry = Entry(1, "a", kind, time_ns, rng.getrandbits(32), msgspec.msgpack.encode(body))
        machine.apply(machine.applied + 1, [entry])
        return entry

    for number in range(COMMANDS):
        session = f"{rng.choice(SESSIONS)}-{number // (COMMANDS // 3)}"
        if session not in sequences:
            sequences[session] = 0
            bodies.append((Kind.SESSION_OPENED, SessionOpened(session, "p")))
        sequences[session] += 1
        app, name, arguments = commands.draw(rng)
        command = Command(session, sequences[session], sequences[session], app, name, msgspec.Raw(arguments))
        bodies.append((Kind.COMMAND, command))
        if number % 50 == 49:
            bodies.append((Kind.SESSION_CLOSED, SessionClosed(session, "gone")))
        bodies += [(Kind.TIMER, due) for due in machine.due_timers((machine.applied + 1) * 10**9)]
        while bodies:
            yield following()


@pytest.mark.parametrize("seed", range(2))
def test_all_of_them_are_the_same_on_every_peer(seed: int) -> None:
    applications, referee = Applications(SPECS), Referee()
    log = list(entries(applications, seed))
    first = ApplicationMachine("a", applications.make(), referee)
    middle = len(log) // 2
    first.apply(1, log[:middle])
    snapshot = first.snapshot()
    first.apply(middle + 1, log[middle:])
    ApplicationMachine("b", applications.make(), referee).apply(1, log)
    late = ApplicationMachine("c", applications.make(), referee)
    late.restore(snapshot)
    late.apply(middle + 1, log[middle:])
    assert late.digest() == first.digest()
    mirror = Mirror(SPECS)
    try:
        mirror.look(referee)
    finally:
        mirror.close()


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_each_lives_well(spec: str) -> None:
    lives = Lives([spec])
    try:
        for seed in range(LIVES):
            totals = lives.live(seed, Options())
            assert [failure.detail for failure in totals.failures] == []
            assert totals.commands > 0
    finally:
        lives.close()
