"""A real cluster under a user's test: clients work on it all the time, and in the end it is held to its promises."""

import contextlib
import io
from pathlib import Path

from tanist.peer.drills.clients import Clients
from tanist.peer.drills.cluster import RealCluster
from tanist.peer.drills.history import History
from tanist.peer.drills.judging import JUDGE_S, judge
from tanist.peer.drills.process import ClusterError
from tanist.peer.drills.report import Check
from tanist.peer.electionlog.story import show
from tanist.peer.testing.wanted import Wanted

STORY_LINES_MAX = 150
"""Lines of the merged election logs that a failure shows, the latest: the rest is in the files."""
ERROR_LINES_MAX = 15
"""Lines of each peer's stderr that are shown beside it when it ended by itself or wrote a traceback."""
HISTORY_FILE = "history.jsonl"


class BrokenPromises(AssertionError):
    """The cluster did not keep what it promised; `checks` are all that were made."""

    def __init__(self, checks: list[Check]) -> None:
        broken = [check for check in checks if not check.passed]
        super().__init__("\n".join(["the cluster broke a promise:", *(f"{c.name}: {c.text}" for c in broken)]))
        self.checks = checks


class TestedCluster(RealCluster):
    """`async with` founds it, starts its clients, and at the end of a block that did not fail judges it.

    What it is asked and told besides is a `RealCluster`'s.
    """

    __test__ = False  # Not a class of tests, in spite of its name.
    judge_s = JUDGE_S
    """How long it may take, once mended, to come to what was promised."""

    def __init__(self, folder: Path, wanted: Wanted, home: Path) -> None:
        """`folder` takes all data and output; `home` is where files of applications are sought."""
        super().__init__(
            folder,
            wanted.size,
            safety=wanted.safety,
            pace=wanted.pace,
            apps=wanted.apps(home),
            seed=wanted.seed,
            fresh=wanted.fresh,
        )
        self.wanted = wanted
        self.checks: list[Check] = []
        self._clients: Clients | None = None

    @property
    def history(self) -> History:
        """What clients did and were told so far."""
        if self._clients is None:
            raise ClusterError("the cluster was not started")
        return self._clients.history

    async def __aenter__(self) -> "TestedCluster":
        await super().__aenter__()
        self._clients = self.clients(self.wanted.clients, self.wanted.seed)
        self._clients.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None and self.wanted.judge:
                await self.judge()
        finally:
            await self.end()

    async def judge(self) -> list[Check]:
        """Mend it, end its clients, and hold it against its promises. Raises `BrokenPromises`."""
        assert self._clients is not None
        await self.mend()
        await self._clients.stop()
        self.checks = await judge(self, self._clients, self.judge_s)
        if not all(check.passed for check in self.checks):
            raise BrokenPromises(self.checks)
        return self.checks

    async def end(self) -> None:
        """End clients and peers, and leave the history beside the peers' data."""
        async with contextlib.AsyncExitStack() as ending:
            ending.push_async_callback(self.close)
            if self._clients is not None:
                ending.callback(self._clients.history.write, self.folder / HISTORY_FILE)
                ending.push_async_callback(self._clients.stop, 0.0)

    def story(self) -> str:
        """What happened, by the merged election logs, and where all files are."""
        started = {name: peer for name, peer in self.peers.items() if peer.flags}
        told, problems = io.StringIO(), io.StringIO()
        show([peer.data for peer in started.values() if peer.data.is_dir()], stream=told, errors=problems)
        lines = told.getvalue().splitlines()
        left_out = len(lines) - STORY_LINES_MAX
        out = [f"... {left_out} lines before; all of it: tanist log show {self.folder}"] if left_out > 0 else []
        out += [*lines[-STORY_LINES_MAX:], *problems.getvalue().splitlines()]
        for name, peer in started.items():
            errors = peer.stderr
            status = peer.child.poll() if peer.child is not None else None
            if "Traceback" in errors or (status is not None and status > 0):
                out += ["", f"{name}.err ends with:", *errors.splitlines()[-ERROR_LINES_MAX:]]
        if self._clients is not None:
            seen = self._clients.history
            out += [
                "",
                f"clients: {seen.acknowledged} writes acknowledged, {seen.unknown} unknown, {seen.reads} reads, "
                f"longest silence {seen.longest_silence_s():.2f} s",
            ]
        return "\n".join([*out, f"files: {self.folder} (election logs, output, {HISTORY_FILE})"])
