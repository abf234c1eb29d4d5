"""The running peer: `from tanist.peer import Peer`, and all it takes to write an application.

Imported names are loaded when they are used: a client verb of the command line needs none of them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tanist.peer.application import Application, Context, Event, Refused, command, query
    from tanist.peer.errors import CallError
    from tanist.peer.peer import Peer

_HOMES = {
    "Application": "tanist.peer.application",
    "Context": "tanist.peer.application",
    "Event": "tanist.peer.application",
    "Refused": "tanist.peer.application",
    "command": "tanist.peer.application",
    "query": "tanist.peer.application",
    "CallError": "tanist.peer.errors",
    "Peer": "tanist.peer.peer",
}

__all__ = ["Application", "CallError", "Context", "Event", "Peer", "Refused", "command", "query"]


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives."""
    import importlib

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
