"""The page of bugs names what plays each of them again: every name on it is a scenario file or a test."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROWS = re.compile(r"^\| (?!---|what happened)(.*) \| (.*) \| (.*) \|$", re.MULTILINE)


def test_every_bug_is_played_again_by_something_that_exists() -> None:
    page = (ROOT / "docs/reference/bugs-found.md").read_text()
    scenarios = {path.stem for path in (ROOT / "tests/scenarios").glob("*.scenario")}
    tests = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    rows = ROWS.findall(page)
    assert rows
    for what, _, played in rows:
        names = re.findall(r"`([^`]+)`", played)
        assert names, f"nothing plays this again: {what}"
        unknown = [name for name in names if name not in scenarios | tests]
        assert not unknown, f"{what}: no scenario and no test is called {unknown}"
