"""Faults inside running peers, and planned moves, over HTTP: for peers that were started with `--allow-drills`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aiohttp

from tanist.peer.drills.target import CannotPerform

ANSWER_S = 5.0
"""How long a peer may take to take a fault."""
MOVE_S = 10.0
"""How long a hand-over, or taking a peer out, may take."""
FAULT_MS = 60_000.0
"""How long a fault lasts that nobody ends: longer than most drills, and not for ever if this program dies."""


class Control:
    """What is injected into each peer by now. A peer ends its faults all at once, so the others are put back then."""

    def __init__(self, http: aiohttp.ClientSession, url: Callable[[str], str]) -> None:
        """`url` gives the address of a peer's page by its name."""
        self._http = http
        self._url = url
        self._put: dict[str, dict[str, dict[str, Any]]] = {}

    async def put(self, name: str, key: str, kind: str, **fields: Any) -> None:
        """Inject a fault, in the place of the one with this key. Raises `CannotPerform` with the peer's own words."""
        if key in self._put.get(name, {}):
            await self.drop(name, key)
        fault = {"kind": kind, "for_ms": FAULT_MS, **fields}
        await self._ask("POST", name, "/drills/fault", fault)
        self._put.setdefault(name, {})[key] = fault

    async def drop(self, name: str, key: str = "") -> None:
        """End the fault with this key, if it is there; without a key all of this peer. Raises `CannotPerform`."""
        put = self._put.get(name, {})
        if key in put if key else put:
            left = {other: fault for other, fault in put.items() if key and other != key}
            self._put[name] = left
            await self._ask("DELETE", name, "/drills/faults", None)
            for fault in left.values():
                await self._ask("POST", name, "/drills/fault", fault)

    def gone(self, name: str) -> None:
        """The peer's process has ended, and its faults with it."""
        self._put.pop(name, None)

    async def allowed(self, name: str) -> None:
        """Raises `CannotPerform` unless faults may be injected into a peer."""
        await self._ask("GET", name, "/drills/faults", None)

    async def move(self, name: str, what: str, **body: str) -> None:
        """A planned move, `handover` or `leave`. Raises `CannotPerform` with the peer's own words."""
        await self._ask("POST", name, f"/cluster/{what}?timeout={MOVE_S:g}", body, MOVE_S + ANSWER_S)

    async def _ask(
        self, method: str, name: str, path: str, body: dict[str, Any] | None, timeout_s: float = ANSWER_S
    ) -> dict[str, Any]:
        url, limit = self._url(name) + path, aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._http.request(method, url, json=body, timeout=limit) as answer:
                said: dict[str, Any] = await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise CannotPerform(f"{name} did not answer at {url}: {error or type(error).__name__}") from None
        if answer.status >= 400:
            raise CannotPerform(f"{name}: {said['error']['message']}")
        return said


__all__ = ["FAULT_MS", "Control"]
