"""One number: the smallest application."""

from tanist.peer.application import Application, Context, Refused, command, query

TOTAL_MAX = 2**63 - 1
"""The largest total, either way: what a snapshot takes as one number."""


class Counter(Application):
    """One number that everybody can add to. After a split it has what was added on both sides."""

    total: int

    @command
    def add(self, ctx: Context, n: int = 1) -> int:
        """Add to the number; the new number."""
        if abs(self.total + n) > TOTAL_MAX:
            raise Refused("The number would be too large", "out_of_range")
        self.total += n
        return self.total

    @query
    def value(self, ctx: Context) -> int:
        """The number."""
        return self.total
