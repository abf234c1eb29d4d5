"""A flood of turned-away connections is a few lines and a count."""

import asyncio

import pytest

from tanist.transport import notices
from tanist.transport.notices import Notices


async def test_beyond_the_limit_notices_are_counted_and_the_count_is_told() -> None:
    told: list[tuple[str, str, str]] = []
    flood = Notices(asyncio.get_running_loop(), 3, lambda *notice: told.append(notice))
    for i in range(10):
        flood.add(f"10.0.0.{i}:1", "cluster", f"notice {i}")
    assert [text for _, _, text in told] == ["notice 0", "notice 1", "notice 2"]
    flood.close()
    assert len(told) == 4
    assert told[3][0] == "10.0.0.9:1"
    assert "notice 9 (the last of 7 turned away" in told[3][2]


async def test_a_new_window_tells_again(monkeypatch: pytest.MonkeyPatch) -> None:
    summed_up = asyncio.Event()
    told: list[str] = []

    def tell(address: str, code: str, text: str) -> None:
        told.append(text)
        if "the last of" in text:
            summed_up.set()

    monkeypatch.setattr(notices, "WINDOW_S", 0.01)
    flood = Notices(asyncio.get_running_loop(), 1, tell)
    flood.add("a", "c", "first")
    flood.add("a", "c", "second")
    await summed_up.wait()
    flood.add("a", "c", "third")
    assert told[0] == "first"
    assert told[1].startswith("second (the last of 1 ")
    assert told[2] == "third"
    flood.close()
    assert len(told) == 3


async def test_without_a_flood_closing_tells_nothing() -> None:
    told: list[str] = []
    quiet = Notices(asyncio.get_running_loop(), 3, lambda address, code, text: told.append(text))
    quiet.add("a", "c", "only")
    quiet.close()
    quiet.close()
    assert told == ["only"]
