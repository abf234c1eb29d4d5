"""Peers that come back: a killed server within the retries, whole clusters in every order, a first one alone."""

import asyncio
import itertools
from pathlib import Path

import pytest

from system.cluster import Cluster
from system.writer import Writer
from tanist.peer.drills.ports import Port
from tanist.peer.drills.process import Event

ORDERS = list(itertools.permutations("abc"))


async def restart_the_server_after(folder: Path, delay_s: float) -> None:
    """Kill the server of a classic cluster and start it again so long after, while a client writes."""
    async with Cluster(folder, pace="classic") as cluster:
        await cluster.found()
        server, other = await cluster.server(), await cluster.bystander()
        mark = cluster[server].mark()
        async with Writer(cluster, other) as writer:
            old_term = writer.acks[-1].receipt["term"]
            cluster[server].kill()
            last = len(writer.acks)
            # The length of this pause is the case that is tested: nothing is waited for.
            await asyncio.sleep(delay_s)
            assert len(writer.acks) <= last + 1
            cluster[server].start()
            await writer.more(20)
            await cluster.settled(3)
        assert writer.errors == []
        assert writer.longest_gap_s() <= 5.0
        # What it did before its start, it does not do "still".
        assert all(ack.receipt["term"]["number"] > old_term["number"] for ack in writer.acks[last + 1 :])
        assert cluster[server].events("role_changed", after=mark)[0]["fields"]["was"] == "seeking"
        # People are told names from the first line on, though nobody has introduced anybody since the start.
        now = await cluster.server()
        assert now == server or f"following {now} " in cluster[server].stderr
        await writer.must_be_everywhere()


async def test_a_server_that_is_back_within_the_retries_does_not_still_serve(tmp_path: Path) -> None:
    await asyncio.gather(*(restart_the_server_after(tmp_path / f"{after_s}", after_s) for after_s in (0.5, 2.5)))


async def off_and_on(folder: Path, orders: list[tuple[str, ...]]) -> None:
    """Kill all, start them in one order after another, write in between."""
    async with Cluster(folder) as cluster:
        await cluster.found()
        written: list[Writer] = []
        for order in orders:
            writer = await write_then_kill_all(cluster)
            written.append(writer)
            for name in order:
                cluster[name].start()
                await cluster.until_answers(name)
            await all_there(cluster, written)


async def write_then_kill_all(cluster: Cluster) -> Writer:
    """Write for a moment, kill all in the middle of it; gives what was acknowledged."""
    writer = Writer(cluster, await cluster.server())
    async with writer:
        cluster.kill_all()
        await writer.abandon()
    return writer


async def all_there(cluster: Cluster, written: list[Writer]) -> None:
    """One server, and everything that was ever acknowledged; of a last write on its way nobody knows."""
    server = await cluster.settled(3)
    for writer in written:
        writer.must_be_whole()
        value = await cluster.query(server, "kv/get", key=writer.key, read="server")
        assert int(value) in (writer.total, writer.total + 1)
        await cluster.until_everywhere(writer.key, value)


async def test_all_off_then_on_in_every_order_is_one_server_with_all_data(tmp_path: Path) -> None:
    await asyncio.gather(off_and_on(tmp_path / "1", ORDERS[:3]), off_and_on(tmp_path / "2", ORDERS[3:]))


async def test_all_off_then_on_at_the_same_moment_is_one_server_with_all_data(tmp_path: Path) -> None:
    async with Cluster(tmp_path) as cluster:
        await cluster.found()
        written = [await write_then_kill_all(cluster)]
        for peer in cluster.peers.values():
            peer.start()
        await all_there(cluster, written)


@pytest.mark.slow
async def test_a_first_peer_whose_addresses_refuse_serves_after_three_retries(tmp_path: Path) -> None:
    dead = [Port(), Port()]
    try:
        async with Cluster(tmp_path, pace="classic") as cluster:
            cluster.launch("a", *(word for port in dead for word in ("--peer", port.address)))
            await cluster.until_serves("a")
            events = cluster["a"].events()
    finally:
        for port in dead:
            port.release()
    retries = [event["fields"]["after_ms"] for event in events if event["event"] == "retry_started"]
    firsts = sorted({round(after_ms / 1500): after_ms for after_ms in reversed(retries)}.items())
    assert [number for number, _ in firsts] == [1, 2, 3]
    assert all(0 <= after_ms - 1500 * number <= 100 for number, after_ms in firsts), retries
    begun, served = named(events, "peer_started"), named(events, "reign_began")
    assert 4400 <= served["mono_ms"] - begun["mono_ms"] <= 5000


def named(events: list[Event], name: str) -> Event:
    """The first event of this name."""
    return next(event for event in events if event["event"] == name)
