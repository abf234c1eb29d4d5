"""The pytest plugin: the fixtures `cluster` and `async_cluster`, the marker `tanist`, and its options.

Nothing of tanist is imported until a test asks for a cluster: pytest loads this in every project that has it installed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tanist.peer.testing.face import Cluster
    from tanist.peer.testing.tested import TestedCluster

MARKER = (
    "tanist(size, safety, pace, app, clients, seed, judge, fresh): what kind of cluster the fixtures `cluster` and "
    "`async_cluster` start, such as size=5, safety='quorum', app='notes.py:Notes'"
)
_REAL: pytest.StashKey[TestedCluster] = pytest.StashKey()
_FACE: pytest.StashKey[Cluster] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for tests whose marker does not say it."""
    group = parser.getgroup("tanist", "clusters of tanist")
    group.addoption("--tanist-size", type=int, help="how many peers a cluster has (3)")
    group.addoption("--tanist-safety", choices=("survivor", "quorum"), help="its safety mode (survivor)")
    group.addoption("--tanist-pace", choices=("classic", "lan", "fast"), help="how patient it is (lan)")
    group.addoption("--tanist-seed", type=int, help="what the chance in faults and clients begins with (0)")
    group.addoption("--tanist-clients", type=int, help="how many clients write and read all the time (3)")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


def _wanted(request: pytest.FixtureRequest) -> TestedCluster:
    from tanist.peer.testing.tested import TestedCluster
    from tanist.peer.testing.wanted import WrongMarker, wanted

    marker = request.node.get_closest_marker("tanist")
    if marker is not None and marker.args:
        raise pytest.UsageError(f"{request.node.nodeid}: @pytest.mark.tanist takes names, as in size=5")
    try:
        asked = wanted(marker.kwargs if marker else {}, lambda name: request.config.getoption(f"--tanist-{name}"))
    except WrongMarker as error:
        raise pytest.UsageError(f"{request.node.nodeid}: {error}") from None
    folder = request.getfixturevalue("tmp_path") / "cluster"
    real = request.node.stash[_REAL] = TestedCluster(folder, asked, request.path.parent)
    return real


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A real cluster, as the marker `tanist` says. It is judged after the test, which fails if a promise is broken."""
    from tanist.peer.testing.background import Background
    from tanist.peer.testing.face import Cluster

    real = _wanted(request)
    with Background() as background:
        background.run(real.__aenter__())
        try:
            face = request.node.stash[_FACE] = Cluster(real, background)
            yield face
        finally:
            background.run(real.end())


@pytest.fixture
def async_cluster(request: pytest.FixtureRequest) -> TestedCluster:
    """The same for a coroutine: `async with async_cluster as cluster`, judged at the end of the block."""
    return _wanted(request)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A cluster that broke a promise fails its test, and not merely what comes after it."""
    result = yield
    face = item.stash.get(_FACE, None)
    if face is not None and face.real.wanted.judge:
        from tanist.peer.testing.tested import BrokenPromises

        try:
            face.run(face.real.judge())
        except BrokenPromises as broken:
            # The text says it all; how the plugin came to it helps nobody.
            pytest.fail(str(broken), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure comes what the peers wrote of it."""
    report = yield
    real = item.stash.get(_REAL, None)
    if real is not None and report.failed:
        report.sections.append(("what the peers wrote", real.story()))
    return report
