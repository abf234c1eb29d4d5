"""The swarm: each seed draws its own kind of cluster, its own subset of faults, and how often each comes.

A run that draws a little of everything meets the same middle of the road every time; one that has only pauses, or
only clogs and a tiny snapshot distance, gets where others never do.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from tanist.election.settings import BALLOT_STEPS, PACES, ElectionSettings, Pace, Safety, Serve
from tanist.election.simulation.outcome import Options, Setup

NAMES = "abcdefg"
PEERS_MAX = len(NAMES)
FAULTLESS_PART = 8
"""One seed in so many has no faults at all."""
CHAOS_ROUNDS = (6, 30)
"""How many retry rounds the chaos lasts."""
CHAOS_HEARTBEATS = 300
"""After how many heartbeats at most it is over: a hostile pace may have hundreds in a retry round."""
OPERATIONS_EVENTS = 1_200
"""How many messages and writes the operations of a calm life take, give or take; a busy one has `BUSY` times as many.

Most of what goes wrong goes wrong around a fault: clients ask more then (`Setup.rush`), and are calm in between."""
BUSY = 6
PACE_WEIGHTS = {"classic": 14, "lan": 3, "fast": 1, "hostile": 2}
"""How often each pace is drawn: an hour of the patient ones costs little, and they are what people run."""
FAULTS = {
    "cut": "nothing passes between two peers",
    "one_way": "nothing passes from one peer to another",
    "part": "the peers fall into two groups, some of which share a member",
    "flap": "a link comes and goes",
    "reset": "a connection breaks, with what was on its way",
    "clog": "nothing arrives for a while one way, then all of it",
    "stall": "one connection delivers nothing for a while",
    "delay": "one way takes longer",
    "port": "dials are refused, find silence, nobody at all, or another cluster's peer",
    "loss": "so much of everything gets lost, and comes late",
    "kill": "a process dies",
    "host_gone": "a host is gone, and nothing says so",
    "kill_all": "everything goes down, and comes back in some order",
    "pause": "a process stands still and keeps its memory",
    "drift": "a clock runs fast or slow",
    "leap": "a clock leaps forward: its machine was asleep",
    "wall": "a wall clock jumps",
    "power_loss": "a process dies, and what its disk had not finished is partly there",
    "disk_full": "writes fail",
    "disk_slow": "writes take long",
    "disk_hung": "writes never end, and nothing says so",
    "flip": "a journal is damaged in its middle",
    "wipe": "a disk is empty, and its peer new",
    "handover": "the server is asked to hand over, to its heir or to a named peer",
    "goodbye": "a clean exit",
    "leave": "a member is taken out",
    "machine": "a machine runs on battery, or is busy",
    "abandon": "a person gives up a founding that waits for one who is down",
}
"""All kinds of faults, and what each does; `drawing` says how."""


def draw(seed: int, options: Options, *, codec: bool) -> Setup:
    """What this seed's life begins with. `codec` says whether there is one to be used."""
    rng = Random(f"{seed} swarm")
    safety = rng.choice(list(Safety))
    safety = options.safety or safety
    count = rng.choice([1, 2, 2, 3, 3, 3, 4, 5, 5, 6, 7])
    count = options.peers or count
    faultless = rng.randrange(FAULTLESS_PART) == 0
    faultless = faultless if options.faultless is None else options.faultless
    pace_name, pace = _pace(rng, faultless)
    names = tuple(NAMES[:count])
    common = _common(rng, safety, pace, count) | _people(rng, safety, pace, faultless)
    differ = rng.random() < 0.2
    peers = tuple((name, _own(rng, common, first=name == names[0], differs=differ)) for name in names)
    round_ms = max(pace.retry_interval_ms * (pace.retry_attempts + 1), pace.heartbeat_timeout_ms)
    chaos_ms = options.length_ms or min(
        rng.uniform(*CHAOS_ROUNDS) * round_ms, CHAOS_HEARTBEATS * pace.heartbeat_every_ms
    )
    kinds = [(kind, rng.expovariate(1.0) + 0.1) for kind in FAULTS if rng.random() < 0.5]
    latency_ms, disk_ms = _speeds(rng, pace)
    order = list(names)
    rng.shuffle(order)
    jitter = rng.choice([0.0, 1.0, 3.0])
    clients = rng.choice([1, 2, 4, 8])
    operations = OPERATIONS_EVENTS / (4 * count) * rng.choice([1, 1, 1, 1, BUSY])
    think_ms = max(pace.heartbeat_every_ms * rng.choice([0.02, 0.1, 0.5, 2.0]), chaos_ms * clients / operations)
    return Setup(
        seed=seed,
        safety=safety,
        peers=peers,
        pace=pace_name,
        latency_ms=latency_ms,
        disk_ms=disk_ms,
        # Now and then something takes twenty times as long: with tiny time-outs that is a fault.
        jitter=0.5 if faultless and jitter else jitter,
        lag_ms=rng.choice([0.0, 0.0, 0.5, 2.0]),
        loss=0.0 if faultless or rng.random() < 0.7 else rng.choice([0.001, 0.01, 0.1]),
        duplication=0.0 if faultless or rng.random() < 0.7 else rng.choice([0.01, 0.1]),
        codec=codec and (rng.random() < 0.2 if options.codec is None else options.codec),
        faultless=faultless,
        together=rng.random() < 0.5,
        settle_first=faultless or rng.random() < 0.7,
        chaos_ms=chaos_ms,
        gap_ms=min(round_ms / 4, chaos_ms / 40) * rng.choice([0.1, 0.5, 0.5, 1.0, 3.0]),
        faults=() if faultless else tuple((k, w) for k, w in kinds if k not in options.without),
        order=tuple(order),
        core=rng.randint(1, count),
        clients=clients,
        keys=rng.choice([1, 3, 10]),
        think_ms=think_ms,
        rush=rng.choice([0.0, 0.3, 1.0]),
        beyond=options.beyond,
    )


