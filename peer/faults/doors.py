"""The listening socket of a proxy: open, refusing, or so silent that connecting times out; always the same port."""

import asyncio
import socket
import sys
from collections.abc import Callable
from enum import Enum

from tanist.transport.address import format_address, parse_address

BACKLOG = 512
"""Connections that the system holds until they are accepted; as peers do it."""
ACCEPTED_A_TURN_MAX = 64
"""Connections accepted in one turn of the loop, so that others get theirs."""
PAUSE_S = 0.1
"""Without accepting, when the system has no file descriptor or memory left."""
FILLERS = 2
"""Connections that fill a backlog of none: the system takes one, and lets the next wait for ever."""


class Door(Enum):
    """What whoever connects meets."""

    OPEN = "open"
    REFUSING = "refusing"
    """Nothing listens: a connection is refused at once."""
    SILENT = "silent"
    """A full backlog: nothing is answered, and connecting times out. Elsewhere than on Linux connections are accepted,
    and nothing more is heard."""


class Doors:
    """A listening socket that changes its ways. It begins refusing; calls back on the running event loop."""

    def __init__(self, address: str, accepted: Callable[[], asyncio.Protocol]) -> None:
        """`accepted` makes the protocol of each connection. Raises `OSError`, `AddressError`."""
        self._loop = asyncio.get_running_loop()
        self._accepted = accepted
        host, port = parse_address(address)
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._door = Door.REFUSING
        self._pause: asyncio.TimerHandle | None = None
        self._listening: socket.socket | None = None
        self._fillers: list[socket.socket] = []
        self._tasks: set[asyncio.Task[object]] = set()
        # Bound and never listening: connections are refused, and nobody else is given the port meanwhile.
        self._reserved = self._bind(host, port)
        self._where = self._reserved.getsockname()
        self.address = format_address(*self._where[:2])
        if sys.platform != "linux":
            # Two sockets of one port are a thing of Linux; elsewhere the port is free while it is refused.
            self._reserved.close()

    def set(self, door: Door) -> None:
        """Be like this from now on. Raises `OSError` when the port is somebody else's by now."""
        if door is self._door:
            return
        self._close_listening()
        self._door = door
        if door is Door.REFUSING:
            return
        sock = self._listening = self._bind(*self._where[:2])
        full = door is Door.SILENT and sys.platform == "linux"
        sock.listen(0 if full else BACKLOG)
        if full:
            self._fill()
        else:
            self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Free the port."""
        self._close_listening()
        self._reserved.close()
        for task in self._tasks:
            task.cancel()

    def _bind(self, host: str, port: int) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def _fill(self) -> None:
        for _ in range(FILLERS):
            filler = socket.socket(self._family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(self._where)
            self._fillers.append(filler)

    def _close_listening(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()

    def _accept(self) -> None:
        """Connections wait."""
        assert self._listening is not None
        for _ in range(ACCEPTED_A_TURN_MAX):
            try:
                sock, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(PAUSE_S, self._go_on)
                return
            sock.setblocking(False)
            task: asyncio.Task[object] = self._loop.create_task(self._take(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, sock: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._accepted, sock)
        except OSError:
            # It was gone again before it was looked at.
            sock.close()

    def _go_on(self) -> None:
        self._pause = None
        if self._listening is not None:
            self._loop.add_reader(self._listening, self._accept)
