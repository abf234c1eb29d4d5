"""Where values are read from: a file, the environment, the flags; each becomes nodes by key.

Nothing is read that nobody declared: an unknown key or TANIST_ variable is a problem, not a value without effect.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from tanist.config.keys import PROFILE, Setting, flags, sections, settings
from tanist.config.loader import read
from tanist.config.nodes import Item, Node, from_python, shown
from tanist.config.problems import ConfigError, Problem, did_you_mean
from tanist.config.turngame import is_turn_game, is_turn_game_client, translate
from tanist.election.settings import PACES

PREFIX = "TANIST_"
"""What our environment variables begin with."""
NEGATED = {"no-discovery": "discovery"}
"""Flags that say no, and the setting they say it of."""
SWITCHES = frozenset({"no-discovery", "allow-drills"})
"""Flags without a value: False is their absence."""
LISTS = frozenset({"peers", "apps", "gateways"})
"""Settings that the environment holds as words between commas."""
OTHER_VARIABLES = {
    "TANIST_CONFIG": "the file that `tanist up` reads, as --config",
    "TANIST_AT": "the peer that client verbs talk to, as --at",
    "TANIST_JSON": "machine-readable answers of client verbs, as --json",
    "TANIST_TIMEOUT": "how long client verbs wait, as --timeout",
}
"""Variables of ours that set nothing in a peer: they belong to other verbs."""
SYNONYMS = {
    "address": "listen",
    "host": "listen",
    "port": "listen",
    "bind": "listen",
    "nodes": "peers",
    "members": "peers",
    "servers": "peers",
    "reserve": "peers",
    "mode": "safety",
    "profile": "pace",
    "heartbeat": "pace",
    "directory": "data",
    "id": "name",
}
"""Words of other systems, and what they are called here."""


class Source(msgspec.Struct, frozen=True):
    """What one layer holds: its values by key, what is wrong with it, and the top-level keys that are lost by that."""

    values: dict[str, Node]
    problems: list[Problem]
    broken: frozenset[str] = frozenset()


def from_file(file: Path) -> Source:
    """The values of a YAML or JSON file. What cannot be read at all leaves every key broken."""
    try:
        root, problems = read(file)
        source = _from_root(root)
        return Source(source.values, [*problems, *source.problems], source.broken)
    except ConfigError as error:
        # Nothing is known of the file, so nothing can be said of how its settings fit together.
        return Source({}, error.problems, frozenset({*settings(), *sections()}))


def _from_root(root: Node) -> Source:
    items = cast(dict[str, Item], root.value)
    top = {path.partition(".")[0] for path in settings()}
    if is_turn_game(items) and top.isdisjoint(items):
        return Source(translate(root), [])
    if is_turn_game_client(items):
        told = "this is the file of the turn game's client"
        raise ConfigError([Problem(root.where, told, 'a server\'s has "host", "port" and "reserve"')])
    found: dict[str, Node] = {}
    problems: list[Problem] = []
    broken: set[str] = set()
    for key, item in items.items():
        if key == "pace" and isinstance(item.node.value, str):
            found[PROFILE] = item.node
        elif key in sections():
            section = _from_section(key, item.node)
            found |= section.values
            problems += section.problems
            broken |= section.broken
        elif key in settings():
            found[key] = item.node
        else:
            problems.append(Problem(item.key_where, f'unknown key "{key}"', _key_hint(key, "")))
    return Source(found, problems, frozenset(broken))


def _from_section(section: str, node: Node) -> Source:
    members = [s.path.partition(".")[2] for s in settings().values() if s.section == section]
    if not isinstance(node.value, dict):
        named = f", or one of {', '.join(PACES)}" if section == "pace" else ""
        told = f"{section}: expected a mapping{named}, got {shown(node)}"
        problem = Problem(node.where, told, f"it takes {', '.join(members)}")
        return Source({}, [problem], frozenset({section}))
    found: dict[str, Node] = {}
    problems: list[Problem] = []
    for key, item in node.value.items():
        if key in members:
            found[f"{section}.{key}"] = item.node
        else:
            told = f'unknown key "{key}" in {section}'
            problems.append(Problem(item.key_where, told, _key_hint(key, section)))
    return Source(found, problems)


def _key_hint(key: str, section: str) -> str:
    """What an unknown key may have been meant for."""
    for path in settings():
        place, _, last = path.rpartition(".")
        if last == key and place != section:
            return f"it belongs under {place}" if place else "it stands at the top, in no section"
    if not section and key.lower() in SYNONYMS:
        return f'did you mean "{SYNONYMS[key.lower()]}"?'
    if section:
        here = [s.path.partition(".")[2] for s in settings().values() if s.section == section]
        return did_you_mean(key, here) or f"{section} takes {', '.join(here)}"
    top = [path for path in settings() if "." not in path] + list(sections())
    return did_you_mean(key, top) or "all keys: tanist config show"


def variable(flag: str) -> str:
    """The environment variable of a flag."""
    return PREFIX + flag.upper().replace("-", "_")


def from_environment(environment: Mapping[str, str]) -> Source:
    """The values of the TANIST_ variables; an empty one counts as unset."""
    known = {variable(flag): setting for flag, setting in flags().items()}
    known |= {variable(no): settings()[yes] for no, yes in NEGATED.items()}
    found: dict[str, Node] = {}
    problems: list[Problem] = []
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHER_VARIABLES:
            continue
        if name not in known:
            hint = did_you_mean(name, [*known, *OTHER_VARIABLES])
            problems.append(Problem(name, "no setting has this variable", hint or "unset it"))
        elif text.strip():
            setting = known[name]
            words = [word.strip() for word in text.split(",")] if setting.path in LISTS else text.strip()
            negated = any(name == variable(no) for no in NEGATED)
            found[setting.path] = from_python(_opposite(words) if negated else words, name, words=True)
    return Source(found, problems)


def _opposite(text: object) -> object:
    """What a variable that says no means for its setting; what is neither is left for the setting to refuse."""
    opposites = {"true": "false", "yes": "no", "on": "off", "1": "0"}
    opposites |= {no: yes for yes, no in opposites.items()}
    return opposites.get(str(text).lower(), text)


def from_flags(given: Mapping[str, object]) -> Source:
    """The values of flags, as `load` takes them. Raises TypeError for one that nobody declared."""
    found: dict[str, Node] = {}
    for name, value in given.items():
        flag = name.replace("_", "-")
        if value is None or value == () or value == [] or (value is False and flag in SWITCHES):
            continue
        setting, where = _setting_of(name, flag)
        if flag in NEGATED:
            value = not value
        found[setting.path] = from_python(value, where, words=True)
    return Source(found, [])


def _setting_of(name: str, flag: str) -> tuple[Setting, str]:
    if flag in NEGATED:
        return settings()[NEGATED[flag]], f"--{flag}"
    if flag in flags():
        return flags()[flag], f"--{flag}"
    if name in settings():
        return settings()[name], settings()[name].shown_flag
    raise TypeError(f"no setting has the flag {name!r}")
