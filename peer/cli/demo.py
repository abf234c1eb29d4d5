"""`tanist demo`: real peers on this machine, clients that write, and a server that is killed while they do."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console

from tanist.election.settings import PACES, Safety
from tanist.peer.cli import demo_checks as checks
from tanist.peer.cli.demo_checks import Change, Check
from tanist.peer.cli.demo_display import Display
from tanist.peer.cli.demo_peers import NAMES, DemoPeers
from tanist.peer.cli.demo_story import Story
from tanist.peer.cli.demo_watch import StoryFailed, Watch
from tanist.peer.cli.demo_writers import Writers, longest_pause_s
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.electionlog.reader import read
from tanist.peer.electionlog.reigns import Reign, ReignBook

PEERS_MIN = {"survivor": 2, "quorum": 3}
"""Of fewer none could be killed with service going on: quorum mode needs a majority alive."""
STORY_S = 27.0
"""How long one telling may take: with the cleaning up the demo ends within 30 s, whatever happens."""


def run(peers: int, pace: str, once: bool, safety: str = "survivor") -> int:
    """Play the demo; gives the exit status. Raises `VerbError` if it cannot be set up, KeyboardInterrupt on Ctrl-C."""
    _check_arguments(peers, pace, safety)
    folder = Path(tempfile.mkdtemp(prefix="tanist-demo-"))
    cluster = None
    try:
        cluster = DemoPeers(NAMES[:peers], folder, pace=pace, safety=safety)
        display = Display(Console(highlight=False))
        with asyncio.Runner() as runner, display:
            return runner.run(_play(cluster, folder, display, pace=pace, safety=safety, once=once))
    finally:
        if cluster is not None:
            cluster.close()
        shutil.rmtree(folder, ignore_errors=True)


def _check_arguments(peers: int, pace: str, safety: str) -> None:
    if pace not in PACES:
        raise VerbError(Exit.USAGE, f"--pace {pace}: there is none of this name; take one of {', '.join(PACES)}")
    if safety not in set(Safety):
        raise VerbError(Exit.USAGE, f"--safety {safety}: there is no such mode; take survivor or quorum")
    if not PEERS_MIN[safety] <= peers <= len(NAMES):
        raise VerbError(
            Exit.USAGE, f"--peers {peers}: in {safety} mode the demo runs {PEERS_MIN[safety]} to {len(NAMES)} of them"
        )


async def _play(cluster: DemoPeers, folder: Path, display: Display, *, pace: str, safety: str, once: bool) -> int:
    """The story once, or again and again; gives the exit status."""
    _end_on_sigterm()
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        Watch(cluster, session) as watch,
    ):
        writers = Writers([peer.http for peer in cluster.all], session)
        entered = None if once else _lines_entered()
        while True:
            story = Story(cluster, watch, writers, display, session, pace=pace, safety=safety)
            found = await _tell(story, cluster, folder, watch, writers, display)
            if not all(check.passed for check in found):
                return Exit.FAILED
            if entered is None or not await _again(entered, cluster, display):
                return Exit.OK


async def _tell(
    story: Story, cluster: DemoPeers, folder: Path, watch: Watch, writers: Writers, display: Display
) -> list[Check]:
    """One telling, and its checks, shown."""
    display.begin(story.picture)
    try:
        async with asyncio.timeout(STORY_S):
            await story.play()
            held = await _held(cluster, watch)
    except StoryFailed as error:
        found = [Check(False, str(error))]
    except TimeoutError:
        found = [Check(False, f"the story did not end within {STORY_S:g} s; is this machine very busy?")]
    else:
        found = judge(story.changes, writers, held, *await asyncio.to_thread(_logged, cluster, folder))
    finally:
        writers.close()
        display.end()
    for check in found:
        display.check(check)
    failed = sum(not check.passed for check in found)
    display.note(f"{failed} of {len(found)} checks failed." if failed else f"All {len(found)} checks passed.", "bold")
    return found


async def _held(cluster: DemoPeers, watch: Watch) -> dict[str, list[int]]:
    """The numbers that each peer holds, asked at that very peer."""
    held = {}
    for peer in cluster.all:
        answer = await watch.ask(peer.name, "/apps/ledger/numbers?read=local")
        if answer is None:
            raise StoryFailed(f"{peer.name} does not say which numbers it holds")
        held[peer.name] = msgspec.convert(answer["result"], list[int])
    return held


def _logged(cluster: DemoPeers, folder: Path) -> tuple[list[Reign], dict[str, str]]:
    """The reigns that the peers' election logs tell of, and the peers' names by id."""
    book = ReignBook()
    names: dict[str, str] = {}
    for line in read([peer.data / "election.jsonl" for peer in cluster.all], lambda _: None):
        names[line.peer] = line.name
        book.take(line)
    return book.reigns(), names


def judge(
    changes: Sequence[Change],
    writers: Writers,
    held: Mapping[str, Sequence[int]],
    reigns: Sequence[Reign],
    names: Mapping[str, str],
) -> list[Check]:
    """All checks of one telling."""
    return [
        checks.nothing_lost([ack.number for ack in writers.acks], held),
        checks.same_everywhere(held),
        checks.no_errors(writers.problems, writers.repeated),
        checks.one_server_per_term(reigns, names),
        *(checks.outage(change, reigns, longest_pause_s(writers.acks, change.at_s, change.term)) for change in changes),
    ]


async def _again(entered: AsyncIterator[bool], cluster: DemoPeers, display: Display) -> bool:
    """Leave the peers to whoever wants to look at them; whether the story is wanted once more."""
    display.note("")
    display.note("The peers stay up; each has a page:", "bold")
    for peer in cluster.all:
        display.note(f"{peer.name:6} http://{peer.http}/")
    display.note("Enter plays the story again, Ctrl-C ends.")
    try:
        return await anext(entered)
    except asyncio.CancelledError:
        # This is the way to end that was just named, and no interruption of anything.
        _uncancel()
        return False


def _uncancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


async def _lines_entered() -> AsyncIterator[bool]:
    """True for each line that is entered; waits for ever once there are no more."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

    def hear(line: bytes) -> None:
        # Impatient Enters count once.
        with contextlib.suppress(asyncio.QueueFull):
            lines.put_nowait(line)

    def listen() -> None:
        # No buffered reader: its lock, held by a thread that waits, stops the interpreter from ending.
        with contextlib.suppress(RuntimeError, OSError, ValueError):
            while line := os.read(sys.stdin.fileno(), 1024):
                loop.call_soon_threadsafe(hear, line)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        await lines.get()
        yield True


def _end_on_sigterm() -> None:
    """SIGTERM ends the demo like Ctrl-C, so that its peers are cleaned up."""
    if sys.platform == "win32":
        return
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
