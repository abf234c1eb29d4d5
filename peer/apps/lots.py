"""What is sold at an auction."""

from datetime import UTC, datetime

import msgspec


class Lot(msgspec.Struct):
    """What is for sale: `best` is the highest bid, 0 if there is none, `leader` who made it."""

    name: str
    start: int
    ends_ns: int
    best: int = 0
    leader: str = ""

    def __str__(self) -> str:
        ends = datetime.fromtimestamp(self.ends_ns / 1e9, UTC).strftime("%H:%M:%S UTC")
        price = f"{self.best} by {self.leader}" if self.best else f"from {self.start}"
        return f"{self.name}: {price}, until {ends}"


class Sale(msgspec.Struct, frozen=True):
    """What became of a lot: nobody's name, and 0, if there was no bid."""

    name: str
    amount: int
    winner: str

    def __str__(self) -> str:
        return f"{self.name}: {self.winner} for {self.amount}" if self.winner else f"{self.name}: not sold"
