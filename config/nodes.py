"""Values that know where they stand: what every layer is turned into before anything is validated."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

Value: TypeAlias = "bool | int | float | str | tuple[Node, ...] | dict[str, Item] | None"
"""A scalar, a list of nodes, or a mapping from a key to its item."""

SHOWN_CHARS_MAX = 60
"""Characters of a wrong value that an error repeats: enough to recognise it, one line whatever it was."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A value and its place.

    `where` is as errors print it. `words` says that it came from the environment or the command line, where
    everything is text, so that "3" may be a number. `folder` is what relative paths start from ("": as they are).
    """

    value: Value
    where: str
    words: bool = False
    folder: str = ""


class Item(msgspec.Struct, frozen=True):
    """One entry of a mapping: the place of its key, and its value."""

    key_where: str
    node: Node


def plain(node: Node) -> Any:
    """The value without places: scalars, lists and dicts."""
    if isinstance(node.value, tuple):
        return [plain(n) for n in node.value]
    if isinstance(node.value, dict):
        return {key: plain(item.node) for key, item in node.value.items()}
    return node.value


def from_python(value: object, where: str, words: bool = False) -> Node:
    """A node of a value handed over by a program. Raises TypeError for what no configuration could hold."""
    if isinstance(value, Mapping):
        items = {str(k): Item(where, from_python(v, where, words)) for k, v in value.items()}
        return Node(value=items, where=where, words=words)
    if isinstance(value, str):
        # Enumerations of strings too: their plain text is what a person would have written.
        return Node(value=str(value), where=where, words=words)
    if isinstance(value, Sequence):
        return Node(value=tuple(from_python(v, where, words) for v in value), where=where, words=words)
    if value is None or isinstance(value, bool | int | float):
        return Node(value=value, where=where, words=words)
    if hasattr(value, "__fspath__"):
        return Node(value=str(value), where=where, words=words)
    raise TypeError(f"{where}: a {type(value).__name__} is no configuration value")


def shown(node: Node) -> str:
    """The value as an error repeats it: a short line, without control characters."""
    match node.value:
        case tuple():
            return "a list"
        case dict():
            return "a mapping"
        case None:
            return "nothing"
        case value:
            text = json.dumps(value)
            return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"
