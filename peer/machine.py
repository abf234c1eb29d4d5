"""How much this machine has to do and to spare, for those who report it: by psutil."""

import socket
import time
from pathlib import Path

import msgspec
import psutil

from tanist.transport.address import parse_address

FIRST_S = 0.2
"""Seconds over which the processors are measured the first time; later it is the time since the last reading."""
BANDWIDTH_MB = 125.0
"""Megabytes a second where no network card says what it can do: a common one, of a gigabit."""
MB = 1e6
GB = 1e9


class Figures(msgspec.Struct, frozen=True):
    """One reading of a machine."""

    cpu: float
    """Percent."""
    ram_mb: float
    """In use."""
    ram_total_mb: float
    bandwidth_mb: float
    """Free, a second."""
    disk_gb: float
    """Free."""
    disk: float
    """In use, percent."""

    @property
    def ram(self) -> float:
        """In use, percent."""
        return 100 * self.ram_mb / self.ram_total_mb


class Gauge:
    """Reads this machine. Blocks shortly: not for an event loop."""

    def __init__(self, folder: Path) -> None:
        """The disk that counts is the one of `folder`."""
        self._folder = str(folder)
        self._cpu: float | None = None
        self._moved = (time.monotonic(), _moved_bytes())

    def read(self) -> Figures:
        """How it is now. CPU counts a third, what it was before the rest: a ranking should not follow every peak."""
        cpu = psutil.cpu_percent(FIRST_S if self._cpu is None else None)
        self._cpu = cpu if self._cpu is None else self._cpu + (cpu - self._cpu) / 3
        memory, disk = psutil.virtual_memory(), psutil.disk_usage(self._folder)
        return Figures(
            cpu=min(max(self._cpu, 0.0), 100.0),
            ram_mb=max(memory.total - memory.available, 0) / MB,
            ram_total_mb=memory.total / MB,
            bandwidth_mb=self._bandwidth(),
            disk_gb=disk.free / GB,
            disk=disk.percent,
        )

    def _bandwidth(self) -> float:
        (before, bytes_before), (now, moved) = self._moved, (time.monotonic(), _moved_bytes())
        self._moved = now, moved
        used = max(moved - bytes_before, 0) / max(now - before, 0.001)
        fastest = max((card.speed for card in psutil.net_if_stats().values() if card.isup), default=0)
        return max((fastest / 8 if fastest else BANDWIDTH_MB) - used / MB, 0.0)


def _moved_bytes() -> int:
    """Bytes sent or received so far, whichever is more: a link takes so much each way."""
    counted = psutil.net_io_counters()
    return max(counted.bytes_sent, counted.bytes_recv) if counted else 0


def ip_of(address: str) -> str:
    """The IP address of a peer at "host:port", whose host may be a name. Raises OSError. Blocks, for a name."""
    host, port = parse_address(address)
    return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
