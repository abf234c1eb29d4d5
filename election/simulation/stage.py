"""Play a scenario: its cluster in a virtual world, its steps in order, every invariant on.

    play(read_scenario(text), Safety.QUORUM)

raises Failed with the step that did not come true and the story so far.
"""

from __future__ import annotations

import msgspec

from tanist.election.ready import ReadAnswer, Ready
from tanist.election.settings import MS, Safety
from tanist.election.simulation import steps
from tanist.election.simulation.broken import Broken
from tanist.election.simulation.conditions import Condition, Settled
from tanist.election.simulation.forms import FormError, write, write_time
from tanist.election.simulation.invariants import Invariants
from tanist.election.simulation.judging import CannotJudge, Memory, holds
from tanist.election.simulation.life import run_again
from tanist.election.simulation.outcome import Setup
from tanist.election.simulation.peers import VirtualPeer
from tanist.election.simulation.performing import CannotPerform, perform
from tanist.election.simulation.scenario import Scenario
from tanist.election.simulation.steps import Act, Step, write_step
from tanist.election.simulation.world import World

PEACE_MS = 60_000.0
"""How long a cluster may take to agree once all faults have ended: far above every bound of the protocol."""
STORY_LINES = 80
"""Lines of what happened last that a failure tells."""


class Failed(AssertionError):
    """A step of a scenario did not come true. Says which, and what happened before."""


