"""`tanist lantern`: a lantern in the terminal."""

import asyncio
import sys

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


def run_lantern(address: str | None) -> int:
    """Hang until SIGTERM or Ctrl-C; asks for the address if none is given and somebody is there to answer."""
    if address is None:
        address = input(f"Where is the stand? [{STAND}] ").strip() if sys.stdin.isatty() else ""
    try:
        host, port = parse_address(address or STAND)
    except AddressError as error:
        raise VerbError(Exit.USAGE, f"{error}; write host:port, such as {STAND}") from error
    return asyncio.run(_hang(host, port))


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
