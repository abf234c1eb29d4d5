"""An auction, one lot after the other."""

from tanist.peer.application import Choice, Context, Event, Refused, Superseded, command, query
from tanist.peer.apps.checks import checked_text
from tanist.peer.apps.lots import Lot, Sale
from tanist.peer.apps.names import Named

LOT_LENGTH_MAX = 100
"""Characters of a lot's name."""
AMOUNT_MAX = 10**12
"""The highest bid."""
SECONDS_MAX = 86_400.0
"""The longest time a lot is open: a day."""
SOLD_MAX = 1000
"""Lots remembered that were sold or not."""


class Opened(Event):
    """Bids may be made."""

    template = "{name} is for sale, from {start}, for {seconds:g} s"
    name: str
    start: int
    seconds: float


class Raised(Event):
    """Somebody bid more."""

    template = "{bidder} bids {amount} for {name}"
    name: str
    amount: int
    bidder: str


class Sold(Event):
    """Time is up, and there was a bid."""

    template = "{name} goes to {winner} for {amount}"
    name: str
    amount: int
    winner: str


class Unsold(Event):
    """Time is up, and nobody wanted it."""

    template = "{name} is not sold"
    name: str


class Auction(Named):
    """An auction: the auctioneer opens a lot for some time, all others bid. Time is up by log time, whoever serves.

    The auctioneer is who opens a lot while no other is here. What was bid is bid, also by one who has left since.
    """

    TAKE = "Join first: JOIN name"

    auctioneer: str
    """The auctioneer's session, or ""."""
    current: Lot | None
    sales: list[Sale]

    @command
    def join(self, ctx: Context, name: str) -> str:
        """Take part, under this name."""
        self.take(ctx, name)
        return "OK"

    @command
    def open(self, ctx: Context, name: str, start: int, seconds: float) -> str:
        """Open a lot: the auctioneer's right."""
        name = checked_text(name, LOT_LENGTH_MAX, "lot")
        if self.auctioneer not in ("", ctx.session.id):
            raise Refused("Only the auctioneer opens a lot", "not_auctioneer")
        if self.current is not None:
            raise Refused(f"{self.current.name} is for sale", "lot_open")
        if not 0 <= start <= AMOUNT_MAX:
            raise Refused(f"A lot starts at 0 to {AMOUNT_MAX}", "bad_amount")
        if not 0 < seconds <= SECONDS_MAX:
            raise Refused(f"A lot is open for more than 0 and at most {SECONDS_MAX:.0f} seconds", "bad_seconds")
        ctx.after(seconds, self.close_lot)
        self.auctioneer = ctx.session.id
        self.current = Lot(name, start, ctx.time_ns + int(seconds * 1e9))
        ctx.publish(Opened(name, start, seconds))
        return "OK"

    @query
    def lot(self, ctx: Context) -> Lot:
        """What is for sale, the highest bid, and when time is up."""
        return self._open_lot()

    @command
    def bid(self, ctx: Context, amount: int) -> str:
        """Bid more than the others."""
        bidder, lot = self.caller(ctx), self._open_lot()
        least = max(lot.best + 1, lot.start)
        if ctx.time_ns >= lot.ends_ns:
            raise Refused("Time is up", "too_late")
        if not least <= amount <= AMOUNT_MAX:
            raise Refused(f"Bid {least} or more, up to {AMOUNT_MAX}", "bad_amount")
        lot.best, lot.leader = amount, bidder
        ctx.publish(Raised(lot.name, amount, bidder))
        return "OK"

    @query
    def sold(self, ctx: Context, n: int = 10) -> list[Sale]:
        """What became of the last lots, the newest last."""
        return self.sales[-n:] if n > 0 else []

    @command(internal=True)
    def close_lot(self, ctx: Context) -> None:
        """Time is up."""
        lot = self._open_lot()
        self.current = None
        self.sales.append(Sale(lot.name, lot.best, lot.leader))
        del self.sales[:-SOLD_MAX]
        ctx.publish(Sold(lot.name, lot.best, lot.leader) if lot.leader else Unsold(lot.name))

    def closed(self, ctx: Context) -> None:
        """Somebody left: a bid stands, and the auctioneer's place is free."""
        super().closed(ctx)
        if self.auctioneer == ctx.session.id:
            self.auctioneer = ""

    def healed(self, ctx: Context, lost: Superseded) -> Choice:
        """Names hold; bids of the other side do not: they answered other bids, and a sale here is not undone."""
        choice = super().healed(ctx, lost)
        return choice if lost.command == "join" else "archive"

    def _open_lot(self) -> Lot:
        if self.current is None:
            raise Refused("No lot is open", "no_lot")
        return self.current
