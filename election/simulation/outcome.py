"""What a life is run with, and what comes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from tanist.election.settings import ElectionSettings, Safety
from tanist.election.simulation.forms import FormError
from tanist.election.simulation.steps import Step, write_step
from tanist.election.simulation.workload import Operation


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the swarm is told; what is not said here each seed draws for itself.

    `without` names kinds of faults that are never drawn (see `swarm.FAULTS`). `beyond` leaves what can be survived:
    then nothing need be alive or kept in the end, and all that is said and done must still be true.
    """

    safety: Safety | None = None
    peers: int = 0
    """How many peers; 0 draws 1 to 7."""
    length_ms: float = 0.0
    """How long the chaos lasts; 0 draws it."""
    faultless: bool | None = None
    without: tuple[str, ...] = ()
    codec: bool | None = None
    """Whether messages become bytes on the way; drawn, if a codec was handed in at all."""
    beyond: bool = False


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """All that a life begins with: drawn from a seed, or written down. The rest of it are its steps."""

    seed: int
    safety: Safety
    peers: tuple[tuple[str, ElectionSettings], ...]
    """Each with its own settings."""
    pace: str
    latency_ms: float
    disk_ms: float
    jitter: float
    lag_ms: float
    loss: float
    duplication: float
    codec: bool
    faultless: bool
    together: bool
    """Whether all peers start at once; else one after another."""
    settle_first: bool
    """Whether the cluster may settle before the first fault."""
    chaos_ms: float
    gap_ms: float
    """How long it takes on average from one fault to the next."""
    faults: tuple[tuple[str, float], ...]
    """Kinds of faults and how often each comes, relative to the others."""
    order: tuple[str, ...]
    """In which order peers are taken into the healthy core of the second phase."""
    core: int
    """How many the healthy core has at least."""
    clients: int
    keys: int
    think_ms: float
    rush: float = 0.0
    """How often clients that are idle ask at once when something befalls the cluster."""
    beyond: bool = False


@dataclass
class Failure:
    """A run that broke an invariant, and all that repeats it."""

    invariant: str
    detail: str
    replay: str
    """One line for `replay`."""
    setup: Setup
    steps: tuple[Step, ...]
    """What was done to the cluster, with when."""
    at_ms: float = 0.0
    timeline: str = ""
    """What the peers said in the end."""

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}\nrepeat it: {self.replay}"


@dataclass
class Outcome:
    """What came of one life."""

    seed: int
    events: int = 0
    """Things that happened in the world: messages, writes, timers."""
    steps: int = 0
    """Steps of cores, each checked."""
    simulated_ns: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    """What befell the cluster, by kind."""
    marks: set[str] = field(default_factory=set)
    """Which rare branches were taken (see `marks`)."""
    digest: str = ""
    """Equal for equal runs: a hash over every step of every peer."""
    liveness: list[tuple[str, float, float]] = field(default_factory=list)
    """How long each phase needed to settle, and its bound: name, milliseconds, milliseconds."""
    history: list[Operation] = field(default_factory=list)
    checked: int = 0
    """Operations of the history that were held against a model."""
    safety: Safety = Safety.SURVIVOR
    failure: Failure | None = None


def replay_line(seed: int, options: Options) -> str:
    """The line from which `read_replay` has the seed and the options again."""
    words = [f"seed={seed}"]
    usual = Options()
    for name in Options.__struct_fields__:
        value = getattr(options, name)
        if value != getattr(usual, name):
            words.append(f"{name}={','.join(value) if isinstance(value, tuple) else value}")
    return " ".join(words)


def read_replay(line: str) -> tuple[int, Options]:
    """What such a line says. Raises `FormError`."""
    said = dict(word.partition("=")[::2] for word in line.split())
    try:
        seed = int(said.pop("seed"))
        raw: dict[str, object] = {k: v.lower() if v in ("True", "False") else v for k, v in said.items()}
        if "without" in raw:
            raw["without"] = tuple(said["without"].split(","))
        return seed, msgspec.convert(raw, Options, strict=False)
    except (KeyError, ValueError) as error:
        raise FormError(f"{line!r} repeats no run: write seed=NUMBER and options ({error})") from None


def written(failure: Failure) -> str:
    """The steps of a failure, a line each."""
    return "\n".join(write_step(step) for step in failure.steps)


__all__ = ["Failure", "Options", "Outcome", "Setup", "read_replay", "replay_line", "written"]
