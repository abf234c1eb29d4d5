"""A failing life made small: fewer steps, fewer peers, less chance, while the same invariant fails.

    smaller = shrink(outcome.failure)
    print(timeline(smaller))

Delta debugging (Zeller): halves of the steps are left out, then quarters, and so on, as long as what is left still
breaks the same invariant. Whatever else the life was drawn with is then made plain, one thing after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tanist.election.simulation import swarm
from tanist.election.simulation.life import run_again
from tanist.election.simulation.machine import Codec, Guest
from tanist.election.simulation.outcome import Failure, Setup
from tanist.election.simulation.scenario import Scenario
from tanist.election.simulation.steps import Act, Step, write_step

RUNS_MAX = 400
"""How many lives a shrinking may run: a minute or two for an ordinary one."""
SOONER = (0.9, 0.5)
"""Parts of the time before a step that are tried to be left out."""
SOONER_MS_MIN = 10.0
"""Less than this is not worth a life."""
Fails = Callable[[Setup, Sequence[Step]], Failure | None]


class Shrinker:
    """Makes one failure smaller. `again` runs a life and gives its failure, if it has one."""

    def __init__(self, failure: Failure, again: Fails, runs_max: int = RUNS_MAX) -> None:
        self.best = failure
        self.again = again
        self.left = runs_max

    def run(self) -> Failure:
        """The smallest life found that fails alike."""
        before = -1
        while self.left > 0 and before != len(self.best.steps):
            before = len(self.best.steps)
            self._fewer_steps()
            self._sooner()
            self._plainer()
        return self.best

    def _try(self, setup: Setup, steps: Sequence[Step]) -> bool:
        """Whether this smaller life fails by the same invariant; then it is the best so far."""
        if self.left <= 0:
            return False
        self.left -= 1
        failure = self.again(setup, steps)
        if failure is None or failure.invariant != self.best.invariant:
            return False
        self.best = failure
        return True

    def _fewer_steps(self) -> None:
        size = max(1, len(self.best.steps) // 2)
        while size and self.left > 0:
            at = 0
            while at < len(self.best.steps) and self.left > 0:
                rest = [*self.best.steps[:at], *self.best.steps[at + size :]]
                if not self._try(self.best.setup, rest):
                    at += size
            size //= 2

    def _sooner(self) -> None:
        """Less time passes before each step in turn: what all of it led to is easier to follow."""
        for at in range(len(self.best.steps)):
            steps = self.best.steps
            if at >= len(steps):
                break
            before = steps[at - 1].at_ms or 0.0 if at else 0.0
            gap = (steps[at].at_ms or 0.0) - before
            for part in SOONER:
                less = round(gap * part, 3)
                later = [msgspec.structs.replace(s, at_ms=(s.at_ms or 0.0) - less) for s in steps[at:]]
                if less >= SOONER_MS_MIN and self._try(self.best.setup, [*steps[:at], *later]):
                    break

    def _plainer(self) -> None:
        """One thing at a time is made as plain as it can be, and stays so if the failure does."""
        for setup, steps in self._plainer_lives():
            self._try(setup, steps)

    def _plainer_lives(self) -> Iterator[tuple[Setup, Sequence[Step]]]:
        for name, _ in self.best.setup.peers[1:]:
            if len(self.best.setup.peers) > 1:
                steps = [s for s in self.best.steps if name not in _named(s.act)]
                yield swarm.smaller(self.best.setup, name), steps
        last = max((s.at_ms or 0.0 for s in self.best.steps), default=0.0)
        plain: list[dict[str, Any]] = [
            {"chaos_ms": max(1.0, self.best.at_ms)},
            {"chaos_ms": max(1.0, last)},
            {"jitter": 0.0},
            {"lag_ms": 0.0},
            {"loss": 0.0},
            {"duplication": 0.0},
            {"codec": False},
            {"clients": 1},
            {"keys": 1},
        ]
        for change in plain:
            if any(getattr(self.best.setup, k) != v for k, v in change.items()):
                yield msgspec.structs.replace(self.best.setup, **change), self.best.steps


def _named(act: Act) -> set[str]:
    """All peers that an act speaks of."""
    found: set[str] = set()
    for field in act.__struct_fields__:
        value = getattr(act, field)
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, tuple):
            found |= {name for part in value for name in ((part,) if isinstance(part, str) else part)}
    return found


def shrink(
    failure: Failure,
    *,
    guest: Callable[[], Guest] | None = None,
    codec: Codec | None = None,
    runs_max: int = RUNS_MAX,
) -> Failure:
    """The smallest life that was found to break the same invariant; `failure` itself, if none is smaller.

    `guest` makes the applications anew for each life.
    """

    def again(setup: Setup, steps: Sequence[Step]) -> Failure | None:
        return run_again(setup, steps, guest=guest() if guest is not None else None, codec=codec).failure

    return Shrinker(failure, again, runs_max).run()


def as_scenario(failure: Failure) -> Scenario:
    """A failing life as a scenario file: what it began with and what befell it. Played, it is that life again.

    A life with applications needs those too: its file is the same life with registers in their place.
    """
    return Scenario(
        about=f"{failure.invariant}: {failure.detail}\nseen with: {failure.replay}",
        holds=failure.invariant,
        safety=(failure.setup.safety,),
        life=msgspec.json.encode(failure.setup).decode(),
        steps=failure.steps,
    )


def timeline(failure: Failure) -> str:
    """A failure for people: the cluster, what was done to it, what the peers said last, and what broke."""
    setup = failure.setup
    peers = ", ".join(f"{n}{'' if s.serve == 'auto' else ' (never serves)'}" for n, s in setup.peers)
    parts = [
        f"{setup.safety} mode, pace {setup.pace}, peers {peers}",
        f"latency {setup.latency_ms:g} ms, disk {setup.disk_ms:g} ms, jitter {setup.jitter:g}",
        "",
        *(write_step(step) for step in failure.steps),
        "",
        failure.timeline,
        "",
        f"at {failure.at_ms:.3f} ms: {failure.invariant}: {failure.detail}",
        f"repeat it: {failure.replay}",
    ]
    return "\n".join(parts)


__all__ = ["Shrinker", "as_scenario", "shrink", "timeline"]
