"""What an application is given when it decides by itself what becomes of a command that a split has superseded."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tanist.election.history import Term

Choice = Literal["replay", "archive", "done"]
"""What `healed` says: run the command now, keep it in the archive only, or that all is done."""
ON_HEAL = ("replay", "archive")
"""What a class may say instead of having a function of its own."""


class Superseded(msgspec.Struct, frozen=True):
    """A command that the side of a split had applied which gave way.

    `arguments` are by name, of their declared types. `acknowledged`: somebody was told that it is done; otherwise
    nobody knows. `time_ns` is its log time there, `index` and `term` are its old place. Entries up to `fork` are the
    past that both sides share: what an application remembers from there is the same that this command saw.
    """

    command: str
    arguments: Mapping[str, Any]
    acknowledged: bool
    time_ns: int
    index: int
    term: Term
    fork: int
