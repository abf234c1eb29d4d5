"""Plant a bug in this process: from then on the mutated sources are imported in place of the product's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from planted.bug import Bug, mutated


class _Source(Loader):
    """Loads one module from a source in memory; no byte code is kept."""

    def __init__(self, path: Path, source: str) -> None:
        self._code = compile(source, str(path), "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


class _Finder(MetaPathFinder):
    """Finds the mutated modules before anything else does."""

    def __init__(self, sources: dict[str, tuple[Path, str]]) -> None:
        self._sources = sources

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        found = self._sources.get(name)
        return None if found is None else spec_from_file_location(name, found[0], loader=_Source(*found))


def plant(planted: Bug) -> None:
    """Plant a bug. Raises `DoesNotApply`, and RuntimeError when the product was imported before."""
    sources = mutated(planted)
    loaded = sources.keys() & sys.modules.keys()
    if loaded:
        raise RuntimeError(f"imported already, without the bug: {', '.join(sorted(loaded))}")
    sys.meta_path.insert(0, _Finder(sources))
