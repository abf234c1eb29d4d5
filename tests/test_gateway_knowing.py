"""Clients of a peer that has just started: they wait until it knows how things are, and go on as they came."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from tanist.peer.gateways import knowing as module
from tanist.peer.gateways.knowing import Knowing
from tanist.peer.status import Status


async def test_who_came_first_goes_on_first() -> None:
    status = SimpleNamespace(applied=0)
    knowing = Knowing(lambda: cast(Status, status))
    order: list[str] = []

    async def come(name: str) -> None:
        assert await knowing.wait()
        order.append(name)

    first = asyncio.create_task(come("first"))
    await asyncio.sleep(0)
    status.applied = 1
    await come("second")
    await first
    assert order == ["first", "second"]


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KNOWN_S", 0.02)
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    knowing = Knowing(lambda: cast(Status, SimpleNamespace(applied=0)))
    assert await asyncio.gather(*(knowing.wait() for _ in range(50))) == [False] * 50
