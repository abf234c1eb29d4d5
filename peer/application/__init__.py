"""Applications: the API to write one, and the machine that runs them from the log."""

from tanist.peer.application.api import (
    NOBODY,
    Application,
    Asking,
    Choice,
    Context,
    DefinitionError,
    Event,
    Refused,
    Secret,
    Session,
    Superseded,
    command,
    prepare,
    query,
)

__all__ = [
    "NOBODY",
    "Application",
    "Asking",
    "Choice",
    "Context",
    "DefinitionError",
    "Event",
    "Refused",
    "Secret",
    "Session",
    "Superseded",
    "command",
    "prepare",
    "query",
]
