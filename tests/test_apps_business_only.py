"""The applications that come along are business logic only: small files that reach for nothing outside of the log."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tanist.peer.application.loading import BUILT_IN

APPS = Path(__file__).parent.parent / "peer" / "apps"
FILES = sorted(APPS.glob("*.py"))
LINES_MAX = 150
OWN = ("tanist.peer.application", "tanist.peer.apps", "tanist.peer.lantern.commands", "tanist.election.condition")
"""What they build on: the API, each other, and pure rules that others share with them."""
OUTSIDE = {
    "asyncio", "concurrent", "ctypes", "fcntl", "ftplib", "http", "logging", "multiprocessing", "pickle", "queue",
    "random", "secrets", "select", "selectors", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3",
    "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""Parts of the standard library that a command has no use for: the network, clocks, chance, other programs."""


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_file_is_longer_than_a_person_reads_at_once(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_but_the_api_and_plain_python_is_imported(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    # Within a method that each peer runs by itself, `@local`, the machine may be looked at.
    local = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and is_local(node)
        for name in imported(node)
    }
    for name in set(imported(tree)) - local:
        top = name.partition(".")[0]
        plain = top in sys.stdlib_module_names and top not in OUTSIDE
        assert plain or top == "msgspec" or name.startswith(OWN), f"{path.name} imports {name}"


def is_local(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(d, ast.Call) and isinstance(d.func, ast.Name) and d.func.id == "local"
        for d in function.decorator_list
    )


def test_all_applications_are_among_these_files() -> None:
    assert {spec.rpartition(":")[0].removeprefix("tanist.peer.apps.") for spec in BUILT_IN.values()} <= {
        path.stem for path in FILES
    }
