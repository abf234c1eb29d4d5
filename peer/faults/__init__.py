"""Injecting failures into real peers: links, processes, disks and clocks. See docs/reference/faults.md.

Every fault has a duration or an owner, and undoes itself when that ends, also when the program that injected it dies.
"""

from tanist.peer.faults.conditions import CLEAR, Conditions, Way
from tanist.peer.faults.lane import Counts
from tanist.peer.faults.mesh import clear_link, set_link
from tanist.peer.faults.processes import Pause, PauseFailed, kill, pause, terminate
from tanist.peer.faults.proxy import FaultProxy

__all__ = [
    "CLEAR",
    "Conditions",
    "Counts",
    "FaultProxy",
    "Pause",
    "PauseFailed",
    "Way",
    "clear_link",
    "kill",
    "pause",
    "set_link",
    "terminate",
]
