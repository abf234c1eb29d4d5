"""Files to nodes: YAML and JSON in which every key and value knows its line and column.

YAML is read by the rules of version 1.2, where `no` and `on` are words and `1:30` is text: `cluster: no` means what it
says. Anchors, aliases and tags are refused: a configuration has no use for them, and they let a small file grow without
bounds. All problems of a file are gathered; only what is no YAML or JSON at all ends the reading.
"""

import json
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

from tanist.config.nodes import Item, Node, Value
from tanist.config.problems import ConfigError, Problem

FILE_BYTES_MAX = 256 << 10
"""Bytes of a configuration: hundreds of times the longest sensible one, parsed in bounded time."""
DEPTH_MAX = 32
"""Nested lists and mappings: the parser recurses."""

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"null|Null|NULL|~|")


class _Unsupported(yaml.MarkedYAMLError):
    """YAML that is right, and more than a configuration may use."""


class _Composer(yaml.SafeLoader):
    """PyYAML up to its nodes, with the scalars of YAML 1.2 and bounded depth."""

    yaml_implicit_resolvers: dict[Any, Any] = {}
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Unsupported(None, None, "anchors and aliases are not supported", event.start_mark)
        if self.depth == DEPTH_MAX:
            raise _Unsupported(None, None, f"nested deeper than {DEPTH_MAX}", event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _kind, _pattern, _first in (
    ("null", _NULL, ["~", "n", "N", ""]),
    ("bool", _BOOLEAN, list("tTfF")),
    ("int", _INTEGER, list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    # PyYAML's resolver asks for a match from the start; the end has to be in the pattern.
    _Composer.add_implicit_resolver(_TAG + _kind, re.compile(f"^(?:{_pattern.pattern})$"), _first)


WHAT = "a configuration"
BEGIN = "cluster: NAME"
"""What is read, unless said otherwise, and how such a file may begin: for messages."""


def read(file: Path, *, what: str = WHAT, begin: str = BEGIN, mapping: bool = True) -> tuple[Node, list[Problem]]:
    """The node of a whole file, a mapping (an empty file is an empty one), and what is wrong with its keys.

    Without `mapping` it may hold anything: a list too.

    Raises `ConfigError` when nothing can be known of it: no such file, no YAML or JSON, no mapping.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        _fail(str(file), f"cannot be read: {error.strerror or error}")
    if len(data) > FILE_BYTES_MAX:
        _fail(str(file), f"has more than {FILE_BYTES_MAX} bytes", f"this is not {what}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        _fail(f"{file}:{line}", "is not UTF-8", "save it as UTF-8")
    return parse(text, str(file), json_only=file.suffix.lower() == ".json", what=what, begin=begin, mapping=mapping)


def parse(
    text: str, file: str, *, json_only: bool = False, what: str = WHAT, begin: str = BEGIN, mapping: bool = True
) -> tuple[Node, list[Problem]]:
    """As `read`, of a text that stands in `file` (for messages and relative paths)."""
    if json_only:
        _check_json(text, file)
        # What is JSON holds tabs only between its tokens, and YAML takes only blanks there.
        text = text.replace("\t", " ")
    try:
        root = _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _fail(_place(file, mark) if mark else file, _yaml_message(error), _yaml_hint(error))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - before.rfind("\n")
        _fail(f"{file}:{before.count(chr(10)) + 1}:{column}", "has a character that no text file has")
    reader = _Reader(file, unpaired=json_only)
    node = reader.node(root) if root is not None else Node(value={}, where=f"{file}:1:1")
    if node.value is None:
        node = Node(value={}, where=node.where)
    if mapping and not isinstance(node.value, dict):
        _fail(node.where, f"{what} is a mapping", f'start with "{begin}"')
    return node, reader.problems


class _Reader:
    """Turns PyYAML's nodes into ours, and gathers what is wrong on the way."""

    def __init__(self, file: str, *, unpaired: bool) -> None:
        self.file = file
        self.folder = str(Path(file).parent)
        self.unpaired = unpaired
        self.problems: list[Problem] = []

    def node(self, found: yaml.Node) -> Node:
        return Node(value=self._value(found), where=_place(self.file, found.start_mark), folder=self.folder)

    def _value(self, found: yaml.Node) -> Value:
        kind = found.tag.removeprefix(_TAG)
        if isinstance(found, yaml.MappingNode) and kind == "map":
            return self._mapping(found)
        if isinstance(found, yaml.SequenceNode) and kind == "seq":
            return tuple(self.node(entry) for entry in found.value)
        if isinstance(found, yaml.ScalarNode):
            match kind:
                case "str":
                    return self._text(found.value)
                case "null":
                    return None
                case "bool" if _BOOLEAN.fullmatch(found.value):
                    return bool(found.value.lower() == "true")
                case "int" if _INTEGER.fullmatch(found.value):
                    return int(found.value)
                case "float" if _FLOAT.fullmatch(found.value):
                    return float(found.value)
        self.problems.append(Problem(_place(self.file, found.start_mark), "tags (!…) are not supported"))
        return None

    def _mapping(self, found: yaml.MappingNode) -> dict[str, Item]:
        items: dict[str, Item] = {}
        for key_node, value_node in found.value:
            where = _place(self.file, key_node.start_mark)
            value = self.node(value_node)
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
                self.problems.append(Problem(where, "a key is a word", "put it in quotes if it is meant"))
            elif (key := self._text(key_node.value)) in items:
                first = items[key].key_where.removeprefix(f"{self.file}:").partition(":")[0]
                self.problems.append(Problem(where, f'"{key}" was already set in line {first}', "keep one of the two"))
            else:
                items[key] = Item(where, value)
        return items

    def _text(self, value: str) -> str:
        # JSON writes what lies beyond U+FFFF as two escapes, which YAML takes for two characters.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if self.unpaired else value


def _check_json(text: str, file: str) -> None:
    def no_constant(word: str) -> NoReturn:
        _fail(file, f"{word} is not JSON")

    try:
        json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        hint = "rename it to .yaml if it is YAML" if error.pos == 0 else ""
        _fail(f"{file}:{error.lineno}:{error.colno}", f"not JSON: {error.msg[0].lower()}{error.msg[1:]}", hint)
    except RecursionError:
        _fail(file, f"nested deeper than {DEPTH_MAX}")
    except ValueError:
        _fail(file, "has a number that is longer than any number needs to be")


def _place(file: str, mark: Any) -> str:
    return f"{file}:{mark.line + 1}:{mark.column + 1}"


def _yaml_message(error: yaml.MarkedYAMLError) -> str:
    told = ", ".join(part for part in (error.context, error.problem) if part)
    return told if isinstance(error, _Unsupported) else f"not YAML: {told}"


def _yaml_hint(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "'\\t'" in problem:
        return "indent with blanks, not with tabs"
    if "mapping values are not allowed" in problem:
        return 'put a text with ": " in it in quotes, and check the indentation'
    return ""


def _fail(where: str, message: str, hint: str = "") -> NoReturn:
    raise ConfigError([Problem(where, message, hint)])
