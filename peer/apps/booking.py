"""Seats, each booked once."""

from typing import Annotated, Literal

import msgspec

from tanist.peer.application import Application, Context, Event, Refused, command, query

SEATS_MAX = 10_000
"""Seats of a hall: all are told in one answer."""
WORD_LENGTH_MAX = 64
"""Characters of the word by which a booking is known again."""


class Holder(msgspec.Struct, frozen=True):
    """Who has a seat: the session that booked it, and the word it left, or ""."""

    session: str
    word: str


class Seat(msgspec.Struct, frozen=True):
    """A seat as one client sees it."""

    number: int
    state: Literal["free", "booked", "yours"]

    def __str__(self) -> str:
        return f"{self.number} {self.state}"


class Booked(Event):
    """A seat was booked."""

    template = "Seat {number} is booked"
    number: int


class Freed(Event):
    """A booking was cancelled."""

    template = "Seat {number} is free"
    number: int


class Booking(Application):
    """Seats, each booked once. A booking outlives its connection: a word given with it lets you cancel it later.

    After a split bookings and cancellations of the other side are done here too, in their order: a seat that is free
    goes to whom it was promised, and one that has been booked here is refused, so that no seat is anybody's twice.
    """

    class Settings(msgspec.Struct, frozen=True):
        """The hall."""

        seats: Annotated[int, msgspec.Meta(ge=1, le=SEATS_MAX)] = 40
        """Its seats, from 1."""

    holders: dict[int, Holder]
    """Seat to who has it."""

    @query
    def seats(self, ctx: Context) -> list[Seat]:
        """All seats: free, booked, or yours."""
        return [Seat(number, self._state(ctx, number)) for number in range(1, ctx.settings.seats + 1)]

    @command
    def book(self, ctx: Context, n: int, word: str = "") -> str:
        """Book a seat, with a word of yours if you may come back by another connection."""
        if not 1 <= n <= ctx.settings.seats:
            raise Refused(f"Seats are 1 to {ctx.settings.seats}", "no_such_seat")
        if len(word) > WORD_LENGTH_MAX:
            raise Refused(f"A word has at most {WORD_LENGTH_MAX} characters", "bad_word")
        if n in self.holders:
            raise Refused(f"Seat {n} is booked", "taken")
        self.holders[n] = Holder(ctx.session.id, word)
        ctx.publish(Booked(n), but=ctx.session)
        return "OK"

    @command
    def cancel(self, ctx: Context, n: int, word: str = "") -> str:
        """Give a seat back that you booked, by this connection or with this word."""
        holder = self.holders.get(n)
        if holder is None:
            raise Refused(f"Seat {n} is not booked", "not_booked")
        if holder.session != ctx.session.id and not (word and word == holder.word):
            raise Refused(f"Seat {n} was booked by another; with a word, cancel with the same", "not_yours")
        del self.holders[n]
        ctx.publish(Freed(n), but=ctx.session)
        return "OK"

    def _state(self, ctx: Context, number: int) -> Literal["free", "booked", "yours"]:
        holder = self.holders.get(number)
        if holder is None:
            return "free"
        return "yours" if holder.session == ctx.session.id else "booked"
