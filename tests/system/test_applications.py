"""Every application that comes along, over lines, at three peers, with the server killed in the middle.

Each is used by three clients at three peers. The third is at the server, and goes on at another peer; of the others the
connection stays. What was answered must hold, once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from random import Random
from typing import Self

import pytest

from system.cluster import DEADLINE_S, Cluster, now
from tanist.peer.application.loading import BUILT_IN
from tanist.peer.drills.ports import Port
from tanist.peer.drills.process import PeerProcess

WRITES = 20
"""Commands of one kind by one client, while the server dies."""
LOT_S = 6
"""For how long the auction's lot is open: the server dies in this time."""
SILENT_S = 8
"""After which presence takes somebody for gone: the server dies in this time too."""
PASSWORD = "s3cret-of-ada"
"""Stands in no file of any peer."""


class Client:
    """One connection: answers, and the events between them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.events: list[str] = []

    @classmethod
    async def at(cls, port: Port) -> Self:
        return cls(*await port.dialed())

    async def _line(self) -> str:
        async with asyncio.timeout(DEADLINE_S):
            line = (await self._reader.readline()).decode()
        assert line, "the connection ended"
        return line.removesuffix("\n")

    async def ask(self, line: str) -> str:
        """The first line of the answer."""
        await self.begin(line, b"")
        return await self.answer()

    async def ok(self, *lines: str) -> str:
        """What stands behind the OK that each of these must be answered with; of the last."""
        for line in lines:
            got = await self.ask(line)
            assert got.startswith("OK"), f"{line}: {got}"
        return got.removeprefix("OK").strip()

    async def lines(self, line: str) -> list[str]:
        """An answer of several lines."""
        assert await self.ask(line) == "OK"
        lines = []
        while (got := await self._line()) != ".":
            lines.append(got)
        return lines

    async def begin(self, line: str, data: bytes) -> None:
        """Send a line and bytes, and wait for nothing but room."""
        self._writer.write(line.encode() + b"\n" * bool(line) + data)
        await self._writer.drain()

    async def answer(self) -> str:
        """The first line of an answer to what was sent."""
        while not (got := await self._line()).startswith(("OK", "ERROR")):
            self.events.append(got)
        return got

    async def bytes_of(self, line: str) -> bytes:
        """An answer that is bytes."""
        size = int(await self.ok(line))
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.readexactly(size)

    async def hears(self, event: str) -> None:
        """Wait for an event."""
        while event not in self.events:
            self.events.append(await self._line())

    async def close(self) -> None:
        """Leave; a peer that was killed may have ended the connection already."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Clients:
    """Of one application: `a` and `b` at peers that live, `c` at the server; `anew` is where `c` goes on."""

    def __init__(self, a: Client, b: Client, c: Client, anew: Port, all_applied: Callable[[], Awaitable[None]]) -> None:
        self.a, self.b, self.c = a, b, c
        self._anew = anew
        self.all_applied = all_applied
        """Waits until a read at any peer sees what is acknowledged by now: reads are of the peer's own state."""

    async def again(self) -> Client:
        """The third client, that lost its peer, at another."""
        await self.c.close()
        self.c = await Client.at(self._anew)
        return self.c

    async def close(self) -> None:
        """All leave."""
        for client in (self.a, self.b, self.c):
            await client.close()


Play = Callable[[Clients], AsyncIterator[None]]
"""What clients do: up to the first `yield` while all is well, and then while the server dies and after."""


async def auction(the: Clients) -> AsyncIterator[None]:
    begun = now()
    await the.c.ok(f"OPEN vase 1 {LOT_S}")
    await the.b.ok("JOIN bob", "BID 5")
    yield
    await the.a.ok("JOIN ada", "BID 7")
    assert (await the.b.ask("BID 7")).startswith("ERROR Bid 8")
    await asyncio.gather(*(client.hears("vase goes to ada for 7") for client in (the.a, the.b)))
    assert now() - begun >= LOT_S
    assert await the.b.ask("BID 8") == "ERROR No lot is open"
    assert await the.a.lines("SOLD") == await (await the.again()).lines("SOLD") == ["vase: ada for 7"]


