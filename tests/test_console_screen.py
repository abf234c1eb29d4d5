"""The console on a terminal: what is drawn, secrets, keys; and a whole session on a pseudo-terminal through a kill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from tanist.config import load
from tanist.peer.console.above import LINES_MAX, Above, Stream
from tanist.peer.console.remote import connected
from tanist.peer.console.screen import Screen, make_session
from tanist.peer.peer import Peer
from tanist.peer.testing import one_server
from tanist.peer.testing.face import Cluster

DEADLINE_S = 20.0


class Shown(DummyOutput):
    """A terminal that keeps what is written above the prompt."""

    def __init__(self) -> None:
        self.text = ""

    def write_raw(self, data: str) -> None:
        self.text += data.replace("\r\n", "\n")

    async def has(self, words: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while words not in self.text:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def screen(folder: Path, app: str, coloured: bool = False) -> AsyncIterator[tuple[PipeInput, Shown, Any]]:
    """A console of a peer, its keyboard, what it shows, and its end."""
    flags = {"data": str(folder / "a"), "name": "a", "pace": "fast", "listen": "127.0.0.1:0", "http": "127.0.0.1:0"}
    config = load(None, {}, {**flags, "app": ["auth", "chat", "lantern", "tictactoe"]}).config
    shown = Shown()
    with create_pipe_input() as keys, create_app_session(keys, shown):
        async with Peer(config) as peer, connected(peer.http_address, app) as remote:
            session = make_session(InMemoryHistory())
            above = Above(session.output)
            console = Screen(session, above, coloured)
            keeping = asyncio.create_task(remote.keep(console))
            running = asyncio.create_task(console.run(remote))
            try:
                yield keys, shown, running
            finally:
                for task in (keeping, running):
                    task.cancel()
                await asyncio.wait({keeping, running})


async def test_a_secret_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    async with screen(tmp_path, "auth") as (keys, shown, running):
        keys.send_text("REGISTER anna\r")
        keys.send_text('"s3cret" \\ word\r')
        await shown.has("OK")
        keys.send_text("LOGIN anna\r")
        keys.send_text("wrong\x03")
        await shown.has("not sent")
        keys.send_text("LOGIN anna\r")
        keys.send_text('"s3cret" \\ word\r')
        await shown.has("OK\nnot sent\nOK\n")
        keys.send_text("nonsense\x03KEEP a note\rDATA\r")
        await shown.has("a note")
        assert "s3cret" not in shown.text and "nonsense" not in shown.text
        keys.send_text("HELP login\rquit\r")
        async with asyncio.timeout(DEADLINE_S):
            await running
        assert "asked for without showing it" in shown.text


async def test_boards_and_lanterns_are_drawn_and_errors_are_plain(tmp_path: Path) -> None:
    async with screen(tmp_path, "tictactoe") as (keys, shown, running):
        keys.send_text("WAITING\rCREATE r\rBOARD\rMOVE 9 9\rFLY\r")
        await shown.has("there is no FLY")
        keys.send_text("\x04")
        async with asyncio.timeout(DEADLINE_S):
            await running
        assert "(none)\nOK\n   1   2   3\n1    |   |  \n" in shown.text
        assert "ERROR" not in shown.text
        # As wide as the terminal, and not broken within words.
        assert "MOVE, LEAVE,\nTABLE" in shown.text and max(map(len, shown.text.splitlines())) <= 80
    async with screen(tmp_path, "lantern", coloured=True) as (keys, shown, _):
        # What is pasted may have several lines.
        keys.send_text("\x1b[200~MESSAGE ON\nMESSAGE COLOR ff8800\nLANTERN\x1b[201~\r")
        await shown.has("on, #ff8800")
        await shown.has("» COLOR ff8800")
        assert "\x1b[38;2;255;136;0m" in shown.text


async def test_only_queries_are_watched(tmp_path: Path) -> None:
    async with screen(tmp_path, "tictactoe") as (keys, shown, _):
        keys.send_text("WATCH MOVE 1 1\rwatch nothing\rWATCH BOARD\rWATCH\rBOARD\r")
        await shown.has("only queries can be watched: TABLE, BOARD, WAITING\n" * 2)
        await shown.has("You are in no room")


async def test_what_scrolls_above_is_bounded_and_comes_in_whole_lines() -> None:
    shown = Shown()
    above = Above(shown)
    stream = Stream(above)
    stream.write("one")
    stream.write(" line\nand ha")
    above.flush()
    assert shown.text == "one line\n"
    await asyncio.to_thread(above.say, *(str(number) for number in range(LINES_MAX + 5)))
    above.flush()
    assert shown.text.count("\n") == LINES_MAX + 2 and "(5 lines did not fit" in shown.text
    stream.write("x" * (Stream.LINE_CHARS_MAX + 1))
    above.flush()
    assert len(shown.text) > Stream.LINE_CHARS_MAX


class Terminal:
    """A pseudo-terminal with a program on it."""

    def __init__(self, *arguments: str, home: Path) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 120))
        self.modes = termios.tcgetattr(slave)
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1"}
        environment |= {"XDG_STATE_HOME": str(home)}
        command = [sys.executable, "-m", "tanist.peer.cli", *arguments]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        self.slave = slave
        self.text = ""

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.master, keys.encode())

    def until(self, words: str) -> str:
        """Wait until words are shown; gives what was shown up to them since the last time."""
        deadline = time.monotonic() + DEADLINE_S
        while words not in (text := plain(self.text)):
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no {words!r} within {DEADLINE_S:g} s in {text!r}"
            self.text += os.read(self.master, 1 << 16).decode()
        before, _, after = text.partition(words)
        self.text = after
        return before

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def plain(text: str) -> str:
    """What a terminal was sent, without what moves its cursor."""
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)|\r(?=\r*\n)", "", text)


@contextlib.contextmanager
def terminal(*arguments: str, home: Path) -> Iterator[Terminal]:
    found = Terminal(*arguments, home=home)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.tanist(app="chat", clients=0, judge=False)
def test_a_session_on_a_terminal_goes_on_when_its_peer_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    server = cluster.server
    address = server.url.removeprefix("http://")
    with terminal("connect", address, "--app", "chat", home=tmp_path) as console:
        console.until("chat at ")
        console.until(f"{server.name} serves.")
        console.until("chat>")
        console.type("REGISTER anna\r")
        console.until("OK\n")
        cluster.call("chat/register", at=server, nick="bob")
        cluster.call("chat/msg", at=server, text="before")
        console.until("» [bob]: before\n")
        console.type("half a li")
        console.until("half a li")
        server.kill()
        console.until(f"-- {server.name} at {address} is lost")
        console.until("-- now at ")
        # The prompt is drawn again below it, with what was typed.
        console.until("chat>")
        assert not console.until("half a li").strip()
        # Nobody serves yet, and nobody closed the former session: it holds the nickname no more all the same.
        console.type("\x03REGISTER anna\r")
        console.until("OK\n")
        cluster.until(one_server)
        other = cluster.server
        cluster.call("chat/register", at=other, nick="carl")
        cluster.call("chat/msg", at=other, text="after")
        console.until("» [carl]: after\n")
        console.type("WHO\r")
        console.until("anna\nbob\ncarl\n")
        typed = "abcdefghijklmnopqrst"
        for number, key in enumerate(typed):
            cluster.call("chat/msg", at=other, text=f"number {number}")
            console.type(key)
        for number in range(len(typed)):
            console.until(f"» [carl]: number {number}\n")
        # Whatever came while it was typed, the line is whole: drawn anew, it shows all of it.
        console.type("\x0c")
        console.until(f"chat> {typed}")
        console.type("\x03\x04")
        assert console.process.wait(DEADLINE_S) == 0
        assert termios.tcgetattr(console.slave) == console.modes


@pytest.mark.slow
def test_a_peer_has_a_console_on_its_own_terminal(tmp_path: Path) -> None:
    given = f"--data {tmp_path / 'a'} --name anna --listen 127.0.0.1:0 --http 127.0.0.1:0 --app kv --console kv"
    for leaves in (True, False):
        with terminal("up", *given.split(), home=tmp_path) as console:
            console.until("anna is up")
            console.until("kv at anna")
            console.until("kv>")
            console.type("INCR n\r")
            console.until("2\n" if not leaves else "1\n")
            console.type("SIZE")
            if leaves:
                console.type("\x03\x04")
                console.until("the console is closed and this peer goes on")
                assert console.process.poll() is None
            console.process.terminate()
            console.until("handing over, then ending")
            assert console.process.wait(DEADLINE_S) == 0
            assert termios.tcgetattr(console.slave) == console.modes


@pytest.mark.slow
def test_a_console_ends_at_once_when_it_is_told_to(tmp_path: Path) -> None:
    given = f"--data {tmp_path / 'a'} --name anna --listen 127.0.0.1:0 --http 127.0.0.1:0 --app kv"
    with terminal("up", *given.split(), home=tmp_path) as peer:
        address = re.split(r"\s", peer.until("/\n").rpartition("http://")[2])[0]
        with terminal("shell", "kv", "--at", address, home=tmp_path) as console:
            console.until("kv>")
            console.process.terminate()
            assert console.process.wait(DEADLINE_S) == 0
            assert termios.tcgetattr(console.slave) == console.modes
        with terminal("connect", address, home=tmp_path) as console:
            console.until("kv>")
            console.type("QUIT\r")
            assert console.process.wait(DEADLINE_S) == 0
