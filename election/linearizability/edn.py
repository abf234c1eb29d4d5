"""As much of EDN as histories are written in: what Jepsen and Maelstrom print.

Keywords become text without their colon, lists and vectors lists, and what a tag says is taken without the tag.
"""

from __future__ import annotations

import re
from typing import Any

from tanist.election.linearizability.operations import HistoryError, freeze

DEPTH_MAX = 100
"""Nesting: far more than any history has, and far less than Python's stack."""

_TOKEN = re.compile(
    r"""[\s,]*(?:;[^\n]*(?:\n|\Z)[\s,]*)*"""
    r"""(?:(?P<string>"(?:\\.|[^"\\])*")|(?P<open>\#\{|[\[({])|(?P<close>[\])}])"""
    r"""|(?P<tag>\#[^\s,\[\](){}";]+)|(?P<discard>\#_)|(?P<char>\\[^\s,\[\](){}";]+)|(?P<atom>[^\s,\[\](){}";]+))""",
    re.DOTALL,
)
_CLOSING = {"[": "]", "(": ")", "{": "}", "#{": "}"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ATOMS: dict[str, Any] = {"nil": None, "true": True, "false": False}


class Edn:
    """Reads one value after another from a text."""

    def __init__(self, text: str, line: int = 1) -> None:
        self._text = text
        self._at = 0
        self._line = line

    def values(self) -> list[Any]:
        """All values to the end of the text. Raises HistoryError."""
        found = []
        while (token := self._token()) is not None:
            found.append(self._value(*token, 0))
        return found

    def _fail(self, what: str) -> HistoryError:
        line = self._line + self._text.count("\n", 0, self._at)
        return HistoryError(f"line {line}: {what}: this is no EDN, near {self._text[self._at : self._at + 40]!r}")

    def _token(self) -> tuple[str, str] | None:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            rest = re.sub(r";[^\n]*", "", self._text[self._at :])
            if rest.strip(" \t\r\n,"):
                raise self._fail("what stands here cannot be read")
            return None
        self._at = found.end()
        kind = found.lastgroup
        assert kind is not None
        return kind, found[kind]

    def _next(self, depth: int) -> tuple[str, str]:
        if depth > DEPTH_MAX:
            raise self._fail(f"nested deeper than {DEPTH_MAX}")
        token = self._token()
        if token is None:
            raise self._fail("it ends in the middle of a value")
        return token

    def _value(self, kind: str, text: str, depth: int) -> Any:
        match kind:
            case "string":
                return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1], flags=re.DOTALL)
            case "open":
                return self._collection(text, depth + 1)
            case "tag":
                return self._value(*self._next(depth + 1), depth + 1)
            case "char":
                return text[1:]
            case "atom":
                return self._atom(text)
        raise self._fail(f"{text!r} stands where a value should")

    def _collection(self, opened: str, depth: int) -> Any:
        items: list[Any] = []
        while (token := self._next(depth)) != ("close", _CLOSING[opened]):
            items.append(self._value(*token, depth))
        if opened == "#{":
            return frozenset(freeze(item) for item in items)
        if opened != "{":
            return items
        if len(items) % 2:
            raise self._fail("a map has a key without a value")
        return {freeze(key): value for key, value in zip(items[::2], items[1::2], strict=True)}

    def _atom(self, text: str) -> Any:
        if text in _ATOMS:
            return _ATOMS[text]
        if text.startswith(":"):
            return text[1:]
        if re.fullmatch(r"[+-]?\d+N?", text):
            return int(text.rstrip("N"))
        try:
            return float(text.rstrip("M"))
        except ValueError:
            # A symbol: a name is a name.
            return text
