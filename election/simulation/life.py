"""One life of a virtual cluster: chaos; then a healthy core, all else broken for good; then everything heals.

    outcome = run(seed)
    outcome = run(seed, Options(safety=Safety.QUORUM), codec=codec)
    outcome = run_again(failure.setup, failure.steps)

A life is its setup and its steps: what befalls the cluster is drawn as it goes and recorded, and the same setup with
the same steps is the same life to the last message. Nothing here reads a clock or prints.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tanist.election.joining import LEFT_TEXT
from tanist.election.linearizability.check import Verdict, check
from tanist.election.linearizability.models import Register
from tanist.election.linearizability.operations import Operation as Seen
from tanist.election.linearizability.operations import operation
from tanist.election.linearizability.report import lines
from tanist.election.reign import Reign
from tanist.election.settings import MS, Safety, Serve
from tanist.election.simulation import bounds, swarm
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.drawing import Drawer
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.machine import Codec, Guest
from tanist.election.simulation.outcome import Failure, Options, Outcome, Setup, replay_line
from tanist.election.simulation.peers import Port, VirtualPeer
from tanist.election.simulation.performing import CannotPerform, perform
from tanist.election.simulation.registers import Registers
from tanist.election.simulation.steps import Act, Cut, CutBoth, HostGone, Kill, Pause, Step
from tanist.election.simulation.workload import Operation, Workload
from tanist.election.simulation.world import World

LINEARIZE_STEPS_MAX = 2_000_000
"""Steps that the check of one history may take: a hundred times what the history of a life needs."""
EVENTS_MAX = 2_000_000
"""Things that may happen in one life: more means that peers chatter without end."""
STORY_LINES = 80
"""Lines of what the peers said that a failure keeps."""
STABLE_ROUNDS = 2
"""For how many heartbeat time-outs a healthy core is watched after it has its server."""


class Life:
    """One life. `steps` repeats what was recorded; without them they are drawn."""

    def __init__(
        self,
        setup: Setup,
        steps: Sequence[Step] | None = None,
        *,
        guest: Guest | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.setup = setup
        self.guest = guest
        self.recorded = steps
        self.steps: list[Step] = []
        self.faults: Counter[str] = Counter()
        self.liveness: list[tuple[str, float, float]] = []
        self.checked = 0
        self.rng = Random(f"{setup.seed} life")
        self.world = world = World(
            setup.seed,
            latency_ms=setup.latency_ms,
            disk_ms=setup.disk_ms,
            jitter=setup.jitter,
            machine=guest.machine if guest is not None else lambda name: Registers(),
            codec=codec if setup.codec else None,
        )
        world.lag = int(setup.lag_ms * MS)
        world.auto_snapshot = world.ends_when_halted = True
        world.network.loss, world.network.duplication = setup.loss, setup.duplication
        self.begin = world.now
        self.invariants = Invariants(world, setup.safety)
        self.pace = setup.peers[0][1].pace
        self.names = [name for name, _ in setup.peers]
        patience_ms = bounds.retry_round_ms(self.pace) / 2
        self.workload = Workload(
            world,
            world.streams.workload,
            setup.clients,
            setup.keys,
            setup.think_ms,
            patience_ms,
            gives_up_ms=patience_ms * 20,
            reads=setup.safety is Safety.QUORUM,
            guest=guest,
            on_acknowledged=self._acknowledged,
            on_read=self.invariants.will_read,
        )

    def _acknowledged(self, done: Operation) -> None:
        self.invariants.acknowledged.setdefault(done.body, done.durability)

    # The phases

    def run(self) -> None:
        """Live to the end. Raises `Broken` when an invariant does not hold, and what the code under test raises."""
        self._found()
        self._chaos()
        if not self.setup.beyond:
            if not self.setup.faultless:
                self._healthy_core()
            self._all_heals()
        self._look_back()

    def _found(self) -> None:
        setup, world = self.setup, self.world
        for name, settings in setup.peers:
            others = " ".join(n for n in self.names if n != name)
            peer = world.add_with(name, settings, peers=others, start=False)
            world.later(0 if setup.together else self._stagger(), self._start, peer)
        self._run_ms(0)
        self.workload.begin()
        bound_ms = self._bound(bounds.healed_ms)
        if setup.faultless and self._one_may_serve():
            self._wait_for("founding", self._all_follow, bound_ms)
        elif setup.settle_first:
            # Where much gets lost from the first on, nobody can promise that it settles.
            while not self._all_follow() and self._now_ms() < bound_ms:
                self._run_ms(self.pace.heartbeat_every_ms)

    def _stagger(self) -> int:
        return int(self.rng.random() * self.pace.retry_interval_ms * 2 * MS)

    def _start(self, peer: VirtualPeer) -> None:
        if peer.core is None:
            self.world.start(peer.name)

    def _chaos(self) -> None:
        end_ms = self._now_ms() + self.setup.chaos_ms
        if self.setup.faultless:
            server = [p.name for p in self.world.servers()]
            reigns = len(self.invariants.opened)
            self._run_to(end_ms)
            if len(self.invariants.opened) != reigns:
                raise Broken("changed", f"the server changed without a fault: {server}, {self.world.describe()}")
        elif self.recorded is not None:
            for step in self.recorded:
                self._run_to(max(self._now_ms(), step.at_ms or 0.0))
                self._befall(step.act)
            self._run_to(max(end_ms, self._now_ms()))
        else:
            self._draw_until(end_ms)

    def _draw_until(self, end_ms: float) -> None:
        """Draw what befalls the cluster, each with its time, until the chaos ends."""
        drawer = Drawer(self.world, self.setup, self.rng)
        planned: list[tuple[float, int, Act]] = []
        order = 0
        next_ms = self._now_ms() + self._gap_ms()
        while True:
            at_ms = min(next_ms, planned[0][0] if planned else next_ms, end_ms)
            self._run_to(at_ms)
            if at_ms >= end_ms:
                break
            if planned and planned[0][0] <= at_ms:
                self._befall(heapq.heappop(planned)[2])
                continue
            for after_ms, act in drawer.draw():
                order += 1
                if after_ms:
                    heapq.heappush(planned, (round(at_ms + after_ms, 3), order, act))
                else:
                    self._befall(act)
            next_ms = round(at_ms + self._gap_ms(), 3)
        self._break_for_good()

    def _gap_ms(self) -> float:
        return self.rng.expovariate(1.0) * self.setup.gap_ms + 0.001

    def _befall(self, act: Act) -> None:
        """Do it, if it makes sense now: of a recorded life any part can be repeated."""
        if self.setup.rush and self.world.streams.workload.random() < self.setup.rush:
            self.workload.hurry()
        try:
            perform(self.world, act)
        except CannotPerform:
            return
        self.steps.append(Step(act, self._now_ms()))
        self.faults[type(act).__name__] += 1

    def _break_for_good(self) -> None:
        """Who stands outside the healthy core stays broken, each in its own way."""
        if self.setup.beyond:
            return
        core = self._core()
        rng = self.rng
        for name in self.names:
            if name in core:
                continue
            how = rng.choice(["dead", "gone", "paused", "cut", "deaf", "mute"])
            acts: list[Act] = []
            match how:
                case "dead":
                    acts = [Kill(name)]
                case "gone":
                    acts = [HostGone(name)]
                case "paused":
                    acts = [Pause(name)]
                case "cut":
                    acts = [CutBoth(name, other) for other in core]
                case "deaf":
                    acts = [Cut(other, name) for other in core]
                case "mute":
                    acts = [Cut(name, other) for other in core]
            for act in acts:
                self._befall(act)

    def _core(self) -> list[str]:
        """The peers that will be well: as many as it takes to serve, in the order that the setup says."""
        world, setup = self.world, self.setup
        well = [n for n in setup.order if world.peers[n].sound and not _was_taken_out(world.peers[n])]
        chosen: list[str] = []
        for name in well:
            chosen.append(name)
            if len(chosen) >= setup.core and self._can_serve(chosen):
                return chosen
        return well

    def _can_serve(self, names: list[str]) -> bool:
        peers = [self.world.peers[n] for n in names]
        if not any(p.settings.serve is not Serve.NEVER and not p.wiped for p in peers):
            return False
        if self.setup.safety is Safety.SURVIVOR:
            return True
        # Every roster that any disk has must be served by a majority; what is not founded yet needs everyone.
        for peer in self.world.peers.values():
            if _was_taken_out(peer):
                continue
            voters = peer.roster().voters()
            if not voters:
                if not peer.wiped:
                    return len(names) == len(self.names)
                continue
            ids = {p.id for p in peers}
            if 2 * len(voters & ids) <= len(voters):
                return False
            able = [p for p in peers if p.id in voters and p.settings.serve is not Serve.NEVER]
            if not able:
                return False
        return True

    def _healthy_core(self) -> None:
        """The core is well, whatever else stays broken: it has one server, and its clients are answered, in time."""
        world = self.world
        names = self._core()
        if not self._can_serve(names):
            return
        core = [world.peers[n] for n in names]
        world.jitter = 0.0
        world.network.calm()
        self._repair(core)
        if len(names) > 1:
            # Without any way said it would mend all, and one alone has none.
            world.mend(*((a, b) for a in names for b in names if a != b))
        self._clients_at(names)
        # In survivor mode the core itself may be in pieces, which must find each other first.
        bound = bounds.one_server_ms if self.setup.safety is Safety.QUORUM else bounds.healed_ms
        self._wait_for("healthy core", lambda: self._followed(core), self._bound(bound) + self._backlog_ms())
        begun = world.now
        world.run(STABLE_ROUNDS * self.pace.heartbeat_timeout_ms)
        self._answered_within(begun, "healthy core", names)

    def _all_heals(self) -> None:
        """Everything is mended and started; all come to one server, and nothing is lost."""
        world = self.world
        world.jitter = 0.0
        world.network.calm()
        world.mend()
        self._repair(list(world.peers.values()))
        if not self._one_may_serve():
            return
        self._clients_at(self.names)
        self._wait_for("full heal", self._all_follow, self._bound(bounds.healed_ms) + self._backlog_ms())
        self.workload.stop()
        begun = world.now
        self._answered_within(begun, "full heal", self.names)
        self._wait_for("rest", world.settled, self._bound(bounds.healed_ms))
        for peer in world.peers.values():
            if _was_taken_out(peer):
                world.gives_up(peer.name)
        self.invariants.final()

    def _repair(self, peers: list[VirtualPeer]) -> None:
        world = self.world
        for peer in peers:
            peer.port = Port.OPEN
            world.disks.recover(peer.name)
            if peer.broken and peer.core is not None:
                world.kill(peer.name)
            if _was_taken_out(peer):
                continue
            if peer.core is None:
                world.start(peer.name)
            elif peer.frozen:
                world.thaw(peer.name)

    # What is waited for

    def _one_may_serve(self) -> bool:
        return self._can_serve(self.names)

    def _followed(self, peers: list[VirtualPeer]) -> bool:
        """All of these peers follow one server, openly; it may be one of them, or stand outside and reach them all.

        Who was taken out of the cluster meanwhile ended, and follows nobody.
        """
        peers = [p for p in peers if not _was_taken_out(p)]
        if not peers:
            return True
        followed = {p.core.server if p.core is not None else None for p in peers}
        server = self.world.by_id.get(followed.pop() or "")
        if followed or server is None or server.core is None:
            return False
        behaviour = server.core.behaviour
        return isinstance(behaviour, Reign) and behaviour.open and behaviour.proving is None

    def _all_follow(self) -> bool:
        return self._followed(list(self.world.peers.values()))

    def _wait_for(self, phase: str, condition: Callable[[], bool], bound_ms: float) -> None:
        """Run until something holds. Raises `Broken` if it takes longer than the bound."""
        world = self.world
        begun = world.now
        # Looked at as often as heartbeats go: what holds only between two looks holds for nobody.
        look_ms = min(self.pace.heartbeat_every_ms, self.pace.ballot_ms) / 2
        while not condition():
            took_ms = (world.now - begun) / MS
            if took_ms > bound_ms:
                raise Broken(f"live: {phase}", f"not within {bound_ms:.0f} ms: {world.describe()}")
            self._run_ms(look_ms)
        self.liveness.append((phase, (world.now - begun) / MS, bound_ms))

    def _bound(self, of: Callable[..., float]) -> float:
        return of(self.world, self.pace, self.setup.safety, len(self.names))

    def _backlog_ms(self) -> float:
        """A fault of the network is over when the last message that it held up has arrived."""
        return self.world.network.backlog_ns() / MS

    def _answered_within(self, begun: int, phase: str, names: list[str]) -> None:
        """Every operation that was under way is answered soon, at those of these peers that are still members."""
        names = [name for name in names if not _was_taken_out(self.world.peers[name])]
        if not names:
            return
        self._clients_at(names)
        waiting = [o for o in self.workload.pending() if o.invoked_at <= begun]
        tries_ms = bounds.answered_ms(self.setup.peers[0][1], self.workload.patience_ms)
        ids = {self.world.peers[name].id for name in names}
        if any(core.server not in ids for name in names if (core := self.world.peers[name].core) is not None):
            # It stands outside, and may be deaf to them: only when it gives them up do they look for another.
            tries_ms += bounds.given_up_ms(self.pace) + self._bound(bounds.healed_ms)
        self._wait_for(f"{phase}, answers", lambda: not any(o.outcome == "pending" for o in waiting), tries_ms)

    def _clients_at(self, names: list[str]) -> None:
        """From now on clients go to these peers."""
        self.workload.places = names
        for client in self.workload.clients:
            if client.home not in names:
                client.home = self.world.streams.workload.choice(names)
                client.tries = 0

    def _look_back(self) -> None:
        """The history of what clients saw, in quorum mode: is it linearizable?"""
        safety = self.setup.safety
        if self.setup.beyond and self.world.disks_were_lost:
            # More disks may be gone than a majority can spare: nobody can be held to what was on them.
            safety = Safety.SURVIVOR
        if self.guest is not None:
            self.guest.look_back(self.workload.history, safety)
            return
        if safety is not Safety.QUORUM:
            return
        report = check(Register(), seen_by_clients(self.workload.history), steps_max=LINEARIZE_STEPS_MAX)
        self.checked = report.operations
        # A check that gave up is no pass.
        if report.verdict is not Verdict.OK:
            raise Broken("linearizable", "\n".join(lines(report)))

    # Time

    def _now_ms(self) -> float:
        return (self.world.now - self.begin) / MS

    def _run_to(self, at_ms: float) -> None:
        end = self.begin + round(at_ms * MS)
        self._run_ns(end - self.world.now)

    def _run_ms(self, ms: float) -> None:
        self._run_ns(round(ms * MS))

    def _run_ns(self, ns: int) -> None:
        if ns >= 0:
            self.world.run_ns(ns)
        if self.world.events > EVENTS_MAX:
            raise Broken("chatter", f"{self.world.events} events in {self._now_ms():.0f} ms: {self.world.describe()}")


def _was_taken_out(peer: VirtualPeer) -> bool:
    """Whether this peer was told that it is no member any more, and ended."""
    return peer.core is None and LEFT_TEXT in peer.halted


def seen_by_clients(history: Sequence[Operation]) -> list[Seen]:
    """What clients saw, for the check. Registers begin with 0, which nobody writes: they were never written."""
    found = []
    for done in history:
        ended = done.returned_at if done.outcome == "ok" else None
        asked, answer = _asked(done), done.result or None
        if done.outcome == "failed" or (ended is None and asked[0] == "read"):
            continue
        if asked[0] == "cas":
            answer = done.result != -1
        found.append(operation(done.process, *asked, key=done.key, result=answer, began=done.invoked_at, ended=ended))
    return found


def _asked(done: Operation) -> tuple[Any, ...]:
    """An operation in the words of the check."""
    match done.name:
        case "put":
            return "write", done.value
        case "cas":
            return "cas", done.expected or None, done.value
        case _:
            return ("read",)


def run(
    seed: int,
    options: Options | None = None,
    *,
    guest: Guest | None = None,
    codec: Codec | None = None,
) -> Outcome:
    """Run the life of one seed. `guest` brings applications, made anew for each life; `codec` serves part of them."""
    options = options or Options()
    setup = swarm.draw(seed, options, codec=codec is not None)
    return _lived(Life(setup, guest=guest, codec=codec), replay_line(seed, options))


def run_again(
    setup: Setup,
    steps: Sequence[Step],
    *,
    guest: Guest | None = None,
    codec: Codec | None = None,
) -> Outcome:
    """Repeat a life from its setup and its recorded steps, or from a part of them."""
    return _lived(Life(setup, steps, guest=guest, codec=codec), f"seed={setup.seed}")


def _lived(life: Life, replay: str) -> Outcome:
    world, failure = life.world, None
    try:
        life.run()
    except Exception as error:
        invariant, detail = _breach(error)
        told = world.story().splitlines()[-STORY_LINES:]
        at_ms = (world.now - life.begin) / MS
        failure = Failure(invariant, detail, replay, life.setup, tuple(life.steps), at_ms, "\n".join(told))
    return Outcome(
        seed=life.setup.seed,
        events=world.events,
        steps=life.invariants.steps,
        simulated_ns=world.now - life.begin,
        faults=life.faults,
        marks=life.invariants.marks.named(),
        digest=f"{life.invariants.digest:016x}",
        liveness=life.liveness,
        history=life.workload.history,
        checked=life.checked,
        safety=life.setup.safety,
        failure=failure,
    )


def _breach(error: Exception) -> tuple[str, str]:
    """What broke: an invariant by its name, or the code under test by the error and the place where it was raised."""
    if isinstance(error, Broken):
        return error.invariant, error.detail
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f"{at.tb_frame.f_code.co_filename.rpartition('/')[2]} {at.tb_frame.f_code.co_name}" if at else ""
    return f"raised: {type(error).__name__} in {where}", str(error)


__all__ = ["Life", "run", "run_again", "seen_by_clients"]
