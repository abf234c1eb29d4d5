"""The clients of the demo, against peers that are faked as plain HTTP servers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from tanist.peer.cli.demo_writers import Writers

Answer = Callable[[int, str], web.Response]
REQUESTS = 20
"""How many are heard before the clients are stopped."""


def good(term: int = 1) -> web.Response:
    return web.json_response({"result": 1, "receipt": {"term": {"number": term, "holder": "a"}}})


@asynccontextmanager
async def writers(answer: Answer, dead: Sequence[str] = ()) -> AsyncIterator[tuple[Writers, asyncio.Event]]:
    """Clients of one fake peer, and an event that is set as soon as they have done enough."""
    requests = 0
    enough = asyncio.Event()

    async def write(request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        if requests == REQUESTS:
            enough.set()
        number = (await request.json())["number"]
        return answer(number, request.headers["Idempotency-Key"])

    app = web.Application()
    app.router.add_post("/apps/ledger/write", write)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session:
        yield Writers([f"{host}:{port}", *dead], session), enough
    await runner.cleanup()


async def write_for_a_while(clients: Writers, enough: asyncio.Event) -> None:
    clients.start()
    assert clients.silent_s() is not None
    await asyncio.wait_for(enough.wait(), 10)
    await clients.stop()


async def test_every_number_is_acknowledged_once() -> None:
    async with writers(lambda number, key: good(term=3)) as (clients, enough):
        await write_for_a_while(clients, enough)
    assert sorted(ack.number for ack in clients.acks) == list(range(1, len(clients.acks) + 1))
    assert {ack.term for ack in clients.acks} == {3}
    assert clients.silent_s() is None


async def test_a_number_is_repeated_with_the_same_key_until_it_is_acknowledged() -> None:
    seen: dict[int, list[str]] = {}

    def answer(number: int, key: str) -> web.Response:
        keys = seen.setdefault(number, [])
        keys.append(key)
        if len(keys) == 1:
            return web.json_response({"error": {"code": "unknown_outcome", "message": ""}}, status=504)
        return good()

    async with writers(answer) as (clients, enough):
        await write_for_a_while(clients, enough)
    assert clients.repeated == len(seen)
    assert all(len(keys) == 2 and keys[0] == keys[1] for keys in seen.values())
    assert len({keys[0] for keys in seen.values()}) == len(seen)


async def test_a_dead_address_costs_a_repetition_and_no_number() -> None:
    async with writers(lambda number, key: good(), dead=["127.0.0.1:1"] * 20) as (clients, enough):
        await write_for_a_while(clients, enough)
    assert clients.problems == []
    assert len(clients.acks) > 0
    assert clients.repeated > 0


async def test_a_refusal_for_good_is_a_problem() -> None:
    def answer(number: int, key: str) -> web.Response:
        return web.json_response({"error": {"code": "bad_request", "message": "no such thing"}}, status=400)

    async with writers(answer) as (clients, _):
        clients.start()
        await clients.ended()
    assert clients.acks == []
    assert "no such thing" in clients.problems[0]
