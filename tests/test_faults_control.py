"""Faults inside a running peer, by HTTP and by the library: allowed or not, told in the election log, and undone."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from tanist.config import load
from tanist.peer import Peer, clock
from tanist.peer.errors import CallError
from tanist.peer.faults import Conditions, flip_byte, tear_tail
from tanist.peer.faults.control import FAULTS_MAX
from tanist.peer.faults.requests import KINDS, fault_from

DEADLINE_S = 30.0
NOTED = {"kind": "noted", "for_ms": 3_600_000, "what": "a hammer"}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the loop makes true, with a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


def made(directory: Path, name: str, *others: Peer, **flags: object) -> Peer:
    given: dict[str, object] = {"name": name, "data": str(directory / name), "pace": "lan", "app": ["kv"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", "allow_drills": True, **flags}
    given["peer"] = [other.address for other in others]
    return Peer(load(None, {}, given).config)


@contextlib.asynccontextmanager
async def running(directory: Path, names: str, **flags: object) -> AsyncIterator[list[Peer]]:
    """Peers that follow the first one; all may be hurt."""
    async with contextlib.AsyncExitStack() as stack:
        peers: list[Peer] = []
        for name in names.split():
            peers.append(await stack.enter_async_context(made(directory, name, *peers, **flags)))
            await until(lambda: peers[0].status().role == "server")
        await until(lambda: all(following(peer) == "a" for peer in peers))
        await until(lambda: sum(f.in_sync for f in peers[0].status().fallbacks) == len(peers) - 1)
        yield peers


def following(peer: Peer) -> str:
    """The name of a peer's server, itself included; "" while there is none."""
    server = peer.status().server
    return server.name if server is not None else ""


def events(directory: Path, name: str, *kinds: str) -> list[dict[str, Any]]:
    lines = (directory / name / "election.jsonl").read_text().splitlines()
    return [line["fields"] for line in map(json.loads, lines) if line["event"] in kinds]


def walls(directory: Path, name: str) -> list[datetime]:
    """The wall times of the lines of an election log."""
    lines = (directory / name / "election.jsonl").read_text().splitlines()
    return [datetime.fromisoformat(json.loads(line)["wall"]) for line in lines]


