"""`tanist up`: run a peer until a signal or its own end, and say on stdout who it is and how others join it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from tanist.config import ConfigError, PeerConfig
from tanist.peer.application.loading import LoadError
from tanist.peer.cli.console import console_beside
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.joining import introduction
from tanist.peer.cli.output import complain, say
from tanist.peer.cli.settings import load_settings, unusable
from tanist.peer.cli.standstill import Standstill
from tanist.peer.errors import CallError
from tanist.peer.opening import exit_code
from tanist.peer.status import Status
from tanist.peer.storage.errors import StorageError
from tanist.transport.errors import TransportError

OPEN_FILES_MAX = 65_536
"""Files and sockets this process may have open, where the system lets it raise the limit: a crowd needs them."""


class RunnablePeer(Protocol):
    """What `up` asks of a peer."""

    @property
    def http_address(self) -> str:
        """Where its page is."""

    async def start(self) -> None:
        """Start it."""

    async def stop(self, *, hand_over: bool = True) -> None:
        """End it; also one whose start was cancelled."""

    def status(self) -> Status:
        """What it says of itself."""

    @property
    def gateways(self) -> Mapping[str, str]:
        """Where its gateways listen, by `APP=PROTOCOL`."""

    async def wait_stopped(self) -> int:
        """Wait until it ends by itself; gives the exit status."""


def run_peer(file: str | None, flags: Mapping[str, object]) -> int:
    """Run a peer with the effective configuration; gives the exit status, or raises `VerbError`."""
    config = load_settings(file, flags).config
    from tanist.peer.peer import Peer

    _raise_file_limit()
    if sys.platform == "win32":
        factory = None
    else:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(serve(config, lambda: Peer(config, human=True)))


async def serve(config: PeerConfig, make_peer: Callable[[], RunnablePeer]) -> int:
    """Start a peer, introduce it, and wait for a signal or its end; gives the exit status, or raises `VerbError`."""
    stopping = asyncio.Event()
    with _signals(stopping), Standstill():
        try:
            return await _served(config, make_peer, stopping)
        except ConfigError as error:
            raise unusable(error) from None
        except (LoadError, StorageError, TransportError, CallError) as error:
            raise VerbError(Exit(exit_code(error)), str(error)) from error


async def _served(config: PeerConfig, make_peer: Callable[[], RunnablePeer], stopping: asyncio.Event) -> int:
    peer = make_peer()
    if not await _first(asyncio.create_task(peer.start()), stopping):
        await peer.stop(hand_over=False)
        return Exit.OK
    say(introduction(config, peer.status(), peer.http_address, peer.gateways))
    sys.stdout.flush()
    async with console_beside(config.console, peer.http_address):
        ended = asyncio.create_task(peer.wait_stopped())
        if await _first(ended, stopping):
            return ended.result()
    complain("handing over, then ending; Ctrl-C again ends at once")
    await peer.stop(hand_over=True)
    return Exit.OK


async def _first(working: asyncio.Task[Any], stopping: asyncio.Event) -> bool:
    """Wait for a task or for the signal; whether the task was done (then its exception is raised, if it has one)."""
    signalled = asyncio.create_task(stopping.wait())
    await asyncio.wait({working, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if working.done():
        working.result()
        return True
    working.cancel()
    await asyncio.wait({working})
    return False


@contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    """SIGTERM and the first SIGINT end the peer in order, a further SIGINT at once."""
    loop = asyncio.get_running_loop()
    interrupts = 0

    def interrupted(*_: object) -> None:
        # Not a handler of the loop: one that stands still would never come to it.
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1 or stopping.is_set():
            # At once means without a word to anybody: whoever is stuck in a hand-over wants just that.
            os._exit(Exit.INTERRUPTED)
        loop.call_soon_threadsafe(stopping.set)

    before = signal.signal(signal.SIGINT, interrupted)
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, stopping.set)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if sys.platform != "win32":
            loop.remove_signal_handler(signal.SIGTERM)


def _raise_file_limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
