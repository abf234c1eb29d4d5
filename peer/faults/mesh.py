"""Links between peers that each have a proxy: one direction from one to the other, whoever of the two dialed."""

from collections.abc import Mapping

from tanist.peer.faults.conditions import Conditions, Way
from tanist.peer.faults.proxy import FaultProxy


def set_link(
    proxies: Mapping[str, FaultProxy],
    source: str,
    target: str,
    conditions: Conditions,
    *,
    for_s: float | None = None,
) -> None:
    """What `source` sends to `target` suffers these conditions, for `for_s` seconds or until it is cleared.

    `proxies` are by the names of the peers behind them. The other direction stays as it is. Raises `ValueError`.
    """
    # Either may have dialed: the connection goes through the proxy of the one that was.
    proxies[target].set(conditions, source, way=Way.IN, for_s=for_s)
    proxies[source].set(conditions, target, way=Way.OUT, for_s=for_s)


def clear_link(proxies: Mapping[str, FaultProxy], source: str, target: str) -> None:
    """End what `set_link` set for this direction."""
    proxies[target].clear(source, way=Way.IN)
    proxies[source].clear(target, way=Way.OUT)
