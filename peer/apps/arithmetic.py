"""The value of an expression: + - * / with signs, decimals and parentheses, read by hand and never by `eval`.

A number is a decimal of 30 digits, so that 0.1 + 0.2 is 0.3, and alike on every machine. Work and memory are bounded by
the length of the text: there is no power, and nothing grows beyond `MAGNITUDE_MAX` digits.
"""

import re
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from tanist.peer.application import Refused

EXPRESSION_LENGTH_MAX = 500
"""Characters of an expression: more is a program."""
DEPTH_MAX = 50
"""Parentheses and signs within each other: each is a call within a call."""
DIGITS = 30
"""Digits that a number keeps."""
MAGNITUDE_MAX = 99
"""Zeros of the largest number."""

_TOKEN = re.compile(r"[ \t]*([0-9]+(?:\.[0-9]+)?|\.[0-9]+|[-+*/()])")
_NUMBERS = Context(
    prec=DIGITS, Emax=MAGNITUDE_MAX, Emin=-MAGNITUDE_MAX, traps=[InvalidOperation, DivisionByZero, Overflow]
)


def evaluate(expression: str) -> str:
    """The value of an expression as a plain number. Refuses nonsense, division by zero, and what is too large."""
    if len(expression) > EXPRESSION_LENGTH_MAX:
        raise Refused(f"An expression has at most {EXPRESSION_LENGTH_MAX} characters", "too_long")
    reader = _Reader(_tokens(expression))
    try:
        value = reader.sum()
        reader.end()
        # Adding zero makes -0 a 0, and rounds a number that stands alone.
        return format(_NUMBERS.add(value, Decimal(0)).normalize(_NUMBERS), "f")
    except Overflow:
        raise Refused("The result is too large", "out_of_range") from None


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    text = expression.rstrip(" \t")
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Refused(f"Not a number or + - * / ( ): {text[at:].lstrip()[:10]}", "bad_expression")
        tokens.append(found[1])
        at = found.end()
    return tokens


class _Reader:
    """Reads from left to right, one method for each rank of operators."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def sum(self) -> Decimal:
        value = self._product()
        while sign := self._next("+", "-"):
            other = self._product()
            value = _NUMBERS.add(value, other) if sign == "+" else _NUMBERS.subtract(value, other)
        return value

    def _product(self) -> Decimal:
        value = self._signed()
        while sign := self._next("*", "/"):
            other = self._signed()
            if sign == "/" and not other:
                raise Refused("Division by zero", "division_by_zero")
            value = _NUMBERS.multiply(value, other) if sign == "*" else _NUMBERS.divide(value, other)
        return value

    def _signed(self) -> Decimal:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise Refused(f"More than {DEPTH_MAX} signs or parentheses within each other", "too_deep")
        if sign := self._next("+", "-"):
            value = self._signed()
            value = _NUMBERS.minus(value) if sign == "-" else value
        elif self._next("("):
            value = self.sum()
            if not self._next(")"):
                raise Refused("A parenthesis is not closed", "bad_expression")
        else:
            value = self._number()
        self._depth -= 1
        return value

    def _number(self) -> Decimal:
        token = self._tokens[self._at] if self._at < len(self._tokens) else ""
        if not token or token in "+-*/()":
            raise Refused(f"A number is missing before {token}" if token else "A number is missing", "bad_expression")
        self._at += 1
        return _NUMBERS.create_decimal(token)

    def end(self) -> None:
        """All of it must have been read."""
        if self._at < len(self._tokens):
            raise Refused(f"An operator is missing before {self._tokens[self._at][:10]}", "bad_expression")

    def _next(self, *tokens: str) -> str:
        """The next token if it is one of these, "" otherwise."""
        if self._at < len(self._tokens) and self._tokens[self._at] in tokens:
            self._at += 1
            return self._tokens[self._at - 1]
        return ""
