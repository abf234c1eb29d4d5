"""What applications do at each peer by themselves: local work that comes round, and effects of events, once a peer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tanist.config import load
from tanist.peer.application import (
    Application,
    Context,
    DefinitionError,
    Event,
    Here,
    Published,
    command,
    local,
    query,
)
from tanist.peer.peer import Peer

DEADLINE_S = 20.0


class Noted(Event):
    """A line was noted."""

    template = "{text}"
    text: str


class Notebook(Application):
    """Notes that each peer also keeps in a file, and that each peer writes some of by itself."""

    lines: list[str]
    reports: dict[str, int]

    @command
    def note(self, ctx: Context, text: str) -> int:
        """Note a line."""
        self.lines.append(text)
        ctx.publish(Noted(text))
        return len(self.lines)

    @command
    def report(self, ctx: Context, name: str, rounds: int) -> None:
        """A peer reports."""
        self.reports[name] = rounds

    @query(internal=True)
    def reported(self, ctx: Context, name: str) -> int:
        """What a peer reported last."""
        return self.reports.get(name, 0)

    @local(every=0.1)
    def say(self, here: Here) -> None:
        """Each peer counts its rounds."""
        here.kept["rounds"] = here.kept.get("rounds", here.query("reported", here.name)) + 1
        here.call("report", here.name, here.kept["rounds"])

    @local(every=0.1)
    def fail(self, here: Here) -> None:
        """A bug in local work harms nothing else."""
        raise KeyError("not for the log")

    def effect(self, here: Here, happened: Published) -> None:
        """Each line goes to this peer's file."""
        if happened.fields["text"] == "bug":
            raise ValueError("not for the log either")
        with (here.folder / "lines.txt").open("a") as file:
            file.write(f"{happened.index} {happened.line}\n")


class Asking(Application):
    """Each peer asks for something all the time."""

    asked: int

    @command
    def ask(self, ctx: Context) -> int:
        """How often anybody asked."""
        self.asked += 1
        return self.asked

    @local(every=0.1)
    def go_on(self, here: Here) -> None:
        """Ask once more."""
        here.call("ask")


def lines_of(folder: Path) -> list[str]:
    path = folder / "apps" / "notebook" / "lines.txt"
    return [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []


@contextlib.asynccontextmanager
async def running(folder: Path, application: type[Application] = Notebook, **flags: object) -> AsyncIterator[Peer]:
    given = {"data": str(folder), "pace": "fast", "listen": "127.0.0.1:0", "http": "127.0.0.1:0", **flags}
    async with Peer(load(None, {}, given).config, applications={application.__name__.lower(): application()}) as peer:
        yield peer


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_every_peer_has_the_effects_once_in_order_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    one, two = tmp_path / "a", tmp_path / "b"
    async with running(one, name="a") as a, running(two, name="b", peer=[a.address]) as b:
        for i in range(5):
            await a.call("notebook", "note", f"from a {i}")
            await b.call("notebook", "note", f"from b {i}")
        await a.call("notebook", "note", "bug")
        await a.call("notebook", "note", "after the bug")
        told = [f"from {name} {i}" for i in range(5) for name in "ab"] + ["after the bug"]
        await until(lambda: lines_of(one) == told and lines_of(two) == told)
        await until(lambda: all(a.machine.query("notebook", "reported", [name], internal=True) for name in "ab"))
    log = (one / "election.jsonl").read_text()
    assert log.count("application_fault") == 2, "one bug of each, however often it happens"
    assert "KeyError at test_localwork.py:" in log and "ValueError at test_localwork.py:" in log
    assert "not for the log" not in log
    async with running(one, name="a") as a:
        await a.call("notebook", "note", "later")
        await until(lambda: lines_of(one)[-1] == "later")
        assert lines_of(one) == [*told, "later"], "what had its effect has it once"


async def test_a_peer_ends_soon_though_its_local_work_waits_for_a_server(tmp_path: Path) -> None:
    async with running(tmp_path, Asking, name="a", safety="quorum", expect=3) as peer:
        await until(lambda: bool(peer._local._open))  # it waits for a majority that never comes
    assert not peer._local._open


def test_local_work_and_effects_that_cannot_work_are_refused_with_file_and_line() -> None:
    with pytest.raises(DefinitionError, match="write local work as `def say\\(self, here: Here\\) -> None`"):

        class Wrong(Application):
            @local(every=1.0)
            def say(self) -> None: ...

    with pytest.raises(DefinitionError, match=r"test_localwork.py:\d+: say\(\): every=0: say seconds, 0.1 at least"):

        class TooOften(Application):
            @local(every=0)
            def say(self, here: Here) -> None: ...

    with pytest.raises(DefinitionError, match="write `def effect\\(self, here: Here, happened: Published\\)"):

        class Bare(Application):
            def effect(self) -> None: ...  # type: ignore[override]
