"""What is wrong with a configuration, and where: said all at once, each with a place and what to do about it."""

import difflib
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec


class Layer(StrEnum):
    """Where a value may come from; each layer goes over those before it."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    FLAG = "flag"


class Origin(msgspec.Struct, frozen=True):
    """Which layer gave a value, and where in it: "c.yaml:3:5", "TANIST_PACE", "--pace", or "" for a plain default."""

    layer: Layer
    where: str = ""

    @property
    def given(self) -> bool:
        """Whether a person gave the value, in whatever layer."""
        return self.layer is not Layer.DEFAULT

    def __str__(self) -> str:
        return f"{self.layer}, {self.where}" if self.where else str(self.layer)


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: where it stands, what it is, and a hint at what to do ("" when there is none)."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        told = f"{self.message}; {self.hint}" if self.hint else self.message
        return f"{self.where}: {told}"


class ConfigError(Exception):
    """A configuration that cannot be used. `problems` holds all that was found; as text, one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = list(problems)


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A hint at the choice that looks most like `word`, or "" when none does."""
    by_folded = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return f'did you mean "{by_folded[close[0]]}"?' if close else ""
