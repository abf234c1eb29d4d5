"""Single values: what a node must hold to be an integer, a choice, a name, a path; each error with its hint."""

import math
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from tanist.config.nodes import Node, plain, shown
from tanist.config.problems import Problem, did_you_mean

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Parser = Callable[[Node], T]
"""Takes a node, returns the value, raises `Invalid`."""

NAME_CHARS_MAX = 64
"""Characters of a cluster's or a peer's name: it stands in every hello, log line, list and path."""
PATH_CHARS_MAX = 4096
"""Characters of a path: what the operating systems take at most."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


class Invalid(Exception):
    """A node does not hold what its key takes. `problems` says why, each at its place."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = problems


def invalid(node: Node, message: str, hint: str = "") -> Invalid:
    """One problem at the node's place, to be raised."""
    return Invalid(Problem(node.where, message, hint))


def text(node: Node) -> str:
    """A string that is not empty. Numbers are refused: 007 and 1.10 would not come back as they were written."""
    match node.value:
        case str() as value if value:
            return value
        case bool() | int() | float():
            raise invalid(node, f"expected text, got {shown(node)}", "put it in quotes")
        case "" | None:
            raise invalid(node, "has no value", "give it one, or leave the key out")
        case _:
            raise invalid(node, f"expected text, got {shown(node)}")


def name(node: Node) -> str:
    """The name of a cluster or a peer."""
    value = text(node)
    if len(value) > NAME_CHARS_MAX:
        raise invalid(node, f"a name has at most {NAME_CHARS_MAX} characters, this one {len(value)}")
    if not _NAME.fullmatch(value):
        fitting = fitting_name(value)
        hint = f'for example "{fitting}"' if fitting else ""
        raise invalid(node, f"a name has only letters a-z, digits and . _ -, got {shown(node)}", hint)
    if not value.strip("._-"):
        # "." and ".." would be folders of their own in the path of the data.
        raise invalid(node, f"a name needs a letter or a digit, got {shown(node)}")
    return value


def fitting_name(wanted: str) -> str:
    """The nearest valid name, or "" when nothing of it can stay."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", wanted)[:NAME_CHARS_MAX].strip("._-")


def integer(low: int, high: int) -> Parser[int]:
    """A whole number from `low` to `high`."""

    def parse(node: Node) -> int:
        value = node.value
        if node.words and isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            quoted = isinstance(value, str) and _INTEGER.fullmatch(value) is not None
            raise invalid(node, f"expected a whole number, got {shown(node)}", "drop the quotes" if quoted else "")
        if not low <= value <= high:
            raise invalid(node, f"expected {low} to {high}, got {shown(node)}")
        return value

    return parse


def number(low: float, high: float) -> Parser[float]:
    """A number from `low` to `high`, whole or not."""

    def parse(node: Node) -> float:
        value = node.value
        if node.words and isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                pass
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = "write the number alone: the unit is in the key" if isinstance(value, str) else ""
            raise invalid(node, f"expected a number, got {shown(node)}", hint)
        if not math.isfinite(value) or not low <= value <= high:
            raise invalid(node, f"expected {low:g} to {high:g}, got {shown(node)}")
        return value

    return parse


def boolean(node: Node) -> bool:
    """True or false; yes, no, on and off are taken too."""
    match node.value:
        case bool() as value:
            return value
        case str() as word if word.lower() in _TRUE:
            return True
        case str() as word if word.lower() in _FALSE:
            return False
        case _:
            raise invalid(node, f"expected true or false, got {shown(node)}")


def one_of(words: tuple[str, ...]) -> Parser[str]:
    """One of at least two lower-case words, in whatever case."""
    listed = f"{', '.join(words[:-1])} or {words[-1]}"

    def parse(node: Node) -> str:
        if isinstance(node.value, str) and node.value.lower() in words:
            return node.value.lower()
        hint = did_you_mean(node.value, words) if isinstance(node.value, str) else ""
        raise invalid(node, f"expected {listed}, got {shown(node)}", hint)

    return parse


def choice(kind: type[E]) -> Parser[E]:
    """One word of an enumeration."""
    word = one_of(tuple(str(member) for member in kind))
    return lambda node: kind(word(node))


def listing(item: Parser[T], most: int, example: str) -> Parser[tuple[T, ...]]:
    """A list of at most `most` values, each once; one alone is a list too where everything is text."""

    def parse(node: Node) -> tuple[T, ...]:
        if not isinstance(node.value, tuple):
            raise invalid(node, f"expected a list, got {shown(node)}", f"write [{example}]")
        if len(node.value) > most:
            raise invalid(node, f"at most {most} entries, got {len(node.value)}")
        values: dict[T, None] = {}
        problems: list[Problem] = []
        for entry in node.value:
            try:
                values[item(entry)] = None
            except Invalid as error:
                problems.extend(error.problems)
        if problems:
            raise Invalid(*problems)
        return tuple(values)

    return parse


def path(node: Node) -> str:
    """A path; a relative one in a file starts from that file's folder, so that it means the same from everywhere."""
    value = text(node)
    if len(value) > PATH_CHARS_MAX or not value.isprintable():
        raise invalid(node, f"this is no path: {shown(node)}")
    try:
        expanded = Path(value).expanduser()
    except RuntimeError:
        raise invalid(node, f"nobody's home directory is {shown(node)}", "write the whole path") from None
    return str(Path(node.folder) / expanded)


def settings(node: Node) -> dict[str, Any]:
    """A mapping that somebody else validates, without places; nothing at all is an empty one."""
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise invalid(node, f"expected a mapping of settings, got {shown(node)}", "write {} for none")
    found: dict[str, Any] = plain(node)
    return found
