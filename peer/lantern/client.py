"""A lantern: hangs at a stand, does as it is told, and looks for the stand again when that is gone."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from tanist.peer.lantern.commands import Lantern, obey
from tanist.peer.lantern.frames import Frames
from tanist.peer.traffic.redialing import reason

REDIAL_S = 1.0
"""Seconds between two attempts to find the stand."""
DIAL_S = 5.0
"""Seconds for which one attempt may take."""
SILENT_S = 5
"""Seconds without a word after which the stand's machine is asked whether it is still there, and between two such."""
SILENT_TIMES_MAX = 3
"""How often it is asked in vain before the stand is given up."""
READ_BYTES_MAX = 64 * 1024
"""Bytes read at once."""

Show = Callable[[Lantern, str], None]
"""Shows a lantern, and what there is to say about the stand."""


async def hang(host: str, port: int, show: Show) -> None:
    """Hang at the stand at an address, for ever; cancel to end."""
    lantern = Lantern()
    where = f"{host}:{port}"
    while True:
        begun = asyncio.get_running_loop().time()
        show(lantern, f"looking for the stand at {where}")
        try:
            async with asyncio.timeout(DIAL_S):
                reader, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            show(lantern, f"no stand at {where} ({reason(error)}); trying again")
        else:
            notice_silence(writer.get_extra_info("socket"))
            show(lantern, f"at the stand {where}")
            try:
                await _obeying(reader, lantern, lambda: show(lantern, f"at the stand {where}"))
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            show(lantern, f"the stand at {where} is gone; trying again")
        await asyncio.sleep(max(0.0, begun + REDIAL_S - asyncio.get_running_loop().time()))


def notice_silence(connection: socket.socket) -> None:
    """Have the system end a connection whose other machine vanished: a lantern only listens, and would never know."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"TCP_KEEPIDLE": SILENT_S, "TCP_KEEPINTVL": SILENT_S, "TCP_KEEPCNT": SILENT_TIMES_MAX}
    for name, value in options.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _obeying(reader: asyncio.StreamReader, lantern: Lantern, changed: Callable[[], None]) -> None:
    frames = Frames()
    with contextlib.suppress(OSError):
        while data := await reader.read(READ_BYTES_MAX):
            obeyed = [obey(lantern, kind, value) for kind, value in frames.feed(data)]
            if any(obeyed):
                changed()
