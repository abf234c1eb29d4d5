"""The console without a terminal: lines from stdin, and answers as the line protocol has them on stdout."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, BinaryIO

from tanist.peer.cli.exits import Exit
from tanist.peer.cli.output import complain
from tanist.peer.console.typed import LINE_BYTES_MAX
from tanist.peer.gateways.line import BLANK

if TYPE_CHECKING:
    from tanist.peer.console.remote import Remote

READ_AHEAD = 16
"""Lines read before those before them are answered."""


class Printer:
    """The `Teller` of a piped console."""

    def event(self, line: str) -> None:
        """An event is a line of its own."""
        print_lines([line.translate(BLANK)])

    def news(self, text: str) -> None:
        """News is not data."""
        complain(text)


async def run(remote: "Remote", lines: AsyncIterator[bytes]) -> int:
    """Have lines done until they end, or QUIT; gives the exit status of the last one that went wrong."""
    status = Exit.OK
    async for raw in lines:
        try:
            line = raw.decode().strip()
        except UnicodeDecodeError:
            print_lines(["ERROR lines are UTF-8"])
            status = Exit.USAGE
            continue
        match line.upper():
            case "":
                continue
            case "QUIT":
                print_lines(["OK"])
                break
            case "HELP":
                print_lines(["OK", *remote.place.signatures.rows(), "."])
                continue
        if len(raw) > LINE_BYTES_MAX:
            print_lines([f"ERROR a line has at most {LINE_BYTES_MAX} bytes"])
            status = Exit.USAGE
            continue
        answer = await remote.ask(line)
        print_lines(answer.lines)
        status = answer.status or status
    return status


def print_lines(lines: list[str]) -> None:
    """Write lines at once: whoever reads them may wait for each."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


async def lines_of(stream: BinaryIO) -> AsyncIterator[bytes]:
    """The lines of a stream that blocks, a file or a pipe: a thread reads, which keeps no process from ending.

    Of a line that is too long, the begin comes, which is too long too.
    """
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
    room = threading.Semaphore(READ_AHEAD)

    def read() -> None:
        # Once the loop is closed nobody listens.
        with contextlib.suppress(RuntimeError):
            while raw := stream.readline(LINE_BYTES_MAX + 1):
                room.acquire()
                rest = raw
                while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
                    rest = stream.readline(LINE_BYTES_MAX + 1)
                loop.call_soon_threadsafe(waiting.put_nowait, raw)
            loop.call_soon_threadsafe(waiting.put_nowait, None)

    threading.Thread(target=read, name="tanist-stdin", daemon=True).start()
    while (line := await waiting.get()) is not None:
        room.release()
        yield line
