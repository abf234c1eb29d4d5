"""Who is connected to a server that talks in raw bytes: each with a code, which it keeps when the server changes."""

import msgspec

from tanist.peer.application import Application, Context, Refused, command, query

VISITORS_MAX = 10_000
"""Visitors at a time."""
CODES = range(10_000, 100_000)
"""Codes have five digits."""


class Visitor(msgspec.Struct, frozen=True):
    """One visitor: its code, and since when it is here, in nanoseconds of log time."""

    code: int
    since_ns: int

    def __str__(self) -> str:
        return str(self.code)


class Visitors(Application):
    """The visitors of a server. What they send and get is no part of it."""

    here: dict[str, Visitor]
    """By session."""
    codes: dict[int, str]
    """Code to session."""

    @command
    def arrive(self, ctx: Context) -> int:
        """Be given a code; it is yours until your connection ends."""
        known = self.here.get(ctx.session.id)
        if known is not None:
            return known.code
        if len(self.here) >= VISITORS_MAX:
            raise Refused(f"{VISITORS_MAX} visitors are here: no more", "full")
        code = ctx.random.choice(CODES)
        while code in self.codes:
            code = CODES[(code + 1) % len(CODES)]
        self.here[ctx.session.id] = Visitor(code, ctx.time_ns)
        self.codes[code] = ctx.session.id
        return code

    @query
    def visitors(self, ctx: Context) -> list[Visitor]:
        """Who is here, in the order in which they came."""
        return list(self.here.values())

    def closed(self, ctx: Context) -> None:
        """Somebody left."""
        left = self.here.pop(ctx.session.id, None)
        if left is not None:
            del self.codes[left.code]


class Packets(Visitors):
    """An echo: whatever a visitor sends comes back as it was."""


class Sums(Visitors):
    """A calculator in raw bytes: two numbers and a word in, a text out."""
