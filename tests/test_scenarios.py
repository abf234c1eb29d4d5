"""Every scenario file, in each safety mode that it names, with every invariant on."""

from __future__ import annotations

from pathlib import Path

import pytest
from electionlogs import scribes_of_all

from tanist.election.settings import Safety
from tanist.election.simulation.scenario import Scenario, read_scenario, write_scenario
from tanist.election.simulation.stage import Failed, play
from tanist.election.simulation.steps import Expect, Never
from tanist.peer.electionlog.checks.check import check

HERE = Path(__file__).parent / "scenarios"
FILES = sorted(HERE.glob("*.scenario"))
SCENARIOS: dict[str, Scenario] = {path.stem: read_scenario(path.read_text(encoding="utf-8")) for path in FILES}
RUNS = [(name, safety) for name, scenario in SCENARIOS.items() for safety in scenario.safety]


@pytest.mark.parametrize(("name", "safety"), RUNS, ids=lambda value: str(value))
def test_scenario(name: str, safety: Safety, monkeypatch: pytest.MonkeyPatch) -> None:
    """All it expects comes true, and the election logs that its peers would have written break no rule."""
    scribes = scribes_of_all(monkeypatch)
    try:
        play(SCENARIOS[name], safety)
    except Failed as error:
        pytest.fail(f"tests/scenarios/{name}.scenario: {error}", pytrace=False)
    assert scribes and [str(found) for scribe in scribes for found in check(scribe.lines)] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_says_where_it_comes_from_and_can_fail(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.about and scenario.sources and scenario.holds, "about, source and holds must be said"
    assert read_scenario(write_scenario(scenario)).same(scenario)
    for safety in scenario.safety:
        judged = [s for s in scenario.steps if isinstance(s.act, Expect | Never) and s.only in ("", safety)]
        assert judged or scenario.life, f"in {safety} mode it expects nothing"


# Which row of which list is where

CATALOGUE = {"N": 16, "P": 14, "D": 13, "M": 7, "U": 3, "H": 8}
ROWS = {
    *(f"{letter}{i}" for letter, count in CATALOGUE.items() for i in range(1, count + 1)),
    *(f"learned {i}" for i in range(1, 51)),
    *(f"named {i}" for i in range(1, 54)),
}
ELSEWHERE = dict(
    line.split(": ", 1)
    for line in (HERE / "elsewhere.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def test_every_row_is_a_scenario_or_is_looked_at_elsewhere() -> None:
    played = {source for scenario in SCENARIOS.values() for source in scenario.sources}
    assert played - ROWS == set(), "no such row"
    assert ROWS - played == ELSEWHERE.keys()


@pytest.mark.parametrize(("row", "where"), ELSEWHERE.items())
def test_where_else_a_row_is_looked_at_is_there(row: str, where: str) -> None:
    if where.startswith("not yet: "):
        return
    file, _, name = where.partition("::")
    source = (HERE.parent.parent / file).read_text(encoding="utf-8")
    assert f"def {name}(" in source, f"{row}: {where} is not there"
