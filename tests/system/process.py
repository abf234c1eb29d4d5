"""One peer as a process: `tanist up` with its addresses, data, output files and election log."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from system.ports import Port

TANIST = (sys.executable, "-m", "tanist.peer.cli")
"""The command, run by the interpreter that runs the tests."""
ENDED_S = 10.0
"""How long a process that was killed or told to end may take to be gone."""
TAIL_LINES = 40
"""Lines of stderr and of the election log that a failed test shows for each peer."""
PR_SET_PDEATHSIG = 1
"""From Linux's sys/prctl.h: the signal this process gets when its parent dies."""

Event = dict[str, Any]


def environment(home: Path) -> dict[str, str]:
    """This process's environment without settings for peers, with `home` for all default directories."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TANIST_")}
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home), "NO_COLOR": "1"}


def die_with_parent() -> None:
    """Runs in a new process: not even a killed test run leaves peers behind (Linux; elsewhere teardown alone ends)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class PeerProcess:
    """A peer that can be started, killed and started again: same name, addresses and data each time.

    `runner` is a command that becomes the peer, such as nsenter, for one that lives elsewhere.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.data = folder / name
        self.flags: tuple[str, ...] = ()
        self.runner: tuple[str, ...] = ()
        self.process: subprocess.Popen[bytes] | None = None
        self._ports = (Port(), Port())
        self.address, self.http = self._ports[0].address, self._ports[1].address
        self.url = f"http://{self.http}"

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether its process lives, stopped or not."""
        return self.process is not None and self.process.poll() is None

    def start(self, *flags: str) -> None:
        """Start it, with the flags of last time when none are given. Its output is appended to files."""
        assert not self.running, f"{self.name} runs already"
        self.flags = flags or self.flags
        own = ["--name", self.name, "--data", str(self.data), *self.addresses()]
        with self._file("out").open("ab") as stdout, self._file("err").open("ab") as stderr:
            self.process = subprocess.Popen(
                [*self.runner, *TANIST, "up", *own, *self.flags],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=environment(self.folder),
                cwd=self.folder,
                preexec_fn=die_with_parent,
            )

    def addresses(self) -> list[str]:
        """The flags that say where it listens."""
        return ["--listen", self.address, "--http", self.http]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process."""
        assert self.process is not None and self.running, f"{self.name} does not run"
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; nothing happens when it does not run."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(ENDED_S)

    async def ended(self, deadline_s: float = ENDED_S) -> int:
        """Wait for its end; gives the exit status."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, deadline_s)

    def release(self) -> None:
        """End it whatever it does, and let its ports go."""
        self.kill()
        for port in self._ports:
            port.release()

    # What it wrote

    def _file(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"

    @property
    def stdout(self) -> str:
        """All it said on stdout, over all its starts."""
        path = self._file("out")
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def stderr(self) -> str:
        """All it said on stderr, over all its starts."""
        path = self._file("err")
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def id(self) -> str:
        """Its peer id, from its data; it must have been started."""
        return str(json.loads((self.data / "identity.json").read_text())["peer"])

    def events(self, *names: str, after: int = 0) -> list[Event]:
        """The lines of its election log that have one of these names (all without any), from line `after` on."""
        return [line for line in self._lines(after) if not names or line["event"] in names]

    def mark(self) -> int:
        """How many lines its election log has now: for `events(after=…)`."""
        return len(self._raw())

    def _raw(self) -> list[bytes]:
        path = self.data / "election.jsonl"
        return path.read_bytes().split(b"\n")[:-1] if path.exists() else []

    def _lines(self, after: int) -> Iterator[Event]:
        for line in self._raw()[after:]:
            # A kill may have cut a line in two.
            with contextlib.suppress(json.JSONDecodeError):
                yield json.loads(line)

    def journal(self) -> list[Path]:
        """The files of its journal, oldest first."""
        return sorted((self.data / "journal").glob("*.journal"))

    def story(self) -> str:
        """The tails of its stderr and its election log, for whoever looks into a failure."""
        status = self.process.poll() if self.process is not None else "never started"
        state = "running" if self.running else f"ended with {status}"
        lines = [f"{e['wall']} {e['event']} {json.dumps(e['fields'])}" for e in self.events()[-TAIL_LINES:]]
        heads = f"---- {self.name} {self.address} {self.http}: {state}"
        return "\n".join([heads, "-- stderr", *self.stderr.splitlines()[-TAIL_LINES:], "-- election log", *lines])


async def tanist(*words: str, folder: Path, deadline_s: float = 30.0) -> tuple[int, str, str]:
    """Run a verb to its end; gives exit status, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *TANIST,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder),
        cwd=folder,
        preexec_fn=die_with_parent,
    )
    try:
        async with asyncio.timeout(deadline_s):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def last_words(peers: Sequence[PeerProcess]) -> str:
    """The stories of several peers, and how busy the machine is: times that are judged depend on it."""
    load = " ".join(f"{average:.1f}" for average in os.getloadavg())
    return "\n".join([f"load {load} on {os.cpu_count()} processors", *(peer.story() for peer in peers)])
