"""Hosts with addresses of their own: what dies, vanishes, or is cut off there, and what its peers say it was.

On one machine's loopback nothing is ever unreachable. Here the network is real: see hosts.py.
"""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from system.hosts import Hosts, inhabitants, why_not
from system.writer import Writer

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
cuts = pytest.mark.skipif(bool(why_not("nft")), reason=why_not("nft"))
shapes = pytest.mark.skipif(bool(why_not("tc")), reason=why_not("tc"))


@pytest.mark.slow
async def test_a_killed_process_is_refused_by_its_host_three_times_and_the_heir_serves(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan") as cluster:
        await cluster.found()
        old, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        async with Writer(cluster, other) as writer:
            cluster[old].kill()
            await cluster.until_serves(heir)
            await writer.more(20)
            assert cluster.evidence(heir) == ["closed", "refused", "refused", "refused"]
            cluster[old].start()
            assert await cluster.settled(3) == heir
        assert writer.errors == []
        await writer.must_be_everywhere()


@pytest.mark.slow
@cuts
async def test_cut_off_a_quorum_server_acknowledges_nothing_and_the_majority_serves_on(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan", safety="quorum") as cluster:
        await cluster.found()
        old, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        majority = [name for name in cluster.peers if name != old]
        async with Writer(cluster, other) as writer:
            cluster.net.partition([old], majority)
            await cluster.until_logged(old, "reign_ended")
            status, _ = await cluster.call(old, "kv/set", "", 0.2, key="minority", value="1")
            assert status in (503, 504)
            await writer.more(20)
            assert_half_open(cluster, heir)
            cluster.net.heal()
            assert await cluster.settled(3) in majority
        assert writer.errors == []
        await writer.must_be_everywhere()
        assert_one_server_a_number(cluster)


@cuts
@pytest.mark.slow
async def test_both_sides_of_a_survivor_split_go_on_and_afterwards_one_log_has_all(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan") as cluster:
        await cluster.found()
        old, other = await cluster.server(), await cluster.bystander()
        rest = [name for name in cluster.peers if name != old]
        async with Writer(cluster, other) as here, Writer(cluster, old) as there:
            cluster.net.partition([old], rest)
            for writer in (here, there):
                await writer.more(50)
            assert len(await cluster.servers()) == 2
        # What is on its way when they meet again may be archived only: so all that was written is acknowledged by now.
        cluster.net.heal()
        await cluster.settled(3)
        # Each side wrote keys of its own only: whichever history goes on, the other's are submitted again to it.
        assert (here.errors, there.errors) == ([], [])
        for writer in (here, there):
            await cluster.until_everywhere(writer.key, str(len(writer.acks)))


@pytest.mark.slow
async def test_a_host_that_vanishes_leaves_open_connections_and_is_missed_all_the_same(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan") as cluster:
        await cluster.found()
        old, heir, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        async with Writer(cluster, other) as writer:
            cluster.net.unplug(old)
            await writer.more(20)
            assert_half_open(cluster, heir)
            cluster.net.heal()
            await cluster.settled(3)
        assert writer.errors == []
        await writer.must_be_everywhere()


@pytest.mark.slow
async def test_without_a_route_each_retry_is_unreachable_at_once(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan") as cluster:
        await cluster.found()
        old, other = await cluster.server(), await cluster.bystander()
        rest = [name for name in cluster.peers if name != old]
        mark = cluster[other].mark()
        async with Writer(cluster, other) as writer:
            for name in rest:
                cluster.net.unroute(name, old)
                cluster.net.unroute(old, name)
            await writer.more(20)
            ended = cluster[other].events("retry_ended", after=mark)
            assert {event["fields"]["outcome"] for event in ended} == {"unreachable"}, ended
            assert all("No route to host" in event["fields"]["detail"] for event in ended), ended
            cluster.net.heal()
            await cluster.settled(3)
        assert writer.errors == []
        await writer.must_be_everywhere()


@cuts
@pytest.mark.slow
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
@pytest.mark.parametrize("deaf", ["a client", "the server", "everyone but the server"])
async def test_a_cut_of_one_direction_ends_with_one_server_and_all_writes(
    tmp_path: Path, safety: str, deaf: str
) -> None:
    async with Hosts(tmp_path, pace="lan", safety=safety) as cluster:
        await cluster.found("abc")
        server, other = await cluster.server(), await cluster.bystander()
        others = [name for name in cluster.peers if name != server]
        async with Writer(cluster, other) as writer:
            match deaf:
                case "a client":
                    cluster.net.cut(server, next(name for name in others if name != other))
                case "the server":
                    for name in others:
                        cluster.net.cut(name, server)
                case _:
                    cluster.net.cut(server, *others)
            await writer.more(100)
            cluster.net.heal()
            await cluster.settled(3)
            await writer.more(20)
        assert writer.errors == []
        await writer.must_be_everywhere()
        if safety == "quorum":
            assert_one_server_a_number(cluster)


@cuts
@pytest.mark.slow
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_a_link_that_flaps_costs_one_client_its_server_and_nobody_else(tmp_path: Path, safety: str) -> None:
    async with Hosts(tmp_path, pace="lan", safety=safety) as cluster:
        await cluster.found()
        server, flapping, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        mark = cluster[server].mark()
        async with Writer(cluster, other) as writer:
            for down_s in (0.3, 1.5, 0.3, 2.5, 0.7, 0.3):
                cluster.net.partition([server], [flapping])
                # How long the link is down and up again is the case that is tested: nothing is waited for.
                await asyncio.sleep(down_s)
                cluster.net.heal()
                await asyncio.sleep(0.3)
            await cluster.settled(3)
            await writer.more(20)
        assert writer.errors == []
        # The heir asks the other peer before it stands, and that one has its server.
        assert await cluster.server() == server
        assert cluster[server].events("reign_began", "reign_ended", after=mark) == []
        await writer.must_be_everywhere()


@pytest.mark.slow
async def test_a_peer_that_comes_back_at_another_address_is_the_same_member_and_can_serve(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan") as cluster:
        await cluster.found()
        server, mover = await cluster.server(), await cluster.heir()
        moved = cluster[mover]
        moved.kill()
        moved.address = cluster.net.move(mover)
        moved.start()
        await cluster.settled(3)
        assert await knows(cluster, server, moved.address)
        last = next(name for name in cluster.peers if name not in (server, mover))
        async with Writer(cluster, last) as writer:
            cluster[server].signal(signal.SIGTERM)
            await cluster[server].ended()
            await writer.more(20)
            cluster[server].start()
            await cluster.settled(3)
        assert writer.errors == []
        await writer.must_be_everywhere()


@pytest.mark.slow
async def test_a_peer_whose_host_gets_another_address_is_reached_there_and_can_serve(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan") as cluster:
        cluster.everywhere = True
        await cluster.found("abc")
        server, mover, other = await cluster.server(), await cluster.heir(), await cluster.bystander()
        moved = cluster[mover]
        async with Writer(cluster, other) as writer:
            moved.address = cluster.net.move(mover)
            # Nobody tells it: its connections fall silent, and the next one says where it is.
            await cluster.wait_for(lambda: knows(cluster, other, moved.address), "everybody knows the new address")
            assert await cluster.settled(3) == server
            await writer.more(20)
            cluster[server].kill()
            await cluster.until_serves(mover)
            await writer.more(20)
            # A stranger knows of it by others' word alone.
            cluster.launch("d", peers=[other])
            await cluster.wait_for(lambda: knows(cluster, "d", moved.address), "a newcomer finds it there")
            await cluster.settled(4)
        assert writer.errors == []
        await writer.must_be_everywhere()


@shapes
@pytest.mark.slow
async def test_a_newcomer_behind_a_slow_link_is_brought_up_to_date_without_a_loss(tmp_path: Path) -> None:
    async with Hosts(tmp_path, pace="lan") as cluster:
        await cluster.found()
        server = await cluster.server()
        for i in range(32):
            status, answer = await cluster.call(server, "kv/set", key=f"big{i}", value="x" * 30_000)
            assert status == 200, answer
        cluster.add("d")
        cluster.net.slow_down("d", 1000)
        mark = cluster[server].mark()
        cluster.launch("d", peers=[server])
        async with Writer(cluster, server) as writer:
            await cluster.settled(4, deadline_s=60)
        assert writer.errors == []
        assert not cluster[server].events("reign_ended", after=mark)
        assert not cluster["d"].events("server_lost")
        await writer.must_be_everywhere()


async def test_a_run_that_is_killed_leaves_no_namespace(tmp_path: Path) -> None:
    program = "import sys; from system.hosts import Namespace; n = Namespace(); print(n.inode, flush=True); input()"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    inode = int(await process.stdout.readline())
    assert inhabitants(inode)
    process.kill()
    await process.wait()
    async with asyncio.timeout(10):
        while inhabitants(inode):
            await asyncio.sleep(0.02)


async def knows(cluster: Hosts, at: str, address: str) -> bool:
    """Whether a peer has a member with this address."""
    status = await cluster.status(at)
    return status is not None and address in {member["address"] for member in status["members"]}


def assert_half_open(cluster: Hosts, heir: str) -> None:
    """The heir's log tells of a server behind a broken network.

    The open connection is silent, perhaps still to the first retry, which asks through it; only then is it closed, and
    new ones cannot be made. Others may vote for the heir before their own retries are over.
    """
    lost, first, *later = cluster.evidence(heir)
    assert lost == "silent"
    assert first in ("silent", "unreachable")
    assert later == ["unreachable", "unreachable"]


def assert_one_server_a_number(cluster: Hosts) -> None:
    """No number was won by two peers, as their election logs tell."""
    won = [
        event["fields"]["term"].partition("@")[0]
        for peer in cluster.peers.values()
        for event in peer.events("reign_began")
    ]
    assert len(won) == len(set(won)), won
