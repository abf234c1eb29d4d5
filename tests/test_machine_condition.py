"""Reading how a machine is powered and loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tanist.election.condition import Load, Power
from tanist.election.ready import ConditionRead
from tanist.peer.condition import ConditionWatch, read_load, read_power

MAINS = {"type": "Mains", "online": "1"}
UNPLUGGED = {"type": "Mains", "online": "0"}
BATTERY = {"type": "Battery", "status": "Discharging", "capacity": "55"}
MOUSE = {"type": "Battery", "scope": "Device", "status": "Discharging", "capacity": "3"}


def supplies(tmp_path: Path, **found: Mapping[str, str]) -> Path:
    for name, files in found.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(f"{text}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({}, (True, None)),
        ({"AC": MAINS}, (True, None)),
        ({"AC": MAINS, "BAT0": BATTERY}, (True, 55.0)),
        ({"AC": UNPLUGGED, "BAT0": BATTERY}, (False, 55.0)),
        ({"AC": UNPLUGGED, "BAT0": BATTERY, "BAT1": {**BATTERY, "capacity": "45"}}, (False, 50.0)),
        ({"BAT0": {**BATTERY, "status": "Full"}}, (True, 55.0)),
        ({"hid-mouse": MOUSE}, (True, None)),
        ({"AC": UNPLUGGED, "BAT0": {"type": "Battery"}}, (True, None)),
        ({"BAT0": {**BATTERY, "capacity": "broken"}}, (True, None)),
    ],
)
def test_what_linux_says_of_power(tmp_path: Path, found: dict[str, dict[str, str]], told: tuple[bool, float]) -> None:
    assert read_power(supplies(tmp_path, **found)) == told


def test_this_machine_can_be_read() -> None:
    on_mains, percent = read_power()
    assert on_mains in (True, False)
    assert percent is None or 0 <= percent <= 100
    assert read_load() >= 0


async def test_only_changes_of_a_class_are_told() -> None:
    told: list[ConditionRead] = []
    power: tuple[bool, float | None] = (True, None)
    load = 0.1
    watch = ConditionWatch(told.append, lambda: power, lambda: load)
    await watch.look()
    await watch.look()
    assert told == [ConditionRead(Power.MAINS, Load.FREE)]
    power, load = (False, 60.0), 1.9
    await watch.look()
    power, load = (False, 59.0), 2.2
    await watch.look()
    power, load = (False, 9.0), 20.0
    await watch.look()
    assert told[1:] == [ConditionRead(Power.BATTERY, Load.FREE), ConditionRead(Power.LOW_BATTERY, Load.OVERLOADED)]


async def test_it_reads_at_once_and_again_until_it_is_stopped() -> None:
    reads: asyncio.Queue[ConditionRead] = asyncio.Queue()
    loads = iter([0.0, 9.0, 30.0, 0.0])
    watch = ConditionWatch(reads.put_nowait, lambda: (True, None), lambda: next(loads), every_s=0)
    watch.start()
    seen = [await reads.get() for _ in range(3)]
    watch.stop()
    assert [r.load for r in seen] == [Load.FREE, Load.BUSY, Load.OVERLOADED]
