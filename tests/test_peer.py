"""Running peers in one process, over real sockets and real disks: what a program that embeds them relies on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tanist.config import PeerConfig, load
from tanist.election.history import Term
from tanist.election.roles import Role
from tanist.peer import Application, Context, Peer, Refused, command, query
from tanist.peer.application.events import Published
from tanist.peer.errors import BadRequest, CallError, KeyReused, NoMajority, NoServer, NotFound, UnknownOutcome
from tanist.peer.storage.errors import DataLocked
from tanist.transport.errors import ListenError

DEADLINE_S = 20.0


class Notes(Application):
    """Notes, with reminders."""

    notes: dict[int, str]
    reminded: list[str]

    @command
    def add(self, ctx: Context, text: str) -> int:
        """Add a note; gives its number."""
        if not text:
            raise Refused("an empty note", "empty")
        number = len(self.notes) + 1
        self.notes[number] = text
        return number

    @command
    def remind(self, ctx: Context, text: str, after_s: float) -> int:
        """Remind of something later."""
        return ctx.after(after_s, "due", text)

    @command(internal=True)
    def due(self, ctx: Context, text: str) -> None:
        """A reminder is due."""
        self.reminded.append(text)

    @query
    def all(self, ctx: Context) -> list[str]:
        """All notes."""
        return list(self.notes.values())

    @query
    def reminders(self, ctx: Context) -> list[str]:
        """What was reminded of."""
        return self.reminded


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that the loop makes true, with a deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0)


def config(directory: Path, name: str, **flags: object) -> PeerConfig:
    given: dict[str, object] = {"name": name, "data": str(directory / name), "pace": "fast", "app": ["kv", "chat"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    return load(None, {}, given).config


def started(directory: Path, name: str, **flags: object) -> Peer:
    return Peer(config(directory, name, **flags), applications={"notes": Notes()})


@contextlib.asynccontextmanager
async def cluster(directory: Path, names: str = "a b c") -> AsyncIterator[list[Peer]]:
    """Peers that found each other, the first of them serving."""
    peers: list[Peer] = []
    try:
        for name in names.split():
            peer = started(directory, name, **({"peer": [peers[0].address]} if peers else {}))
            await peer.start()
            peers.append(peer)
        size = len(peers)
        await until(lambda: all(len(p.status().members) == size and p.status().server is not None for p in peers))
        listed = peers[0].status
        await until(lambda: [entry.in_sync for entry in listed().fallbacks] == [True] * (size - 1))
        await until(lambda: any(entry.counts for entry in listed().fallbacks))
        yield peers
    finally:
        for peer in reversed(peers):
            await peer.stop(hand_over=False)


async def test_a_call_on_any_peer_is_done_everywhere_and_says_how_safely(tmp_path: Path) -> None:
    async with cluster(tmp_path) as peers:
        for number, peer in enumerate(peers, 1):
            reply = await peer.call("notes", "add", f"note {number}")
            assert reply.result == number
            assert reply.receipt.term.number == 1
            assert reply.receipt.durability in ("heir", "majority", "all")
            assert await peer.query("notes", "all") == [f"note {n}" for n in range(1, number + 1)]
        digests = set()
        for peer in peers:
            await peer.query("notes", "all", read="server")
            digests.add(peer.machine.digest())
        assert len(digests) == 1


async def test_calls_in_flight_are_answered_in_order_and_once(tmp_path: Path) -> None:
    async with cluster(tmp_path) as peers:
        calls = [peers[2].call("notes", "add", f"{i}") for i in range(500)]
        results = [reply.result for reply in await asyncio.gather(*calls)]
        assert results == list(range(1, 501))


async def test_what_is_wrong_with_a_call_is_an_error_of_its_own(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a b") as (_, peer):
        with pytest.raises(NotFound, match=r"no application 'nothing'.*there are: chat, kv, notes"):
            await peer.call("nothing", "add")
        with pytest.raises(NotFound, match="frobnicate"):
            await peer.call("notes", "frobnicate")
        with pytest.raises(BadRequest, match="text"):
            await peer.call("notes", "add", 7)
        with pytest.raises(Refused, match="an empty note") as refused:
            await peer.call("notes", "add", "")
        assert refused.value.code == "empty"
        with pytest.raises(NotFound):
            await peer.call("notes", "due", "internal commands have no way in")


async def test_an_idempotency_key_gives_the_first_answer_at_every_peer(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (a, b, c):
        first = await b.call("notes", "add", "once", idempotency_key="k1")
        again = await c.call("notes", "add", "once", idempotency_key="k1")
        assert first.result == again.result == 1
        with pytest.raises(KeyReused):
            await a.call("notes", "add", "something else", idempotency_key="k1")
        assert await a.query("notes", "all") == ["once"]


async def test_reads_at_the_server_see_what_was_acknowledged_elsewhere(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (a, b, c):
        for number in range(20):
            await b.call("kv", "set", "k", str(number))
            for read in ("server", "linearizable"):
                assert await c.query("kv", "get", "k", read=read) == str(number)
        assert await a.query("kv", "get", "k") == "19"


async def test_a_hand_over_loses_no_call_and_tells_who_serves(tmp_path: Path) -> None:
    async with cluster(tmp_path) as peers:
        a, b, c = peers
        promoted: list[tuple[str, Term]] = []
        demoted: list[tuple[str, Term]] = []
        for peer in peers:
            peer.on_promoted.append(lambda term, p=peer: promoted.append((p.config.name, term)))  # type: ignore[misc]
            peer.on_demoted.append(lambda term, p=peer: demoted.append((p.config.name, term)))  # type: ignore[misc]
        calls = [asyncio.create_task(c.call("notes", "add", str(i))) for i in range(200)]
        name = await a.hand_over("b")
        assert name == "b"
        results = [reply.result for reply in await asyncio.gather(*calls)]
        assert results == list(range(1, 201))
        assert [(n, t.number) for n, t in promoted] == [("b", 2)]
        assert [(n, t.number) for n, t in demoted] == [("a", 1)]
        assert b.core.role is Role.SERVER
        with pytest.raises(CallError, match=r"b at .* does"):
            await a.hand_over()
        with pytest.raises(CallError, match="nowhere is not among the fallbacks"):
            await b.hand_over("nowhere")
        assert (await b.call("notes", "add", "goes on")).result == 201


async def test_timers_fire_once_on_every_peer_also_after_a_hand_over(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (a, b, c):
        await c.call("notes", "remind", "soon", 0.01)
        await c.call("notes", "remind", "later", 0.3)
        await a.hand_over()
        await until(lambda: len(c.machine.query("notes", "reminders")) == 2)
        for peer in (a, b, c):
            await peer.query("notes", "all", read="server")
            assert peer.machine.query("notes", "reminders") == ["soon", "later"]


async def test_events_of_applications_and_of_the_cluster_come_in_log_order_and_resume(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (_, b, c):
        heard: list[tuple[int, int, str]] = []
        await b.call("chat", "register", "ann")
        start = (b.machine.applied, 1_000_000_000)

        async def listen(position: tuple[int, int] | None, count: int) -> None:
            async for event in c.events_after(position):
                if isinstance(event, Published):
                    heard.append((event.index, event.number, event.line))
                    if len(heard) == count:
                        return

        async with asyncio.timeout(DEADLINE_S):
            await c.query("chat", "who", read="server")
            listener = asyncio.create_task(listen(None, 3))
            await asyncio.sleep(0)
            for text in ("one", "two", "three"):
                await b.call("chat", "msg", text)
            await listener
            assert [line for *_, line in heard] == ["[ann]: one", "[ann]: two", "[ann]: three"]
            first = heard[0][:2]
            heard.clear()
            await listen(first, 2)
            assert [line for *_, line in heard] == ["[ann]: two", "[ann]: three"]
            with pytest.raises(BadRequest, match="nothing is known behind"):
                await listen((10**9, 0), 1)
        assert first > start


async def test_everything_is_there_after_all_were_off(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (_, b, c):
        for i in range(50):
            await (b, c)[i % 2].call("notes", "add", str(i))
    async with cluster(tmp_path, "c a b") as peers:
        expected = [str(i) for i in range(50)]
        for peer in peers:
            assert await peer.query("notes", "all", read="server") == expected


async def test_a_peer_far_behind_takes_a_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("snapshot: {every: 20, keep: 5}\n")

    def small(name: str, **flags: object) -> Peer:
        given: dict[str, object] = {"name": name, "data": str(tmp_path / name), "pace": "fast", "app": ["kv"]}
        given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
        return Peer(load(file, {}, given).config)

    async with small("a") as a, small("b", peer=[a.address]) as b:
        await until(lambda: b.status().server is not None)
        for i in range(200):
            await b.call("kv", "set", f"k{i}", str(i))
        await until(lambda: a.core.node.log.first > 1)
        async with small("c", peer=[a.address]) as c:
            await until(lambda: c.status().server is not None and c.machine.applied >= 200)
            assert await c.query("kv", "get", "k0", read="server") == "0"
            assert await c.query("kv", "get", "k199", read="server") == "199"
            assert c.core.node.log.first > 1
            await b.call("kv", "set", "after", "x")
            await until(lambda: c.machine.query("kv", "get", ["after"]) == "x")


async def test_a_restarted_peer_begins_from_its_own_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("snapshot: {every: 10, keep: 0}\n")
    given: dict[str, object] = {"name": "a", "data": str(tmp_path / "a"), "pace": "fast", "app": ["kv"]}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    async with Peer(load(file, {}, given).config) as a:
        await until(lambda: a.status().server is not None)
        for i in range(60):
            await a.call("kv", "set", f"k{i}", str(i))
        await until(lambda: a.core.node.snapshot is not None and a.core.node.snapshot.index >= 40)
    async with Peer(load(file, {}, given).config) as a:
        await until(lambda: a.status().server is not None)
        assert [await a.query("kv", "get", f"k{i}", read="server") for i in (0, 30, 59)] == ["0", "30", "59"]


class Sloppy(Application):
    """Keeps numbers where it declares texts."""

    texts: list[str]

    @command
    def add(self, ctx: Context, number: int) -> int:
        """Add."""
        self.texts.append(number)  # type: ignore[arg-type]
        return len(self.texts)


async def test_state_that_nobody_could_begin_with_is_told_of_and_takes_the_place_of_no_log(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("snapshot: {every: 10, keep: 0}\n")
    given: dict[str, object] = {"name": "a", "data": str(tmp_path / "a"), "pace": "fast"}
    given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0"}

    def told() -> bool:
        lines = (tmp_path / "a" / "election.jsonl").read_text(encoding="utf-8")
        return "the state of sloppy is not of its declared types: Expected `str`, got `int` - at `$.texts[" in lines

    for begun in (0, 30):
        async with Peer(load(file, {}, given).config, applications={"sloppy": Sloppy()}) as a:
            await until(lambda: a.status().server is not None)
            assert (await a.call("sloppy", "add", 0)).result == begun + 1
            for n in range(29):
                await a.call("sloppy", "add", n)
            await until(told)
            assert a.core.node.snapshot is None


async def test_without_a_server_a_call_was_certainly_not_done(tmp_path: Path) -> None:
    lonely = started(tmp_path, "a", safety="quorum", expect=3)
    async with lonely as a:
        with pytest.raises(NoServer, match=r"certainly not done") as raised:
            await a.call("notes", "add", "x", timeout_s=0.1)
        assert "not founded yet: 1 of 3" in str(raised.value)
        with pytest.raises(NoServer):
            await a.query("notes", "all")
        with pytest.raises(NoServer):
            await a.query("notes", "all", read="linearizable", timeout_s=0.1)


async def test_without_a_majority_an_answer_is_unknown_and_then_none_is_begun(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    peers: list[Peer] = []
    for name in names:
        others = [p.address for p in peers]
        peer = started(tmp_path, name, safety="quorum", expect=3, **({"peer": others} if others else {}))
        await peer.start()
        peers.append(peer)
    await until(lambda: all(p.status().server is not None and len(p.status().members) == 3 for p in peers))
    server = next(p for p in peers if p.core.role is Role.SERVER)
    rest = [p for p in peers if p is not server]
    assert (await server.call("notes", "add", "first")).receipt.durability in ("majority", "all")
    for peer in rest:
        await peer.stop(hand_over=False)
    with pytest.raises((UnknownOutcome, NoServer)):
        await server.call("notes", "add", "second", timeout_s=0.2)
    await until(lambda: server.core.role is Role.SEEKING)
    with pytest.raises(NoMajority, match="no majority: 1 of 3 voters are here, 2 are needed"):
        await server.call("notes", "add", "third", timeout_s=0.1)
    await server.stop()


async def test_a_taken_name_is_refused_with_exit_status_5(tmp_path: Path) -> None:
    async with cluster(tmp_path, "a b") as (a, _):
        given = config(tmp_path / "other", "b", peer=[a.address])
        peer = Peer(given)
        await peer.start()
        async with asyncio.timeout(DEADLINE_S):
            assert await peer.wait_stopped() == 5


async def test_one_process_a_data_directory(tmp_path: Path) -> None:
    async with started(tmp_path, "a"):
        with pytest.raises(DataLocked, match="a"):
            await started(tmp_path, "a").start()


async def test_a_given_address_never_moves_and_a_failed_start_leaves_nothing_open(tmp_path: Path) -> None:
    async with started(tmp_path, "a") as a:
        taken = started(tmp_path, "b", listen=a.address)
        with pytest.raises(ListenError, match=a.address):
            await taken.start()
        async with started(tmp_path, "b") as b:
            assert b.address != a.address
    async with started(tmp_path, "c", listen=a.address) as c:
        assert c.address == a.address


async def test_sessions_of_a_peer_that_is_gone_are_closed(tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text("session: {timeout_s: 1}\n")

    def short(name: str, **flags: object) -> Peer:
        given: dict[str, object] = {"name": name, "data": str(tmp_path / name), "pace": "fast", "app": ["chat"]}
        given |= {"listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
        return Peer(load(file, {}, given).config)

    async with short("a") as a, short("b", peer=[a.address]) as b:
        await until(lambda: b.status().server is not None)
        await b.call("chat", "register", "ann")
        with pytest.raises(Refused, match="taken"):
            await a.call("chat", "register", "ann")
        # Its process dies without a word: only the sockets end.
        b._driver.stop()
        assert b._transport is not None
        await b._transport.close()
        await until(lambda: not a.machine.query("chat", "who"))
        assert (await a.call("chat", "register", "ann")).result == "OK"


@pytest.mark.parametrize("part", ["the election", "the application", "a chore"])
async def test_a_peer_in_which_anything_fails_ends_whole_and_another_serves(
    tmp_path: Path, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Better no peer than half of one: it must not go on with its heartbeats while it does nothing else."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context.get("exception")))
    async with cluster(tmp_path, "a b") as (first, second):
        reply = await second.call("notes", "add", "kept")

        def fails(*_: object) -> None:
            raise KeyError("a bug")

        match part:
            case "the election":
                first._driver.core.step = fails  # type: ignore[method-assign,assignment]
            case "the application":
                first._replica.apply = fails  # type: ignore[method-assign,assignment]
            case "a chore":
                first._chores.after_turn = fails  # type: ignore[method-assign]
        calling = asyncio.ensure_future(second.call("notes", "add", "after the bug", timeout_s=DEADLINE_S))
        async with asyncio.timeout(DEADLINE_S):
            assert await first.wait_stopped() == 1
        assert (reply.result, (await calling).result) == (1, 2)
        later = await second.call("notes", "add", "later", timeout_s=DEADLINE_S)
        assert (later.result, later.receipt.term.holder) == (3, second.core.node.me.id)
        assert any(isinstance(error, KeyError) for error in told), "it says what went wrong"
