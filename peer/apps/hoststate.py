"""What is known of one machine, and how machines are ordered."""

import msgspec

from tanist.peer.apps.hostpoints import Load

PULSES_MISSED = 2
"""A machine that missed so many pulses in a row is silent."""
NEW, HOST, CLIENT, SERVER, SILENT = "new", "host", "client", "server", "silent"
"""What a machine is: foreign, with an id that it has not used yet; foreign; of the cluster; silent is any of them."""


class Host(msgspec.Struct):
    """What a machine reported last; the points it has for it, the timer of its next pulse, and how many it missed."""

    name: str
    ip: str
    role: str
    load: Load
    points: list[int]
    timer: int
    missed: int = 0
    replaced: bool = False
    """Whether another serves in its stead since it reported: it may be dead."""

    @property
    def silent(self) -> bool:
        """Whether it missed so many that it counts no more."""
        return self.missed >= PULSES_MISSED


def rank(one: tuple[str, Host]) -> tuple[bool, int, str]:
    """The order of machines, each with its id: silent ones last, then by points, then by id."""
    return one[1].silent, sum(one[1].points), one[0]
