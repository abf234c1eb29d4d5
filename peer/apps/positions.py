"""Positions that everybody sees."""

import msgspec

from tanist.peer.application import Context, Event, Refused, command, query
from tanist.peer.apps.visitors import Visitors

REACH = 2**15
"""Coordinates have 16 bits and a sign."""


class Moved(Event):
    """A visitor is somewhere else."""

    template = "{code} ({x}, {y})"
    code: int
    x: int
    y: int


class Place(msgspec.Struct, frozen=True):
    """Where a visitor is."""

    code: int
    x: int
    y: int

    def __str__(self) -> str:
        return f"{self.code} ({self.x}, {self.y})"


class Positions(Visitors, on_heal="archive"):
    """Each visitor says where it is, and everybody hears.

    After a split no position of the other side is made up for: its visitor is somewhere else by now.
    """

    places: dict[int, Place]
    """By code."""

    @command
    def move(self, ctx: Context, x: int, y: int) -> int:
        """Be somewhere; gives your code."""
        if not (-REACH <= x < REACH and -REACH <= y < REACH):
            raise Refused(f"x and y are from {-REACH} to {REACH - 1}", "out_of_range")
        code = self.arrive(ctx)
        self.places[code] = Place(code, x, y)
        ctx.publish(Moved(code, x, y))
        return code

    @query
    def everybody(self, ctx: Context) -> list[Place]:
        """Where everybody is."""
        return list(self.places.values())

    def closed(self, ctx: Context) -> None:
        """Somebody left, and is nowhere."""
        visitor = self.here.get(ctx.session.id)
        if visitor is not None:
            self.places.pop(visitor.code, None)
        super().closed(ctx)
