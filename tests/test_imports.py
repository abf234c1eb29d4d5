"""Which module may import which: peer -> config -> transport -> election, and a core that reaches nothing outside."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each package and the packages of tanist that it may import: itself and what stands to its right.
MAY_IMPORT = {
    "peer": {"peer", "config", "transport", "election"},
    "config": {"config", "transport", "election"},
    "transport": {"transport", "election"},
    "election": {"election"},
}

# What the pure core may take from outside: nothing here has a clock, a socket, a file, a log or chance of its own.
PURE_MODULES = frozenset(
    (
        "__future__",
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "copy",
        "dataclasses",
        "enum",
        "fractions",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "math",
        "msgspec",
        "operator",
        "re",
        "statistics",
        "string",
        "struct",
        "textwrap",
        "types",
        "typing",
        "zlib",
    )
)
# Chance is injected: the core may name the type, and seed one of its own.
PURE_NAMES = frozenset({"random.Random"})
# Builtins that reach outside, or whose answer changes from one process to the next.
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint", "hash", "id", "__import__"})
# What must not even be loaded, by whatever way, when the whole core is.
NEVER_LOADED = (
    "aiofiles",
    "aiohttp",
    "asyncio",
    "logging",
    "selectors",
    "socket",
    "ssl",
    "structlog",
    "tanist.config",
    "tanist.peer",
    "tanist.transport",
)


def modules() -> list[tuple[str, Path]]:
    """Every module of the four packages with the package it is in."""
    return [(package, path) for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the full dotted name of all that `tree` imports, wherever it does, in functions too."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module=module, names=names, level=0):
                yield from ((node.lineno, f"{module}.{name.name}") for name in names)
            case ast.ImportFrom():
                yield node.lineno, ".relative"
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def wrong_way(package: str, source: str) -> list[str]:
    """What of `source`, a module of `package`, imports against the direction, one sentence each."""
    found = []
    for line, name in imported(ast.parse(source)):
        top, _, rest = name.partition(".")
        if not top:
            found.append(f"line {line}: a relative import: write tanist.{package}…")
        elif top in MAY_IMPORT:
            found.append(f"line {line}: {name}: a user's own module may have that name: write tanist.{name}")
        elif top == "tanist" and rest.partition(".")[0] not in MAY_IMPORT[package]:
            found.append(f"line {line}: {name}: {package}/ may import {', '.join(sorted(MAY_IMPORT[package]))} only")
    return found


def impure(source: str) -> list[str]:
    """What of `source`, a module of the core, reaches outside or differs from run to run, one sentence each."""
    tree = ast.parse(source)
    found = [
        f"line {line}: {name} is not known to be pure"
        for line, name in imported(tree)
        if name.partition(".")[0] not in PURE_MODULES | {"tanist"} and name not in PURE_NAMES
    ]
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                found.append(f"line {node.lineno}: {name}() reaches outside, or differs from run to run")
            case ast.Call(func=ast.Name(id="Random"), args=[], keywords=[]):
                found.append(f"line {node.lineno}: Random() without a seed differs from run to run")
    return found


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_package_is_looked_at() -> None:
    assert {package for package, _ in modules()} == set(MAY_IMPORT)


def test_imports_go_one_way() -> None:
    found = [
        f"{named(path)} {told}" for package, path in modules() for told in wrong_way(package, path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


def test_the_core_is_pure() -> None:
    found = [
        f"{named(path)} {told}"
        for package, path in modules()
        if package == "election"
        for told in impure(path.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


def test_the_core_loads_nothing_that_reaches_outside() -> None:
    core = [
        ".".join(("tanist", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for package, path in modules()
        if package == "election" and path.name != "__main__.py"
    ]
    # What Python itself loaded before, at its start, is not the core's doing.
    script = (
        f"import sys\nbefore = set(sys.modules)\nimport {', '.join(core)}\n"
        f"print(*sorted({set(NEVER_LOADED)} & (set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout.split()) == (0, []), run.stderr


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("election", "from tanist.transport.frames import Frame"),
        ("election", "import tanist.peer.peer"),
        ("election", "from tanist import config"),
        ("transport", "from tanist.config.schema import Settings"),
        ("config", "if TYPE_CHECKING:\n    from tanist.peer.peer import Peer"),
        ("transport", "def later():\n    from tanist.peer.peer import Peer"),
        ("config", 'import_module("tanist.peer")'),
        ("config", 'importlib.import_module("tanist.peer.peer")'),
        ("peer", "from . import errors"),
        ("peer", "from .errors import PeerError"),
        ("peer", "import config"),
        ("peer", "from config.schema import Settings"),
        ("peer", "import tanist"),
    ],
)
def test_an_import_against_the_direction_is_found(package: str, source: str) -> None:
    assert len(wrong_way(package, source)) == 1


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("peer", "from tanist.config.schema import Settings\nfrom tanist import election"),
        ("transport", "import asyncio, tanist.election.messages, tanist.transport.frames"),
        ("election", "from tanist.election import log"),
        ("config", "import configparser, peerage"),
    ],
)
def test_an_import_along_the_direction_is_let_be(package: str, source: str) -> None:
    assert wrong_way(package, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio",
        "import time",
        "def now():\n    from time import monotonic",
        "from os import path",
        "import random",
        "from random import random",
        "from random import Random, choice",
        "chance = Random()",
        "__import__('socket')",
        "open('file')",
        "print('told')",
        "order = hash(name)",
    ],
)
def test_an_impure_line_of_the_core_is_found(source: str) -> None:
    assert impure(source)


@pytest.mark.parametrize(
    "source",
    [
        "from random import Random\nchance = Random(7)",
        "from collections.abc import Mapping\nimport msgspec\nfrom tanist.election.log import Log",
        "self.open('log')",
    ],
)
def test_a_pure_line_of_the_core_is_let_be(source: str) -> None:
    assert impure(source) == []
