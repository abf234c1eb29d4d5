"""The agent: reports this machine to a monitor, over the lines or the HTTP of any peer, whichever answers there."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus

import msgspec

from tanist.peer.machine import Figures
from tanist.peer.traffic.redialing import Address, keep_talking
from tanist.transport.address import format_address

ANSWER_S = 8.0
"""Seconds for an answer: longer than a failover takes, and sooner than the monitor takes this machine for silent."""
ANSWER_BYTES_MAX = 64 * 1024
"""Bytes of an answer over HTTP: a report's is short."""
EVENTS_MAX = 10_000
"""Lines between a report and its answer: other machines' news."""


async def keep_reporting(
    servers: Sequence[Address],
    name: str,
    every_s: float,
    read: Callable[[], Figures],
    tell: Callable[[str], None],
) -> None:
    """Report this machine, called `name`, every so often, for ever; cancel to end. `read` may block."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port, *_ = writer.get_extra_info("peername")
        where, over_http, told = format_address(host, port), False, None
        while True:
            figures = await asyncio.to_thread(read)
            async with asyncio.timeout(ANSWER_S):
                try:
                    refused = await (
                        _post(host, port, name, figures) if over_http else _push(reader, writer, name, figures)
                    )
                except _IsHttp:
                    over_http = True
                    continue
            if refused != told:
                tell(f"refused at {where}: {refused}" if refused else f"{name} reports to {where}")
                told = refused
            await asyncio.sleep(every_s)

    await keep_talking(servers, talk, tell)


class _IsHttp(Exception):
    """What answers takes no lines."""


async def _push(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str, figures: Figures) -> str:
    """Report by a line; "" if it was taken, or why not. Raises _IsHttp."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    # The empty lines are for HTTP, which says nothing before; the line protocol does not mind.
    line = f'PUSH "{quoted}" {figures.cpu:.1f} {figures.ram:.1f} {figures.disk:.1f}\r\n\r\n'
    writer.write(line.encode())
    await writer.drain()
    for _ in range(EVENTS_MAX):
        said = await _line(reader)
        word, _, rest = said.strip().partition(" ")
        if word == "OK":
            return ""
        if word == "ERROR":
            return rest
        if word.startswith("HTTP/"):
            raise _IsHttp
        if not said.endswith("\n"):
            break
    raise EOFError


async def _post(host: str, port: int, name: str, figures: Figures) -> str:
    """Report by a request, a connection each; "" if it was taken, or why not."""
    body = msgspec.json.encode({"name": name, "cpu": figures.cpu, "ram": figures.ram, "disk": figures.disk})
    head = f"POST /apps/monitor/push HTTP/1.1\r\nHost: {format_address(host, port)}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(head.encode() + body)
        status = (await _line(reader)).split()[1:2]
        if not status:
            raise EOFError
        rest = b""
        while len(rest) < ANSWER_BYTES_MAX and (more := await reader.read(ANSWER_BYTES_MAX)):
            rest += more
    finally:
        writer.close()
    return "" if status == [str(HTTPStatus.OK.value)] else _error(rest)


async def _line(reader: asyncio.StreamReader) -> str:
    """The next line. Raises EOFError for one without measure."""
    try:
        return (await reader.readline()).decode(errors="replace")
    except ValueError:
        raise EOFError from None


def _error(answer: bytes) -> str:
    try:
        return str(msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["error"]["message"])
    except (msgspec.DecodeError, LookupError, TypeError):
        return "what answers there is no peer"
