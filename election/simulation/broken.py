"""A breach of an invariant."""

from __future__ import annotations


class Broken(AssertionError):
    """An invariant does not hold: its short name, and what was seen."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail


__all__ = ["Broken"]
