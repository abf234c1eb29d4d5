"""What a lantern can be told. A new command is one more class in `COMMANDS`, and nothing else:

class Blink(Command):
    name, kind, length = "BLINK", 0x30, 1

    def value(self, given: object) -> bytes:
        ...the bytes of what a person said, or raise BadValue...

    def obey(self, lantern: Lantern, value: bytes) -> None:
        lantern.blinks = value[0]

    def present(self, lantern: Lantern) -> bytes | None:
        return bytes([lantern.blinks])

docs/how-to/lantern.md shows it whole.
"""

import re
from typing import ClassVar

import msgspec


class BadValue(ValueError):
    """What was said with a command is no value of it; the message says what would be."""


class Lantern(msgspec.Struct):
    """A lantern as it is: whether it is on, and its colour, six hex digits, red green blue."""

    on: bool = False
    color: str = "ffffff"

    def __str__(self) -> str:
        return f"on, #{self.color}" if self.on else "off"


class Command:
    """One command: its name, the type of its frame, and how many bytes of the value it needs.

    A frame may carry more: a later version may say more with it.
    """

    name: ClassVar[str]
    kind: ClassVar[int]
    length: ClassVar[int] = 0

    def value(self, given: object) -> bytes:
        """The value of its frame, from what a person or program said. Raises BadValue."""
        if given not in (None, ""):
            raise BadValue(f"{self.name} takes no value")
        return b""

    def obey(self, lantern: Lantern, value: bytes) -> None:
        """Change a lantern."""
        raise NotImplementedError

    def present(self, lantern: Lantern) -> bytes | None:
        """The value of the frame that tells a latecomer how this lantern is; None if there is nothing to tell."""
        return None


class On(Command):
    """Light up."""

    name, kind = "ON", 0x12

    def obey(self, lantern: Lantern, value: bytes) -> None:
        """Change a lantern."""
        lantern.on = True

    def present(self, lantern: Lantern) -> bytes | None:
        """Told to latecomers of one that is on."""
        return b"" if lantern.on else None


class Off(Command):
    """Go dark."""

    name, kind = "OFF", 0x13

    def obey(self, lantern: Lantern, value: bytes) -> None:
        """Change a lantern."""
        lantern.on = False

    def present(self, lantern: Lantern) -> bytes | None:
        """Told to latecomers of one that is off."""
        return None if lantern.on else b""


class Color(Command):
    """Shine in another colour."""

    name, kind, length = "COLOR", 0x20, 3

    def value(self, given: object) -> bytes:
        """Six hex digits, with or without # before them. Raises BadValue."""
        digits = given.removeprefix("#") if isinstance(given, str) else ""
        if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
            raise BadValue("COLOR takes six hex digits, red green blue, such as ff0000")
        return bytes.fromhex(digits)

    def obey(self, lantern: Lantern, value: bytes) -> None:
        """Change a lantern."""
        lantern.color = value[:3].hex()

    def present(self, lantern: Lantern) -> bytes | None:
        """Told to latecomers always: it is the colour in which a dark one will light up."""
        return bytes.fromhex(lantern.color)


COMMANDS: tuple[Command, ...] = (On(), Off(), Color())
"""All commands."""
BY_NAME = {command.name: command for command in COMMANDS}
BY_KIND = {command.kind: command for command in COMMANDS}


def present(lantern: Lantern) -> list[tuple[int, bytes]]:
    """The frames, type and value, that make any lantern like this one; it is switched last."""
    told = [(command.kind, command.present(lantern)) for command in reversed(BY_KIND.values())]
    return [(kind, value) for kind, value in told if value is not None]


def obey(lantern: Lantern, kind: int, value: bytes) -> bool:
    """Have a lantern obey a frame; whether that is a command that it knows, with a value long enough."""
    command = BY_KIND.get(kind)
    if command is None or len(value) < command.length:
        return False
    command.obey(lantern, value)
    return True
