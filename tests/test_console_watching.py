"""A query that is watched: asked for again, as many lines as there is room for, and through the loss of a server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.formatted_text import to_formatted_text
from prompt_toolkit.formatted_text.utils import fragment_list_to_text
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from tanist.peer.console import watching
from tanist.peer.console.above import Above
from tanist.peer.console.answers import Answer
from tanist.peer.console.remote import connected
from tanist.peer.console.screen import Screen, make_session
from tanist.peer.console.watching import Watching
from tanist.peer.testing import one_server
from tanist.peer.testing.face import Cluster

DEADLINE_S = 20.0


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def several(*lines: str) -> Answer:
    return Answer(["OK", *lines, "."])


async def test_it_is_asked_for_again_until_something_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "AGAIN_S", 0.01)
    asked: list[str] = []

    async def ask(line: str) -> Answer:
        asked.append(line)
        return several(f"{line} {asked.count(line)}", "two", "three", "an escape \x1b[31m")

    told: list[int] = []
    watched = Watching(ask, lambda: told.append(len(asked)))
    running = asyncio.create_task(watched.run())
    try:
        watched.turn_to("TABLE")
        await until(lambda: asked.count("TABLE") > 2)
        first, *rest = watched.drawn(10, 5)
        assert first == "TABLE" and rest[0] == "two" and all("\x1b" not in line for line in rest)
        assert watched.drawn(2, 80)[1] == "… and 3 lines more" and len(told) >= 3
        assert watched.drawn(0, 80) == ["… and 4 lines more"]
        watched.turn_to("BOARD")
        assert watched.drawn(10, 80) == [], "not what was watched before"
        await until(lambda: watched.drawn(10, 80)[:1] == ["BOARD 1"])
        monkeypatch.setattr(watching, "AGAIN_S", DEADLINE_S)
        watched.turn_to("MOVES")
        await until(lambda: watched.drawn(10, 80)[:1] == ["MOVES 1"])
        # What happens, or is done, may have changed it, and seldom comes alone.
        watched.look()
        watched.look()
        await until(lambda: watched.drawn(10, 80)[:1] == ["MOVES 2"])
        watched.turn_to("")
        assert watched.drawn(10, 80) == []
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_an_answer_that_comes_late_is_of_what_was_watched_then() -> None:
    answers: dict[str, asyncio.Future[Answer]] = {}

    def ask(line: str) -> Awaitable[Answer]:
        answers[line] = asyncio.get_running_loop().create_future()
        return answers[line]

    watched = Watching(ask, lambda: None)
    running = asyncio.create_task(watched.run())
    watched.turn_to("SLOW")
    await until(lambda: "SLOW" in answers)
    watched.turn_to("NOW")
    answers["SLOW"].set_result(several("old"))
    await until(lambda: "NOW" in answers)
    assert watched.drawn(10, 80) == []
    answers["NOW"].set_result(several())
    await until(lambda: watched.drawn(10, 80) == ["(none)"])
    running.cancel()


@pytest.mark.slow
@pytest.mark.tanist(app="hosts", clients=0, judge=False)
async def test_the_machines_stay_in_sight_and_go_on_when_their_server_is_killed(cluster: Cluster) -> None:
    server = cluster.server
    other = next(peer for peer in cluster.peers if peer is not server)
    with create_pipe_input() as keys, create_app_session(keys, DummyOutput()):
        async with connected(other.url.removeprefix("http://"), "hosts") as remote:
            session = make_session(InMemoryHistory())
            console = Screen(session, Above(session.output), coloured=False)

            def below() -> str:
                return fragment_list_to_text(to_formatted_text(session.bottom_toolbar))

            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(remote.keep(console))
                running = tasks.create_task(console.run(remote))
                keys.send_text("WATCH TABLE\r")
                await until(lambda: f"{server.name}, the server" in below())
                assert "Clients\nrank  name" in below() and "bandwidth MB  disk GB  status\n   1  " in below()
                server.kill()
                await until(lambda: "silent" in below())
                await asyncio.to_thread(cluster.until, one_server)
                await until(lambda: f"{cluster.server.name}, the server" in below())
                keys.send_text("WATCH\r")
                await until(lambda: "Clients" not in below())
                keys.send_text("\x04")
                await running
                keeping.cancel()
