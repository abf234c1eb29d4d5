"""Starts peers as processes: on Linux forked from one that has imported everything, elsewhere each a new Python."""

import atexit
import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

import msgspec

FORK_S_MAX = 60.0
"""How long the forker may take to answer. The first time it imports everything, on a machine that may be busy."""
CLOSE_S_MAX = 10.0
"""How long the forker may take to end, once nobody asks any more."""

PR_SET_PDEATHSIG = 1
"""From Linux's sys/prctl.h: the signal this process gets when its parent dies."""


class LaunchError(RuntimeError):
    """No process could be started; the message says why."""


class Child(Protocol):
    """A process that was started, much as `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def poll(self) -> int | None:
        """Its exit status, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most so many seconds; gives the exit status. Raises `subprocess.TimeoutExpired`."""

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""


class Launch(msgspec.Struct, frozen=True):
    """A child that is wanted: the words behind `tanist`, its whole environment, its directory, files for its output."""

    arguments: list[str]
    environment: dict[str, str]
    directory: str
    stdout: str
    stderr: str


class Forked(msgspec.Struct, frozen=True, tag=True):
    """A child was forked."""

    pid: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A child ended, with a status as `subprocess` has it: a negative one is the signal that ended it."""

    pid: int
    status: int


def environment(home: Path) -> dict[str, str]:
    """This process's environment without settings for peers, with `home` for all default directories."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TANIST_")}
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home), "NO_COLOR": "1"}


def die_with_parent() -> None:
    """Runs in a new process: not even a killed parent leaves it behind (Linux; elsewhere an ordered end alone does)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def launch(
    arguments: list[str],
    *,
    directory: Path,
    stdout: Path,
    stderr: Path,
    fresh: bool = False,
    runner: Sequence[str] = (),
) -> Child:
    """Run `tanist` with these arguments in a directory, its output appended to files. Raises `LaunchError`.

    `fresh`: a new Python, not a fork. That takes half a second of a processor, and gives each process hashes of its
    own. `runner` is a command that becomes the peer, which is then fresh. No child outlives this process, however that
    ends.
    """
    wanted = Launch(arguments, environment(directory), str(directory), str(stdout), str(stderr))
    if fresh or runner or sys.platform != "linux":
        return _FreshChild(wanted, runner)
    return _forker().fork(wanted)


def prepare() -> None:
    """Begin what the first `launch` needs, so that it need not wait for it."""
    if sys.platform == "linux":
        _forker()


class _FreshChild:
    """A Python of its own. It ends when its stdin does, which this process holds."""

    def __init__(self, wanted: Launch, runner: Sequence[str]) -> None:
        with Path(wanted.stdout).open("ab") as out, Path(wanted.stderr).open("ab") as err:
            self._process = subprocess.Popen(
                [*runner, sys.executable, "-m", "tanist.peer.cli.child", *wanted.arguments],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                env=wanted.environment,
                cwd=wanted.directory,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        status = self._process.poll()
        if status is not None and self._process.stdin is not None:
            self._process.stdin.close()
        return status

    def wait(self, timeout: float | None = None) -> int:
        self._process.wait(timeout)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)


class _ForkedChild:
    """A child of the forker."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None
        self._ended = threading.Event()

    def ended(self, status: int) -> None:
        """Take in that it has ended."""
        self._status = status
        self._ended.set()

    def poll(self) -> int | None:
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        assert self._status is not None
        return self._status

    def send_signal(self, number: int) -> None:
        if self._status is None:
            # It may just have ended; the signal then meets nobody.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class _Forker:
    """The program `tanist.peer.drills.forker`, and what it says of its children. Safe to be used by many threads."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tanist.peer.drills.forker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(Path.home()),
            start_new_session=True,
        )
        self._asking = threading.Lock()
        self._answers: queue.SimpleQueue[_ForkedChild | None] = queue.SimpleQueue()
        self._children: dict[int, _ForkedChild] = {}
        self._reader = threading.Thread(target=self._listen, name="tanist-forker", daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def fork(self, wanted: Launch) -> Child:
        """Have a child forked; raises `LaunchError`."""
        with self._asking:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(msgspec.json.encode(wanted) + b"\n")
                self._process.stdin.flush()
                child = self._answers.get(timeout=FORK_S_MAX)
            except queue.Empty:
                raise LaunchError(f"no process was started within {FORK_S_MAX:g} s: is this machine busy?") from None
            except OSError as error:
                raise LaunchError(f"no process can be started: {error}; see stderr for why the forker ended") from None
        if child is None:
            raise LaunchError("the program that peers are forked from ended; see stderr for why")
        return child

    def _listen(self) -> None:
        assert self._process.stdout is not None
        decode = msgspec.json.Decoder(Forked | Ended).decode
        for line in self._process.stdout:
            match decode(line):
                case Forked(pid):
                    self._children[pid] = child = _ForkedChild(pid)
                    self._answers.put(child)
                case Ended(pid, status):
                    self._children.pop(pid).ended(status)
        # Its children ended with it.
        for child in self._children.values():
            child.ended(-9)
        self._answers.put(None)

    def close(self) -> None:
        """End it, and all children that still run."""
        pipes: list[IO[bytes] | None] = [self._process.stdin, self._process.stdout]
        with contextlib.suppress(OSError):
            assert pipes[0] is not None
            pipes[0].close()
        try:
            self._process.wait(CLOSE_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(CLOSE_S_MAX)
        assert pipes[1] is not None
        pipes[1].close()


_shared: _Forker | None = None
_sharing = threading.Lock()


def _forker() -> _Forker:
    """The one of this process, which lives until that ends."""
    global _shared
    with _sharing:
        if _shared is None or not _shared.running:
            if _shared is None:
                atexit.register(_close_shared)
            else:
                _shared.close()
            _shared = _Forker()
        return _shared


def _close_shared() -> None:
    if _shared is not None:
        _shared.close()
