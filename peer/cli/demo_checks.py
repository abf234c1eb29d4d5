"""What the demo checks in the end, as pure functions over what clients were told, peers hold and logs say."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tanist.election.settings import Pace
from tanist.peer.electionlog.reigns import Reign

ALLOWANCE_S = 1.0
"""What a busy machine may add to an outage: several new processes start and work on it at the same time."""
SHOWN_MAX = 5
"""Numbers named in a complaint; the first tell as much as all."""


class Check(msgspec.Struct, frozen=True):
    """One sentence, and whether it is as it was promised."""

    passed: bool
    text: str


class Change(msgspec.Struct, frozen=True):
    """A change of the server that the story made: what, when (monotonic clock), in which term, what is promised."""

    what: str
    at_s: float
    term: int
    promised_s: float


def promised_after_kill_s(pace: Pace) -> float:
    """A killed server's address refuses: all retries fail at their time, then a ballot is held."""
    return (pace.retry_attempts * pace.retry_interval_ms + pace.ballot_ms) / 1000


def promised_in_handover_s(pace: Pace) -> float:
    """The heir is told to stand at once: no retries, one ballot, and at most one heartbeat until all know."""
    return (pace.heartbeat_every_ms + pace.ballot_ms) / 1000


def nothing_lost(acknowledged: Sequence[int], held: Mapping[str, Sequence[int]]) -> Check:
    """Every acknowledged number is at every peer, exactly once."""
    for name, numbers in held.items():
        times = Counter(numbers)
        if missing := [number for number in acknowledged if not times[number]]:
            return Check(False, f"{name} lacks {_some(missing)}, which clients were told is written")
        if doubled := [number for number in times if times[number] > 1]:
            return Check(False, f"{name} holds {_some(doubled)} more than once")
    if not acknowledged or not held:
        return Check(False, "no number was ever acknowledged, so nothing is shown")
    return Check(
        True, f"nothing lost: each of {len(acknowledged):,} acknowledged numbers stands exactly once at every peer"
    )


def same_everywhere(held: Mapping[str, Sequence[int]]) -> Check:
    """All peers hold the same numbers in the same order."""
    first, *others = held
    for name in others:
        if list(held[name]) != list(held[first]):
            return Check(False, f"{name} and {first} hold different numbers, or the same in different order")
    return Check(True, f"the same state: {', '.join(held)} hold the same numbers in the same order")


def one_server_per_term(reigns: Sequence[Reign], names: Mapping[str, str]) -> Check:
    """By the election logs of all peers no number of a term has two servers. `names` by id."""
    servers: dict[int, set[str]] = {}
    for reign in reigns:
        servers.setdefault(reign.number, set()).add(names.get(reign.server, reign.server))
    if not servers:
        return Check(False, "the election logs tell of no server at all")
    shared = {number: holders for number, holders in servers.items() if len(holders) > 1}
    if shared:
        number, holders = next(iter(shared.items()))
        return Check(False, f"term {number} had more than one server: {', '.join(sorted(holders))}")
    line = ", ".join(f"{number} {holder}" for number, (holder,) in sorted(servers.items()))
    return Check(True, f"one server per term: {line}")


def outage(change: Change, reigns: Iterable[Reign], waited_s: float | None) -> Check:
    """The time without a server after a change, by the next server's log, against what its pace promises.

    `waited_s` is the longest pause that the clients saw.
    """
    measured_ms = next((reign.outage_ms for reign in reigns if reign.number == change.term), None)
    if measured_ms is None or waited_s is None:
        return Check(False, f"{change.what}: nobody served afterwards")
    without_s = measured_ms / 1000
    told = f"{change.what}: {seconds(without_s)} without a server, clients waited {seconds(waited_s)}"
    promised = f"promised: {seconds(change.promised_s)}"
    if max(without_s, waited_s) > change.promised_s + ALLOWANCE_S:
        return Check(False, f"{told} ({promised}, and up to {seconds(ALLOWANCE_S)} more on a busy machine)")
    return Check(True, f"{told} ({promised})")


def no_errors(problems: Sequence[str], repeated: int) -> Check:
    """No client met an error that it could not overcome by asking again."""
    if problems:
        return Check(False, f"{len(problems)} clients met an error; the first: {problems[0]}")
    return Check(True, f"no client gave up: {repeated} times one asked again, with the same key, and was answered")


def seconds(value_s: float) -> str:
    """A duration as people read it."""
    return f"{value_s * 1000:.0f} ms" if value_s < 0.1 else f"{value_s:.2f} s"


def _some(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:SHOWN_MAX])
    return (
        f"{len(numbers)} number{'s' if len(numbers) > 1 else ''} ({shown}{', ...' if len(numbers) > SHOWN_MAX else ''})"
    )
