"""Drills from YAML: all that is wrong with a file is told at once, each with file, line, column and what to do.

title: The server is killed
steps:
  - kill server
  - wait server heir within 4s
expects:
  - outage within death
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from tanist.config.loader import parse, read
from tanist.config.nodes import Item, Node, shown
from tanist.config.problems import ConfigError, Problem, did_you_mean
from tanist.election.settings import Safety
from tanist.election.simulation.conditions import Condition
from tanist.election.simulation.forms import FormError, Line, places, read_time
from tanist.election.simulation.steps import Act
from tanist.peer.drills import words
from tanist.peer.drills.drill import Block, Drill, Expectation, Step
from tanist.peer.drills.roles import GROUPS, ROLES

STEPS_MAX = 500
"""Steps of a file: a drill is to be understood by whoever reads it."""
REPEAT_MAX = 100
"""Repetitions of a block: with the shortest steps still some seconds."""
DEPTH_MAX = 4
"""Blocks within blocks."""
PEERS_MAX = 9
"""Peers of a drill: processes on one machine."""
WHAT, BEGIN = "a drill", "title: WHAT HAPPENS"

_KEYS = ("title", "about", "safety", "peers", "steps", "expects")
_BLOCK_KEYS = ("repeat", "each", "steps")

_Items = Mapping[str, Item]


def read_drill(file: Path, names: Collection[str]) -> Drill:
    """The drill of a file; `names` are those that peers have. Raises ConfigError with every problem."""
    root, problems = read(file, what=WHAT, begin=BEGIN)
    return _Reader(names, problems).drill(file.stem, root)


def parse_drill(text: str, file: str, names: Collection[str]) -> Drill:
    """As `read_drill`, of a text that stands in `file` (for messages)."""
    root, problems = parse(text, file, what=WHAT, begin=BEGIN)
    return _Reader(names, problems).drill(Path(file).stem, root)


class _Reader:
    """Turns the nodes of a file into a drill, and gathers what is wrong on the way."""

    def __init__(self, names: Collection[str], problems: list[Problem]) -> None:
        self._names = {*names}
        self._problems = problems
        self._steps = 0

    def drill(self, name: str, root: Node) -> Drill:
        """The whole file. Raises ConfigError."""
        items = self._mapping(root, _KEYS, "a drill")
        for key in ("title", "steps"):
            if key not in items:
                self._wrong(root, f'"{key}" is missing', "a drill has at least a title and steps")
        made = Drill(
            name=name,
            title=self._text("title", items),
            about=self._text("about", items),
            safety=self._safety(items),
            peers=self._whole("peers", items, 2, PEERS_MAX, default=3),
            # Before the expectations, which may speak of peers that steps add.
            steps=self._all_steps(items["steps"].node, 0) if "steps" in items else (),
            expects=self._all_expects(items["expects"].node, None) if "expects" in items else (),
        )
        if self._problems:
            raise ConfigError(sorted(self._problems, key=_place))
        return made

    # Plain values

    def _mapping(self, node: Node, known: Collection[str], what: str) -> _Items:
        if not isinstance(node.value, dict):
            self._wrong(node, f"{what} is a mapping, not {shown(node)}", f"it has {', '.join(known)}")
            return {}
        for key, item in node.value.items():
            if key not in known:
                hint = did_you_mean(key, known) or f"{what} has {', '.join(known)}"
                self._problems.append(Problem(item.key_where, f'unknown key "{key}"', hint))
        return node.value

    def _text(self, key: str, items: _Items) -> str:
        if key not in items:
            return ""
        node = items[key].node
        if isinstance(node.value, str) and node.value.strip():
            return " ".join(node.value.split())
        self._wrong(node, f"{key}: expected a text, got {shown(node)}", "put it in quotes if it is meant")
        return ""

    def _whole(self, key: str, items: _Items, least: int, most: int, default: int) -> int:
        if key not in items:
            return default
        node = items[key].node
        # True counts as 1 in Python, and as nonsense in a file.
        if isinstance(node.value, int) and not isinstance(node.value, bool) and least <= node.value <= most:
            return node.value
        self._wrong(node, f"{key}: expected {least} to {most}, got {shown(node)}")
        return default

    def _safety(self, items: _Items) -> tuple[Safety, ...]:
        if "safety" not in items:
            return tuple(Safety)
        found = []
        for each in _listed(items["safety"].node):
            if isinstance(each.value, str) and each.value in set(Safety):
                found.append(Safety(each.value))
            else:
                self._wrong(each, f"safety: {shown(each)} is no mode", f"write {' or '.join(Safety)}, or leave it out")
        return tuple(dict.fromkeys(found)) or tuple(Safety)

    # Steps

    def _all_steps(self, node: Node, depth: int) -> tuple[Step | Block, ...]:
        if not isinstance(node.value, tuple) or not node.value:
            self._wrong(
                node, f"steps: expected a list, got {shown(node)}", "begin each step with a dash: - kill server"
            )
            return ()
        return tuple(step for each in node.value if (step := self._step(each, depth)) is not None)

    def _step(self, node: Node, depth: int) -> Step | Block | None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            if self._steps == STEPS_MAX + 1:
                self._wrong(node, f"more than {STEPS_MAX} steps", "say it with repeat, or make two drills of it")
            return None
        if isinstance(node.value, dict):
            return self._block(node, depth)
        if not isinstance(node.value, str):
            self._wrong(node, f"expected a step, got {shown(node)}", "such as: kill server")
            return None
        return self._line(node, node.value)

    def _line(self, node: Node, text: str) -> Step | None:
        at_ms, rest = None, " ".join(text.split())
        try:
            if rest.startswith("at "):
                parts = rest.split(None, 2)
                if len(parts) < 3:
                    raise FormError(f"{rest!r} says when, and not what: `at TIME STEP`")
                at_ms, rest = read_time(parts[1]), parts[2]
            act = words.read_act(rest)
        except FormError as error:
            self._wrong(node, str(error))
            return None
        if isinstance(act, words.Newcomer):
            self._newcomer(node, act.peer)
        self._check_names(node, act)
        return Step(act, rest, node.where, at_ms)

    def _newcomer(self, node: Node, name: str) -> None:
        if name in self._names or name in ROLES or name in GROUPS:
            self._wrong(node, f"{name} is a peer already, or a role", "take a new name")
        self._names.add(name)

    def _block(self, node: Node, depth: int) -> Block | None:
        if depth == DEPTH_MAX:
            self._wrong(node, f"blocks within blocks, deeper than {DEPTH_MAX}")
            return None
        items = self._mapping(node, (*_BLOCK_KEYS, *Safety), "a block")
        for mode in Safety:
            if mode in items:
                if len(items) > 1:
                    self._wrong(node, f'"{mode}" and other keys in one step', "put each in a step of its own")
                return Block(self._one_or_all(items[mode].node, depth + 1), only=mode)
        if "steps" not in items:
            self._wrong(
                node, "a step that is a mapping needs steps", "as in: {repeat: 3, steps: [kill heir, start heir]}"
            )
            return None
        each = self._text("each", items)
        if each and each not in GROUPS:
            self._wrong(items["each"].node, f"each: there is no group {each}", f"take one of {', '.join(GROUPS)}")
        repeat = self._whole("repeat", items, 1, REPEAT_MAX, default=1)
        return Block(self._all_steps(items["steps"].node, depth + 1), repeat=repeat, each=each)

    def _one_or_all(self, node: Node, depth: int) -> tuple[Step | Block, ...]:
        """What stands behind `quorum:`: one step, or a list of them."""
        if isinstance(node.value, tuple):
            return self._all_steps(node, depth)
        step = self._step(node, depth)
        return () if step is None else (step,)

    # Expectations

    def _all_expects(self, node: Node, only: Safety | None) -> tuple[Expectation, ...]:
        if not isinstance(node.value, tuple):
            self._wrong(node, f"expects: expected a list, got {shown(node)}", "begin each with a dash: - settled")
            return ()
        return tuple(found for each in node.value for found in self._expects(each, only))

    def _expects(self, node: Node, only: Safety | None) -> tuple[Expectation, ...]:
        if isinstance(node.value, dict) and only is None:
            items = self._mapping(node, tuple(Safety), "an expectation of one mode")
            return tuple(
                found
                for mode in Safety
                if mode in items
                for each in _listed(items[mode].node)
                for found in self._expects(each, mode)
            )
        if not isinstance(node.value, str):
            self._wrong(node, f"expected a condition, got {shown(node)}", "such as: outage within death")
            return ()
        text = " ".join(node.value.split())
        try:
            fact = words.read_fact(text)
        except FormError as error:
            self._wrong(node, str(error))
            return ()
        self._check_names(node, fact)
        return (Expectation(fact, text, node.where, only),)

    # Names

    def _check_names(self, node: Node, line: Line) -> None:
        for name in _names_of(line):
            if name not in self._names and name not in ROLES and name not in GROUPS:
                known = [*ROLES, *GROUPS, *sorted(self._names)]
                hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
                self._wrong(node, f"there is no peer and no role {name!r}", hint)

    def _wrong(self, node: Node, message: str, hint: str = "") -> None:
        self._problems.append(Problem(node.where, message, hint))


def _listed(node: Node) -> tuple[Node, ...]:
    """The nodes of a list, or the one node that stands there instead."""
    return node.value if isinstance(node.value, tuple) else (node,)


def _place(problem: Problem) -> tuple[int, int]:
    """Line and column of a problem; one that has none comes first."""
    _, *numbers = problem.where.rsplit(":", 2)
    line, column = (int(n) if n.isdecimal() else 0 for n in numbers) if len(numbers) == 2 else (0, 0)
    return line, column


def _names_of(line: Line) -> list[str]:
    """The words for peers in an act or a condition."""
    found: list[str] = []
    for field, kind in dict(place for form in line.forms for place in places(form)).items():
        value = getattr(line, field)
        match kind:
            case "peer" | "any":
                found.append(value)
            case "peers":
                found.extend(value)
            case "groups":
                found.extend(name for group in value for name in group)
            case "fact" if isinstance(value, Act | Condition):
                found.extend(_names_of(value))
    return [name for name in dict.fromkeys(found) if name not in ("", "*")]


__all__ = ["parse_drill", "read_drill"]
