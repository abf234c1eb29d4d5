"""`tanist packets`, `sums`, `positions` and `agent`: clients that run until they are told to end."""

import asyncio
import socket
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from tanist.peer.cli.ending import until_ended
from tanist.peer.cli.exits import Exit, VerbError
from tanist.peer.cli.output import safe, say
from tanist.transport.address import parse_address
from tanist.transport.errors import AddressError

HERE = "127.0.0.1:7480"
"""Where a peer on this machine answers unless it was told otherwise."""
EVERY_S_MIN, EVERY_S_MAX = 0.5, 3600.0
"""How often an agent may report: the monitor marks a machine as silent after 10 s."""


def run_traffic(kind: str, servers: Sequence[str]) -> int:
    """Generate traffic of a kind, until SIGTERM or Ctrl-C."""
    if not servers:
        raise VerbError(Exit.USAGE, f"where is the server? Write host:port, such as tanist {kind} 127.0.0.1:9000")
    from tanist.peer.traffic.client import make_traffic
    from tanist.peer.traffic.kinds import KINDS

    return _run(make_traffic(KINDS[kind], _addresses(servers), _show, _tell))


def run_agent(servers: Sequence[str], name: str | None, every_s: float) -> int:
    """Report this machine, until SIGTERM or Ctrl-C."""
    if not EVERY_S_MIN <= every_s <= EVERY_S_MAX:
        raise VerbError(Exit.USAGE, f"--every is {EVERY_S_MIN:g} to {EVERY_S_MAX:g} seconds")
    from tanist.peer.machine import Gauge
    from tanist.peer.traffic.agent import keep_reporting

    addresses = _addresses([server.removeprefix("http://").rstrip("/") for server in servers or [HERE]])
    read = Gauge(Path.home()).read
    return _run(keep_reporting(addresses, name or socket.gethostname(), every_s, read, _tell))


def _run(work: Coroutine[Any, Any, None]) -> int:
    asyncio.run(until_ended(work))
    return Exit.OK


def _addresses(servers: Sequence[str]) -> list[tuple[str, int]]:
    try:
        return [parse_address(server) for server in servers]
    except AddressError as error:
        raise VerbError(Exit.USAGE, f"{error}; write host:port") from error


def _show(line: str) -> None:
    say(safe(line))
    sys.stdout.flush()


def _tell(text: str) -> None:
    sys.stderr.write(f"{safe(text)}\n")
    sys.stderr.flush()
