"""Lives of virtual clusters in one process: on the real codec, with real applications if there are any."""

from collections.abc import Sequence

from tanist.election.entries import Kind
from tanist.election.linearizability.recorded import write_header, write_operation
from tanist.election.simulation.life import run, run_again, seen_by_clients
from tanist.election.simulation.outcome import Failure, Options, Outcome, Setup, replay_line
from tanist.election.simulation.scenario import write_scenario
from tanist.election.simulation.shrinking import Shrinker, as_scenario, timeline
from tanist.election.simulation.steps import Step
from tanist.peer.simulate.codec import WireCodec
from tanist.peer.simulate.guest import ApplicationGuest
from tanist.peer.simulate.kv_history import kv_history
from tanist.peer.simulate.loading import Applications
from tanist.peer.simulate.mirror import Mirror
from tanist.peer.simulate.totals import Found, Totals


class Lives:
    """Lives with these applications (as `--app` takes them), or with the registers of the virtual world."""

    def __init__(self, specs: Sequence[str]) -> None:
        self._applications = Applications(specs) if specs else None
        self._mirror = Mirror(specs) if specs else None
        self._codec = WireCodec()

    def live(self, seed: int, options: Options) -> Totals:
        """One life, and what came of it."""
        outcome, guest = self._run(seed, options)
        totals = Totals(
            lives=1,
            events=outcome.events,
            steps=outcome.steps,
            simulated_ns=outcome.simulated_ns,
            faults=outcome.faults,
            marks=outcome.marks,
        )
        totals.safeties[outcome.safety.value] = 1
        if guest is not None:
            totals.commands = sum(known.entry.kind == Kind.COMMAND for known in guest.referee.known.values())
        totals.checked_operations = outcome.checked if guest is None else guest.checked
        if outcome.failure is not None:
            totals.failures.append(found(seed, options, outcome.failure))
        return totals

    def shrink(self, seed: int, options: Options, runs_max: int) -> Found | None:
        """The failure of a seed, made small in at most so many lives; None if it does not fail."""
        outcome, guest = self._run(seed, options)
        if outcome.failure is None:
            return None

        def again(setup: Setup, steps: Sequence[Step]) -> Failure | None:
            return run_again(setup, steps, codec=self._codec, guest=self._guest(setup.seed)).failure

        small = found(seed, options, Shrinker(outcome.failure, again, runs_max).run())
        small.history = recorded(outcome, guest)
        return small

    def close(self) -> None:
        """End the other process."""
        if self._mirror is not None:
            self._mirror.close()

    def _guest(self, seed: int) -> ApplicationGuest | None:
        if self._applications is None or self._mirror is None:
            return None
        return ApplicationGuest(self._applications, self._mirror, seed)

    def _run(self, seed: int, options: Options) -> tuple[Outcome, ApplicationGuest | None]:
        guest = self._guest(seed)
        return run(seed, options, codec=self._codec, guest=guest), guest


def found(seed: int, options: Options, failure: Failure) -> Found:
    """A failure as it is told."""
    return Found(
        seed=seed,
        invariant=failure.invariant,
        detail=failure.detail,
        replay=replay_line(seed, options),
        scenario=write_scenario(as_scenario(failure)),
        timeline=timeline(failure),
    )


def recorded(outcome: Outcome, guest: ApplicationGuest | None) -> str:
    """What clients saw in a life, in tanist's own form of a history: of the registers, or of the application `kv`."""
    operations = seen_by_clients(outcome.history) if guest is None else kv_history(outcome.history)
    lines = [write_header("register" if guest is None else "kv"), *map(write_operation, operations)]
    return "".join(f"{line}\n" for line in lines)
