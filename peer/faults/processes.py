"""Faults of processes: killed, told to end, or stopped for a while. For systems with signals (not Windows)."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Self

from tanist.peer.faults import watcher

PAUSE_S_MAX = 3600.0
"""An hour: longer than any laptop's lid stays shut in a drill."""
STOPPED_S = 10.0
"""Seconds that the watcher may take to start and stop a process on a busy machine."""


class PauseFailed(OSError):
    """A process could not be paused; nothing was done to it."""


def kill(pid: int) -> None:
    """End a process at once, as a crash does (SIGKILL). Raises `ProcessLookupError`, `PermissionError`."""
    _signal(pid, "SIGKILL")


def terminate(pid: int) -> None:
    """Tell a process to end in order (SIGTERM). Raises `ProcessLookupError`, `PermissionError`."""
    _signal(pid, "SIGTERM")


async def pause(pid: int, for_s: float) -> "Pause":
    """Stop a process (SIGSTOP) for so many seconds; when this returns it stands.

    A small process of its own sees to it that it goes on, also when this program is killed meanwhile. Raises
    `PauseFailed`, and `ValueError` for a time above `PAUSE_S_MAX`.
    """
    _checked(pid)
    if not 0 < for_s <= PAUSE_S_MAX:
        raise ValueError(f"a pause lasts more than 0 and at most {PAUSE_S_MAX:g} seconds, not {for_s:g}")
    process = await _start_watcher(pid, for_s)
    assert process.stdout is not None
    async with asyncio.timeout(STOPPED_S):
        said = await process.stdout.readline()
    if said != b"paused\n":
        await process.wait()
        raise PauseFailed(f"process {pid} cannot be paused: it does not run, or belongs to somebody else")
    return Pause(pid, process)


class Pause:
    """A process that stands. `async with` ends the pause at the end of the block."""

    def __init__(self, pid: int, watcher: asyncio.subprocess.Process) -> None:
        self.pid = pid
        self._watcher = watcher

    @property
    def over(self) -> bool:
        """Whether the process goes on."""
        return self._watcher.returncode is not None

    async def ended(self) -> None:
        """Wait until the process goes on."""
        if await self._watcher.wait() != 0:
            # The watcher was killed before it could do its work.
            with contextlib.suppress(ProcessLookupError):
                _signal(self.pid, "SIGCONT")

    async def end(self) -> None:
        """Let the process go on now; nothing happens when it does already."""
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        await self.ended()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()


async def _start_watcher(pid: int, for_s: float) -> asyncio.subprocess.Process:
    words = [str(pid), str(round(for_s * 1000))]
    fds: tuple[int, ...] = ()
    if sys.platform == "linux":
        try:
            fds = (os.pidfd_open(pid),)
        except ProcessLookupError:
            raise PauseFailed(f"there is no process {pid}") from None
        words.append(str(fds[0]))
    try:
        return await asyncio.create_subprocess_exec(
            # Isolated and without site packages: it must stand within milliseconds, whatever is installed.
            *(sys.executable, "-I", "-S", str(Path(watcher.__file__)), *words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=fds,
            # A Ctrl-C at the terminal is not meant for it.
            start_new_session=True,
        )
    finally:
        for fd in fds:
            os.close(fd)


def _signal(pid: int, name: str) -> None:
    os.kill(_checked(pid), getattr(signal, name))


def _checked(pid: int) -> int:
    """The number of one process: 0 and below mean whole groups, and 1 is the system's own."""
    if pid <= 1:
        raise ValueError(f"{pid} is not the number of a process that may be hurt")
    if sys.platform == "win32":
        raise OSError("processes are paused and killed by signals, which this system does not have")
    return pid
