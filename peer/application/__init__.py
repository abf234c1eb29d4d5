"""Applications: the API to write one, and the machine that runs them from the log."""

from tanist.peer.application.api import (
    NOBODY,
    Application,
    Choice,
    Context,
    DefinitionError,
    Event,
    Refused,
    Session,
    Superseded,
    command,
    query,
)

__all__ = [
    "NOBODY",
    "Application",
    "Choice",
    "Context",
    "DefinitionError",
    "Event",
    "Refused",
    "Session",
    "Superseded",
    "command",
    "query",
]
