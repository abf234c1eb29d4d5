"""`--gateway hosts=report:3012`: machines outside the cluster report their load, a connection each time.

A report is nine lines, then the sender half-closes: its id (`No-Id` at first), its IP (`No-Ip` at first), its name,
CPU in %, RAM used in MB, free bandwidth in MB, free disk in GB, RAM in all in MB, and the time by its own clock, which
does not count. The answer is lines of `Key: value`, the last one without an end.
"""

import asyncio
import re
from collections.abc import Sequence

from tanist.peer.errors import CallError
from tanist.peer.gateways.tcp import Connection, TcpGateway, TooLong

LINES = 9
"""Lines of a report."""
WHOLE_S = 10.0
"""Seconds for a report to be whole: it is a few hundred bytes, sent at once."""
NO_IP = "No-Ip"
"""What a host says that does not know its address."""
NONE = "None"

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class BadReport(Exception):
    """What came is no report; says why."""


class ReportGateway(TcpGateway):
    """Takes reports of foreign hosts, and tells each who answers if this server is lost."""

    protocol = "report"
    reads = False

    async def serve(self, connection: Connection) -> None:
        """Take one report, and answer it whole: only then the connection ends."""
        id = NONE
        try:
            try:
                lines = await _lines(connection)
                id = lines[0]
                said = await self._taken(connection, lines)
            except BadReport as wrong:
                said = _refused(str(wrong), id)
            except CallError as refused:
                said = _refused(refused.message, id)
            await connection.send_all(said)
        except asyncio.CancelledError:
            connection.send(_refused("This peer ends; another one takes reports", id))
            raise
        finally:
            # What a host says beyond its report is not read, and would make the system throw the answer away.
            await connection.linger()

    def refused(self, why: str) -> bytes:
        """What a host gets that is not taken."""
        return _refused(why, NONE)

    async def _taken(self, connection: Connection, lines: Sequence[str]) -> bytes:
        id, ip, name, *texts, _ = lines
        cpu, ram, bandwidth, disk, total = map(_number, texts)
        load = {"cpu": cpu, "ram": ram, "total": total, "bandwidth": bandwidth, "disk": disk}
        ip = connection.ip if ip == NO_IP else ip
        told = await connection.call("report", id, ip, name, load)
        if not told["known"]:
            return answer("Unauthorized", told["id"], Ip=ip)
        return answer("OK", id, fallback=told["fallback"] or NONE)


def answer(state: str, id: str, fallback: str = NONE, **more: str) -> bytes:
    """An answer. Whether to switch is never said to a foreign host: it is peers that serve."""
    said = {
        "State": state,
        "Switch-To-Server": "false",
        "New-Server": NONE,
        "Fallback-Server": fallback,
        "Id": id,
        **more,
    }
    return "\n".join(f"{key}: {value}" for key, value in said.items()).encode()


def _refused(why: str, id: str) -> bytes:
    return answer("Refused", " ".join(id.split()) or NONE, Reason=" ".join(why.split()))


async def _lines(connection: Connection) -> list[str]:
    """The lines of a report. Raises BadReport."""
    lines: list[str] = []
    try:
        async with asyncio.timeout(WHOLE_S):
            async for line in connection.lines():
                lines.append(line.decode().strip())
                if len(lines) == LINES:
                    return lines
    except TimeoutError:
        raise BadReport(f"A report comes within {WHOLE_S:g} s") from None
    except (UnicodeDecodeError, TooLong):
        raise BadReport("A report is short lines of UTF-8") from None
    raise BadReport(f"A report has {LINES} lines")


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadReport(f"{text[:40]!r} is no number")
    return float(text)
