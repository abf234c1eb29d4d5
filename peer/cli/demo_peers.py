"""The processes of the demo: started, killed and cleaned up, each by its own process id."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tanist.peer.cli.exits import Exit, VerbError

NAMES = ("anna", "ben", "carl", "dora", "emil", "fay", "gus")
"""What the peers are called; as many as one machine may be asked to run."""
PORTS = range(20_000, 32_000)
"""Where free ports are sought: below those that systems give to outgoing connections, which could take a killed
peer's port before it is back."""
BLOCKS_TRIED_MAX = 200
"""Places tried for a row of free ports; a machine where all are taken has another problem."""
END_S = 5.0
"""How long a killed process may take to be gone: the system needs milliseconds."""
TAIL_LINES = 12
"""Lines of a peer's stderr that are shown when it ended without being told to."""


class DemoPeer:
    """One peer: its name, its addresses, its data, and its process while it has one."""

    def __init__(self, name: str, address: str, http: str, folder: Path) -> None:
        self.name = name
        self.address = address
        self.http = http
        self.data = folder / name
        self.process: subprocess.Popen[bytes] | None = None
        self._errors = folder / f"{name}.err"

    @property
    def pid(self) -> int:
        """Its process id, 0 without a process."""
        return self.process.pid if self.process is not None else 0

    def start(self, arguments: Sequence[str]) -> None:
        """Start its process: `tanist up` with these arguments besides its own addresses and data."""
        own = ["--name", self.name, "--listen", self.address, "--http", self.http, "--data", str(self.data)]
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tanist.peer.cli.child", "up", *own, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_environment(os.environ),
                # Ctrl-C is for the demo alone, which then ends its peers; a terminal sends it to a whole group.
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone; without a process nothing happens."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait(END_S)
        if process.stdin is not None:
            process.stdin.close()

    def failure(self) -> str:
        """Why it ended although nobody killed it, with its last words; "" while it runs or was killed."""
        if self.process is None or self.process.poll() is None:
            return ""
        words = self._errors.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"{self.name} ended by itself with status {self.process.returncode}:", *words])


class DemoPeers:
    """All peers of one demo, and how each is started."""

    def __init__(self, names: Sequence[str], folder: Path, *, pace: str, safety: str) -> None:
        """Choose free ports for these names; `folder` takes their data. Raises `VerbError` if none are free."""
        ports = free_ports(2 * len(names))
        self.all = [
            DemoPeer(name, f"127.0.0.1:{ports[2 * i]}", f"127.0.0.1:{ports[2 * i + 1]}", folder)
            for i, name in enumerate(names)
        ]
        self._common = ["--app", "tanist.peer.cli.demo_ledger:Ledger", "--cluster", "demo", "--pace", pace]
        self._common += ["--safety", safety, "--no-discovery"]
        if safety == "quorum":
            self._common += ["--expect", str(len(names))]

    def __getitem__(self, name: str) -> DemoPeer:
        return next(peer for peer in self.all if peer.name == name)

    def running(self) -> list[str]:
        """The names of those that have a process."""
        return [peer.name for peer in self.all if peer.process is not None]

    def start(self, name: str, *, first: bool = False) -> None:
        """Start one. The `first` of a cluster is told of nobody, and therefore serves at once."""
        others = [] if first else [peer.address for peer in self.all if peer.name != name]
        told = [word for address in others for word in ("--peer", address)]
        self[name].start([*self._common, *told])

    def failure(self) -> str:
        """Why a peer ended by itself, "" if none did."""
        return next((why for peer in self.all if (why := peer.failure())), "")

    def close(self) -> None:
        """Kill all that run."""
        for peer in self.all:
            peer.kill()


def free_ports(count: int) -> list[int]:
    """So many neighbouring ports that are free now. Raises `VerbError` where there are none."""
    for _ in range(BLOCKS_TRIED_MAX):
        first = random.randrange(PORTS.start, PORTS.stop - count)
        ports = list(range(first, first + count))
        if all(_is_free(port) for port in ports):
            return ports
    raise VerbError(Exit.FAILED, f"no {count} neighbouring ports of 127.0.0.1 are free from {PORTS.start} on")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings for the user's own peers: those of the demo are told all by flags."""
    return {name: text for name, text in environment.items() if not name.startswith("TANIST_")}
