"""A server that applications know a better one for gives way: in its time, never in a loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tanist.config import PeerConfig, load
from tanist.election.roles import Role
from tanist.peer.application import Application, Context, Here, command, local
from tanist.peer.machine import Gauge, ip_of
from tanist.peer.peer import Peer
from tanist.peer.preferring import BREAK_S, DOUBLINGS_MAX, REMEMBERED_S, Preferring

DEADLINE_S = 20.0
AFTER_S = 60.0


def config(preempt: str = "idle") -> PeerConfig:
    return load(None, {}, {"preempt": preempt, "preempt_after_s": AFTER_S}).config


class Saying:
    """An application that says the same every second, and a clock that only this moves."""

    def __init__(self, preempt: str = "idle") -> None:
        self.now = 1000.0
        self.given: list[str] = []
        self.below: set[str] = set()
        self.preferring = Preferring(config(preempt), self._give, self.below.__contains__, lambda: self.now)

    async def _give(self, peer: str, timeout_s: float) -> str:
        self.given.append(peer)
        return "done"

    async def say(self, peer: str, seconds: float, app: str = "hosts") -> list[str]:
        """Say it for so long; who was given the reign meanwhile."""
        self.given.clear()
        for _ in range(int(seconds) + 1):
            self.preferring.said(app, peer)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.now += 1
        return list(self.given)


async def test_it_takes_over_in_its_time_and_not_before() -> None:
    saying = Saying()
    assert await saying.say("b", AFTER_S - 1) == []
    assert await saying.say("b", 0) == ["b"]


@pytest.mark.parametrize("between", ["", "c"])
async def test_a_break_begins_the_wait_anew(between: str) -> None:
    saying = Saying()
    await saying.say("b", AFTER_S - 2)
    await saying.say(between, 0)
    assert await saying.say("b", AFTER_S - 1) == []
    assert await saying.say("b", 0) == ["b"]


async def test_silence_is_a_break_too() -> None:
    saying = Saying()
    await saying.say("b", AFTER_S - 2)
    saying.now += BREAK_S
    assert await saying.say("b", AFTER_S - 1) == []


async def test_who_gave_way_waits_twice_as_long_next_time_but_not_for_ever() -> None:
    saying = Saying()
    for times in range(3):
        wait = AFTER_S * 2**times
        assert await saying.say("b", wait - 1) == []
        assert await saying.say("b", 0) == ["b"]
    saying.now += REMEMBERED_S
    assert saying.preferring.wait_s == AFTER_S
    saying.preferring._gave = [saying.now] * 50
    assert saying.preferring.wait_s == AFTER_S * 2**DOUBLINGS_MAX


async def test_who_stands_below_by_priority_or_power_does_not_take_over() -> None:
    saying = Saying()
    saying.below.add("b")
    assert await saying.say("b", 10 * AFTER_S) == []
    saying.below.clear()
    assert await saying.say("b", AFTER_S - 1) == [], "its wait begins when it no longer does"
    assert await saying.say("b", 0) == ["b"]


async def test_without_preempt_nothing_comes_of_it() -> None:
    assert await Saying("never").say("b", 10 * AFTER_S) == []


class Wanting(Application):
    """Each peer that serves wants the one called z to."""

    ids: dict[str, str]

    @command
    def here(self, ctx: Context, name: str, id: str) -> str:
        """A peer is here; who had better serve."""
        self.ids[name] = id
        return self.ids.get("z", "")

    @local(every=0.1)
    def want(self, here: Here) -> None:
        """Say so, also where this is z itself, and where this does not serve."""
        assert ip_of(here.address) == "127.0.0.1"
        here.prefer(here.call("here", here.name, here.id))


@pytest.mark.slow
async def test_a_server_of_higher_priority_goes_on_serving(tmp_path: Path) -> None:
    async with running(tmp_path, "a", priority=1) as a, running(tmp_path, "z", peer=[a.address]) as z:
        wanting = a.machine.applications["wanting"]
        assert isinstance(wanting, Wanting)
        async with asyncio.timeout(DEADLINE_S):
            while len(wanting.ids) < 2 or a.status().fallbacks == []:
                await asyncio.sleep(0.02)
        assert a._moves.outranks(z.status().id) and not z._moves.outranks(a.status().id)
        # Longer than it takes to give way, by the application's own beat: each peer calls ten times a second.
        for _ in range(2 * 20):
            before = a.status().applied
            async with asyncio.timeout(DEADLINE_S):
                while a.status().applied < before + 1:
                    await asyncio.sleep(0.02)
        assert a.core.role is Role.SERVER


@contextlib.asynccontextmanager
async def running(folder: Path, name: str, **flags: object) -> AsyncIterator[Peer]:
    given: dict[str, object] = {
        "data": str(folder / name),
        "name": name,
        "pace": "fast",
        "listen": "127.0.0.1:0",
        "http": "127.0.0.1:0",
    }
    given |= {"preempt": "idle", "preempt_after_s": 1.0}
    async with Peer(load(None, {}, {**given, **flags}).config, applications={"wanting": Wanting()}) as peer:
        yield peer


async def test_the_best_gets_its_turn_and_keeps_it(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as a, running(tmp_path, "z", peer=[a.address]) as z:
        async with asyncio.timeout(DEADLINE_S):
            while z.core.role is not Role.SERVER:
                await asyncio.sleep(0.02)
        term = z.core.term
        reply = await a.call("wanting", "here", "somebody", "x")
        assert reply.receipt.term.number == term.number
    log = (tmp_path / "z" / "election.jsonl").read_text()
    assert log.count('"event":"reign_began"') <= 1, "it never gives the reign to itself"


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    gauge = Gauge(tmp_path)
    for figures in (gauge.read(), gauge.read()):
        assert 0 <= figures.cpu <= 100
        assert 0 < figures.ram_mb <= figures.ram_total_mb
        assert 0 < figures.ram <= 100
        assert figures.bandwidth_mb >= 0
        assert figures.disk_gb > 0
        assert 0 <= figures.disk <= 100


@pytest.mark.parametrize(("address", "ip"), [("10.0.0.7:80", "10.0.0.7"), ("[::1]:80", "::1")])
def test_the_ip_of_an_address(address: str, ip: str) -> None:
    assert ip_of(address) == ip
