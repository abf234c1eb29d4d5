"""What may catch a bug: a probe takes a seed and raises when something is wrong.

    life/quorum, life/survivor   a random life of a cluster, under faults and then in peace
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


class Caught(AssertionError):
    """A test of the suite failed."""


class DidNotRun(Exception):
    """A test that cannot be found, or collected, catches nothing."""


def probe(name: str) -> Probe:
    """The probe of that name. Raises ValueError for an unknown one."""
    if name.startswith("tests/"):
        return lambda seed: _suite(name)
    match name:
        case "life/quorum" | "life/survivor":
            return lambda seed: _life(seed, name.removeprefix("life/"))
        case "deaths":
            return _deaths
    raise ValueError(f"no probe is called {name!r}")


def seeded(name: str) -> bool:
    """Whether another seed makes another run of this probe."""
    return not name.startswith("tests/")


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