class Stage:
    """One scenario under way in one safety mode."""

    def __init__(self, scenario: Scenario, safety: Safety) -> None:
        self.scenario = scenario
        self.safety = safety
        self.world = World(
            scenario.seed, latency_ms=scenario.latency_ms, disk_ms=scenario.disk_ms, jitter=scenario.jitter
        )
        self.invariants = Invariants(self.world, safety)
        self.never: list[Condition] = []
        self.memory = Memory(0, {}, {})
        self._asked: dict[tuple[str, int, int], tuple[str, int]] = {}
        """Reads on their way: (peer, incarnation, request) to their names, and to what was committed before."""
        self.world.watchers.append(self._watch)
        self._form()
        self.memory = self.memory._replace(begun=self.world.now)

    def _form(self) -> None:
        """The cluster, settled: in survivor mode one peer after another, in quorum mode founded together."""
        names, world = self.scenario.peers, self.world
        for name in names:
            told = [n for n in names if n != name] if self.safety is Safety.QUORUM else names[:1]
            self._add(name, tuple(n for n in told if n != name))
            world.run(100)
        if names:
            world.run_until(world.settled, PEACE_MS)
            world.run(2 * self.scenario.settings_of(names[0], self.safety).pace.heartbeat_every_ms)

    def _add(self, name: str, knows: tuple[str, ...]) -> None:
        settings = self.scenario.settings_of(name, self.safety)
        if self.scenario.peers and name not in self.scenario.peers:
            # The cluster is founded: others join it.
            settings = msgspec.structs.replace(settings, expect=0)
        self.world.add(name, peers=" ".join(knows), **msgspec.structs.asdict(settings))

    # Playing

    def play(self) -> None:
        """All steps. Raises Failed."""
        for i, step in enumerate(self.scenario.steps):
            if step.only not in ("", self.safety):
                continue
            try:
                self.step(step)
            except (Broken, AssertionError, CannotPerform, CannotJudge, FormError) as error:
                raise Failed(self._report(i, step, error)) from error

    def step(self, step: Step) -> None:
        """One step, at its time."""
        if step.at_ms is not None:
            due = self.memory.begun + int(step.at_ms * MS)
            if due < self.world.now:
                raise CannotPerform(f"it is {write_time((self.world.now - self.memory.begun) / MS)} already")
            self.world.run((due - self.world.now) / MS)
        self.act(step.act)

    def act(self, act: Act) -> None:
        """One act, now."""
        match act:
            case steps.Add(peer, knows):
                if peer in self.world.peers:
                    raise CannotPerform(f"there is a peer {peer} already")
                self._add(peer, knows)
            case steps.Submit(peer, commands):
                bodies = [c.encode() for c in commands]
                if again := [c for c in bodies if c in self.invariants.submitted]:
                    raise CannotPerform(f"{again[0].decode()} was submitted before: each command is one of its own")
                self.invariants.submitted.update(dict.fromkeys(bodies, peer))
                perform(self.world, act)
            case steps.Read(peer, name):
                self._read(peer, name)
            case steps.Wait(condition, ms):
                self._wait(condition, ms)
            case steps.Expect(condition):
                if not holds(self.world, self.memory, condition):
                    raise AssertionError("it is not so")
            case steps.Never(condition):
                self.never.append(condition)
                self._look()
            case steps.Agree():
                self._agree()
            case steps.Peace():
                self._peace()
            case _:
                perform(self.world, act)

    def _read(self, name: str, read: str) -> None:
        if read in self.memory.answers:
            raise CannotPerform(f"there is a read {read} already")
        peer, request = self.world.peers[name], len(self.memory.answers)
        self.memory.answers[read] = None
        self._asked[name, peer.incarnation, request] = read, self.invariants.reached(peer).last
        self.world.read(name, request, prove=True)

    def _wait(self, condition: Condition, ms: float) -> None:
        self.world.run_until(lambda: holds(self.world, self.memory, condition), ms)

    def _agree(self) -> None:
        """Whoever runs comes to one mind, and the end is held against everything promised."""
        self._wait(Settled(), PEACE_MS)
        self.invariants.final()

    def _peace(self) -> None:
        """End all faults, start all that may, and agree."""
        world = self.world
        world.network.interception.end()
        world.network.calm()
        world.mend()
        for peer in world.peers.values():
            world.disks.recover(peer.name)
            if peer.core is not None and (peer.broken or peer.halted):
                world.kill(peer.name)
            if peer.core is None and not peer.damaged:
                world.start(peer.name)
            elif peer.frozen:
                world.thaw(peer.name)
        self._agree()

    # Watching

    def _watch(self, peer: VirtualPeer, ready: Ready) -> None:
        if ready.apply is not None:
            for entry in ready.apply.entries:
                if self.invariants.submitted.get(entry.body) == peer.name:
                    self.memory.acknowledged.setdefault(entry.body, ready.apply.durability)
        for answer in ready.reads:
            self._answered(peer, answer)
        if self.never:
            self._look()

    def _answered(self, peer: VirtualPeer, answer: ReadAnswer) -> None:
        name, floor = self._asked.pop((peer.name, peer.incarnation, answer.request), ("", 0))
        if not name:
            return
        if self.safety is Safety.QUORUM and 0 <= answer.index < floor:
            raise Broken("linearizable", f"the read {name} at {answer.index}, though {floor} was committed before")
        self.memory.answers[name] = answer.index

    def _look(self) -> None:
        for condition in self.never:
            if holds(self.world, self.memory, condition):
                raise AssertionError(f"never {write(condition)}: it is so")

    # Reporting

    def _report(self, i: int, step: Step, error: Exception) -> str:
        world = self.world
        at = write_time((world.now - self.memory.begun) / MS)
        story = world.story(self.memory.begun / MS).splitlines()[-STORY_LINES:]
        told = (
            f"{self.scenario.where(i)}: {write_step(step)}: {error}\nat {at} in {self.safety} mode: {world.describe()}"
        )
        return "\n".join([told, *story])


def play(scenario: Scenario, safety: Safety) -> None:
    """Play it to its end. Raises Failed."""
    if scenario.life:
        _relive(scenario)
    else:
        Stage(scenario, safety).play()


def _relive(scenario: Scenario) -> None:
    """The same life again, to the last message: it needs no expectations, since every promise is one."""
    try:
        setup = msgspec.json.decode(scenario.life, type=Setup)
    except msgspec.DecodeError as error:
        raise Failed(f"life: these are not the beginnings of a life: {error}") from None
    failure = run_again(setup, scenario.steps).failure
    if failure is not None:
        raise Failed(f"at {failure.at_ms:.3f} ms: {failure.invariant}: {failure.detail}\n{failure.timeline}")


__all__ = ["Failed", "Stage", "play"]
