"""A notice board."""

import msgspec

from tanist.peer.application import Application, Context, Event, Refused, command, query
from tanist.peer.apps.checks import checked_text

TEXT_LENGTH_MAX = 1000
"""Characters of a notice: it is read while walking by."""
NOTICES_MAX = 1000
"""Notices that hang, the oldest taken down first."""


class Notice(msgspec.Struct, frozen=True):
    """A text and its number, which is never given again."""

    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.number}. {self.text}"


class Posted(Event):
    """A notice was put up."""

    template = "New notice {number}. {text}"
    number: int
    text: str


class Board(Application):
    """A notice board: put up a notice, read the latest.

    After a split the notices of the other side are put up here too, under new numbers.
    """

    notices: list[Notice]
    last: int

    @command
    def post(self, ctx: Context, text: str) -> int:
        """Put up a notice; its number."""
        text = checked_text(text, TEXT_LENGTH_MAX)
        self.last += 1
        self.notices.append(Notice(self.last, text))
        del self.notices[:-NOTICES_MAX]
        ctx.publish(Posted(self.last, text), but=ctx.session)
        return self.last

    @query
    def read(self, ctx: Context, n: int = 10) -> list[Notice]:
        """The latest notices, the newest first; all of them if there are fewer."""
        if n < 1:
            raise Refused("Ask for 1 notice or more", "bad_number")
        return self.notices[: -n - 1 : -1]
