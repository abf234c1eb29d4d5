"""Applications for virtual peers: a copy of its own for each process, as real processes would have.

A module that keeps something in a global variable keeps it in one process, and loses it when that ends. So the module
of a user's application is run anew for every start of a virtual peer; otherwise all peers would share such state, and
none would ever lose it.
"""

import contextlib
import itertools
import sys
from collections.abc import Mapping, Sequence
from types import CodeType, ModuleType

from tanist.peer.application.api import Application
from tanist.peer.application.loading import BUILT_IN, LoadError, load_application

_numbers = itertools.count(1)


class Applications:
    """The applications under test, by the name under which the cluster knows them. Raises LoadError."""

    def __init__(self, specs: Sequence[str]) -> None:
        self._makers: dict[str, _Maker] = {}
        self.classes: dict[str, type[Application]] = {}
        for spec in specs:
            name, application = load_application(spec)
            if name in self._makers:
                raise LoadError(f"--app {spec}: there is an application {name!r} already")
            self._makers[name] = _Maker(type(application), anew=spec not in BUILT_IN)
            self.classes[name] = type(application)

    def make(self) -> Mapping[str, Application]:
        """All of them as a process has them that has just started."""
        return {name: maker.make() for name, maker in self._makers.items()}


class _Maker:
    def __init__(self, cls: type[Application], *, anew: bool) -> None:
        self._class = cls
        self._module = sys.modules[cls.__module__]
        self._code = _code_of(self._module) if anew else None

    def make(self) -> Application:
        if self._code is None:
            return self._class()
        again: type[Application] = getattr(self._run(self._code), self._class.__name__)
        return again()

    def _run(self, code: CodeType) -> ModuleType:
        old = self._module
        module = ModuleType(f"{old.__name__}__{next(_numbers)}", old.__doc__)
        module.__file__ = old.__file__
        module.__package__ = old.__package__
        # Type hints are looked up through sys.modules while the classes are defined, and not after.
        sys.modules[module.__name__] = module
        try:
            exec(code, module.__dict__)
        finally:
            with contextlib.suppress(KeyError):
                del sys.modules[module.__name__]
        return module


def _code_of(module: ModuleType) -> CodeType | None:
    """The code of a module; None where it has none to be run again, and all peers must share it."""
    spec = module.__spec__
    if spec is None or spec.loader is None or not hasattr(spec.loader, "get_code"):
        return None
    code: CodeType | None = spec.loader.get_code(module.__name__)
    return code
