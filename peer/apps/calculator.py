"""A calculator that remembers."""

import msgspec

from tanist.peer.application import Application, Context, command, query
from tanist.peer.apps.arithmetic import evaluate

HISTORY_MAX = 1000
"""Calculations kept."""


class Calculation(msgspec.Struct, frozen=True):
    """What was asked, and the answer."""

    expression: str
    result: str

    def __str__(self) -> str:
        return f"{self.expression} = {self.result}"


class Calculator(Application):
    """A calculator: + - * / with signs, decimals and parentheses. What was calculated is kept for all to see.

    After a split both sides' calculations are kept: they give the same everywhere.
    """

    LINE = "calculate"
    """In the line protocol any line that is no command is an expression."""

    done: list[Calculation]

    @command
    def calculate(self, ctx: Context, expression: str) -> str:
        """The value of an expression, like 2 + 3."""
        result = evaluate(expression)
        self.done.append(Calculation(" ".join(expression.split()), result))
        del self.done[:-HISTORY_MAX]
        return result

    @query
    def history(self, ctx: Context, n: int = 10) -> list[Calculation]:
        """The last calculations, the newest last."""
        return self.done[-n:] if n > 0 else []
