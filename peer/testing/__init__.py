"""Failure tests of applications: fixtures for pytest that start real clusters (docs/how-to/test-your-application.md).

The names are loaded when they are used: pytest imports the plugin in every project that has tanist installed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tanist.peer.drills.conditions import follows, in_sync, no_server, one_server, serves
    from tanist.peer.faults import Conditions
    from tanist.peer.testing.face import CallRefused, Cluster, Peer
    from tanist.peer.testing.tested import BrokenPromises, TestedCluster

_HOMES = {
    "BrokenPromises": "tanist.peer.testing.tested",
    "CallRefused": "tanist.peer.testing.face",
    "Cluster": "tanist.peer.testing.face",
    "Conditions": "tanist.peer.faults",
    "Peer": "tanist.peer.testing.face",
    "TestedCluster": "tanist.peer.testing.tested",
    "follows": "tanist.peer.drills.conditions",
    "in_sync": "tanist.peer.drills.conditions",
    "no_server": "tanist.peer.drills.conditions",
    "one_server": "tanist.peer.drills.conditions",
    "serves": "tanist.peer.drills.conditions",
}

__all__ = [
    "BrokenPromises",
    "CallRefused",
    "Cluster",
    "Conditions",
    "Peer",
    "TestedCluster",
    "follows",
    "in_sync",
    "no_server",
    "one_server",
    "serves",
]


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives."""
    import importlib

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
