"""When a cluster of real peers counts as settled, by what they say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tanist.peer.drills.conditions import LISTED_MAX, agreed

NAMES = "abcdefghi"


def statuses(size: int, **changed: Any) -> list[dict[str, Any] | None]:
    """What peers say of whom a serves, all in sync; `changed` is what b says differently."""
    names = NAMES[:size]
    listed = [{"id": name, "in_sync": True, "counts": name == "b", "lag": 0} for name in names[1 : 1 + LISTED_MAX]]
    every: list[dict[str, Any] | None] = []
    for name in names:
        status = {
            "id": name,
            "name": name,
            "role": "server" if name == "a" else "client",
            "server": {"id": "a"},
            "term": {"number": 1, "holder": "a"},
            "safety": "survivor",
            "fallbacks": listed,
            "members": [{"id": n, "state": "live"} for n in names],
        }
        every.append({**status, **changed} if name == "b" else status)
    return every


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 9])
def test_clusters_of_all_sizes_can_agree(size: int) -> None:
    assert agreed(statuses(size), size) == "a"
    assert agreed(statuses(size), size + 1) == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"role": "server"},
        {"role": "seeking", "server": None},
        {"server": {"id": "c"}},
        {"term": {"number": 2, "holder": "a"}},
        {"fallbacks": []},
    ],
)
def test_one_that_says_otherwise_is_no_agreement(changed: dict[str, Any]) -> None:
    assert agreed(statuses(3, **changed)) == ""


def test_nor_is_one_that_does_not_answer_or_is_not_ready() -> None:
    assert agreed([*statuses(3), None]) == ""
    behind = statuses(9)
    for status in behind:
        assert status is not None
        status["fallbacks"] = [{**entry, "in_sync": entry["id"] != "c"} for entry in status["fallbacks"]]
    assert agreed(behind) == ""
