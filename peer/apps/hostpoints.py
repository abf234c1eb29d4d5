"""The rule by which machines are ranked: points for what they have to do and lack, the fewest first.

| figure | points | |
| --- | --- | --- |
| CPU | 0 to 9 | one for each full 10 %: none below 10, 9 from 90 to 100 |
| RAM in use | 0 to 9 | likewise, of the whole |
| bandwidth free | 0 to 4 | one for each of 1, 10, 100 and 1000 MB that it has not |
| disk free | 0 to 4 | one for each of 1, 10, 100 and 1000 GB that it has not |

So every figure that can be has its points. They hold on to what they were until a figure is well beyond a bound (2 %
of CPU and RAM, a quarter of the others): one that wavers around a bound changes nothing.
"""

import ipaddress

import msgspec

from tanist.election.condition import band
from tanist.peer.application import Refused

MARGIN = 2.0
"""How far beyond a bound, in percent, CPU and RAM must be."""
MOST = 9
"""Points of CPU and RAM at 100 %, as from 90 % on."""
PLENTY = (1.0, 10.0, 100.0, 1000.0)
"""Of bandwidth in MB, and of disk in GB."""
FIGURE_MAX = 1e12
"""No machine has so many megabytes or gigabytes."""


class Load(msgspec.Struct, frozen=True):
    """The figures of a machine: CPU in percent, RAM in use and in all in MB, bandwidth in MB and disk in GB, free."""

    cpu: float
    ram: float
    total: float
    bandwidth: float
    disk: float


def checked(load: Load) -> Load:
    """Figures as they are. Refuses those that cannot be."""
    # Not `cpu < 0 or …`: that would let through what is no number at all (NaN).
    if not 0 <= load.cpu <= 100:
        raise Refused("CPU is in percent, from 0 to 100", "bad_figure")
    if not 0 < load.total <= FIGURE_MAX or not 0 <= load.ram <= load.total:
        raise Refused("RAM in use is from 0 to what there is in all, in MB", "bad_figure")
    if not 0 <= load.bandwidth <= FIGURE_MAX or not 0 <= load.disk <= FIGURE_MAX:
        raise Refused("Free bandwidth and disk are 0 or more, in MB and GB", "bad_figure")
    return load


def checked_ip(ip: str) -> str:
    """An IP address, in its one form; "" if it is not said. Refuses what is none."""
    try:
        return str(ipaddress.ip_address(ip)) if ip else ""
    except ValueError:
        raise Refused("That is no IP address", "bad_ip") from None


def points(load: Load, was: list[int]) -> list[int]:
    """The points of each figure, with those that they were, [] at first."""
    before: list[int | None] = [*was] if was else [None] * 4
    return [
        _of_percent(load.cpu, before[0]),
        _of_percent(100 * load.ram / load.total, before[1]),
        _of_lack(load.bandwidth, before[2]),
        _of_lack(load.disk, before[3]),
    ]


def _of_percent(percent: float, was: int | None) -> int:
    plain = _tens(percent)
    if was is None or plain == was:
        return plain
    return max(was, _tens(percent - MARGIN)) if plain > was else min(was, _tens(percent + MARGIN))


def _tens(percent: float) -> int:
    return min(int(percent // 10), MOST)


def _of_lack(free: float, was: int | None) -> int:
    return len(PLENTY) - band(free, PLENTY, None if was is None else len(PLENTY) - was)
