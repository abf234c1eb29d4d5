"""Configurations for people: the effective one with the origin of each value, and the reference of all keys."""

import ast
import functools
import inspect
import json
import re
import textwrap
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from tanist.config.keys import PROFILE, Setting, sections, settings
from tanist.config.problems import Origin
from tanist.config.schema import PeerConfig
from tanist.config.sources import NEGATED, OTHER_VARIABLES, variable
from tanist.config.specs import App
from tanist.election.settings import PACES
from tanist.transport.settings import TransportSettings

HIDDEN = re.compile(r"password|passphrase|secret|token|credential", re.IGNORECASE)
"""Settings of applications whose values are not shown: a configuration is printed into terminals and reports."""
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null"})


def render(config: PeerConfig, origins: Mapping[str, Origin]) -> str:
    """The effective configuration as YAML, each value with its origin as a comment. It can be loaded again, but for
    the secrets of applications, which are left out as "***"."""
    lines: list[tuple[str, str]] = []
    section = ""
    for path, setting in settings().items():
        if setting.section not in ("", section):
            lines.append((f"{setting.section}:", ""))
        section = setting.section
        # The values of the profile follow by themselves; naming it too would say everything twice.
        if path != PROFILE:
            lines.append((_line(config, setting), str(origins[path])))
    width = min(60, max(len(text) for text, _ in lines))
    return "".join(f"{text:<{width}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines)


def _line(config: PeerConfig, setting: Setting) -> str:
    name = setting.path.rpartition(".")[2]
    if setting.path == "data":
        return f"data: {_scalar(str(config.data_directory))}"
    holder = getattr(config, setting.section) if setting.section else config
    value = getattr(holder, name)
    indent = "  " if setting.section else ""
    # An empty text is "none": a comment, since a key without value would be refused.
    return f"{indent}{name}: {_scalar(value)}" if value != "" else f"# {name}: none"


def _scalar(value: Any) -> str:
    """A value as YAML on one line."""
    match value:
        case StrEnum():
            return str(value)
        case str() if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        case tuple() if any(isinstance(v, App) and v.settings for v in value):
            return json.dumps({app.spec: _masked(app.settings) for app in value}, ensure_ascii=False)
        case tuple():
            return json.dumps([v.spec if isinstance(v, App) else str(v) for v in value], ensure_ascii=False)
        case _:
            return json.dumps(value, ensure_ascii=False)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "***" if HIDDEN.search(k) else _masked(v) for k, v in value.items()}
    return [_masked(v) for v in value] if isinstance(value, list) else value


def meaning(setting: Setting) -> str:
    """What a key means, in sentences; "" when nobody said it."""
    if setting.section == "transport":
        return field_docstrings(TransportSettings).get(setting.path.rpartition(".")[2], "")
    return setting.key.meaning


@functools.cache
def field_docstrings(cls: type) -> dict[str, str]:
    """The string that follows each field in a class's source, on one line; fields without one are left out."""
    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                found[name] = " ".join(text.split())
    return found


_INTRODUCTION = """\
# Configuration

<!-- Generated from the schema by tests/test_config_describe.py: REWRITE=1 writes it anew. -->

A peer needs none of this: `tanist up` runs with the defaults. What is set comes from four layers, each over those
before it: the defaults, a file (`tanist up --config FILE`, YAML, or JSON when its name ends in `.json`), the
environment, the flags. `tanist config show` prints the effective values, each with its origin; `tanist config check`
names everything that is wrong, with file, line and column.

A value replaces the one below it as a whole, lists too; sections are laid over key by key. A pace that is named above
drops the single values below, and an application that is named above without settings keeps those it has below.

A listener's address that was given never moves: if it is busy, the peer ends and names it. A default one moves to the
next free port. Relative paths in a file start from the file's folder.

What an application takes under its name in `apps` is in [applications](applications.md); it is validated like all else.
The settings of the first server are those of the cluster.

Lists stand between commas in the environment (`TANIST_PEER=192.168.1.5:7400,192.168.1.6:7400`); an empty variable
counts as unset, an unknown `TANIST_` variable is refused.
"""


def reference() -> str:
    """The reference of all keys, as markdown."""
    parts = [_INTRODUCTION, _table("Keys", "", [s for s in settings().values() if not s.section])]
    for section, group in sections().items():
        rows = [s for s in settings().values() if s.section == section]
        parts.append(_table(f"`{section}`", group.meaning, rows))
        if section == "pace":
            parts.append(_paces())
    others = "".join(f"| `{name}` | {told} |\n" for name, told in OTHER_VARIABLES.items())
    parts.append(
        "## Other variables\n\nThese belong to the command line and set nothing in a peer.\n\n"
        f"| variable | is |\n| --- | --- |\n{others}"
    )
    parts.append(_TURN_GAME)
    return "\n".join(parts)


_TURN_GAME = """\
## The turn game's file

`{"host": "127.0.0.1", "port": "8080", "reserve": ["127.0.0.1:8081"]}` is taken as it is. Host and port are what players
dial: the gateway `tictactoe=turngame:127.0.0.1:8080`. Peers meet a thousand ports above, each reserve's too (`listen`
is 127.0.0.1:9080, `peers` is 127.0.0.1:9081). The name is `127.0.0.1-8080`, the data follows from it, the cluster is
`turngame`, and nobody is looked for on the network.
"""


def _table(title: str, about: str, rows: list[Setting]) -> str:
    head = f"## {title}\n\n" + (f"{about}\n\n" if about else "")
    columns = "| key | takes | unit | default | flag, variable | meaning |\n| --- | --- | --- | --- | --- | --- |\n"
    return head + columns + "".join(_row(setting) for setting in rows)


def _row(setting: Setting) -> str:
    key = setting.key
    default = key.default or _default(setting.default)
    flag = ""
    if key.flag:
        shown = next((no for no, yes in NEGATED.items() if yes == setting.path), key.flag)
        flag = f"`--{shown}`, `{variable(key.flag)}`"
    name = setting.path.rpartition(".")[2]
    cells = [f"`{name}`", key.takes, key.unit, default, flag, meaning(setting)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(value: Any) -> str:
    return "none" if value in ((), "") else f"`{_scalar(value)}`"


def _paces() -> str:
    fields = [s.path.partition(".")[2] for s in settings().values() if s.section == "pace" and s.path != PROFILE]
    rows = [f"| `{f}` | " + " | ".join(f"{getattr(p, f):g}" for p in PACES.values()) + " |\n" for f in fields]
    head = "| profile | " + " | ".join(f"`{name}`" for name in PACES) + " |\n" + "| --- " * (len(PACES) + 1) + "|\n"
    return head + "".join(rows)
