"""The classes of a machine's condition: coarse, and slow to change their mind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.election.condition import Condition, Load, Power, band, load_class, power_class
from tanist.election.measuring import fitness_of
from tanist.election.ranking import LINK_BEST, STEADY, Fitness
from tanist.election.settings import MS
from tanist.election.stability import FLAPS_FOR_NS, FLAPS_MAX, PEERS_REMEMBERED_MAX, SHAKY_FROM, Stability


def test_a_machine_without_a_battery_is_on_mains() -> None:
    assert power_class(False, None) is Power.MAINS
    assert power_class(True, 3.0) is Power.MAINS


@pytest.mark.parametrize(
    ("percent", "was", "found"),
    [
        (50.0, None, Power.BATTERY),
        (19.9, None, Power.LOW_BATTERY),
        (19.9, Power.BATTERY, Power.BATTERY),
        (14.9, Power.BATTERY, Power.LOW_BATTERY),
        (24.0, Power.LOW_BATTERY, Power.LOW_BATTERY),
        (25.0, Power.LOW_BATTERY, Power.BATTERY),
        (19.9, Power.MAINS, Power.LOW_BATTERY),
    ],
)
def test_a_battery_around_its_bound_keeps_its_class(percent: float, was: Power | None, found: Power) -> None:
    assert power_class(False, percent, was) is found


@pytest.mark.parametrize(
    ("load", "was", "found"),
    [
        (0.1, None, Load.FREE),
        (2.0, None, Load.BUSY),
        (8.0, None, Load.OVERLOADED),
        (2.4, Load.FREE, Load.FREE),
        (2.5, Load.FREE, Load.BUSY),
        (1.6, Load.BUSY, Load.BUSY),
        (1.4, Load.BUSY, Load.FREE),
        (50.0, Load.FREE, Load.OVERLOADED),
        (0.0, Load.OVERLOADED, Load.FREE),
    ],
)
def test_a_load_around_its_bound_keeps_its_class(load: float, was: Load | None, found: Load) -> None:
    assert load_class(load, was) is found


@given(st.lists(st.floats(0.8, 1.2), min_size=1))
def test_a_value_within_the_margin_never_changes_its_band(values: list[float]) -> None:
    for was in (0, 1):
        now = was
        for value in values:
            now = band(value, (1.0,), now)
            assert now == was


def test_losses_make_a_peer_shaky_until_they_are_forgotten() -> None:
    stability = Stability()
    for i in range(SHAKY_FROM):
        assert not stability.shaky("a", i * MS)
        stability.lost("a", i * MS)
    assert stability.shaky("a", SHAKY_FROM * MS)
    assert not stability.shaky("b", SHAKY_FROM * MS)
    # Two are left: not enough to become shaky, and too many to be steady again.
    assert stability.shaky("a", FLAPS_FOR_NS)
    assert stability.count("a", FLAPS_FOR_NS) == SHAKY_FROM - 1
    assert not stability.shaky("a", FLAPS_FOR_NS + 1 * MS)


def test_what_is_remembered_of_losses_is_bounded() -> None:
    stability = Stability()
    for i in range(2 * FLAPS_MAX):
        stability.lost("a", i)
    assert stability.count("a", 2 * FLAPS_MAX) == FLAPS_MAX
    for i in range(PEERS_REMEMBERED_MAX):
        stability.lost(f"p{i}", i)
    assert stability.count("a", 1) == 0


def test_nobody_says_that_it_is_better_than_the_best() -> None:
    assert fitness_of(Condition(99, 99, 99), LINK_BEST, shaky=False) == Fitness()
    assert fitness_of(Condition(-9, -9, -9), 0, shaky=True) == Fitness(Power.LOW_BATTERY, 0, 0, Load.OVERLOADED)
    assert fitness_of(Condition(up=0), 2, shaky=False).stability == STEADY
