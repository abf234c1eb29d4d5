"""Asks peers over HTTP: what they say of themselves, commands and queries."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp

ANSWER_S = 3.0
"""How long one look at a peer may take: a stopped one accepts and never answers."""
CALL_S = 30.0
"""How long a command may take: longer than any failover, which is a delay and no error."""
TRANSFER_S = 5.0
"""What an answer may take beyond the time-out that the peer itself was given."""

Status = dict[str, Any]
"""The answer of `GET /status` (docs/reference/http.md)."""


async def status_of(http: aiohttp.ClientSession, url: str) -> Status | None:
    """What a peer says of itself; None while it does not answer."""
    return await _look(http, f"{url}/status")


async def state_of(http: aiohttp.ClientSession, url: str) -> tuple[int, str] | None:
    """How many entries a peer has applied, and the hash of its state; None while it does not answer.

    It must have been started with `--allow-drills`.
    """
    said = await _look(http, f"{url}/drills/state")
    return None if said is None else (said["applied"], said["digest"])


async def archived_unknown(http: aiohttp.ClientSession, url: str, app: str, command: str) -> int:
    """How many of an application's commands heals left in the archive alone, not knowing whether anybody was told.

    They are the last ones of a server that died (docs/how-to/after-a-split.md). 0 while the peer does not answer.
    """
    total = 0
    for heal in (await _look(http, f"{url}/heals") or {"heals": []})["heals"]:
        if heal["fates"].get("unknown"):
            told = await _look(http, f"{url}/heals?heal={quote(heal['heal'])}") or {"heals": []}
            entries = [entry for one in told["heals"] for entry in one["entries"]]
            total += sum((e["app"], e["command"], e["fate"]) == (app, command, "unknown") for e in entries)
    return total


async def _look(http: aiohttp.ClientSession, url: str) -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(ANSWER_S), http.get(url) as answer:
            said: dict[str, Any] = await answer.json()
            return said if answer.status == 200 else None
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None


async def call(
    http: aiohttp.ClientSession,
    url: str,
    command: str,
    arguments: Mapping[str, Any],
    idempotency: str = "",
    timeout_s: float = CALL_S,
) -> tuple[int, dict[str, Any]]:
    """Have a command ("kv/set") done; gives the HTTP status and the answer.

    Raises `aiohttp.ClientError`, `OSError` or `TimeoutError` where nothing was answered: it may be done.
    """
    headers = {"Idempotency-Key": idempotency} if idempotency else {}
    target = f"{url}/apps/{command}?timeout={timeout_s:g}"
    limit = aiohttp.ClientTimeout(total=timeout_s + TRANSFER_S)
    async with http.post(target, json=dict(arguments), headers=headers, timeout=limit) as answer:
        return answer.status, await answer.json()


async def query(
    http: aiohttp.ClientSession,
    url: str,
    name: str,
    arguments: Mapping[str, str],
    read: str = "local",
    timeout_s: float = CALL_S,
) -> tuple[int, dict[str, Any]]:
    """Ask a query ("kv/get"); gives the HTTP status and the answer. Raises as `call` does."""
    parameters = {**arguments, "read": read, "timeout": f"{timeout_s:g}"}
    limit = aiohttp.ClientTimeout(total=timeout_s + TRANSFER_S)
    async with http.get(f"{url}/apps/{name}", params=parameters, timeout=limit) as answer:
        return answer.status, await answer.json()