async def auth(the: Clients) -> AsyncIterator[None]:
    await the.a.ok(f"REGISTER ada {PASSWORD}", f"LOGIN ada {PASSWORD}", "KEEP my plans")
    yield
    assert await the.a.ok("DATA") == "my plans"
    assert (await the.b.ask("DATA")).startswith("ERROR Log in")
    assert await the.b.ask(f"LOGIN ada {PASSWORD}?") == "ERROR Wrong user or password"
    assert await (await the.again()).ok(f"LOGIN ada {PASSWORD}", "DATA") == "my plans"


async def board(the: Clients) -> AsyncIterator[None]:
    await the.c.ok("POST first")
    yield
    numbers = [await client.ok(f"POST {n}") for n in range(WRITES) for client in (the.a, the.b)]
    assert numbers == [str(n) for n in range(2, 2 * WRITES + 2)]
    await the.all_applied()
    newest_first = [f"{number}. {(number - 2) // 2}" for number in range(2 * WRITES + 1, 1, -1)]
    assert await (await the.again()).lines("READ 99") == [*newest_first, "1. first"]


async def booking(the: Clients) -> AsyncIterator[None]:
    await the.c.ok("BOOK 40 sesame")
    yield
    for n in range(1, WRITES + 1):
        answers = await asyncio.gather(*(client.ask(f"BOOK {n}") for client in (the.a, the.b)))
        assert sorted(answers) == [f"ERROR Seat {n} is booked", "OK"]
    await (await the.again()).ok("CANCEL 40 sesame")
    await the.all_applied()
    for client in (the.a, the.b, the.c):
        seats = await client.lines("SEATS")
        assert [seat for seat in seats if seat.endswith("free")] == [f"{n} free" for n in range(WRITES + 1, 41)]


async def calculator(the: Clients) -> AsyncIterator[None]:
    assert await the.c.ok("2 + 3") == "5"
    yield

    async def calculate(client: Client, by: int) -> list[str]:
        assert (await client.ask("9**9**9")).startswith("ERROR")
        assert [await client.ok(f"{n} * {by}") for n in range(WRITES)] == [str(n * by) for n in range(WRITES)]
        return [f"{n} * {by} = {n * by}" for n in range(WRITES)]

    done = await asyncio.gather(calculate(the.a, 2), calculate(the.b, 3))
    third = await the.again()
    assert await third.ok("1 - 2") == "-1"
    assert sorted(await third.lines("HISTORY 99")) == sorted(["2 + 3 = 5", *done[0], *done[1], "1 - 2 = -1"])


