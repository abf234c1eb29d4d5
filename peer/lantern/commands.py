"""What a lantern can be told. A new command is one more class in `COMMANDS`, and nothing else:

class Blink(Command):
    name, kind, length = "BLINK", 0x30, 1

    def value(self, given: object) -> bytes:
        ...the bytes of what a person said, or raise BadValue...

    def obey(self, lantern: Lantern, value: bytes) -> None:
        lantern.blinks_a_second = value[0]
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


class On(Command):
    """Light up."""

    name, kind = "ON", 0x12

    def obey(self, lantern: Lantern, value: bytes) -> None:
        """Change a lantern."""
        lantern.on = True


class Off(Command):
    """Go dark."""

    name, kind = "OFF", 0x13

    def obey(self, lantern: Lantern, value: bytes) -> None:
        """Change a lantern."""
        lantern.on = False


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


COMMANDS: tuple[Command, ...] = (On(), Off(), Color())
"""All commands."""
BY_NAME = {command.name: command for command in COMMANDS}
BY_KIND = {command.kind: command for command in COMMANDS}


def obey(lantern: Lantern, kind: int, value: bytes) -> bool:
    """Have a lantern obey a frame; whether that is a command that it knows, with a value long enough."""
    command = BY_KIND.get(kind)
    if command is None or len(value) < command.length:
        return False
    command.obey(lantern, value)
    return True
