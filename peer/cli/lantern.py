"""`tanist lantern`: a lantern in the terminal."""

import asyncio
import contextlib
import os
import sys
import threading

from rich.console import Console
from rich.live import Live

from tanist.peer.cli.ending import until_ended
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import say
from tanist.peer.lantern.client import hang
from tanist.peer.lantern.commands import Lantern
from tanist.peer.lantern.drawing import drawn
from tanist.transport.address import parse_address
from tanist.transport.errors import AddressError

STAND = "127.0.0.1:9999"
"""Where the stand is unless said otherwise."""
PIPE_S = 1.0
"""Seconds in which a pipe says where the stand is, if it does: one that stays silent must not keep a lantern dark."""
PIPE_BYTES_MAX = 4096
"""Bytes of what a pipe says: an address is far shorter."""


def run_lantern(address: str | None) -> int:
    """Hang until SIGTERM or Ctrl-C; asks for the address if none is given, whoever is at the terminal, or a pipe."""
    if address is None and sys.stdin is not None:
        address = asked() if sys.stdin.isatty() else piped()
    try:
        host, port = parse_address(address or STAND)
    except AddressError as error:
        raise VerbError(Exit.USAGE, f"{error}; write host:port, such as {STAND}") from error
    return asyncio.run(_hang(host, port))


def asked() -> str:
    """What somebody at the terminal says, "" for nothing."""
    try:
        return input(f"Where is the stand? [{STAND}] ").strip()
    except EOFError:
        return ""


def piped() -> str:
    """The first line of standard input, "" if there is none."""
    said = [b""]

    def listen() -> None:
        with contextlib.suppress(OSError):
            said.append(os.read(0, PIPE_BYTES_MAX))

    # A thread, for not everywhere can a pipe be asked whether it has something; not `sys.stdin`, whose lock would
    # still be taken at the end.
    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    listening.join(PIPE_S)
    return said[-1].decode(errors="replace").partition("\n")[0].strip()


async def _hang(host: str, port: int) -> int:
    console = Console()
    await until_ended(_shown(console, host, port))
    console.print("The lantern is taken down.")
    return Exit.OK


async def _shown(console: Console, host: str, port: int) -> None:
    if not console.is_terminal:
        await hang(host, port, _tell)
        return
    with Live(drawn(Lantern(), ""), console=console, auto_refresh=False) as live:
        await hang(host, port, lambda lantern, said: live.update(drawn(lantern, said), refresh=True))


def _tell(lantern: Lantern, said: str) -> None:
    say(f"{'on, #' + lantern.color if lantern.on else 'off'}: {said}")
    sys.stdout.flush()
