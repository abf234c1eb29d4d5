"""The machines as people see them, and what a foreign one is told."""

import msgspec

from tanist.peer.apps.hostpoints import Load

COLUMNS = ("rank", "name", "CPU %", "RAM MB", "bandwidth MB", "disk GB", "status")
LEFT = (1, 6)
"""The columns of texts, which stand to the left."""


class Device(msgspec.Struct, frozen=True):
    """One machine, with its rank and points; `status` is server, client (of the cluster), host (foreign) or silent."""

    rank: int
    name: str
    load: Load
    points: int
    status: str

    def cells(self) -> tuple[str, ...]:
        """Its row."""
        load = self.load
        figures = (f"{load.cpu:.1f}", f"{load.ram:.0f} / {load.total:.0f}", f"{load.bandwidth:.1f}", f"{load.disk:.1f}")
        return (str(self.rank), self.name, *figures, self.status)


class Answer(msgspec.Struct, frozen=True):
    """What a foreign host is told: its id is new, or all is well and who answers if this server is lost."""

    known: bool
    id: str
    fallback: str


class Devices(msgspec.Struct, frozen=True):
    """All machines, the best first. `server` is the one that serves, if it has reported yet."""

    server: Device | None
    clients: list[Device]

    def __str__(self) -> str:
        return "\n".join(["Device information", *self._information(), "", "Clients", *self._rows()])

    def _information(self) -> list[str]:
        device = self.server
        if device is None:
            return ["the server has not reported yet"]
        load = device.load
        facts = {
            "name": f"{device.name}, the server",
            "CPU": f"{load.cpu:.1f} %",
            "RAM": f"{load.ram:.0f} of {load.total:.0f} MB",
            "bandwidth": f"{load.bandwidth:.1f} MB free",
            "disk": f"{load.disk:.1f} GB free",
        }
        return [f"{what:9}  {fact}" for what, fact in facts.items()]

    def _rows(self) -> list[str]:
        rows = [COLUMNS, *(device.cells() for device in self.clients)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
        lines = []
        for row in rows:
            cells = [
                c.ljust(w) if i in (1, 6) else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        return lines
