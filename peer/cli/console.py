"""`tanist shell`, `tanist connect` and `tanist up --console`: the console, on a terminal or piped."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TextIO, TypeVar, cast

from tanist.peer.cli.client import Client
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import complain, is_coloured
from tanist.peer.console.reaching import Unusable
from tanist.peer.console.remote import Remote, connected
from tanist.peer.electionlog.terminal import printable

STATUSES = {"no_application": Exit.USAGE}
"""Exit statuses by what is wrong with the first peer; `Exit.UNREACHABLE` for all else."""
END_S = 1.0
"""Seconds for the console of an ending peer to leave the terminal as it was; one that stands still is left."""

_Result = TypeVar("_Result")


def run_console(at: str, app: str | None) -> int:
    """A console at the peer whose page is at `at`; gives the exit status, or raises `VerbError`."""
    client = Client(at)
    if sys.stdin is None:
        raise VerbError(Exit.USAGE, "a console reads stdin, which is closed here")
    terminal = _on_terminal()
    name = app or _chosen([described["name"] for described in client.get("/apps")["apps"]], terminal)
    address = client.at.removeprefix("http://")
    try:
        return asyncio.run(_until_told(_talk(address, name) if terminal else _pipe(address, name)))
    except Unusable as error:
        raise VerbError(STATUSES.get(error.code, Exit.UNREACHABLE), error.message) from None


def _on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _chosen(names: list[str], terminal: bool) -> str:
    """The application where none was named."""
    if len(names) == 1:
        return names[0]
    if not terminal or not names:
        raise VerbError(Exit.USAGE, f"name an application with --app; there are: {', '.join(names) or 'none'}")
    from prompt_toolkit import prompt
    from prompt_toolkit.completion import WordCompleter

    try:
        return prompt(f"Which application ({', '.join(names)})? ", completer=WordCompleter(names)).strip()
    except EOFError:
        raise VerbError(Exit.USAGE, "no application was named") from None


async def _until_told(work: Coroutine[Any, Any, int]) -> int:
    """Do it until it is done, or SIGTERM says that it is enough."""
    task = asyncio.ensure_future(work)
    told = False

    def terminated() -> None:
        nonlocal told
        told = True
        task.cancel()

    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated)
    try:
        return await task
    except asyncio.CancelledError:
        if told:
            return Exit.OK
        raise


async def _pipe(address: str, app: str) -> int:
    from tanist.peer.console.piped import Printer, run

    async with connected(address, app) as remote:
        # Not sys.stdin itself: a thread waits for its lines, and the interpreter could not let go of it at the end.
        given = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
        status = await _beside(remote.keep(Printer()), run(remote, given))
    return Exit.FAILED if status is None else status


async def _talk(address: str, app: str, *, roams: bool = True) -> int:
    """On this terminal. Whatever else writes to stderr meanwhile scrolls above the prompt too."""
    from tanist.peer.console.above import Above, Stream
    from tanist.peer.console.history import history_of
    from tanist.peer.console.screen import Screen, make_session
    from tanist.peer.console.typed import without_secrets

    async with connected(address, app, roams=roams) as remote:
        signatures = remote.place.signatures
        session = make_session(history_of(app, lambda line: without_secrets(signatures, line)))
        above = Above(session.output)
        screen = Screen(session, above, is_coloured(sys.stdout))
        screen.say(*_greeting(remote, session.output.get_size().columns))
        # What it writes to was looked up before: it does not write to itself.
        with contextlib.redirect_stderr(cast(TextIO, Stream(above))):
            await _beside(remote.keep(screen), screen.run(remote))
        above.flush()
    return Exit.OK


def _greeting(remote: Remote, columns: int) -> list[str]:
    place = remote.place
    serves = f"{printable(remote.server)} serves" if remote.server else "nobody serves yet"
    about = printable(place.signatures.doc.partition("\n")[0])
    return [
        f"{printable(place.app)} at {printable(place.name)}, {place.address}; {serves}.",
        *textwrap.wrap(about, columns),
        "HELP lists the commands, Tab completes, Ctrl-D ends.",
    ]


async def _beside(keeping: Coroutine[Any, Any, None], work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """Do the work while something else keeps on; None if that ended first. Raises what either does."""
    keeper, worker = asyncio.create_task(keeping), asyncio.create_task(work)
    try:
        await asyncio.wait({keeper, worker}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = keeper.done()
        for task in (keeper, worker):
            task.cancel()
        await asyncio.wait({keeper, worker})
    if ended:
        keeper.result()
    return None if worker.cancelled() else worker.result()


@contextlib.asynccontextmanager
async def console_beside(app: str, address: str) -> AsyncIterator[None]:
    """The console of a running peer, on its terminal, for as long as the block; nothing without an application.

    It has a thread and a loop of its own: a terminal that stands still must not hold up the peer.
    """
    if not app:
        yield
        return
    if not _on_terminal():
        complain("--console needs a terminal: there is none here")
        yield
        return
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[int]]] = []

    async def talk() -> None:
        task = asyncio.ensure_future(_talk(address, app, roams=False))
        running.append((asyncio.get_running_loop(), task))
        await task
        complain("the console is closed and this peer goes on; Ctrl-C ends it")

    def run() -> None:
        try:
            asyncio.run(talk())
        except asyncio.CancelledError:
            return  # The peer ends.
        except Unusable as error:
            complain(f"no console: {error.message}")

    thread = threading.Thread(target=run, name="tanist-console", daemon=True)
    thread.start()
    try:
        yield
    finally:
        if running:
            loop, task = running[0]
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
        await asyncio.to_thread(thread.join, END_S)
