"""The core driven by hypothesis: it says which message, write, timer or fault comes next, and shrinks what fails.

A second front end beside random lives: those weigh faults as a network would, this one tries the orders of events
that no network would make soon. The invariants are the same, after every step; at the end all comes to rest.
"""

from __future__ import annotations

import itertools

import pytest
from by_hand import ByHand
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tanist.election.roles import Role
from tanist.election.settings import PACES, Safety
from tanist.election.simulation.invariants import Broken, Invariants
from tanist.election.simulation.peers import VirtualPeer
from tanist.election.simulation.world import AT_ONCE_MAX

PACE = "fast"
REST_LIMIT_MS = 30_000
NAMES_MAX = 4
LANES = st.integers(0, 63)
PEERS = st.integers(0, NAMES_MAX - 1)
SHORT = settings(max_examples=50, stateful_step_count=40)
LONG = settings(max_examples=400, stateful_step_count=80)


class Cluster(RuleBasedStateMachine):
    """Two to four peers of one mode, each step chosen by hypothesis."""

    safety = Safety.QUORUM

    @initialize(size=st.integers(2, NAMES_MAX), keep=st.sampled_from([0, 3, 1000]), seed=st.integers(0, 999))
    def found(self, size: int, keep: int, seed: int) -> None:
        self.world = ByHand(seed)
        self.watch = Invariants(self.world, self.safety)
        self.names = "abcd"[:size]
        self.commands = itertools.count()
        self.world.cluster(" ".join(self.names), safety=self.safety, pace=PACES[PACE], snapshot_keep=keep)
        self.world.by_hand = True

    def peer(self, number: int) -> VirtualPeer:
        return self.world.peers[self.names[number % len(self.names)]]

    # What is on its way

    @precondition(lambda self: self.world.waiting())
    @rule(lane=LANES)
    def arrives(self, lane: int) -> None:
        self.world.happen(lane)

    @precondition(lambda self: self.world.waiting())
    @rule(lanes=st.lists(LANES, min_size=1, max_size=12))
    def several_arrive(self, lanes: list[int]) -> None:
        for lane in lanes:
            if self.world.waiting():
                self.world.happen(lane)

    @precondition(lambda self: self.world.waiting())
    @rule(lane=LANES)
    def arrives_twice(self, lane: int) -> None:
        self.world.repeat(lane)

    @rule(rounds=st.integers(1, 30))
    def all_arrives(self, rounds: int) -> None:
        for _ in range(rounds):
            if self.world.waiting():
                self.world.happen(0)

    @rule(ms=st.sampled_from([1, 30, 50, 200, 500, 1200]))
    def time_passes(self, ms: int) -> None:
        self.world.run(ms)

    # What peers are asked

    @rule(number=PEERS, many=st.integers(1, 3))
    def submits(self, number: int, many: int) -> None:
        peer = self.peer(number)
        if peer.core is not None and not peer.frozen:
            self.watch.submit(peer.name, *(b"%d" % next(self.commands) for _ in range(many)))

    @rule(number=PEERS)
    def reads(self, number: int) -> None:
        peer = self.peer(number)
        if peer.core is not None and not peer.frozen:
            self.watch.read(peer.name)

    @rule(number=PEERS)
    def takes_a_snapshot(self, number: int) -> None:
        peer = self.peer(number)
        if peer.core is not None and not peer.frozen and peer.core.node.applied:
            self.world.snapshot(peer.name)

    @rule(number=PEERS)
    def hands_over(self, number: int) -> None:
        peer = self.peer(number)
        if peer.core is not None and not peer.frozen and peer.role is Role.SERVER:
            self.world.hand_over(peer.name)

    # What befalls them

    @rule(number=PEERS)
    def dies(self, number: int) -> None:
        peer = self.peer(number)
        if peer.core is not None:
            self.world.kill(peer.name)

    @rule(number=PEERS)
    def starts_again(self, number: int) -> None:
        peer = self.peer(number)
        if peer.core is None:
            self.world.start(peer.name)

    @rule(number=PEERS)
    def stops_or_goes_on(self, number: int) -> None:
        peer = self.peer(number)
        if peer.frozen:
            self.world.thaw(peer.name)
        elif peer.core is not None:
            self.world.freeze(peer.name)

    @rule(a=PEERS, b=PEERS)
    def loses_a_connection(self, a: int, b: int) -> None:
        if self.peer(a) is not self.peer(b):
            self.world.reset(self.peer(a).name, self.peer(b).name)

    # The end

    def teardown(self) -> None:
        """Everything that waits comes, everyone runs: all must come to rest, with nothing lost."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.let_go()
        for name, peer in world.peers.items():
            if peer.core is None:
                world.start(name)
            elif peer.frozen:
                world.thaw(name)
        world.run_until(world.settled, REST_LIMIT_MS)
        self.watch.final()


class Survivors(Cluster):
    """The same in survivor mode."""

    safety = Safety.SURVIVOR


def drive(machine: type[Cluster], profile: settings) -> None:
    """Run one machine; the same examples every time, so that a failure is the change's and not chance's."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            profile, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


BOTH = pytest.mark.parametrize("machine", [Cluster, Survivors], ids=["quorum", "survivor"])


@BOTH
def test_any_order_of_events_keeps_the_invariants(machine: type[Cluster]) -> None:
    drive(machine, SHORT)


@pytest.mark.slow
@pytest.mark.timeout(900)
@BOTH
def test_many_more_orders_of_events(machine: type[Cluster]) -> None:
    drive(machine, LONG)


def test_a_breach_is_seen_by_hand_too() -> None:
    """A duplicate of what would be a second server of one number, said to the invariants."""
    cluster = Cluster()
    cluster.found(3, 0, 1)
    (server,) = cluster.world.servers()
    assert server.core is not None
    cluster.watch.reached(server).servers[server.core.term.number] = "id-x"
    with pytest.raises(Broken):
        cluster.time_passes(500)


def test_what_piled_up_in_a_long_silence_is_no_breach() -> None:
    """More than the world lets happen at one moment had waited: dials and messages of a minute."""
    cluster = Survivors()
    cluster.found(4, 0, 223)
    for _ in range(50):
        cluster.time_passes(1200)
    assert sum(len(lane) for lane in cluster.world.lanes.values()) > AT_ONCE_MAX // 2
    cluster.teardown()
