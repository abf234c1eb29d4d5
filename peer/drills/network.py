"""The links between the peers of one cluster on this machine: a proxy in front of each, that makes them bad at will."""

import asyncio
from collections.abc import Iterable
from itertools import permutations
from random import Random

from tanist.peer.faults import Conditions, FaultProxy, set_link

CUT = Conditions(blackhole=True)
"""Nothing arrives and nobody is told, as when a cable is pulled far away."""


class Network:
    """Proxies by the names of the peers behind them. To be used on one event loop, and closed."""

    def __init__(self, random: Random) -> None:
        """`random` decides which frames are lost, and the like."""
        self.proxies: dict[str, FaultProxy] = {}
        self._random = random

    async def put_before(self, name: str, target: str, listen: str) -> None:
        """Stand before a peer that listens at `target`, itself listening at `listen`, before that peer starts."""
        proxy = FaultProxy(target, listen=listen, random=Random(self._random.getrandbits(64)))
        self.proxies[name] = await proxy.__aenter__()

    async def close(self) -> None:
        """Free all addresses."""
        proxies, self.proxies = self.proxies, {}
        await asyncio.gather(*(proxy.__aexit__() for proxy in proxies.values()))

    def link(self, source: str, target: str, conditions: Conditions, for_s: float | None = None) -> None:
        """What one peer sends to another meets these conditions, for so many seconds or until `heal`."""
        set_link(self.proxies, source, target, conditions, for_s=for_s)

    def partition(self, *sides: Iterable[str], for_s: float | None = None) -> None:
        """Nothing arrives between any two of these sides; links within a side, and to peers of none, stay."""
        for one, other in permutations([list(side) for side in sides], 2):
            for source in one:
                for target in other:
                    self.link(source, target, CUT, for_s)

    def heal(self) -> None:
        """All links are good again."""
        for proxy in self.proxies.values():
            proxy.clear()
