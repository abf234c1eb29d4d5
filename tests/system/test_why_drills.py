"""Every election of a drill has its record, and says of the outage what the drill's clients measured."""

import json
from pathlib import Path

import pytest

from system.process import tanist

DRILL_S = 60.0
"""How long one drill may take on a busy machine."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["server-crash", "server-freeze", "double-crash", "rolling-restart", "partition"])
async def test_each_election_of_a_drill_is_told(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "kept"
    code, said, _ = await tanist("drill", name, "--keep", str(kept), "--json", folder=tmp_path, deadline_s=DRILL_S)
    (report,) = json.loads(said)["runs"]
    assert code == 0 and report["reigns"]
    logs = [str(path) for path in sorted(kept.rglob("election.jsonl"))]
    for term in report["reigns"]:
        code, said, _ = await tanist("why", term, "--json", "--log", *logs, folder=tmp_path)
        (reign,) = json.loads(said)["reigns"]
        assert code == 0 and reign["complete"] and reign["before"] and reign["because"]
        assert reign["witnesses"] and reign["fallbacks"] and reign["stood"][-1]["outcome"] == "won"
    if name in ("server-crash", "server-freeze"):
        # One outage, which all clients had: in a split those at the old server have none.
        assert reign["outage_ms"] == pytest.approx(report["clients"]["longest_outage_ms"], rel=0.1)