def _pace(rng: Random, faultless: bool) -> tuple[str, Pace]:
    (name,) = rng.choices(list(PACE_WEIGHTS), list(PACE_WEIGHTS.values()))
    if name == "hostile" and not faultless:
        return name, _hostile(rng)
    name = "classic" if name == "hostile" else name
    return name, PACES[name]


def _hostile(rng: Random) -> Pace:
    """A pace that nobody would choose, and that is allowed: time-outs near what a message takes, in odd proportions."""
    every = rng.choice([2.0, 10.0, 40.0])
    timeout = every * rng.choice([2, 3, 10])
    retry = rng.choice([2.0, 20.0, 200.0])
    attempts = rng.choice([1, 2, 3, 5])
    ballot = min(rng.choice([1.0, 10.0, 100.0]), (attempts + 1) * retry / BALLOT_STEPS)
    longest = timeout + (attempts + 1) * retry + ballot
    return Pace(
        retry_attempts=attempts,
        retry_interval_ms=retry,
        heartbeat_every_ms=every,
        heartbeat_timeout_ms=timeout,
        ballot_ms=ballot,
        sync_timeout_ms=longest * rng.choice([1.1, 2.0, 5.0]),
        start_wait_ms=longest * rng.choice([0.5, 1.0, 3.0]),
        heal_timeout_ms=longest,
    )


def _speeds(rng: Random, pace: Pace) -> tuple[float, float]:
    """Latency and disk of a world: what a pace is meant for, and a little beyond."""
    shortest = min(pace.retry_interval_ms, pace.heartbeat_every_ms, pace.ballot_ms)
    latency = rng.choice([0.05, 0.2, 1.0, 5.0])
    disk = rng.choice([0.05, 0.5, 3.0, 10.0])
    return min(latency, shortest / 10), min(disk, shortest / 5)


def _common(rng: Random, safety: Safety, pace: Pace, count: int) -> dict[str, Any]:
    return {
        "safety": safety,
        "pace": pace,
        "expect": count if safety is Safety.QUORUM else 0,
        "sync_successors": rng.choice([1, 1, 1, 2, 3]),
        "sync_strict": rng.random() < 0.2,
        "fallbacks": rng.choice([1, 2, 5, 5]),
        "snapshot_every": rng.choice([3, 20, 200, 20_000]),
        "snapshot_keep": rng.choice([0, 1, 5, 50, 5_000]),
    }


def _people(rng: Random, safety: Safety, pace: Pace, faultless: bool) -> dict[str, Any]:
    """What people configure beyond what a cluster needs."""
    found: dict[str, Any] = {"heal_keep": rng.choice([0, 20, 100_000])}
    if rng.random() < 0.25:
        found["preempt_after_ms"] = rng.choice([0.2, 1, 5]) * pace.heartbeat_timeout_ms
        # Without faults no server may change: somebody better would take over.
        found["preempt"] = "never" if faultless else "idle"
    if safety is Safety.SURVIVOR and rng.random() < 0.25:
        found["forget_after_ms"] = rng.choice([3, 10]) * pace.sync_timeout_ms
    return found


def _own(rng: Random, common: dict[str, Any], *, first: bool, differs: bool) -> ElectionSettings:
    """One peer's settings. `differs`: it also retries and stands at a pace of its own, never a slower one."""
    serve = Serve.NEVER if not first and rng.random() < 0.1 else Serve.AUTO
    own = ElectionSettings(**common, serve=serve, priority=rng.choice([0, 0, 0, 1, 5]))
    if not differs or first:
        return own
    factor = rng.choice([0.3, 0.7, 1.0])
    quicker = {f: factor * getattr(own.pace, f) for f in ("retry_interval_ms", "ballot_ms", "start_wait_ms")}
    return msgspec.structs.replace(own, pace=msgspec.structs.replace(own.pace, **quicker))


def smaller(setup: Setup, without: str) -> Setup:
    """The same life without one peer, for a failure to be told with fewer."""
    peers = tuple((n, msgspec.structs.replace(s, expect=max(0, s.expect - 1))) for n, s in setup.peers if n != without)
    order = tuple(n for n in setup.order if n != without)
    return msgspec.structs.replace(setup, peers=peers, order=order, core=min(setup.core, len(peers)))


__all__ = ["FAULTLESS_PART", "FAULTS", "NAMES", "draw", "smaller"]