async def chat(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("REGISTER ada")
    await the.b.ok("REGISTER bob")
    await the.c.ok("REGISTER eve", "MSG hello")
    yield
    said = [f"[{nick}]: {n}" for nick in ("ada", "bob") for n in range(WRITES)]
    await asyncio.gather(*(c.ok(*(f"MSG {n}" for n in range(WRITES))) for c in (the.a, the.b)))
    await asyncio.gather(the.a.hears(said[-1]), the.b.hears(said[WRITES - 1]))
    assert the.b.events == ["[eve]: hello", *said[:WRITES]]
    assert the.a.events == ["[eve]: hello", *said[WRITES:]]
    third = await the.again()
    history = await third.lines("HISTORY 99")
    assert sorted(history) == sorted(["[eve]: hello", *said]), "each was said once"
    assert history == await the.a.lines("HISTORY 99") == await the.b.lines("HISTORY 99"), "in one order for all"
    assert await third.ask("REGISTER ada") == "ERROR Nickname is taken"


async def counter(the: Clients) -> AsyncIterator[None]:
    await the.c.ok("ADD 5")
    yield

    async def add(client: Client) -> None:
        await client.ok(*["ADD 1"] * WRITES)

    await asyncio.gather(add(the.a), add(the.b))
    assert int(await the.a.ok("ADD 0")) == 5 + 2 * WRITES


async def direct(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("REGISTER ada")
    await the.b.ok("REGISTER bob", "SEND ada hi")
    await the.c.ok("REGISTER eve")
    yield
    await the.b.ok(*(f"SEND ada {n}" for n in range(WRITES)))
    await the.a.hears(f"[bob]: {WRITES - 1}")
    assert the.a.events == ["[bob]: hi", *(f"[bob]: {n}" for n in range(WRITES))]
    assert the.b.events == the.c.events == []
    assert (await (await the.again()).ask("SEND ada x")).startswith("ERROR Register")


async def guess(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("START")
    await the.b.ok("START")
    await the.c.ok("START")
    first = {client: await client.ok("GUESS 50") for client in (the.a, the.b)}
    yield

    async def find(client: Client) -> None:
        low, high, guessed, tries, answer = 1, 100, 50, 1, first[client]
        while not answer.startswith("correct"):
            low, high = (guessed + 1, high) if answer == "higher" else (low, guessed - 1)
            guessed, tries = (low + high) // 2, tries + 1
            answer = await client.ok(f"GUESS {guessed}")
        assert answer == f"correct in {tries}"

    await asyncio.gather(find(the.a), find(the.b))
    assert await (await the.again()).ask("GUESS 5") == "ERROR Start a game first"


async def kv(the: Clients) -> AsyncIterator[None]:
    await the.c.ok("SET k before", "SET lock free")
    yield

    async def write(client: Client) -> list[int]:
        return [int(await client.ok("INCR n")) for _ in range(WRITES)]

    counts = await asyncio.gather(write(the.a), write(the.b))
    assert sorted(counts[0] + counts[1]) == list(range(1, 2 * WRITES + 1)), "each was done once"
    taken = [await client.ok("CAS lock free taken") for client in (the.a, the.b, await the.again())]
    assert taken == ["yes", "no", "no"]
    assert await the.c.ok("GET k") == "before"
    assert await the.b.ok("DEL k") == "yes"
    assert await the.b.ask("GET k") == "ERROR not found"
    assert await the.c.lines("KEYS") == ["lock", "n"]


async def logs(the: Clients) -> AsyncIterator[None]:
    await the.c.ok("LOG INFO before")
    yield
    await the.a.ok(*(f"LOG WARN line {n}" for n in range(WRITES)))
    texts = [line.split(" ", 2)[2] for line in await the.a.lines("TAIL 99")]
    assert texts == ["before", *(f"line {n}" for n in range(WRITES))]


async def monitor(the: Clients) -> AsyncIterator[None]:
    await the.c.ok("PUSH db 1 2 3")
    yield
    await the.a.ok("PUSH web 4 5 6")
    assert [row.split()[:4] for row in await the.a.lines("REPORT")][1:] == [
        ["db", "1.0", "2.0", "3.0"],
        ["web", "4.0", "5.0", "6.0"],
    ]
    await the.b.hears("db is silent")
    await the.b.ok("PUSH web 4 5 6")
    assert [row.endswith("silent") for row in await (await the.again()).lines("REPORT")] == [False, True, False]


async def notifications(the: Clients) -> AsyncIterator[None]:
    await the.a.ok(f"ADMIN {PASSWORD}", "BROADCAST before")
    yield
    await the.a.ok(*(f"BROADCAST {n}" for n in range(WRITES)))
    await the.b.hears(str(WRITES - 1))
    assert the.b.events == ["before", *map(str, range(WRITES))]
    assert (await (await the.again()).ask("BROADCAST x")).startswith("ERROR Only the administrator")


async def poll(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("VOTE 1")
    await the.c.ok("VOTE 3")
    yield
    assert await the.a.ask("VOTE 1") == "ERROR You have voted"
    await the.b.ok("VOTE 3")
    assert [line[-1] for line in (await the.b.lines("RESULTS"))[1:]] == ["1", "0", "2", "0"]


async def presence(the: Clients) -> AsyncIterator[None]:
    begun = now()
    await the.a.ok("HEARTBEAT ada")
    yield
    await the.b.ok("HEARTBEAT bob")
    assert [line.split(",")[0] for line in await the.b.lines("STATUS 60")] == ["ada", "bob"]
    await asyncio.gather(the.a.hears("ada is gone"), the.b.hears("ada is gone"))
    assert now() - begun >= SILENT_S
    assert not any(line.startswith("ada") for line in await (await the.again()).lines("STATUS"))


async def quiz(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("JOIN ada")
    await the.b.ok("JOIN bob")
    assert await the.a.ok("ANSWER 2") == "correct"
    yield
    assert await the.a.ask("ANSWER 2") == "ERROR You have answered"
    assert await the.b.ok("ANSWER 1") == "wrong"
    assert (await the.b.lines("QUESTION"))[0].startswith("Question 2 of 5")
    late = await the.again()
    await late.ok("JOIN eve")
    await late.hears("Question 2 of 5: How many bits are in a byte? 1. 4, 2. 8, 3. 16")
    assert await late.ok("ANSWER 2") == "correct"
    assert await the.b.lines("SCORES") == ["ada: 1", "eve: 1", "bob: 0"]


async def rps(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("MOVE rock")
    yield
    await the.b.ok("MOVE paper")
    await asyncio.gather(the.a.hears("lose"), the.b.hears("win"))
    await the.b.ok("MOVE rock")
    await the.a.ok("MOVE rock")
    await asyncio.gather(the.a.hears("draw"), the.b.hears("draw"))


async def tictactoe(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("CREATE garden")
    await the.b.ok("JOIN")
    await the.a.ok("MOVE 1 1")
    await the.b.ok("MOVE 2 2")
    yield
    assert await the.b.ask("MOVE 3 3") == "ERROR It is not your turn"
    await the.a.ok("MOVE 1 2")
    await the.b.ok("MOVE 3 3")
    assert await the.a.ok("MOVE 1 3") == "win"
    await the.b.hears("lose")
    assert (await the.b.lines("BOARD"))[-1] == "You are o: you lose"
    await the.a.ok("CREATE attic")
    await (await the.again()).ok("JOIN attic")
    await the.c.close()
    await the.a.hears("Your opponent left")


async def todo(the: Clients) -> AsyncIterator[None]:
    await the.a.ok("LOGIN ada", "ADD one")
    await the.b.ok("LOGIN ada")
    yield
    assert [await the.b.ok(f"ADD task {n}") for n in range(WRITES)] == [str(n + 2) for n in range(WRITES)]
    await the.a.hears(f"Added: {WRITES + 1} task {WRITES - 1}")
    third = await the.again()
    await third.ok("LOGIN ada", "DONE 1")
    assert len(await third.lines("LIST")) == WRITES + 1


async def files(the: Clients) -> AsyncIterator[None]:
    assert await the.a.ok("IMPORT") == str(len(FILES)) + " imported"
    yield
    await the.all_applied()
    for client in (the.a, the.b, await the.again()):
        assert len(await client.lines("LIST")) == len(FILES)
        for name, data in FILES.items():
            assert await client.bytes_of(f"GET {name}") == data
        assert (await client.ask("GET ../files.yaml")).startswith("ERROR A name leads nowhere")


async def upload(the: Clients) -> AsyncIterator[None]:
    data = FILES["big file.bin"]
    await the.a.begin("UPLOAD first 5", b"first")
    assert await the.a.answer() == "OK"
    for client in (the.b, the.c):
        await client.begin(f"UPLOAD of {client is the.b} {len(data)}", data[:2_000_000])
    yield
    await the.b.begin("", data[2_000_000:])
    assert await the.b.answer() == "OK"
    for n in range(WRITES):
        await the.a.begin(f"UPLOAD {n} 1", b"x")
        assert await the.a.answer() == "OK"
    names = {"first", "of True", *map(str, range(WRITES))}
    await the.all_applied()
    for client in (the.a, the.b, await the.again()):
        assert set(await client.lines("LIST")) == names, "of what broke off nothing"
        assert await client.bytes_of("GET of True") == data
        assert await client.bytes_of("GET first") == b"first"


FILES = {"empty": b"", "notes.txt": b"one\r\n.\ntwo\n", "big file.bin": Random(5).randbytes(4_000_000)}
"""What is in the folder that the peers of the application `files` are configured with."""

PLAYS: dict[str, Play] = {
    play.__name__: play
    for play in (
        auction, auth, board, booking, calculator, chat, counter, direct, files, guess, kv, logs, monitor,
        notifications, poll, presence, quiz, rps, tictactoe, todo, upload,
    )
}  # fmt: skip


class WithGateways(Cluster):
    """Each peer has a line gateway for each application."""

    def __init__(self, folder: Path, apps: Iterable[str], safety: str) -> None:
        super().__init__(folder, safety=safety, pace="lan")
        self._flags += [word for app in apps if app not in ("kv", "chat") for word in ("--app", app)]
        shared = folder / "shared"
        shared.mkdir()
        for name, data in FILES.items():
            (shared / name).write_bytes(data)
        given = f"apps: {{files: {{folder: shared}}, presence: {{seconds: {SILENT_S}}}}}\n"
        (folder / "files.yaml").write_text(given)
        self._flags += ["--config", str(folder / "files.yaml")]
        self.apps = list(apps)
        self.ports: dict[tuple[str, str], Port] = {}

    def launch(self, name: str, *flags: str, peers: Iterable[str] = ()) -> PeerProcess:
        for app in self.apps:
            self.ports[name, app] = Port()
        gateways = [w for app in self.apps for w in ("--gateway", f"{app}=line:{self.ports[name, app].address}")]
        return super().launch(name, *gateways, *flags, peers=peers)

    async def clients_of(self, app: str, server: str) -> Clients:
        one, two = (name for name in self.peers if name != server)
        a, b, c = [await Client.at(self.ports[name, app]) for name in (one, two, server)]
        return Clients(a, b, c, self.ports[two, app], partial(self._all_applied, (one, two)))

    async def _all_applied(self, names: tuple[str, ...]) -> None:
        known = [status["commit"] for name in names if (status := await self.status(name))]

        async def applied() -> bool:
            statuses = [await self.status(name) for name in names]
            return all(status is not None and status["applied"] >= max(known) for status in statuses)

        await self.wait_for(applied, f"{' and '.join(names)} have applied {max(known)}")

    async def until_logged_to_files(self) -> None:
        """Each peer that runs has the lines of the log server, each once, none torn, in a file of its own."""
        texts = ["INFO before", *(f"WARN line {n}" for n in range(WRITES))]

        async def there() -> bool:
            files = [peer.data / "apps/logs/lines.log" for peer in self.peers.values() if peer.running]
            written = [file.read_text() if file.exists() else "" for file in files]
            return all([line.partition(" ")[2] for line in lines.splitlines()] == texts for lines in written)

        await self.wait_for(there, "the lines of the log server stand in the file of each peer")

    async def close(self) -> None:
        await super().close()
        for port in self.ports.values():
            port.release()


async def begin(app: str, play: AsyncIterator[None]) -> None:
    try:
        await anext(play)
    except BaseException as error:
        error.add_note(f"the application {app}")
        raise


async def go_on(app: str, play: AsyncIterator[None]) -> None:
    try:
        async for _ in play:
            raise AssertionError("one middle is enough")
    except BaseException as error:
        error.add_note(f"the application {app}")
        raise


def files_with(folder: Path, text: str) -> list[Path]:
    """The files of all peers, journals and output, in which a text stands."""
    return [file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


OTHER_PROTOCOLS = {"packets", "sums", "positions", "lantern", "hosts"}
"""Applications for clients that speak no lines: they are played with their own gateways."""


def test_every_application_is_played() -> None:
    assert set(PLAYS) <= set(BUILT_IN) <= {*PLAYS, *OTHER_PROTOCOLS}


@pytest.mark.slow
@pytest.mark.parametrize("safety", ["survivor", "quorum"])
async def test_every_application_outlives_its_server(tmp_path: Path, safety: str) -> None:
    async with WithGateways(tmp_path, PLAYS, safety) as cluster, contextlib.AsyncExitStack() as leaving:
        server = await cluster.found()
        plays = {}
        for app, play in PLAYS.items():
            clients = await cluster.clients_of(app, server)
            leaving.push_async_callback(clients.close)
            plays[app] = play(clients)
        await asyncio.gather(*(begin(app, play) for app, play in plays.items()))
        await asyncio.gather(cluster.kill(server), *(go_on(app, play) for app, play in plays.items()))
        await cluster.settled()
        await cluster.until_logged_to_files()
    assert files_with(tmp_path, "my plans") and not files_with(tmp_path, PASSWORD)
