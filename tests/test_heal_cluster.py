"""Splits that heal, with real applications on virtual peers: what was acknowledged is applied, and nothing is twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from random import Random

import msgspec
import pytest
from heal_fake import Ledger
from scenario import SETTLE_MS

from tanist.election.entries import Command, Entry, Kind, Proposal, SessionClosed, SessionOpened
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.machine import Answer
from tanist.election.simulation.world import VirtualPeer, World
from tanist.peer.application.machine import Machine, Outcome
from tanist.peer.application.replies import error_code
from tanist.peer.application.specification import validate

WINDOW = 4
"""Commands of one client in flight."""
RESEND_MS = 400


class Everyone(set[str]):
    """All sessions are local: each test's client looks at its own peer's answers alone."""

    def __contains__(self, session: object) -> bool:
        return True


class Virtual:
    """A machine as the virtual world takes it."""

    def __init__(self, peer: str) -> None:
        self.machine = Machine({"ledger": Ledger()}, check=True)
        self.machine.local_sessions = Everyone()

    def apply(self, first: int, entries: Sequence[Entry]) -> list[Outcome]:
        outcomes = self.machine.apply(first, entries)
        assert self.machine.take_failures() == []
        return outcomes

    def snapshot(self) -> bytes:
        return self.machine.snapshot()

    def restore(self, state: bytes) -> None:
        self.machine.restore(state)

    def digest(self) -> bytes:
        return self.machine.digest().encode()


class Client:
    """The caller of one peer: it sends again what is not answered, under its session, as `peer.calls` does."""

    def __init__(self, world: World, peer: str) -> None:
        self.world = world
        self.peer = peer
        self.sessions = 0
        self.made = 0
        self.pending: dict[int, str] = {}
        self.asked: dict[tuple[str, int], str] = {}
        """By session and sequence: what was ever asked."""
        self.acknowledged: list[str] = []
        self.told: list[str] = []
        self._new_session()

    def _new_session(self) -> None:
        self.sessions += 1
        self.session = f"{self.peer}-{self.sessions}"
        self.next = 1
        self.pending.clear()

    def ask(self) -> None:
        """One more command, if the window has room."""
        if len(self.pending) < WINDOW:
            self.made += 1
            self.pending[self.next] = self.asked[self.session, self.next] = f"{self.peer}{self.made}"
            self.next += 1
            self.send()

    def send(self) -> None:
        """All that is not answered, in order."""
        if not self.pending:
            return
        floor = next(iter(self.pending))
        proposals = [
            Proposal(Kind.SESSION_OPENED, msgspec.msgpack.encode(SessionOpened(self.session, self._id(), self.peer)))
        ]
        for sequence, text in self.pending.items():
            raw = msgspec.Raw(validate(Ledger, "add", [text]))
            command = Command(self.session, sequence, floor, "ledger", "add", raw)
            proposals.append(Proposal(Kind.COMMAND, msgspec.msgpack.encode(command)))
        self.world.propose(self.peer, *proposals)

    def _id(self) -> str:
        return self.world.peers[self.peer].id

    def answered(self, answer: Answer) -> None:
        """Its peer applied a command of its session."""
        if answer.session != self.session or answer.sequence not in self.pending:
            return
        match error_code(answer.reply):
            case "":
                self.acknowledged.append(self.pending.pop(answer.sequence))
            case "out_of_order":
                pass
            case "unknown_session":
                self._new_session()
            case _:
                self.told.append(self.pending.pop(answer.sequence))


class Scene:
    """A cluster with a client at each peer."""

    def __init__(self, names: str, seed: int, snapshot_every: int = 1_000_000) -> None:
        self.rng = Random(seed)
        self.world = World(seed, machine=Virtual)
        self.watch = Invariants(self.world, Safety.SURVIVOR)
        self.world.cluster(names, safety=Safety.SURVIVOR, pace=PACES["fast"], snapshot_every=snapshot_every)
        self.clients = {name: Client(self.world, name) for name in names.split()}
        self.world.on_answer = self.answered

    def answered(self, peer: VirtualPeer, answer: Answer) -> None:
        self.clients[peer.name].answered(answer)

    def work(self, ms: int) -> None:
        """All clients ask for a while."""
        for _ in range(ms // 100):
            for client in self.clients.values():
                if self.rng.random() < 0.4:
                    client.ask()
                elif self.rng.random() < 0.3:
                    client.send()
            if self.rng.random() < 0.2:
                self.close_absent()
            self.world.run(100)

    def close_absent(self) -> None:
        """Each server closes the sessions of peers that it cannot reach, as `peer.chores` does after a while."""
        for server in self.world.servers():
            for name, client in self.clients.items():
                if (server.name, name) in self.world.cuts:
                    closed = SessionClosed(client.session, "its peer is gone")
                    self.world.propose(server.name, Proposal(Kind.SESSION_CLOSED, msgspec.msgpack.encode(closed)))

    def part(self, side: str) -> None:
        for a in side:
            for b in set(self.world.peers) - set(side):
                self.world.cut(a, b)

    def finish(self) -> Counter[str]:
        """Mend, wait for every answer, and see that all peers have the same; how often each line was written."""
        self.world.mend()
        self.world.run_until(self.world.settled, SETTLE_MS)
        for _ in range(200):
            if not any(client.pending for client in self.clients.values()):
                break
            for client in self.clients.values():
                client.send()
            self.world.run(RESEND_MS)
        self.world.run_until(self.world.settled, SETTLE_MS)
        machines = [self.machine(name) for name in self.world.peers]
        assert not any(client.pending for client in self.clients.values())
        assert len({m.digest() for m in machines}) == 1
        return Counter(line.partition(":")[2] for line in machines[0].query("ledger", "all"))

    def machine(self, name: str) -> Machine:
        found = self.world.peers[name].machine
        assert isinstance(found, Virtual)
        return found.machine

    def unknown(self) -> set[str]:
        """Lines that are archived since nobody knows whether they were acknowledged."""
        reports = self.machine(next(iter(self.clients))).heals.reports.values()
        places = {(e.session, e.sequence) for report in reports for e in report.entries if e.fate == "unknown"}
        return {client.asked[place] for client in self.clients.values() for place in places if place in client.asked}

    def check(self, lines: Counter[str], unknown: Set[str] = frozenset()) -> None:
        """What was acknowledged is there once; what a client was told is not done is not there."""
        for client in self.clients.values():
            assert [text for text in client.acknowledged if lines[text] != 1 and text not in unknown] == []
            assert [text for text in client.told if lines[text]] == []
        assert [text for text, count in lines.items() if count > 1] == []


@pytest.mark.parametrize("side", ["a", "ab", "b", "c"])
def test_all_that_was_acknowledged_on_both_sides_of_a_split_is_there_once(side: str) -> None:
    scene = Scene("a b c", 1)
    scene.work(1000)
    scene.part(side)
    scene.work(5000)
    before = {name: len(client.acknowledged) for name, client in scene.clients.items()}
    assert min(before.values()) > 5, "both sides acknowledge"
    lines = scene.finish()
    scene.check(lines)
    reports = scene.machine("a").heals.reports.values()
    assert sum(report.fates.get("replayed", 0) for report in reports) > 5


@pytest.mark.parametrize("seed", range(6))
def test_random_splits_one_after_another_count_every_acknowledged_line_once(seed: int) -> None:
    scene = Scene("a b c d", seed)
    for _ in range(3):
        scene.part("".join(name for name in "abcd" if scene.rng.random() < 0.5))
        scene.work(scene.rng.randrange(500, 4000))
        scene.world.mend()
        scene.work(scene.rng.randrange(100, 3000))
    scene.check(scene.finish())


@pytest.mark.parametrize("seed", range(4))
def test_what_a_killed_peer_had_acknowledged_is_there_or_named(seed: int) -> None:
    """It knows what it acknowledged but for the last: what was committed goes to the disk with what is written next."""
    scene = Scene("a b c", seed)
    for _ in range(3):
        scene.part("".join(name for name in "abc" if scene.rng.random() < 0.5))
        scene.work(scene.rng.randrange(500, 4000))
        killed = scene.rng.choice("abc")
        scene.world.kill(killed)
        scene.work(500)
        scene.world.start(killed)
        scene.world.mend()
        scene.work(scene.rng.randrange(100, 3000))
    lines = scene.finish()
    scene.check(lines, scene.unknown())
    acknowledged = {text for client in scene.clients.values() for text in client.acknowledged}
    lost = [text for text in acknowledged if not lines[text]]
    assert len(lost) <= 3 * WINDOW
