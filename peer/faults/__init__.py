"""Injecting failures into real peers: links, processes, disks and clocks. See docs/reference/faults.md.

Every fault has a duration or an owner, and undoes itself when that ends, also when the program that injected it dies.
"""

from tanist.peer.faults.conditions import CLEAR, Conditions, Way
from tanist.peer.faults.damage import Damage, flip_byte, tear_tail
from tanist.peer.faults.disk import DrillDisk, Trouble
from tanist.peer.faults.lane import Counts
from tanist.peer.faults.mesh import clear_link, set_link
from tanist.peer.faults.processes import Pause, PauseFailed, kill, pause, terminate
from tanist.peer.faults.proxy import FaultProxy

__all__ = [
    "CLEAR",
    "Conditions",
    "Counts",
    "Damage",
    "DrillDisk",
    "FaultProxy",
    "Pause",
    "PauseFailed",
    "Trouble",
    "Way",
    "clear_link",
    "flip_byte",
    "kill",
    "pause",
    "set_link",
    "tear_tail",
    "terminate",
]