async def ask(peer: Peer, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with aiohttp.request(method, f"http://{peer.http_address}{path}", **options) as answer:
        return answer.status, json.loads(await answer.read())


async def test_faults_are_injected_listed_and_ended_by_http(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as (peer,):
        status, answer = await ask(peer, "POST", "/drills/fault", json={**NOTED, "kind": "disk_slow", "ms": 5})
        assert status == 400 and "what" in answer["error"]["message"]
        status, answer = await ask(peer, "POST", "/drills/fault", json=NOTED)
        assert status == 200
        fault = answer["fault"]
        assert (fault["id"], fault["kind"], fault["detail"]) == ("f1", "noted", "a hammer")
        status, answer = await ask(peer, "GET", "/drills/faults")
        assert status == 200 and [one["id"] for one in answer["faults"]] == ["f1"]
        assert 0 < answer["faults"][0]["left_ms"] <= 3_600_000
        status, answer = await ask(peer, "DELETE", "/drills/faults")
        assert status == 200 and [one["id"] for one in answer["ended"]] == ["f1"]
        assert (await ask(peer, "GET", "/drills/faults"))[1] == {"faults": []}
        assert (await ask(peer, "DELETE", "/drills/faults?id=f1"))[0] == 404
        (injected,) = events(tmp_path, "a", "fault_injected")
        assert injected == {"fault": "f1", "failure": "noted", "detail": "a hammer", "for_ms": 3_600_000}
        (ended,) = events(tmp_path, "a", "fault_ended")
        assert ended["fault"] == "f1" and ended["reason"] == "it was ended on request"


async def test_one_of_several_faults_is_ended(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as (peer,):
        for _ in range(3):
            await ask(peer, "POST", "/drills/fault", json=NOTED)
        status, answer = await ask(peer, "DELETE", "/drills/faults?id=f2")
        assert status == 200 and [one["id"] for one in answer["ended"]] == ["f2"]
        assert [one.id for one in peer.drills.in_force()] == ["f1", "f3"]


async def test_a_peer_that_allows_no_drills_refuses_them(tmp_path: Path) -> None:
    async with running(tmp_path, "a", allow_drills=False) as (peer,):
        for method, path in (("POST", "/drills/fault"), ("GET", "/drills/faults"), ("DELETE", "/drills/faults")):
            status, answer = await ask(peer, method, path, json=NOTED)
            assert status == 403 and "--allow-drills" in answer["error"]["message"]
        with pytest.raises(CallError):
            _ = peer.drills


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "earthquake", "for_ms": 5}, "kind must be one of link, disk_full"),
        ({"for_ms": 5}, "kind must be one of"),
        ({"kind": ["pause"], "for_ms": 5}, "kind must be one of"),
        ({"kind": "disk_full"}, "for_ms"),
        ({"kind": "disk_full", "for_ms": 0}, "for_ms"),
        ({"kind": "disk_full", "for_ms": 4_000_000}, "for_ms"),
        ({"kind": "disk_slow", "for_ms": 5}, "ms"),
        ({"kind": "link", "for_ms": 5, "conditions": {"loss": 2}}, "loss is a share"),
        ({"kind": "link", "for_ms": 5, "conditions": {"loos": 1}}, "loos"),
        ({"kind": "link", "for_ms": 5, "conditions": {}}, "conditions says nothing"),
        ({"kind": "link", "for_ms": 5, "way": "up", "conditions": {"loss": 1}}, "up"),
        ({"kind": "stall", "for_ms": 61_000}, "for_ms"),
        ({"kind": "noted", "for_ms": 5, "what": "x" * 201}, "what"),
        ({"kind": "noted", "for_ms": 5, "what": "\x1b[2J"}, "what"),
    ],
)
def test_what_cannot_be_injected_is_told(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fault_from(fields)


def test_the_page_of_faults_has_every_kind_and_every_condition() -> None:
    page = (Path(__file__).parent.parent / "docs" / "reference" / "faults.md").read_text()
    for name in (*KINDS, *Conditions.__struct_fields__):
        assert f"`{name}`" in page, f"{name} is not in docs/reference/faults.md"


async def test_faults_are_bounded_and_end_with_the_peer(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as (peer,):
        for _ in range(FAULTS_MAX):
            assert (await ask(peer, "POST", "/drills/fault", json=NOTED))[0] == 200
        status, answer = await ask(peer, "POST", "/drills/fault", json=NOTED)
        assert status == 503 and "end some first" in answer["error"]["message"]
    assert len(events(tmp_path, "a", "fault_ended")) == FAULTS_MAX


async def test_a_slow_disk_is_felt_by_who_writes_and_is_over_by_itself(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with running(tmp_path, "a") as (peer,):
        await peer.call("kv", "set", "k", "before")
        assert (await ask(peer, "POST", "/drills/fault", json={"kind": "disk_slow", "for_ms": 400, "ms": 150}))[
            0
        ] == 200
        begun = loop.time()
        await peer.call("kv", "set", "k", "during", timeout_s=DEADLINE_S)
        assert loop.time() - begun >= 0.14
        await until(lambda: not peer.drills.in_force())
        await peer.call("kv", "set", "k", "after", timeout_s=DEADLINE_S)
        assert events(tmp_path, "a", "fault_ended")[0]["reason"] == "its time is over"


@pytest.mark.parametrize(
    ("kind", "says"),
    [("disk_full", "no space is left"), ("disk_read_only", "read-only"), ("fsync_fails", "input/output error")],
)
async def test_a_disk_that_takes_nothing_ends_the_peer_and_nothing_is_lost(
    tmp_path: Path, kind: str, says: str
) -> None:
    async with running(tmp_path, "a") as (peer,):
        await peer.call("kv", "set", "k", "kept")
        assert (await ask(peer, "POST", "/drills/fault", json={"kind": kind, "for_ms": 60_000}))[0] == 200
        # Whoever waits is told at once that it may be done, however long it would have waited.
        async with asyncio.timeout(DEADLINE_S):
            status, answer = await ask(peer, "POST", "/apps/kv/set?timeout=300", json={"key": "k", "value": "lost"})
            assert status == 504 and answer["error"]["code"] == "unknown_outcome"
            assert await peer.wait_stopped() == 1
        assert says in events(tmp_path, "a", "peer_stopped")[-1]["reason"]
    async with running(tmp_path, "a") as (again,):
        assert await again.query("kv", "get", "k", read="server") in ("kept", "lost")
        assert (await again.call("kv", "set", "k", "new")).result == "OK"


async def test_a_peer_notices_a_flipped_byte_and_drops_a_torn_tail(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as (peer,):
        for n in range(20):
            await peer.call("kv", "set", "k", str(n))
    damage = tear_tail(tmp_path / "a", Random(1))
    async with running(tmp_path, "a") as (peer,):
        assert await peer.query("kv", "get", "k", read="server") == "19"
    assert [e["torn_bytes"] for e in events(tmp_path, "a", "journal_recovered")] == [0, len(damage.after)]
    flip_byte(tmp_path / "a", Random(1))
    async with made(tmp_path, "a"):
        assert len(events(tmp_path, "a", "data_kept_aside")) == 1


async def test_a_wrong_clock_changes_nothing_but_the_times_that_are_told(tmp_path: Path) -> None:
    async with running(tmp_path, "a b") as (server, client):
        term = server.status().term
        for offset_ms in (3_600_000, -7_200_000):
            fault = {"kind": "clock_offset", "for_ms": 60_000, "offset_ms": offset_ms}
            real = clock.wall_ns()
            read = walls(tmp_path, "a")
            assert (await ask(server, "POST", "/drills/fault", json=fault))[0] == 200
            shifted = (clock.wall_ns() - real) / 1e6
            assert abs(shifted - offset_ms) < 60_000
            await client.call("kv", "set", "k", "v", timeout_s=DEADLINE_S)
            jump_ms = (walls(tmp_path, "a")[-1] - read[-1]).total_seconds() * 1000
            assert abs(jump_ms - offset_ms) < 60_000, "the election log tells the time as that peer has it"
            await ask(server, "DELETE", "/drills/faults")
            assert abs(clock.wall_ns() - real) < 60e9
        assert server.status().term == term and client.status().term == term
        assert events(tmp_path, "b", "server_lost") == []


async def test_a_command_asked_for_again_after_a_clock_leapt_is_done_once(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as (peer,):
        before = await peer.call("kv", "incr", "n", idempotency_key="once")
        await ask(
            peer, "POST", "/drills/fault", json={"kind": "clock_offset", "for_ms": 60_000, "offset_ms": 7_200_000}
        )
        again = await peer.call("kv", "incr", "n", idempotency_key="once")
        assert before.result == again.result == 1


async def test_a_stalled_loop_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, "a") as (peer,):
        await ask(peer, "POST", "/drills/fault", json={"kind": "stall", "for_ms": 400})
        await until(lambda: bool(events(tmp_path, "a", "loop_stalled")))
        assert events(tmp_path, "a", "loop_stalled")[0]["stalled_ms"] > 250


@pytest.mark.slow
async def test_two_halves_that_were_cut_apart_come_together_again(tmp_path: Path) -> None:
    async with running(tmp_path, "a b") as (server, client):
        cut = {"kind": "link", "for_ms": 60_000, "peer": "b", "conditions": {"blackhole": True}}
        assert (await ask(server, "POST", "/drills/fault", json=cut))[0] == 200
        await until(lambda: client.status().role == "server")
        await ask(server, "DELETE", "/drills/faults")
        await until(lambda: following(server) == following(client) != "")


@pytest.mark.slow
async def test_a_cut_link_loses_the_server_and_comes_back(tmp_path: Path) -> None:
    async with running(tmp_path, "a b") as (server, client):
        cut = {"kind": "link", "for_ms": 60_000, "peer": "a", "conditions": {"blackhole": True}}
        assert (await ask(client, "POST", "/drills/fault", json=cut))[0] == 200
        await until(lambda: bool(events(tmp_path, "b", "server_lost")))
        await until(lambda: any(e["outcome"] == "unreachable" for e in events(tmp_path, "b", "retry_ended")))
        await ask(client, "DELETE", "/drills/faults")
        await until(lambda: following(server) == following(client) != "")


async def test_links_are_delayed_lossy_and_reset_inside_a_peer(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with running(tmp_path, "a b") as (server, client):
        delay = {"kind": "link", "for_ms": 60_000, "peer": "b", "way": "in", "conditions": {"delay_ms": 120}}
        await ask(server, "POST", "/drills/fault", json=delay)
        begun = loop.time()
        await client.call("kv", "set", "k", "late", timeout_s=DEADLINE_S)
        assert loop.time() - begun >= 0.12
        await ask(server, "DELETE", "/drills/faults")
        reset = {"kind": "link", "for_ms": 60_000, "peer": "a", "conditions": {"reset_after": 100}}
        await ask(client, "POST", "/drills/fault", json=reset)
        await until(lambda: bool(events(tmp_path, "b", "server_lost")))
        assert events(tmp_path, "b", "server_lost")[0]["evidence"] == "closed"
        await ask(client, "DELETE", "/drills/faults")
        await client.call("kv", "set", "k", "v", timeout_s=DEADLINE_S)


async def test_a_refused_link_is_refused_evidence(tmp_path: Path) -> None:
    async with running(tmp_path, "a b") as (_, client):
        refuse = {"kind": "link", "for_ms": 60_000, "peer": "a", "conditions": {"refuse": True}}
        await ask(client, "POST", "/drills/fault", json=refuse)
        await until(lambda: any(e["outcome"] == "refused" for e in events(tmp_path, "b", "retry_ended")))
        await ask(client, "DELETE", "/drills/faults")


@pytest.mark.slow
async def test_no_task_is_left_of_the_links_of_a_drill(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with running(tmp_path, "a b") as (server, client):
        for peer in (server, client):
            cut = {"kind": "link", "for_ms": 60_000, "conditions": {"blackhole": True, "delay_ms": 50}}
            await ask(peer, "POST", "/drills/fault", json=cut)
        await until(lambda: bool(events(tmp_path, "b", "server_lost")))
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before
