"""Applications: the API to write one, and the machine that runs them from the log."""

from tanist.peer.application.api import (
    NOBODY,
    Application,
    Context,
    DefinitionError,
    Event,
    Refused,
    Session,
    command,
    query,
)

__all__ = [
    "NOBODY",
    "Application",
    "Context",
    "DefinitionError",
    "Event",
    "Refused",
    "Session",
    "command",
    "query",
]
