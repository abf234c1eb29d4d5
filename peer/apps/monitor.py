"""How the machines are."""

import msgspec

from tanist.peer.application import Application, Context, Event, Refused, command, query
from tanist.peer.apps.checks import HOST_NAME_LENGTH_MAX, checked_name

SILENT_S = 10.0
"""A machine that sent nothing for so long is marked."""
MACHINES_MAX = 1000
"""Machines watched: each has a timer, and a line of the report."""


class Machine(msgspec.Struct):
    """What a machine sent last, in percent; the timer that will mark it as silent, 0 if it is."""

    cpu: float
    ram: float
    disk: float
    timer: int


class Row(msgspec.Struct, frozen=True):
    """One machine in the report."""

    name: str
    cpu: float
    ram: float
    disk: float
    silent: bool


class Report(msgspec.Struct, frozen=True):
    """All machines, by name."""

    machines: list[Row]

    def __str__(self) -> str:
        width = max([len("name"), *(len(row.name) for row in self.machines)])
        lines = [f"{'name':{width}}  {'CPU %':>6}  {'RAM %':>6}  {'disk %':>6}"]
        for row in self.machines:
            mark = "  silent" if row.silent else ""
            lines.append(f"{row.name:{width}}  {row.cpu:6.1f}  {row.ram:6.1f}  {row.disk:6.1f}{mark}")
        return "\n".join(lines)


class Reported(Event):
    """A machine is there that was not, or is again."""

    template = "{name} reports"
    name: str


class Silent(Event):
    """A machine sent nothing for a while."""

    template = "{name} is silent"
    name: str


class Monitor(Application, on_heal="archive"):
    """How the machines are: agents push their load, and who falls silent is marked, by log time.

    After a split no figure of the other side is taken over: it is old, and the next one comes soon.
    """

    machines: dict[str, Machine]

    @command
    def push(self, ctx: Context, name: str, cpu: float, ram: float, disk: float) -> str:
        """Report the load of a machine, in percent each."""
        checked_name(name, length_max=HOST_NAME_LENGTH_MAX)
        for what, percent in (("cpu", cpu), ("ram", ram), ("disk", disk)):
            # Not `percent < 0 or …`: that would let through what is no number at all (NaN).
            if not 0 <= percent <= 100:
                raise Refused(f"{what} is in percent, from 0 to 100", "bad_figure")
        before = self.machines.get(name)
        if before is None and len(self.machines) >= MACHINES_MAX:
            raise Refused(f"{MACHINES_MAX} machines are watched: no more", "too_many_machines")
        timer = ctx.after(SILENT_S, self.fall_silent, name)
        if before is not None and before.timer:
            ctx.cancel(before.timer)
        else:
            ctx.publish(Reported(name))
        self.machines[name] = Machine(cpu, ram, disk, timer)
        return "OK"

    @command
    def forget(self, ctx: Context, name: str) -> str:
        """Take a machine that is gone for good out of the report."""
        machine = self.machines.get(name)
        if machine is None:
            raise Refused("No machine has this name", "unknown_machine")
        if machine.timer:
            raise Refused("This machine still reports", "not_silent")
        del self.machines[name]
        return "OK"

    @query
    def report(self, ctx: Context) -> Report:
        """All machines in a table; those that fell silent are marked."""
        rows = [Row(name, m.cpu, m.ram, m.disk, m.timer == 0) for name, m in sorted(self.machines.items())]
        return Report(rows)

    @command(internal=True)
    def fall_silent(self, ctx: Context, name: str) -> None:
        """Nothing came from a machine for a while."""
        self.machines[name].timer = 0
        ctx.publish(Silent(name))
