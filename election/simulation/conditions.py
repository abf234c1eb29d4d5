"""What can be waited for and expected of a virtual cluster, a line of text each.

`judging.holds` says whether one is so. A condition about servers looks at peers that run and are not paused: what a
paused peer still thinks of itself, nobody hears.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import ClassVar, cast

from tanist.election.simulation.forms import KINDS, Forms, Kind, Line, write

SIGNS: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
"""How numbers are compared."""


class Condition(Line, frozen=True):
    """Base of what can be so."""

    real: ClassVar[bool] = True


class Settled(Condition, frozen=True):
    """One server, whom all running peers follow, with equal logs, committed to the end."""

    forms = ("settled",)


class Server(Condition, frozen=True):
    """This peer serves, and no other does."""

    forms = ("server {peer:peer}",)
    peer: str


class Servers(Condition, frozen=True):
    """Exactly these peers serve, each its fragment."""

    forms = ("servers {peers:peers}",)
    peers: tuple[str, ...]


class NoServer(Condition, frozen=True):
    """Nobody serves."""

    forms = ("no-server",)


class Serves(Condition, frozen=True):
    """This peer serves, whoever else does."""

    forms = ("serves {peer:peer}",)
    peer: str


class Follows(Condition, frozen=True):
    """This peer follows that server."""

    forms = ("follows {peer:peer} {server:peer}",)
    peer: str
    server: str


class Plays(Condition, frozen=True):
    """The peer's role: seeking, candidate, client or server."""

    forms = ("role {peer:peer} {role:word}",)
    peer: str
    role: str


class Applied(Condition, frozen=True):
    """Every running peer has applied exactly these commands, in this order."""

    forms = ("applied nothing", "applied {commands:words}")
    commands: tuple[str, ...] = ()


class AppliedBy(Condition, frozen=True):
    """This peer has applied exactly these commands, in this order."""

    forms = ("applied-by {peer:peer} nothing", "applied-by {peer:peer} {commands:words}")
    peer: str
    commands: tuple[str, ...] = ()


class Has(Condition, frozen=True):
    """This peer has applied that command, whatever else it has."""

    forms = ("has {peer:peer} {command:word}",)
    peer: str
    command: str


class Acked(Condition, frozen=True):
    """Whoever submitted the command was told that it counts, and how safely: alone, heir, majority or all."""

    forms = ("acked {command:word}", "acked {command:word} as {durability:word}")
    command: str
    durability: str = ""


class Archived(Condition, frozen=True):
    """The command is no part of the history that goes on, and is kept: archived in the log or in a peer's file."""

    forms = ("archived {command:word}",)
    command: str


class Happened(Condition, frozen=True):
    """The peer (`*`: some peer) told of this event since the scenario began, with such fields (`name=value`)."""

    forms = ("event {peer:any} {event:word}", "event {peer:any} {event:word} {fields:words}")
    peer: str
    event: str
    fields: tuple[str, ...] = ()


class Reigns(Condition, frozen=True):
    """So many reigns began since the scenario did."""

    forms = ("reigns {sign:sign} {count:number}",)
    sign: str
    count: int


class Number(Condition, frozen=True):
    """The highest number that the peer knows."""

    forms = ("number {peer:peer} {sign:sign} {number:number}",)
    peer: str
    sign: str
    number: int


class Counts(Condition, frozen=True):
    """Survivor mode: the server's acknowledgements wait for this peer's disk."""

    forms = ("counts {peer:peer}",)
    peer: str


class Listed(Condition, frozen=True):
    """The server's fallback list names exactly these peers, in this order."""

    forms = ("list nobody", "list {peers:peers}")
    peers: tuple[str, ...] = ()


class Members(Condition, frozen=True):
    """The server's roster has exactly these members."""

    forms = ("members {peers:peers}",)
    peers: tuple[str, ...]


class Voters(Condition, frozen=True):
    """The server's roster has exactly these voters."""

    forms = ("voters {peers:peers}",)
    peers: tuple[str, ...]


class Halted(Condition, frozen=True):
    """The peer ended by itself, with such words in its reason."""

    forms = ("halted {peer:peer}", "halted {peer:peer} {text:text}")
    peer: str
    text: str = ""


class Answered(Condition, frozen=True):
    """The read of this name was answered with an index up to which to read, rather than not at all or by "not now"."""

    forms = ("answered {name:word}",)
    name: str


class Refused(Condition, frozen=True):
    """The read of this name was answered by "not now"."""

    forms = ("refused {name:word}",)
    name: str


class Sees(Condition, frozen=True):
    """The read of this name was answered with an index that covers this command."""

    forms = ("sees {name:word} {command:word}",)
    name: str
    command: str


class Not(Condition, frozen=True):
    """Something is not so."""

    forms = ("not {condition:condition}",)
    condition: Condition


CONDITIONS: tuple[type[Condition], ...] = tuple(Condition.__subclasses__())
"""All that can be expected."""


def read_condition(text: str) -> Condition:
    """The condition that these words say. Raises FormError."""
    return cast(Condition, _FORMS.read(text))


KINDS["condition"] = Kind(KINDS["text"].pattern, read_condition, write)
_FORMS = Forms("condition", CONDITIONS)

__all__ = [*(c.__name__ for c in CONDITIONS), "CONDITIONS", "Condition", "read_condition"]
