"""The proxy over real sockets: every fault bites, is counted, and leaves nothing behind."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable

import pytest
from faults_target import DEADLINE_S, Stream, Target, dial, dialler, hello

from tanist.peer.faults import Conditions, Counts, FaultProxy, Way, clear_link, set_link
from tanist.peer.faults.conditions import RESEND_MS
from tanist.transport.hello import HELLO, encode_hello

SILENCE_S = 0.15
"""How long nothing must come where nothing may: far longer than a frame takes here."""


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with Target() as target:
        yield target


@pytest.fixture
async def proxy(target: Target) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(target.address, random=random.Random(1)) as proxy:
        assert await proxy.look()
        yield proxy


async def echoed(stream: Stream, value: bytes = b"x") -> float:
    """Send a message, and wait for its echo; gives the seconds it took."""
    begun = asyncio.get_running_loop().time()
    stream.send(value)
    assert (await stream.frame())[1] == value
    return asyncio.get_running_loop().time() - begun


async def until(reached: Callable[[], bool]) -> None:
    """Wait for what happens in the proxy."""
    async with asyncio.timeout(DEADLINE_S):
        while not reached():
            await asyncio.sleep(0.005)


def met(counts: Counts) -> int:
    """How many frames the other side sent."""
    return counts.frames + counts.dropped - counts.duplicated


async def works_as_before(proxy: FaultProxy, stream: Stream) -> None:
    """Nothing of a fault is left: not on the open connection, not for a new one."""
    for number in range(20):
        await echoed(stream, b"after %d" % number)
    async with dialler(proxy.address, "later") as later:
        await echoed(later)


async def test_without_faults_all_frames_pass_in_order(proxy: FaultProxy, target: Target) -> None:
    async with dialler(proxy.address) as bob:
        values = [random.Random(n).randbytes(n * 997) for n in range(60)]
        for value in values:
            bob.send(value)
        for value in values:
            assert (await bob.frame())[1] == value
        assert proxy.diallers() == ["bob"]
        assert proxy.counts("bob", Way.IN).frames == 61
        assert proxy.counts("ann").frames == 0


async def test_delay_and_jitter_are_measured(proxy: FaultProxy) -> None:
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(delay_ms=100, jitter_ms=30), way=Way.IN)
        assert await echoed(bob) >= 0.07
        proxy.set(Conditions(delay_ms=100), way=Way.OUT)
        assert await echoed(bob) >= 0.17
        proxy.clear()
        await works_as_before(proxy, bob)


async def test_a_rule_meets_the_named_dialler_only(proxy: FaultProxy) -> None:
    async with dialler(proxy.address, "bob") as bob, dialler(proxy.address, "ann") as ann:
        proxy.set(Conditions(blackhole=True), "id-of-bob")
        bob.send(b"held")
        await echoed(ann)
        assert await bob.nothing_for(SILENCE_S)
        proxy.clear("id-of-bob")
        assert (await bob.frame())[1] == b"held"


async def test_what_is_lost_comes_late_and_all_behind_it_too(proxy: FaultProxy, target: Target) -> None:
    async with dialler(proxy.address) as bob:
        await echoed(bob)
        proxy.set(Conditions(loss=0.3), "bob", way=Way.IN)
        took = [await echoed(bob, b"%d" % number) for number in range(8)]
        lost = proxy.counts("bob", Way.IN).lost
        assert 1 <= lost <= 6 and sum(each >= RESEND_MS / 1000 for each in took) == lost
        proxy.clear()
        await works_as_before(proxy, bob)
        assert target.came[:9] == [b"x", *(b"%d" % number for number in range(8))]


async def test_dropped_and_doubled_frames_are_counted(proxy: FaultProxy, target: Target) -> None:
    target.echo = False
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(drop=0.3, duplicate=0.2), "bob", way=Way.IN)
        for number in range(1000):
            bob.send(b"%d" % number)
        await until(lambda: met(proxy.counts("bob", Way.IN)) == 1001)
        counts = proxy.counts("bob", Way.IN)
        await target.until(lambda: len(target.came) == counts.frames - 1)
        assert 200 < counts.dropped < 400 and 80 < counts.duplicated < 200
        numbers = [int(value) for value in target.came]
        assert numbers == sorted(numbers), "frames keep their order"


async def test_the_hello_is_never_dropped(proxy: FaultProxy, target: Target) -> None:
    proxy.set(Conditions(drop=1.0, duplicate=1.0))
    async with dialler(proxy.address) as bob:
        bob.send(b"lost")
        assert await bob.nothing_for(SILENCE_S)
        assert proxy.counts("bob", Way.IN).dropped == 1 and target.came == []


async def test_bandwidth_is_what_it_says(proxy: FaultProxy, target: Target) -> None:
    target.echo = False
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(bandwidth=100_000), "bob", way=Way.IN)
        begun = asyncio.get_running_loop().time()
        for _ in range(10):
            bob.send(bytes(5_000))
        await target.until(lambda: len(target.came) == 10)
        assert asyncio.get_running_loop().time() - begun >= 0.5
        proxy.clear()
        target.echo = True
        await works_as_before(proxy, bob)


async def test_a_sender_waits_when_too_much_is_on_its_way(proxy: FaultProxy, target: Target) -> None:
    target.echo = False
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(blackhole=True), "bob")
        piece = bytes(1 << 20)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * SILENCE_S):
                for _ in range(200):
                    bob.send(piece)
                    await bob.writer.drain()
        waiting = bob.writer.transport.get_write_buffer_size()
        assert waiting, "two hundred megabytes must not have gone anywhere"
        proxy.clear()
        await until(lambda: not bob.writer.transport.get_write_buffer_size())
        bob.send(b"last")
        await target.until(lambda: target.came[-1:] == [b"last"])
        assert set(target.came[:-1]) == {piece}


async def test_a_reset_comes_in_the_middle_of_a_frame(proxy: FaultProxy, target: Target) -> None:
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(reset_after=2500), "bob", way=Way.OUT)
        for _ in range(2):
            await echoed(bob, bytes(1000))
        bob.send(bytes(1000))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)) as failed:
            await bob.frame()
        if isinstance(failed.value, asyncio.IncompleteReadError):
            assert 0 < len(failed.value.partial) < 1000
        assert proxy.counts("bob").resets == 1
        await target.until(lambda: target.ends == 1)
    proxy.clear()
    async with dialler(proxy.address) as again:
        await works_as_before(proxy, again)


async def test_refused_is_really_refused_and_open_connections_are_reset(proxy: FaultProxy) -> None:
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(refuse=True))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await bob.frame()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await dial(proxy.address)
    proxy.clear()
    async with dialler(proxy.address) as again:
        await works_as_before(proxy, again)


async def test_one_dialler_can_be_refused_once_it_says_who_it_is(proxy: FaultProxy) -> None:
    proxy.set(Conditions(refuse=True), "bob")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        async with dialler(proxy.address, "bob"):
            pass
    async with dialler(proxy.address, "ann") as ann:
        await echoed(ann)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux leaves those waiting who find a full backlog")
async def test_a_blackhole_for_all_leaves_connecting_unanswered(proxy: FaultProxy) -> None:
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(blackhole=True))
        bob.send(b"held")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2 * SILENCE_S):
                await dial(proxy.address)
        proxy.clear()
        assert (await bob.frame())[1] == b"held"
        await works_as_before(proxy, bob)


async def test_a_blackhole_for_one_accepts_and_is_silent(proxy: FaultProxy, target: Target) -> None:
    proxy.set(Conditions(blackhole=True), "bob", way=Way.IN)
    bob = await dial(proxy.address)
    bob.writer.write(encode_hello(HELLO, hello("bob")))
    assert await bob.nothing_for(SILENCE_S)
    assert target.streams == [], "the target has not heard of it"
    assert proxy.diallers() == ["bob"]
    await bob.close()
    await until(lambda: proxy.diallers() == [])
    proxy.clear()
    async with dialler(proxy.address, "bob") as again:
        await works_as_before(proxy, again)
    assert len(target.streams) == 2, "and never does: it had given up"


async def test_one_way_only(proxy: FaultProxy, target: Target) -> None:
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(blackhole=True), "bob", way=Way.OUT)
        bob.send(b"heard")
        await target.until(lambda: len(target.came) == 1)
        assert await bob.nothing_for(SILENCE_S)
        proxy.clear("bob", way=Way.OUT)
        assert (await bob.frame())[1] == b"heard"


async def test_the_end_of_a_connection_is_held_back_too(proxy: FaultProxy, target: Target) -> None:
    async with dialler(proxy.address) as bob:
        await echoed(bob)
        proxy.set(Conditions(blackhole=True), "bob")
        await bob.close()
        assert await target_hears_nothing(target)
        proxy.clear()
        await target.until(lambda: target.ends == 1)


async def test_a_flapping_link_comes_and_goes(proxy: FaultProxy) -> None:
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(blackhole=True, down_ms=80, up_ms=80), "bob")
        assert await echoed(bob) >= 0.05, "it is down first"
        begun, took = asyncio.get_running_loop().time(), list[float]()
        while asyncio.get_running_loop().time() - begun < 0.5:
            took.append(await echoed(bob))
        # Upper bounds would be about this machine: each time it is up, some are quick.
        assert sum(each > 0.05 for each in took) >= 2 and min(took) < 0.05
        proxy.clear()
        await works_as_before(proxy, bob)


async def test_a_fault_ends_by_itself(proxy: FaultProxy) -> None:
    async with dialler(proxy.address) as bob:
        proxy.set(Conditions(blackhole=True), for_s=0.2)
        assert 0.15 <= await echoed(bob) < DEADLINE_S
        await works_as_before(proxy, bob)


async def test_a_dead_target_refuses_and_a_new_one_is_found() -> None:
    async with Target() as first:
        port = first.port
        async with FaultProxy(first.address, random=random.Random(1)) as proxy:
            assert await proxy.look()
            async with dialler(proxy.address) as bob:
                await first.die()
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await bob.frame()
                with pytest.raises(ConnectionRefusedError):
                    await dial(proxy.address)
            async with Target(port=port) as second:
                assert await proxy.look()
                async with dialler(proxy.address) as bob:
                    await echoed(bob)
                assert second.came == [b"x"]


async def test_a_stream_of_something_else_passes_as_it_is(proxy: FaultProxy, target: Target) -> None:
    stream = await dial(proxy.address)
    stream.writer.write(b"\xff" * 5 + b"whatever this is")
    # The target takes it for a frame that is too long, and waits for the rest of it.
    assert await stream.nothing_for(SILENCE_S)
    assert proxy.counts("").bytes == 21
    await stream.close()


async def test_nothing_is_left_of_a_proxy(target: Target) -> None:
    before = set(asyncio.all_tasks())
    async with FaultProxy(target.address, random=random.Random(1)) as proxy:
        assert await proxy.look()
        address = proxy.address
        stream = await dial(address)
        stream.writer.write(encode_hello(HELLO, hello("bob")))
        await stream.frame()
        proxy.set(Conditions(delay_ms=50), for_s=100)
        stream.send(b"on its way")
    with pytest.raises(ConnectionRefusedError):
        await dial(address)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await stream.frame()
    await stream.close()
    await target.until(lambda: target.ends == 1)
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before


async def target_hears_nothing(target: Target) -> bool:
    """Whether no connection ends at the target for a while."""
    try:
        async with asyncio.timeout(SILENCE_S):
            await target.until(lambda: target.ends > 0)
    except TimeoutError:
        return True
    return False


async def test_one_direction_between_two_peers_whoever_dialed() -> None:
    async with (
        Target() as ann,
        Target() as bob,
        FaultProxy(ann.address, random=random.Random(1)) as before_ann,
        FaultProxy(bob.address, random=random.Random(2)) as before_bob,
    ):
        assert await before_ann.look() and await before_bob.look()
        async with (
            dialler(before_bob.address, "ann") as from_ann,
            dialler(before_ann.address, "bob") as from_bob,
        ):
            proxies = {"ann": before_ann, "bob": before_bob}
            set_link(proxies, "ann", "bob", Conditions(blackhole=True))
            from_bob.send(b"arrives at ann")
            await ann.until(lambda: ann.came == [b"arrives at ann"])
            from_ann.send(b"held")
            assert await from_bob.nothing_for(SILENCE_S), "ann's answer goes the way that is cut"
            assert bob.came == []
            clear_link(proxies, "ann", "bob")
            assert (await from_bob.frame())[1] == b"arrives at ann"
            assert (await from_ann.frame())[1] == b"held"


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_befalls_a_link_frames_arrive_whole_and_in_order(
    proxy: FaultProxy, target: Target, seed: int
) -> None:
    """Delays, slowness and blackholes that come and go while frames of all sizes are sent, both ways at once."""
    chance = random.Random(seed)
    values = [chance.randbytes(chance.choice((0, 1, 4, 5, 300, 20_000))) for _ in range(150)]
    async with dialler(proxy.address) as bob:

        async def send() -> None:
            for value in values:
                bob.send(value)
                if chance.random() < 0.2:
                    await asyncio.sleep(0.001)
                if chance.random() < 0.1:
                    worse = Conditions(
                        delay_ms=chance.choice((0, 1, 10)),
                        jitter_ms=chance.choice((0, 5)),
                        bandwidth=chance.choice((0, 3_000_000)),
                        blackhole=chance.random() < 0.3,
                    )
                    proxy.set(worse, chance.choice(("bob", None)), way=chance.choice(list(Way)), for_s=0.05)

        sending = asyncio.create_task(send())
        for number, value in enumerate(values):
            assert (await bob.frame())[1] == value, f"frame {number}"
        await sending
        assert target.came == values
