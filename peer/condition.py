"""How this machine is powered and loaded: read rarely, in a thread, and told to the core when its class changes."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from tanist.election.condition import Load, Power, load_class, power_class
from tanist.election.ready import ConditionRead

READ_EVERY_S = 30.0
"""Between two readings: batteries drain slowly, and a ranking that follows every peak of load would flutter."""
POWER_SUPPLIES = Path("/sys/class/power_supply")
"""Where Linux tells of batteries and mains."""
SUPPLIES_MAX = 32
"""Power supplies looked at: more than any machine has."""


def read_power(supplies: Path = POWER_SUPPLIES) -> tuple[bool, float | None]:
    """Whether this machine is on mains, and the charge in percent (None without a battery). Blocks shortly."""
    if supplies.is_dir():
        return _read_linux(supplies)
    return _read_elsewhere()


def _read_linux(supplies: Path) -> tuple[bool, float | None]:
    charges: list[float] = []
    online = discharging = False
    for supply in sorted(supplies.iterdir())[:SUPPLIES_MAX]:
        kind, scope = _word(supply / "type"), _word(supply / "scope")
        if kind == "Battery" and scope != "Device":
            # A mouse's battery says nothing of the machine.
            discharging = discharging or _word(supply / "status") == "Discharging"
            charge = _word(supply / "capacity")
            if charge.isdigit():
                charges.append(float(charge))
        elif kind in ("Mains", "USB"):
            online = online or _word(supply / "online") == "1"
    if not charges:
        return True, None
    return online or not discharging, sum(charges) / len(charges)


def _word(path: Path) -> str:
    """What a file of the system says, or nothing where there is none."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _read_elsewhere() -> tuple[bool, float | None]:
    """By psutil, for what has no such files."""
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None:
        return True, None
    return bool(battery.power_plugged), float(battery.percent)


def read_load() -> float:
    """Runnable tasks a processor, over the last minute; 0 where the system does not say."""
    try:
        if hasattr(os, "getloadavg"):
            average = os.getloadavg()[0]
        else:
            import psutil

            average = psutil.getloadavg()[0]
    except OSError:
        return 0.0
    return average / (os.cpu_count() or 1)


class ConditionWatch:
    """Tells the core of this machine's condition: at the start, and whenever a class has changed."""

    def __init__(
        self,
        tell: Callable[[ConditionRead], None],
        power: Callable[[], tuple[bool, float | None]] = read_power,
        load: Callable[[], float] = read_load,
        every_s: float = READ_EVERY_S,
    ) -> None:
        self._tell = tell
        self._read_power = power
        self._read_load = load
        self._every_s = every_s
        self._power: Power | None = None
        self._load: Load | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while True:
            # A file of the system may take its time (a battery is asked over a slow bus): never in the loop.
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Read once, and tell what is new."""
        on_mains, percent = await asyncio.to_thread(self._read_power)
        power = power_class(on_mains, percent, self._power)
        load = load_class(self._read_load(), self._load)
        if (power, load) != (self._power, self._load):
            self._power, self._load = power, load
            self._tell(ConditionRead(power, load))
