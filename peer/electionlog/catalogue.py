"""The catalogue of the election log: every event by its fixed name, the core's and the running peer's.

A new event, or a new field with a default, keeps the version. A changed meaning, or a field that goes, does not.
"""

from tanist.election.events import EVENTS, Event
from tanist.peer.electionlog.peer_events import PEER_EVENT_NAMES

CATALOGUE_VERSION = 1
"""Written into each line as `v`."""

PEER_EVENTS: dict[str, type[Event]] = {name: cls for cls, name in PEER_EVENT_NAMES.items()}
"""Name to event, for those of the running peer."""

CATALOGUE: dict[str, type[Event]] = {**EVENTS, **PEER_EVENTS}
"""Name to event, for all."""

LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
"""The levels from the least to the most urgent."""


def at_least(level: str, floor: str) -> bool:
    """Whether an event of `level` is to be told where `floor` is the least level; an unknown level counts as info."""
    return LEVELS.get(level, LEVELS["info"]) >= LEVELS.get(floor, LEVELS["info"])
