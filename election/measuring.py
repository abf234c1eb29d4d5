"""What a server measures of its clients for the ranking: what they report, their losses, and the link to each.

Classes, not values, go into the ranking, and they are looked at together and rarely: several changes make one
new list, and a peer that wavers around a bound changes it once a look at most.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from tanist.election.condition import Condition, Load, Power, band
from tanist.election.messages import Confirm
from tanist.election.node import Node
from tanist.election.ranking import LINK_BEST, STEADY, Fitness
from tanist.election.replication import Progress
from tanist.election.settings import MS

LOOK_EVERY_HEARTBEATS = 10
"""Heartbeats between two looks at how fit the clients are."""
LINKS_MS = (20.0, 200.0)
"""Round trips from which a link is middling (another town), and slow: both feel different to people."""
SMOOTHING = 1 / 8
"""The weight of a new round trip in the mean (RFC 6298's)."""
ROUNDS_REMEMBERED = 64
"""Heartbeat rounds whose begin is remembered: a confirmation of an older one measures a stall, not a link."""


@dataclass(slots=True)
class _Client:
    condition: Condition = field(default_factory=Condition)
    trip_ms: float | None = None
    link: int | None = None
    """The band of `LINKS_MS` that the mean round trip is in."""
    fitness: Fitness | None = None
    """As of the last look."""


class Measuring:
    """The measures of one reign."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._clients: dict[str, _Client] = {}
        self._sent: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._look_at = node.now

    def sent(self, round_: int, version: int) -> None:
        """A round of heartbeats leaves, with this version of the list."""
        self._sent[round_] = self.node.now, version
        if len(self._sent) > ROUNDS_REMEMBERED:
            self._sent.popitem(last=False)

    def confirmed(self, peer: str, message: Confirm, before: Progress) -> None:
        """A confirmation arrived, of a client as it stood `before`.

        Only the first of a round is a measure, and only if the list was on that client's disk already.
        """
        client = self._clients.setdefault(peer, _Client())
        client.condition = message.condition
        sent = self._sent.get(message.round)
        if sent is None or message.round <= before.round or before.version < sent[1]:
            return
        trip_ms = (self.node.now - sent[0]) / MS
        mean = client.trip_ms
        client.trip_ms = trip_ms if mean is None else mean + (trip_ms - mean) * SMOOTHING
        client.link = band(client.trip_ms, LINKS_MS, client.link)

    def forget(self, peer: str) -> None:
        """A client is gone."""
        self._clients.pop(peer, None)

    def look(self) -> None:
        """Take over how fit the clients are now, if it is time to."""
        if self.node.now < self._look_at:
            return
        self._look_at = self.node.now + LOOK_EVERY_HEARTBEATS * self.node.times.heartbeat
        for peer, client in self._clients.items():
            client.fitness = self._now(peer, client)

    def fitness(self, peer: str) -> Fitness:
        """How fit a client was at the last look; one that is new is looked at now."""
        client = self._clients.get(peer)
        if client is None:
            return Fitness()
        if client.fitness is None:
            client.fitness = self._now(peer, client)
        return client.fitness

    def _now(self, peer: str, client: _Client) -> Fitness:
        said = client.condition
        link = LINK_BEST - (client.link or 0)
        return fitness_of(said, link, shaky=self.node.stability.shaky(peer, self.node.now))


def fitness_of(said: Condition, link: int, *, shaky: bool) -> Fitness:
    """Put together what a peer says of itself and what was seen of it; nobody is better than the best class."""
    stability = (0 if shaky else STEADY) + min(max(said.up, 0), 1)
    power = Power(min(max(said.power, Power.LOW_BATTERY), Power.MAINS))
    return Fitness(power, stability, link, min(max(said.load, Load.OVERLOADED), Load.FREE))
