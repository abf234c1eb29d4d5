"""The ranking of clients: a pure function of stated inputs, in coarse classes so that the list does not flutter."""

from collections.abc import Iterable

import msgspec

from tanist.election.condition import Load, Power
from tanist.election.fallbacks import Fallback

LINK_BEST = 2
"""The class of a quick link; 1 is middling, 0 slow."""
STEADY = 2
"""What is added to the class of stability of a peer that was not lost often lately; 1 if it has run for a while."""


class Fitness(msgspec.Struct, frozen=True):
    """How fit a peer is to serve, in classes (higher is better); the best of all until something else is known."""

    power: Power = Power.MAINS
    stability: int = STEADY + 1
    link: int = LINK_BEST
    load: int = Load.FREE


class Standing(msgspec.Struct, frozen=True):
    """What the ranking knows of one client."""

    id: str
    name: str
    address: str
    in_sync: bool
    serves: bool
    lag: int
    counts: bool
    priority: int = 0
    fitness: Fitness = Fitness()


def rank(clients: Iterable[Standing], length: int) -> tuple[Fallback, ...]:
    """Order clients, best first, and say why each stands where it does.

    Eligible ones only (who may serve), those in sync first; then priority, power, stability, link, load; ties
    by id.
    """
    eligible = sorted((c for c in clients if c.serves), key=_key)
    return tuple(
        Fallback(c.id, c.name, c.address, c.in_sync, c.lag, c.counts, _reason(c, eligible)) for c in eligible[:length]
    )


def _key(client: Standing) -> tuple[object, ...]:
    f = client.fitness
    return (not client.in_sync, -client.priority, -f.power, -f.stability, -f.link, -f.load, client.id)


_CLASSES = ("in sync", "priority", "power", "stability", "link", "load")


def _reason(client: Standing, eligible: list[Standing]) -> str:
    """Why this one is not before the one above it; for the first, why it is before the second."""
    if not client.in_sync:
        return "catching up"
    at = eligible.index(client)
    if len(eligible) == 1:
        return "the only one"
    above, below = (eligible[0], eligible[1]) if at == 0 else (eligible[at - 1], client)
    for i, what in enumerate(_CLASSES):
        if _key(above)[i] != _key(below)[i]:
            return f"better {what}" if at == 0 else f"lower {what}"
    return "equal, lower id" if at == 0 else "equal, higher id"
