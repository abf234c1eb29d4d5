"""What may catch a bug: a probe takes a seed and raises when something is wrong.

    swarm/quorum, swarm/survivor a life of the swarm: chaos, a healthy core, and peace
    life/quorum, life/survivor   a plainer life, under faults and then in peace
    deaths                       one death after another; what was promised must survive each
    tests/test_x.py::test_y      a test of the suite (any seed runs the same)

The product is imported by the probes, not by this module: a bug has to be planted first.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable

from planted.bug import ROOT

Probe = Callable[[int], None]
SHRINKING_RUNS_MAX = 100
"""Lives that may be lived to make one failure smaller: all bugs are measured in minutes, not in hours."""


class Caught(AssertionError):
    """A test of the suite failed."""


class DidNotRun(Exception):
    """A test that cannot be found, or collected, catches nothing."""


def probe(name: str) -> Probe:
    """The probe of that name. Raises ValueError for an unknown one."""
    if name.startswith("tests/"):
        return lambda seed: _suite(name)
    match name:
        case "swarm/quorum" | "swarm/survivor":
            return lambda seed: _swarm(seed, name.removeprefix("swarm/"))
        case "life/quorum" | "life/survivor":
            return lambda seed: _life(seed, name.removeprefix("life/"))
        case "deaths":
            return _deaths
    raise ValueError(f"no probe is called {name!r}")


def seeded(name: str) -> bool:
    """Whether another seed makes another run of this probe."""
    return not name.startswith("tests/")


def _swarm(seed: int, safety: str) -> None:
    from tanist.election.settings import Safety
    from tanist.election.simulation.broken import Broken
    from tanist.election.simulation.life import run
    from tanist.election.simulation.outcome import Options

    failure = run(seed, Options(safety=Safety(safety))).failure
    if failure is not None:
        raise Broken(failure.invariant, failure.detail)


def shrunk_steps(seed: int, name: str) -> int | None:
    """How many steps the smallest life has that fails as this seed's does; None for a probe that records none."""
    if not name.startswith("swarm/"):
        return None
    from tanist.election.settings import Safety
    from tanist.election.simulation.life import run
    from tanist.election.simulation.outcome import Options
    from tanist.election.simulation.shrinking import shrink

    failure = run(seed, Options(safety=Safety(name.removeprefix("swarm/")))).failure
    assert failure is not None
    return len(shrink(failure, runs_max=SHRINKING_RUNS_MAX).steps)


def _life(seed: int, safety: str) -> None:
    from soak import Life

    from tanist.election.settings import Safety

    Life(seed, Safety(safety)).run()


def _deaths(seed: int) -> None:
    from soak import deaths

    deaths(seed)


def _suite(node: str) -> None:
    """Run a test in this process, where the bug is; say which assertion failed."""
    import pytest

    class Reports:
        """Keeps the first failure."""

        failed = ""

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed and not self.failed:
                self.failed = report.nodeid.rpartition("::")[2]

    reports, told = Reports(), io.StringIO()
    os.chdir(ROOT)
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", node], plugins=[reports])
    if status == pytest.ExitCode.TESTS_FAILED or reports.failed:
        raise Caught(reports.failed)
    if status != pytest.ExitCode.OK:
        raise DidNotRun(f"{node} did not run:\n{told.getvalue()[-2000:]}")
