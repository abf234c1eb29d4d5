"""Where exhaustive searches begin: small clusters at the moments from which much can go wrong.

for name, root in roots(Safety.QUORUM).items():
    explore(root, Bounds(departures=2, events=10))
"""

from __future__ import annotations

from collections.abc import Callable

from tanist.election.roles import Role
from tanist.election.settings import ElectionSettings, Pace, Safety
from tanist.election.simulation.cell import Cell, Event

USUAL_EVENTS_MAX = 2000
"""Usual events until a root is reached: more means that the cluster never gets there."""


def founded(names: str, safety: Safety, pace: Pace | None = None) -> Cell:
    """A settled cluster of voters."""
    count = len(names.split())
    expect = count if safety is Safety.QUORUM else 0
    cell = Cell(names, ElectionSettings(safety=safety, expect=expect, pace=pace or Pace()))
    for name in cell.names:
        cell = cell.after(Event("start", name))

    def complete(cell: Cell) -> bool:
        return cell.quiet() and all(len(core.node.log.voters) == count for core in cell.running().values())

    return _root(_until(cell, complete))


def server(cell: Cell) -> str:
    """Who serves."""
    (only,) = [name for name, core in cell.running().items() if core.role is Role.SERVER]
    return only


def writing(cell: Cell) -> Cell:
    """A client's command has just left for the server."""
    return _root(cell.after(Event("submit", _clients(cell)[-1])))


def ballot(cell: Cell) -> Cell:
    """The server is dead, and the heir stands."""
    cell = cell.after(Event("crash", server(cell)))
    return _root(_until(cell, lambda cell: any(c.role is Role.CANDIDATE for c in cell.running().values())))


def behind(cell: Cell) -> Cell:
    """A command is committed without the last client, which lacks it; then the server dies."""
    serving, late = server(cell), _clients(cell)[-1]
    cell = cell.after(Event("submit", serving))
    while any(cell.queues.values()) or any(cell.writes.values()):
        lost = next(((a, b) for (a, b), queue in cell.queues.items() if queue and b == late), None)
        usual = cell.usual() if lost is None else Event("lose", lost[1], lost[0])
        assert usual is not None
        cell = cell.after(usual)
    return _root(cell.after(Event("crash", serving)))


def pending(cell: Cell) -> Cell:
    """A command is on both clients' disks, and the server died before it heard so: the next one has it from an older
    term, and so have others.
    """
    serving = server(cell)
    cell = cell.after(Event("submit", serving))
    while any(cell.queues.values()) or any(cell.writes.values()):
        heard = next(((a, b) for (a, b), queue in cell.queues.items() if queue and b == serving), None)
        usual = cell.usual() if heard is None else Event("lose", heard[1], heard[0])
        assert usual is not None
        cell = cell.after(usual)
    return _root(cell.after(Event("crash", serving)))


def rivals(cell: Cell) -> Cell:
    """The clients do not hear each other; the server died, and is back as a voter between them."""
    serving, clients = server(cell), _clients(cell)
    cell = cell.apart(*clients[:2]).after(Event("crash", serving))
    cell = _until(cell, lambda cell: all(c.role is not Role.CLIENT for c in cell.running().values()))
    return _root(cell.after(Event("start", serving)))


def roots(safety: Safety) -> dict[str, Cell]:
    """All of them that make sense in a mode, by name."""
    two, three = founded("a b", safety), founded("a b c", safety)
    made: dict[str, Callable[[Cell], Cell]] = {
        "settled": _root,
        "writing": writing,
        "ballot": ballot,
        "behind": behind,
        "pending": pending,
        "rivals": rivals,
    }
    found = {f"three {name}": make(three) for name, make in made.items()}
    found.update({f"two {name}": make(two) for name, make in made.items() if name in ("settled", "writing")})
    return found


def _clients(cell: Cell) -> list[str]:
    return [name for name in cell.names if name != server(cell)]


def _until(cell: Cell, condition: Callable[[Cell], bool]) -> Cell:
    for _ in range(USUAL_EVENTS_MAX):
        if condition(cell):
            return cell
        usual = cell.usual()
        assert usual is not None, "somebody runs, and asks for no deadline"
        cell = cell.after(usual)
    raise AssertionError(f"the root is never reached: {cell.describe()}")


def _root(cell: Cell) -> Cell:
    """Forget how it came here, and what faults it took."""
    return cell.begun()


__all__ = ["ballot", "behind", "founded", "pending", "rivals", "roots", "server", "writing"]
