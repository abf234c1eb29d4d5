"""What the clients say every so often, and what they make of what comes back."""

import re
from abc import ABC, abstractmethod
from random import Random
from typing import ClassVar

from tanist.peer.gateways.structs import POSITION, SUM

WORDS = (b"SUMA", b"RESTA", b"MULTIPLICACION", b"DIVISION")
NUMBERS = (-100, 100)
"""The numbers of sums: small ones, that people can check."""
REACH = 2**15 - 1
STEP = 2000
"""How far a position moves at a time, at most: a few steps cross a picture of all."""
UNSEEN_CHARACTERS_MAX = 1000
"""Characters that are waited on for the rest of an answer; answers are far shorter."""


class Traffic(ABC):
    """One client's traffic."""

    every_s: ClassVar[float]
    """Seconds between two that it sends."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    @abstractmethod
    def next(self) -> tuple[str, bytes]:
        """What is sent next: in words, and in bytes."""

    @abstractmethod
    def heard(self, data: bytes) -> list[str]:
        """The lines that come of what came back, however it is cut."""


class Packets(Traffic):
    """Numbered packets, which come back as they were."""

    every_s = 1.0

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._number = 0
        self._data = b""

    def next(self) -> tuple[str, bytes]:
        """See `Traffic.next`."""
        self._number += 1
        return f"packet {self._number}", f"packet {self._number}\n".encode()

    def heard(self, data: bytes) -> list[str]:
        """See `Traffic.heard`."""
        *whole, self._data = (self._data + data).split(b"\n")
        self._data = self._data[-UNSEEN_CHARACTERS_MAX:]
        return [line.decode(errors="replace") for line in whole]


class Sums(Traffic):
    """Two numbers and a word; the answer is a text."""

    every_s = 10.0

    def next(self) -> tuple[str, bytes]:
        """See `Traffic.next`."""
        word, a, b = self.rng.choice(WORDS), self.rng.randint(*NUMBERS), self.rng.randint(*NUMBERS)
        return f"{word.decode()} {a} {b}", SUM.pack(len(word), a, b) + word

    def heard(self, data: bytes) -> list[str]:
        """See `Traffic.heard`. An answer has no end of its own; it comes before anything else is asked."""
        return [data.decode(errors="replace")]


class Positions(Traffic):
    """A walk; everybody's positions come back."""

    every_s = 5.0
    _WHOLE = re.compile(r"\d+ \(-?\d+, -?\d+\)")

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self._x, self._y = rng.randint(-REACH, REACH), rng.randint(-REACH, REACH)
        self._text = ""

    def next(self) -> tuple[str, bytes]:
        """See `Traffic.next`."""
        self._x, self._y = self._step(self._x), self._step(self._y)
        return f"at ({self._x}, {self._y})", POSITION.pack(self._x, self._y)

    def heard(self, data: bytes) -> list[str]:
        """See `Traffic.heard`."""
        self._text += data.decode(errors="replace")
        found = list(self._WHOLE.finditer(self._text))
        if found:
            self._text = self._text[found[-1].end() :]
        self._text = self._text[-UNSEEN_CHARACTERS_MAX:]
        return [match[0] for match in found]

    def _step(self, at: int) -> int:
        return min(max(at + self.rng.randint(-STEP, STEP), -REACH), REACH)


KINDS: dict[str, type[Traffic]] = {"packets": Packets, "sums": Sums, "positions": Positions}
