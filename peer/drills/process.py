"""One peer as a process: `tanist up` with its addresses, data, output files and election log."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tanist.peer.drills.launcher import Child, launch
from tanist.peer.drills.ports import Port

ENDED_S = 10.0
"""How long a process that was killed or told to end may take to be gone."""
TAIL_LINES = 40
"""Lines of stderr and of the election log that are shown of each peer when something failed."""

Event = dict[str, Any]


class ClusterError(AssertionError):
    """A cluster did not do what it was told or should: to a test, that is a failure. The message says what."""


class PeerProcess:
    """A peer that can be started, killed and started again: same name, addresses and data each time.

    `runner` is a command that becomes the peer, such as nsenter, for one that lives elsewhere.
    """

    def __init__(self, name: str, folder: Path, *, fronted: bool = False, fresh: bool = False) -> None:
        """`folder` takes its data and output. `fronted`: others dial another address, `address`, than where it listens.

        `fresh`: a new Python at each start, not a fork (see `launcher.launch`).
        """
        self.name = name
        self.folder = folder
        self.data = folder / name
        self.flags: tuple[str, ...] = ()
        self.runner: tuple[str, ...] = ()
        self.child: Child | None = None
        self._fresh = fresh
        self._ports = [Port() for _ in range(3 if fronted else 2)]
        self.listens, self.http = self._ports[0].address, self._ports[1].address
        self.address = self._ports[-1].address if fronted else self.listens
        self.url = f"http://{self.http}"

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether its process lives, stopped or not."""
        return self.child is not None and self.child.poll() is None

    def _started(self) -> Child:
        if self.child is None:
            raise ClusterError(f"{self.name} was never started")
        return self.child

    def start(self, *flags: str) -> None:
        """Start it, with the flags of last time when none are given. Its output is appended to files."""
        if self.running:
            raise ClusterError(f"{self.name} runs already")
        self.flags = flags or self.flags
        own = ["--name", self.name, "--data", str(self.data), *self.addresses()]
        self.child = launch(
            ["up", *own, *self.flags],
            directory=self.folder,
            stdout=self._file("out"),
            stderr=self._file("err"),
            fresh=self._fresh,
            runner=self.runner,
        )

    def addresses(self) -> list[str]:
        """The flags that say where it listens."""
        other = ["--advertise", self.address] if self.address != self.listens else []
        return ["--listen", self.listens, "--http", self.http, *other]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process."""
        if not self.running:
            raise ClusterError(f"{self.name} does not run")
        self._started().send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; nothing happens when it does not run."""
        if self.child is not None:
            self.child.send_signal(signal.SIGKILL)
            self.child.wait(ENDED_S)

    async def ended(self, deadline_s: float = ENDED_S) -> int:
        """Wait for its end; gives the exit status."""
        return await asyncio.to_thread(self._started().wait, deadline_s)

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
        status = self.child.poll() if self.child is not None else None
        state = "never started" if self.child is None else "running" if status is None else f"ended with {status}"
        lines = [f"{e['wall']} {e['event']} {json.dumps(e['fields'])}" for e in self.events()[-TAIL_LINES:]]
        heads = f"---- {self.name} {self.address} {self.http}: {state}"
        return "\n".join([heads, "-- stderr", *self.stderr.splitlines()[-TAIL_LINES:], "-- election log", *lines])


def last_words(peers: Sequence[PeerProcess]) -> str:
    """The stories of several peers, and how busy the machine is: times that are judged depend on it."""
    load = " ".join(f"{average:.1f}" for average in os.getloadavg())
    return "\n".join([f"load {load} on {os.cpu_count()} processors", *(peer.story() for peer in peers)])
